"""Which walk reads a file: told by its first bytes."""

from __future__ import annotations

from typing import TypeAlias

from episode_assets.progress import Progress, silent
from episode_assets.recording.source import Source
from episode_assets.recording.walk import Walk

AnyWalk: TypeAlias = Walk


def open_walk(
    source: Source, *, max_chunk_bytes: int, with_digest: bool = True, progress: Progress = silent
) -> AnyWalk:
    """Return the walk for the format of a file.

    Raises:
        BadRecording: The file is no recording; says what it is instead.
    """
    return Walk(source, max_chunk_bytes=max_chunk_bytes, with_digest=with_digest, progress=progress)
