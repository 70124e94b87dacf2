"""A message as a tree of named values: what the two vocabularies build and the writers serialise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class Stamp(NamedTuple):
    """A moment, which every family of messages spells in its own way."""

    ns: int

    @property
    def parts(self) -> tuple[int, int]:
        """Whole seconds, and the nanoseconds above them."""
        return divmod(self.ns, 1_000_000_000)


class Choice(NamedTuple):
    """A value of an enumeration, by name and number."""

    enum: str
    name: str
    number: int


@dataclass(frozen=True)
class Message:
    """A type by name and its fields: numbers, texts, bytes, `Stamp`, `Choice`, messages, and lists of these."""

    type: str
    fields: Mapping[str, Any]
