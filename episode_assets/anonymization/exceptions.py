"""Finds of the audit that a person judged to be no face: where they are, and in which video alone they count.

An exception lapses as soon as one byte of the video differs from the one that was judged. What is written in a
document belongs to `redaction_document`; which finds block, to `groups`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.redaction_document import FindException
from episode_assets.outcome import Note


@dataclass(frozen=True)
class Exceptions:
    """All exceptions of a recording, in the order of their documents."""

    all: tuple[FindException, ...] = ()

    def __len__(self) -> int:
        return len(self.all)

    def for_video(self, digest: str) -> Exceptions:
        """Return those that were made for a video with this digest."""
        return Exceptions(tuple(item for item in self.all if item.video == digest))

    def at(self, message_numbers: Sequence[int]) -> tuple[NDArray[np.float32], ...]:
        """Return for each message the boxes in which finds do not block, (E, 4) float32."""
        return tuple(
            np.array(
                [item.box for item in self.all if item.first_message <= number <= item.last_message],
                np.float32,
            ).reshape(-1, 4)
            for number in message_numbers
        )

    def notes(self, digest: str, *, topic: str) -> Iterator[Note]:
        """Yield the exceptions that were made for another video."""
        for number, item in enumerate(self.all, 1):
            if item.video != digest:
                yield Note(
                    "exception_lapsed",
                    f"exception {number} ({item.reason}) was made for video {item.video[:16]} and this one is "
                    f"{digest[:16]}: it counts no more",
                    topic,
                )


def video_digest(group_digests: Iterable[str]) -> str:
    """Return the digest of a video from those of its groups of pictures, in order."""
    return hashlib.sha256("\n".join(group_digests).encode()).hexdigest()
