"""Study files: the options of `run` and `plan` in TOML, so that a campaign is a file; what stands on the command line wins."""

import tomllib
from pathlib import Path
from typing import Any

import rich_click as click
from click.core import ParameterSource

from mgbench import spec
from mgbench.errors import SpecError, nearest


def read_study(path: Path | None, changes: tuple[str, ...]) -> dict[str, Any]:
    """Return a study's keys, with `--set` applied: `seeds=3`, or `method.mgrl.epochs=50` for every mgrl of the axis."""
    table: dict[str, Any] = {}
    if path is not None:
        try:
            table = tomllib.loads(path.read_text())
        except OSError as error:
            msg = f"Cannot read the study {str(path)!r}: {error.strerror}."
            raise SpecError(msg) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            msg = f"The study {str(path)!r} is no TOML: {error}."
            raise SpecError(msg) from error
    for change in changes:
        key, equals, value = change.partition("=")
        words = key.strip().split(".")
        if not equals or not value.strip() or len(words) not in {1, 3}:
            msg = f"--set got {change!r}; write key=value, or axis.name.parameter=value such as method.mgrl.epochs=50."
            raise SpecError(msg)
        if len(words) == 1:
            table[words[0]] = value.strip()
        else:
            table[words[0]] = _changed(table.get(words[0]), words, value.strip())
    return table


def _changed(texts: Any, words: list[str], value: str) -> list[str]:  # noqa: ANN401 - whatever the file holds
    """Return an axis with one parameter of one component set."""
    axis, name, parameter = words
    calls = [call for text in _listed(texts) for call in spec.read_list(text)]
    if name not in {call.name for call in calls}:
        msg = f"--set names {axis}.{name}, but the study's {axis}s are {', '.join(call.name for call in calls) or 'not given'}."
        raise SpecError(msg)
    changed = [
        spec.Call(call.name, tuple({**dict(call.arguments), parameter: value}.items())) if call.name == name else call for call in calls
    ]
    return [spec.write_call(call) for call in changed]


def _listed(value: Any) -> list[str]:  # noqa: ANN401
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def with_study(ctx: click.Context, given: dict[str, Any], study: Path | None, changes: tuple[str, ...]) -> dict[str, Any]:
    """Return the command's options, those that were not given taken from the study."""
    options = {word.lstrip("-"): one for one in ctx.command.params for word in one.opts if word.startswith("--")}
    merged = dict(given)
    for key, value in read_study(study, changes).items():
        if key not in options:
            msg = f"The study has the key {key!r}; {nearest(key, options)}"
            raise SpecError(msg)
        parameter = options[key]
        name = str(parameter.name)
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            continue
        shaped = _listed(value) if parameter.multiple else str(value)
        if getattr(parameter, "is_flag", False):
            shaped = value if isinstance(value, bool) else str(value).lower() == "true"  # type: ignore[assignment]
        try:
            merged[name] = parameter.type_cast_value(ctx, shaped)
        except click.BadParameter as error:
            msg = f"The study's {key} got {value!r}: {error.message}"
            raise SpecError(msg) from error
    return merged
