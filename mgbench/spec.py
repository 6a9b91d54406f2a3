"""Components as text: `mgrl:epochs=50` and `mgrl[lambd=[1e-4,2e-4], views=none|csm|matm]`, read and written.

Colon form: one component, scalar values. Bracket form: everything else. `[a,b]` is a sweep, `(a,b)` a tuple,
`+` joins augmentations of a pipeline, `|` separates views. `read(write(c))` gives `c` back.
"""

import ast
import itertools
import math
import re
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Literal

import attrs

from mgbench.errors import SpecError, nearest


_OPEN, _CLOSE = "[(", "])"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/@%")


@attrs.frozen
class Call:
    """A component's name and its parameters, still as text."""

    name: str
    arguments: tuple[tuple[str, str], ...] = ()


class Named(typing.Protocol):
    """What this module needs of a component: its name, and attrs fields."""

    name: typing.ClassVar[str]


#: Gives the class of a component that a value names: kind (the base class a field asks for) and name.
Find = Callable[[type, str], type]


def split(text: str, separator: str) -> list[str]:
    """Split at a separator that stands outside brackets and quotes; parts are stripped."""
    parts, depth, quote, start, escaped = [], 0, "", 0, False
    for i, char in enumerate(text):
        if quote:
            quote = "" if char == quote and not escaped else quote
            escaped = char == "\\" and not escaped
        elif char in "'\"":
            quote = char
        elif char in _OPEN:
            depth += 1
        elif char in _CLOSE:
            depth -= 1
        elif char == separator and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
        if depth < 0:
            break
    if depth or quote:
        msg = f"The spec {text!r} has an unbalanced bracket or quote."
        raise SpecError(msg)
    return [*parts, text[start:].strip()]


def read(text: str) -> Call:
    """Read one component in either form into its name and parameters."""
    text = text.strip()
    bracket, colon = text.find("["), text.find(":")
    if bracket >= 0 and (colon < 0 or bracket < colon):
        name, inner = text[:bracket].strip(), text[bracket + 1 : -1]
        split(text, ",")  # tells of brackets that are never closed
        if not text.endswith("]"):
            msg = f"The spec {text!r} goes on after its closing bracket; write name[key=value, ...]."
            raise SpecError(msg)
    elif colon >= 0:
        name, inner = text[:colon].strip(), text[colon + 1 :]
        if re.search(r"[\[\]|]|(?<![eE])\+", inner):
            msg = f"The spec {text!r} nests values in colon form; write it as name[key=value, ...]."
            raise SpecError(msg)
    else:
        name, inner = text, ""
    if not name or not set(name) <= _PLAIN:
        msg = f"The spec {text!r} is no plain name; write name, name:key=value or name[key=value, ...]."
        raise SpecError(msg)
    return Call(name, _arguments(text, inner))


def _arguments(text: str, inner: str) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for part in split(inner, ",") if inner.strip() else []:
        key, equals, value = part.partition("=")
        key = key.strip()
        if not equals or not key.isidentifier() or not value.strip():
            msg = f"The spec {text!r} holds {part!r}, which is not of the form key=value."
            raise SpecError(msg)
        if key in found:
            msg = f"The spec {text!r} gives {key!r} twice; a sweep is written {key}=[a,b]."
            raise SpecError(msg)
        found[key] = value.strip()
    return tuple(found.items())


def read_list(text: str) -> list[Call]:
    """Read `a,b[k=1],c`; a colon form stands alone, because its commas separate parameters."""
    parts = split(text, ",")
    if ":" in parts[0].split("[")[0]:
        return [read(text)]
    for part in parts:
        if ":" in part.split("[")[0]:
            msg = f"The list {text!r} holds the colon form {part!r}; give it in an option of its own, or as name[key=value]."
            raise SpecError(msg)
    return [read(part) for part in parts]


@cache
def types_of(cls: type) -> dict[str, Any]:
    """Return the fields that a spec of this class may set, with their types; a `Recipe`'s keys stand beside the rest."""
    hints = typing.get_type_hints(cls)
    found: dict[str, Any] = {}
    for field in attrs.fields(cls):
        hint = hints[field.name]
        own = types_of(hint) if _is_inlined(hint) else {field.name: hint}
        if twice := found.keys() & own.keys():
            msg = f"{cls.__name__} has a field {min(twice)!r} beside the key of that name in its {field.name!r}; call the field otherwise."
            raise SpecError(msg)
        found |= own
    return found


def _is_inlined(hint: object) -> bool:
    return isinstance(hint, type) and attrs.has(hint) and bool(getattr(hint, "inlined", False))


def expand(cls: type, call: Call, find: Find) -> Iterator[Any]:
    """Yield the components that a call describes: one, or one for each point of its sweeps."""
    known = types_of(cls)
    choices: list[list[Any]] = []
    for key, text in call.arguments:
        if key not in known:
            allowed = nearest(key, known) if known else "it has none."
            msg = f"{call.name} has no parameter {key!r}; {allowed}"
            raise SpecError(msg)
        choices.append(list(_decode(text, known[key], find, f"{call.name}[{key}]")))
    keys = [key for key, _ in call.arguments]
    for values in itertools.product(*choices):
        yield build(cls, dict(zip(keys, values, strict=True)))


def build(cls: type, values: dict[str, Any]) -> Any:  # noqa: ANN401 - an instance of cls
    """Make a component from values by name, passing a recipe's keys on to the recipe."""
    own = {field.name: field for field in attrs.fields(cls)}
    direct = {key: value for key, value in values.items() if key in own}
    inlined = [name for name, hint in typing.get_type_hints(cls).items() if name in own and _is_inlined(hint)]
    inner = {key: value for key, value in values.items() if key not in own}
    try:
        for name in inlined if inner else []:
            direct[name] = attrs.evolve(own[name].default, **inner)
        return cls(**direct)
    except (ValueError, TypeError) as error:
        msg = f"{getattr(cls, 'name', cls.__name__)}: {error}"
        raise SpecError(msg) from error


