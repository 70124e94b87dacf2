"""A video file that stays open, so that frames can be asked for again and again.

Reading a file once belongs in `reading`, keeping many files open in `decoder_cache`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.video.faults import named_failures
from episode_assets.video.probing import opened, probe
from episode_assets.video.reading import checked_numbers, decode_wanted, prepare


class VideoDecoder:
    """An open video; one thread at a time may use it.

    Args:
        path: The video.

    Attributes:
        facts: Its probe, from when it was opened.

    Raises:
        UndecodableVideo: The file cannot be opened, holds no video, or holds no frame.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.facts = probe(path)
        self._open = ExitStack()
        self._container, self._stream = self._open.enter_context(opened(path))
        prepare(self._stream)

    def __enter__(self) -> VideoDecoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def frames(self, indices: Sequence[int] | NDArray[np.int64] | None = None) -> Iterator[tuple[int, Any]]:
        """Decode frames by number and leave them as libav's own.

        Yields:
            (frame number, frame) in increasing order, each number once; all frames for None.

        Raises:
            FrameOutOfRange: A number lies outside the video.
            UndecodableVideo: A frame does not decode.
        """
        where = self.path.name
        wanted = checked_numbers(self.facts, indices, where=where)
        with named_failures("a video cannot be read", where=where):
            yield from decode_wanted(self._container, self._stream, self.facts, wanted, where=where)

    def close(self) -> None:
        """Close the file; may be called again."""
        self._open.close()
