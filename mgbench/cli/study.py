"""Study files: the options of `run` and `plan` in TOML, so that a campaign is a file; what stands on the command line wins."""

from pathlib import Path
from typing import Any, Final

import rich_click as click
from click.core import ParameterSource

from mgbench import spec
from mgbench.errors import SpecError, nearest
from mgbench.study import load_study, read_table


#: The options whose values are components, so that `--set` may change one parameter of one of them.
_AXES: Final = ("dataset", "encoder", "method", "evaluator", "augmentation", "pretrain-on")
#: What a study cannot say of itself.
_COMMAND_LINE: Final = ("json", "set", "study")
_WORDS: Final = {"true": True, "false": False}


def read_study(path: Path | None, changes: tuple[str, ...]) -> dict[str, Any]:
    """Return a study's keys, with `--set` applied: `seeds=3`, or `method.mgrl.epochs=50` for every mgrl of the axis.

    The augmentations of a study with a table are those of its rows.
    """
    table: dict[str, Any] = {}
    if path is not None:
        table = load_study(path)
        rows = read_table(table)
        table.pop("table", None)
        if rows is not None:
            table.setdefault("augmentation", [row.augmentation for row in rows.rows])
    for change in changes:
        key, equals, value = change.partition("=")
        words = key.strip().split(".")
        if not equals or not value.strip() or len(words) not in {1, 3}:
            msg = f"--set got {change!r}; write key=value, or axis.name.parameter=value such as method.mgrl.epochs=50."
            raise SpecError(msg)
        if len(words) == 1:
            table[words[0]] = _WORDS.get(value.strip(), value.strip())
        else:
            table[words[0]] = _changed(table.get(words[0]), words, value.strip())
    return table


def _changed(texts: Any, words: list[str], value: str) -> list[str]:  # noqa: ANN401 - whatever the file holds
    """Return an axis with one parameter of one component set."""
    axis, name, parameter = words
    if axis not in _AXES:
        msg = f"--set names the axis {axis!r}; {nearest(axis, _AXES)}"
        raise SpecError(msg)
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
    keys = options.keys() - set(_COMMAND_LINE)
    merged = dict(given)
    for key, value in read_study(study, changes).items():
        if key not in keys:
            only = "which only the command line takes; leave it out." if key in _COMMAND_LINE else nearest(key, keys)
            msg = f"The study has the key {key!r}{', ' if key in _COMMAND_LINE else '; '}{only}"
            raise SpecError(msg)
        parameter = options[key]
        name, shaped = str(parameter.name), _shaped(key, value, parameter)
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            continue
        try:
            merged[name] = parameter.type_cast_value(ctx, shaped)
        except click.BadParameter as error:
            msg = f"The study's {key} got {value!r}: {error.message}"
            raise SpecError(msg) from error
    return merged


def _shaped(key: str, value: Any, parameter: click.Parameter) -> bool | str | list[str]:  # noqa: ANN401 - whatever the file holds
    """Return a value as click has it of the command line, or raise `SpecError` where it would mean something else there."""
    wrong = ""
    if getattr(parameter, "is_flag", False):
        wrong = "" if isinstance(value, bool) else "write true or false"
    elif isinstance(value, bool | dict):
        wrong = "write text, a number or a list"
    elif "" in _listed(value):
        wrong = "write something, or leave the key out"
    if wrong:
        msg = f"The study's {key} got {value!r}; {wrong}."
        raise SpecError(msg)
    if isinstance(value, bool):
        return value
    return _listed(value) if parameter.multiple else str(value)