def _decode(text: str, hint: Any, find: Find, where: str) -> Iterator[Any]:  # noqa: ANN401
    if text.startswith("[") and text.endswith("]"):
        for item in split(text[1:-1], ","):
            yield from _decode(item, hint, find, where)
        return
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        if type(None) in inner and text == "none":
            yield None
            return
        yield from _decode(text, next(arg for arg in inner if arg is not type(None)), find, where)
    elif origin is tuple:
        yield from _decode_tuple(text, inner, find, where)
    elif isinstance(hint, type) and attrs.has(hint):
        call = read(text)
        yield from expand(find(hint, call.name), call, find)
    else:
        yield _scalar(text, hint, where)


def _decode_tuple(text: str, inner: tuple[Any, ...], find: Find, where: str) -> Iterator[tuple[Any, ...]]:
    repeated = len(inner) == 2 and inner[1] is Ellipsis  # noqa: PLR2004 - tuple[X, ...]
    if repeated and _is_component(inner[0]):
        parts = [] if text == "none" else split(text, "+")
    elif repeated and typing.get_origin(inner[0]) is tuple and _is_component(typing.get_args(inner[0])[0]):
        parts = [] if text == "()" else split(text, "|")
    elif text.startswith("(") and text.endswith(")"):
        parts = [part for part in split(text[1:-1], ",") if part]
    else:
        msg = f"{where} got {text!r}; write a tuple as (a,b)."
        raise SpecError(msg)
    if not repeated and len(parts) != len(inner):
        msg = f"{where} got {len(parts)} values in {text!r}; it takes {len(inner)}."
        raise SpecError(msg)
    hints = itertools.repeat(inner[0], len(parts)) if repeated else inner
    yield from itertools.product(*[list(_decode(part, hint, find, where)) for part, hint in zip(parts, hints, strict=True)])


def _is_component(hint: object) -> bool:
    return isinstance(hint, type) and attrs.has(hint)


def _scalar(text: str, hint: Any, where: str) -> Any:  # noqa: ANN401
    bare = _unquote(text, where) if text[:1] in {"'", '"'} else text
    if typing.get_origin(hint) is Literal:
        allowed = {str(value): value for value in typing.get_args(hint)}
        if bare in allowed:
            return allowed[bare]
        msg = f"{where} got {bare!r}; {nearest(bare, allowed)}"
        raise SpecError(msg)
    if hint is bool and bare.lower() in {"true", "false"}:
        return bare.lower() == "true"
    if hint is str:
        return bare
    try:
        value = {int: int, float: float}[hint](bare)
    except (ValueError, KeyError) as error:
        msg = f"{where} got {bare!r}; it takes {_describe(hint)}."
        raise SpecError(msg) from error
    if isinstance(value, float) and math.isnan(value):
        msg = f"{where} got {bare!r}; it takes a number."
        raise SpecError(msg)
    return value


def _unquote(text: str, where: str) -> str:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError) as error:
        msg = f"{where} got {text}, which goes on behind its closing quote."
        raise SpecError(msg) from error
    return str(value)


def _describe(hint: object) -> str:
    return {bool: "true or false", int: "a whole number", float: "a number"}.get(hint, str(hint))  # type: ignore[call-overload,no-any-return] # hints are of any type


def write(component: Any) -> str:  # noqa: ANN401 - any attrs component
    """Write a component in bracket form with the parameters that differ from its defaults."""
    changed = [f"{key}={text}" for key, text in _texts(component, only_changed=True)]
    return f"{component.name}[{','.join(changed)}]" if changed else str(component.name)


def write_call(call: Call) -> str:
    """Write a call in bracket form; reading it gives it back."""
    return f"{call.name}[{','.join(f'{key}={text}' for key, text in call.arguments)}]" if call.arguments else call.name


def write_full(component: Any) -> dict[str, str]:  # noqa: ANN401
    """Write every parameter of a component, for records that a changed default must not rewrite."""
    return dict(_texts(component, only_changed=False))


def _texts(component: Any, *, only_changed: bool, default: Any = None) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    hints = typing.get_type_hints(type(component))
    for field in attrs.fields(type(component)):
        value = getattr(component, field.name)
        standard = getattr(default, field.name) if default is not None else field.default
        if _is_inlined(hints[field.name]):
            yield from _texts(value, only_changed=only_changed, default=standard)
        elif not only_changed or value != standard or type(value) is not type(standard):
            yield field.name, write_value(value, hints[field.name])


def write_value(value: Any, hint: Any = None) -> str:  # noqa: ANN401
    """Write one value so that reading it with the same type gives it back."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value if value and set(value) <= _PLAIN and value != "none" else repr(value)
    if isinstance(value, tuple):
        return _write_tuple(value, hint)
    if attrs.has(type(value)):
        return write(value)
    return repr(value)


def _write_tuple(value: Sequence[Any], hint: Any) -> str:  # noqa: ANN401
    inner = typing.get_args(hint)
    if inner and _is_component(inner[0]):
        return "+".join(write(item) for item in value) or "none"
    if inner and typing.get_origin(inner[0]) is tuple and _is_component(typing.get_args(inner[0])[0]):
        return "|".join(_write_tuple(pipeline, inner[0]) for pipeline in value) or "()"
    return f"({','.join(write_value(item) for item in value)})"
