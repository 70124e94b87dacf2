"""Reads frozen records of choices from plain YAML values, section by section, with the same checks everywhere.

A section is a frozen dataclass whose fields say what they mean (`metadata={"help": ...}`); it may hold further ones.
Which values make sense together is checked by the dataclass itself; here are names, types and the way in and out.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from episode_assets.errors import BadConfig

Choices = TypeVar("Choices")


def from_plain(kind: type[Choices], values: object, *, where: str, section: str = "") -> Choices:
    """Build a record of choices from plain values.

    Args:
        kind: The dataclass.
        values: A mapping of its fields; what is not named keeps its default.
        where: The file, for errors.
        section: Dotted name of the section inside the file; empty at the top.

    Raises:
        BadConfig: A key is unknown (the nearest known one is named), or a value is not allowed.
    """
    if not isinstance(values, Mapping):
        words = f"section {section!r} is" if section else "a recipe is"
        raise BadConfig(f"{words} a mapping of keys to values, found {values!r}", where=where)
    hints = get_type_hints(kind)
    known = [item.name for item in fields(kind)]  # type: ignore[arg-type]  # a dataclass, as every section is
    plain = {}
    for key, value in values.items():
        name = f"{section}.{key}" if section else str(key)
        if key not in known:
            raise BadConfig(f"unknown recipe key {name!r}", where=where, remedy=_nearest(str(key), known))
        plain[str(key)] = _typed(hints[key], value, where=where, name=name)
        check_type(name, plain[str(key)], hints[key])
    # An encoder's default speed and quality go with its default codec only.
    completed: Callable[[Mapping[str, Any]], dict[str, Any]] = getattr(kind, "completed", dict)
    return kind(**completed(plain))


def to_plain(choices: object) -> Any:
    """Return choices as plain JSON values."""
    if is_dataclass(choices):
        return {item.name: to_plain(getattr(choices, item.name)) for item in fields(choices)}
    if isinstance(choices, Mapping):
        return {str(key): to_plain(value) for key, value in choices.items()}
    if isinstance(choices, tuple | list):
        return [to_plain(item) for item in choices]
    return choices


def check_types(choices: object, *, section: str = "") -> None:
    """Check every field of a record against its declared type; for the `__post_init__` of a section.

    Raises:
        BadConfig: A value has another type, or is none of those that a `Literal` lists.
    """
    hints = get_type_hints(type(choices))
    for item in fields(choices):  # type: ignore[arg-type]  # a dataclass, as every section is
        name = f"{section}.{item.name}" if section else item.name
        check_type(name, getattr(choices, item.name), hints[item.name])


def require(holds: bool, name: str, value: object, allowed: str) -> None:
    """Refuse a value in words that name its key and what is allowed.

    Raises:
        BadConfig: It does not hold.
    """
    if not holds:
        raise BadConfig(f"recipe key {name!r} is {value!r}", remedy=f"allowed: {allowed}")


def check_type(name: str, value: object, kind: Any) -> None:
    """Check one value against a declared type.

    Raises:
        BadConfig: It has another type.
    """
    if get_origin(kind) is Literal:
        allowed = get_args(kind)
        near = difflib.get_close_matches(str(value), [str(word) for word in allowed], n=1)
        hint = f", nearest: {near[0]}" if near else ""
        require(value in allowed, name, value, ", ".join(map(str, allowed)) + hint)
    else:
        require(_fits(value, kind), name, value, _in_words(kind))


def _typed(kind: Any, value: object, *, where: str, name: str) -> Any:
    """Return a value of YAML as the declared type wants it: sections built, lists and pairs as tuples."""
    if is_dataclass(kind) and isinstance(kind, type):
        return value if isinstance(value, kind) else from_plain(kind, value, where=where, section=name)
    if get_origin(kind) is tuple and isinstance(value, list | tuple | Mapping):
        item = get_args(kind)[0]
        if get_origin(item) is tuple:
            pairs = value.items() if isinstance(value, Mapping) else value
            return tuple(_pair(item, pair, where=where, name=name) for pair in pairs)
        return value if isinstance(value, Mapping) else tuple(value)
    if isinstance(value, Mapping) and get_origin(kind) is not None:
        _, item = (*get_args(kind), None, None)[:2]
        return {key: _typed(item, entry, where=where, name=f"{name}.{key}") for key, entry in value.items()}
    return value


def _pair(kind: Any, pair: object, *, where: str, name: str) -> object:
    """Return a pair as a tuple; where both are words, YAML's numbers are taken by how they are written."""
    kinds = get_args(kind)
    if not isinstance(pair, list | tuple) or len(pair) != len(kinds):
        return pair
    if kinds == (str, str):
        return tuple(str(item) if type(item) in (int, float) else item for item in pair)
    place = f"{name}.{pair[0]}"
    return tuple(_typed(part, item, where=where, name=place) for part, item in zip(kinds, pair, strict=True))


def _fits(value: object, kind: Any) -> bool:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    if origin is tuple:
        return isinstance(value, tuple) and _items_fit(value, parts)
    if origin is not None:
        return isinstance(value, Mapping) and all(
            _fits(key, parts[0]) and _fits(item, parts[1]) for key, item in value.items()
        )
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is kind


def _items_fit(value: tuple[object, ...], parts: tuple[Any, ...]) -> bool:
    if parts[1:] == (...,):
        return all(_fits(item, parts[0]) for item in value)
    return len(value) == len(parts) and all(
        _fits(item, part) for item, part in zip(value, parts, strict=True)
    )


def _in_words(kind: Any) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(_in_words(part) for part in parts)
    if origin is tuple:
        return "a list of words" if parts[0] is str else "a list of pairs"
    if origin is not None:
        return "a mapping"
    names = {float: "a number", type(None): "null"}
    return names.get(kind, f"a value of type {kind.__name__}")


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
