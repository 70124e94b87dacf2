"""Decides which files of an inbox are ready, from one listing and a small cursor; no Dagster, no store.

The work of a tick grows with what is new, not with what was ever dropped: everything at or below the mark has been
dealt with and is not looked at again. A file below the mark can still be new (a clock that was set back), so every
`FULL_DIFF_EVERY`-th tick the caller passes what it knows and the whole listing is compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from episode_assets.errors import BadConfig

FULL_DIFF_EVERY = 20
MAX_PER_TICK = 200
"""Files handed on per tick, so that a tick stays far below Dagster's 60 s limit when an archive is dropped at once."""


@dataclass(frozen=True)
class Seen:
    """A file of the listing.

    Attributes:
        name: Path relative to the inbox.
        size_bytes: Size when listed.
        changed_ns: When name, content or attributes changed last, int64 ns since the epoch; unlike the
            modification time it cannot lie in the past after a copy.
    """

    name: str
    size_bytes: int
    changed_ns: int

    @property
    def rank(self) -> tuple[int, str]:
        """Order of arrival; the name tells files of the same instant apart."""
        return (self.changed_ns, self.name)


@dataclass(frozen=True)
class Cursor:
    """What one tick leaves for the next.

    Attributes:
        mark: Rank up to which every file was handed on or is pending.
        pending: Files that were still growing, with the size and change time they had.
        tick: How many ticks there were.
    """

    mark: tuple[int, str] = (0, "")
    pending: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    tick: int = 0

    @property
    def wants_full_diff(self) -> bool:
        """Whether the next tick compares the whole listing with what is known."""
        return self.tick % FULL_DIFF_EVERY == 0

    def dump(self) -> str:
        """Return the cursor as text."""
        pending = {name: list(value) for name, value in sorted(self.pending.items())}
        return json.dumps({"v": 1, "mark": list(self.mark), "pending": pending, "tick": self.tick})

    @classmethod
    def load(cls, text: str | None) -> Cursor:
        """Read a cursor back; an empty one stands for the first tick.

        Raises:
            BadConfig: The text was not written by `dump`.
        """
        if not text:
            return cls()
        try:
            document = json.loads(text)
            changed_ns, name = document["mark"]
            pending = {str(key): (int(size), int(at)) for key, (size, at) in document["pending"].items()}
            return cls((int(changed_ns), str(name)), pending, int(document["tick"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadConfig(
                f"the sensor's cursor cannot be read: {text[:80]!r}",
                remedy="reset the cursor on the sensor's page; known recordings are not run again",
            ) from error


@dataclass(frozen=True)
class Decision:
    """Files that can be read now, and the cursor for the next tick."""

    ready: tuple[Seen, ...]
    cursor: Cursor


def decide(
    listing: Sequence[Seen],
    cursor: Cursor,
    *,
    is_finished: Callable[[Seen], bool],
    known: Collection[str] | None = None,
    limit: int = MAX_PER_TICK,
) -> Decision:
    """Tell which files have settled: finished by their own account, or unchanged since the last tick.

    Args:
        listing: All files of the inbox.
        cursor: What the last tick left.
        is_finished: Opens a new file and looks for the end of an MCAP; asked for new files only.
        known: Names that were handed on before; given where the whole listing is to be compared.
        limit: Most files to hand on.
    """
    fresh = [seen for seen in listing if seen.rank > cursor.mark or seen.name in cursor.pending]
    if known is not None:
        listed_fresh = {seen.name for seen in fresh}
        fresh += [seen for seen in listing if seen.name not in known and seen.name not in listed_fresh]
    fresh.sort(key=lambda seen: seen.rank)
    ready: list[Seen] = []
    pending: dict[str, tuple[int, int]] = {}
    mark = cursor.mark
    for seen in fresh:
        if len(ready) == limit:
            break
        if cursor.pending.get(seen.name) == (seen.size_bytes, seen.changed_ns) or is_finished(seen):
            ready.append(seen)
        else:
            pending[seen.name] = (seen.size_bytes, seen.changed_ns)
        mark = max(mark, seen.rank)
    untouched = {seen.name for seen in fresh} - {seen.name for seen in ready} - set(pending)
    pending |= {name: value for name, value in cursor.pending.items() if name in untouched}
    return Decision(tuple(ready), Cursor(mark, pending, cursor.tick + 1))
