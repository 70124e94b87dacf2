"""CPU time by stage, taken inside the real computations: clocks put around their public pieces, never a copy of them.

Time belongs to the innermost stage that runs, and what lies in no piece is "rest". One process and one thread: with
several workers the pieces run in processes that have no clocks.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

Piece: TypeAlias = tuple[str, Any, str]
"""Stage, owner and name of something that has a clock."""


class StageClock:
    """Adds up CPU seconds by stage; a stage that begins inside another one stops that one's clock."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._running = ["rest"]
        self._since = time.process_time()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens meanwhile for a stage."""
        self._count()
        self._running.append(name)
        try:
            yield
        finally:
            self._count()
            self._running.pop()

    def _count(self) -> None:
        now = time.process_time()
        self.seconds[self._running[-1]] += now - self._since
        self._since = now

    def stop(self) -> None:
        """Count what has happened since the last stage."""
        self._count()

    def around(self, name: str, piece: Callable[..., Any]) -> Callable[..., Any]:
        """Return the piece with a clock; of a generator the clock runs while it makes its next item."""

        def timed(*arguments: Any, **named: Any) -> Any:
            with self.stage(name):
                result = piece(*arguments, **named)
            return self._items(name, result) if isinstance(result, Iterator) else result

        return timed

    def _items(self, name: str, items: Iterator[Any]) -> Iterator[Any]:
        while True:
            with self.stage(name):
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item


@contextmanager
def clocks(pieces: tuple[Piece, ...]) -> Iterator[StageClock]:
    """Put clocks around all pieces, and take them off again at the end."""
    clock = StageClock()
    originals = [(owner, name, getattr(owner, name)) for _, owner, name in pieces]
    for stage, owner, name in pieces:
        setattr(owner, name, clock.around(stage, getattr(owner, name)))
    try:
        yield clock
    finally:
        clock.stop()
        for owner, name, original in originals:
            setattr(owner, name, original)
