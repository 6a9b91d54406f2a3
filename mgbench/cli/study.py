"""Study files: the options of `run` and `plan` in TOML, so that a campaign is a file; what stands on the command line wins."""

from pathlib import Path
from typing import Any, Final

import attrs
import rich_click as click
from click.core import ParameterSource

from mgbench import spec
from mgbench.errors import SpecError, nearest
from mgbench.study import Study, load_study


#: The options whose values are components, so that `--set` may change one of them, or one of its parameters.
_AXES: Final = ("dataset", "encoder", "method", "evaluator", "augmentation", "pretrain-on")
#: What a study cannot say of itself.
_COMMAND_LINE: Final = ("json", "set", "study")
_WORDS: Final = {"true": True, "false": False}


def read_study(path: Path | None, changes: tuple[str, ...]) -> Study:
    """Return a study with `--set` applied to its options and to the rows of its table.

    `seeds=3` sets an option, `method.mgrl.epochs=50` a parameter of every mgrl of the axis, `encoder.edgcn=stgcn` puts another component
    in the place of every edgcn, with the parameters that the study gave that.
    """
    study = Study({}) if path is None else load_study(path)
    for change in changes:
        key, equals, value = (word.strip() for word in change.partition("="))
        words = key.split(".")
        if not equals or not value or len(words) > 3:  # noqa: PLR2004 - axis, name, parameter
            msg = f"--set got {change!r}; write key=value, axis.name=component, or axis.name.parameter=value such as method.mgrl.epochs=50."
            raise SpecError(msg)
        if len(words) == 1:
            study = attrs.evolve(study, options={**study.options, key: _WORDS.get(value, value)})
        else:
            study = _changed(study, words, value)
    return study


def _changed(study: Study, words: list[str], value: str) -> Study:
    """Return a study with one component of an axis changed wherever it stands: one of its parameters, or for another."""
    axis, name, *parameter = words
    if axis not in _AXES:
        msg = f"--set names the axis {axis!r}; {nearest(axis, _AXES)}"
        raise SpecError(msg)
    table = study.table if study.table is not None and axis in study.table.axes else None
    texts = _listed(study.options.get(axis)) if table is None else [row.parts[axis] for row in table.rows]
    names = dict.fromkeys(call.name for text in texts for call in spec.read_list(text))
    if name not in names:
        msg = f"--set names {axis}.{name}, but the study's {axis}s are {', '.join(names) or 'not given'}."
        raise SpecError(msg)
    put = spec.Call(name, ((parameter[0], value),)) if parameter else spec.read(value)

    def swapped(text: str) -> str:
        calls = (
            spec.Call(put.name, tuple({**dict(call.arguments), **dict(put.arguments)}.items())) if call.name == name else call
            for call in spec.read_list(text)
        )
        return ",".join(map(spec.write_call, calls))

    if table is None:
        return attrs.evolve(study, options={**study.options, axis: list(map(swapped, texts))})
    return attrs.evolve(study, table=table.mapped(lambda at, text: swapped(text) if at == axis else text))


def _listed(value: Any) -> list[str]:  # noqa: ANN401
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def with_study(ctx: click.Context, given: dict[str, Any], study: Study) -> dict[str, Any]:
    """Return the command's options, those that were not given taken from the study."""
    options = {word.lstrip("-"): one for one in ctx.command.params for word in one.opts if word.startswith("--")}
    keys = options.keys() - set(_COMMAND_LINE)
    fixed = () if study.table is None else study.table.axes
    for axis in fixed:
        if ctx.get_parameter_source(str(options[axis].name)) is ParameterSource.COMMANDLINE:
            msg = f"--{axis} was given, but each row of the study's table has its own; keep rows by --where, or change them by --set."
            raise SpecError(msg)
    merged = dict(given)
    for key, value in study.options.items():
        if key in fixed:
            msg = f"The study has the key {key!r}, but each row of its table has its own; leave it out."
            raise SpecError(msg)
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
