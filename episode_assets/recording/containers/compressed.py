"""A recording inside a file that is compressed as a whole: read through it front to back, with nothing on disk.

Only a walk reads this way. Pictures cannot be found again in such a file without unpacking it from the start, so a
scan refuses it; `opening` decides.
"""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import lz4.frame  # type: ignore[import-untyped]
import zstandard

from episode_assets.errors import BadRecording, StorageTrouble
from episode_assets.recording.containers.source import EndOfBytes, ForwardReader, Source

LARGEST_RATIO = 1000
"""How many times its own size a compressed file may unpack to; pictures stay below 2, zeros reach 30 000."""

_SMALLEST_LIMIT_BYTES = 64 << 20
_STEP_BYTES = 1 << 18
_BROKEN = (zstandard.ZstdError, zlib.error, OSError, EOFError, EndOfBytes, RuntimeError, ValueError)

_OPENERS: Mapping[str, Callable[[Any], Any]] = {
    "zstd": lambda packed: zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True),
    "gzip": lambda packed: gzip.GzipFile(fileobj=packed),
    "bz2": bz2.BZ2File,
    "lz4": lz4.frame.LZ4FrameFile,
}
COMPRESSIONS = frozenset(_OPENERS)
"""Names of the compressions that can be read through."""


class CompressedSource(Source):
    """The unpacked bytes of a compressed source, which stays the caller's to close.

    Opening it unpacks everything once to learn the size. Reading on from where the last read ended costs what is
    read; reading further back unpacks from the start. Memory is one step of 256 KiB and the window of the
    compression. A stream that is cut or broken ends there.

    Attributes:
        bytes_read: Bytes read of the compressed file.

    Raises:
        BadRecording: Nothing unpacks, or more than `largest_ratio` times the packed size (64 MiB are always allowed).
    """

    def __init__(self, packed: Source, compression: str, *, largest_ratio: int = LARGEST_RATIO) -> None:
        self.uri = packed.uri
        self.bytes_read = 0
        self._packed = packed
        self._compression = compression
        self._broken: Exception | None = None
        self._restart()
        self.size = self._measure(max(_SMALLEST_LIMIT_BYTES, largest_ratio * packed.size))
        self._restart()

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` of the unpacked file, fewer only at its end."""
        if offset < self._at:
            self._restart()
        while self._at < offset and self._next(min(_STEP_BYTES, offset - self._at)):
            pass
        parts = []
        while length > 0 and (part := self._next(min(_STEP_BYTES, length))):
            parts.append(part)
            length -= len(part)
        self.bytes_read = self._packed.bytes_read
        return b"".join(parts)

    def read_into(self, offset: int, buffer: memoryview) -> bool:
        """Fill a writable buffer from `offset` of the unpacked file; return whether it could be filled."""
        data = self.read_at(offset, len(buffer))
        buffer[: len(data)] = data
        return len(data) == len(buffer)

    def close(self) -> None:
        """Let go of the decompressor; the compressed source stays open."""
        self._stream.close()

    def _restart(self) -> None:
        self._at = 0
        self._stream = _OPENERS[self._compression](_Forward(self._packed))

    def _next(self, length: int) -> bytes:
        """Return up to `length` bytes from the current position, none at the end or where the stream is broken."""
        try:
            data = bytes(self._stream.read1(length))
        except StorageTrouble:
            raise
        except _BROKEN as error:
            self._broken = error
            return b""
        self._at += len(data)
        return data

    def _measure(self, limit: int) -> int:
        what = f"the whole file is compressed with {self._compression}"
        while self._next(_STEP_BYTES):
            if self._at > limit:
                raise BadRecording(
                    f"{what}, and its {self._packed.size} bytes unpack to more than {limit}: refused",
                    where=self.uri,
                    remedy="unpack it by hand if you trust it",
                )
        if self._at == 0:
            reason = self._broken or "it is empty"
            raise BadRecording(
                f"{what} and does not unpack: {reason}", where=self.uri, remedy="copy it again"
            )
        return self._at


class _Forward(io.RawIOBase):
    """A source as a file that is read front to back."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._reader = ForwardReader(source, with_digest=False)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._reader.remaining)
        buffer[:length] = self._reader.take(length)
        return length
