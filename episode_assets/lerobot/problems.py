"""A record of something wrong in a dataset, with a stable code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that a reader of the dataset would stumble over.

    Attributes:
        code: A stable word for scripts, such as `frame_count`.
        detail: What was found and what was expected.
        episode: The episode, where it is one.
        frame: The row of the episode, where it is one.
    """

    code: str
    detail: str
    episode: int | None = None
    frame: int | None = None

    def __str__(self) -> str:
        parts = [self.code]
        parts += [] if self.episode is None else [f"episode {self.episode}"]
        parts += [] if self.frame is None else [f"frame {self.frame}"]
        return f"{', '.join(parts)}: {self.detail}"
