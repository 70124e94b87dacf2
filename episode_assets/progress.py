"""How long work reports that it advances: one callable, passed down by whoever watches.

The command line draws bars with it, the Dagster layer writes rates to the run log. Nothing in the library prints.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A watcher of long work."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report that `done` of `total` units of `stage` are finished. Called from one thread, in order."""


def silent(stage: str, done: int, total: int) -> None:
    """Watch nothing; the default where nobody looks."""
    del stage, done, total
