"""Compressed chunks: unpacked to the stated size, and never beyond it."""

from __future__ import annotations

import bz2
from collections.abc import Iterator

import lz4.frame  # type: ignore[import-untyped]
import zstandard

_PIECE_BYTES = 1 << 16


class ChunkRefusedError(Exception):
    """A chunk cannot be unpacked; carries the kind of damage and the reason."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def unpack(compression: str, data: bytes | memoryview, unpacked_bytes: int) -> bytes | memoryview:
    """Return the records of a chunk; never more than `unpacked_bytes` are taken from memory.

    Raises:
        ChunkRefusedError: The compression is unknown, or the bytes do not unpack to the stated size.
    """
    unpacker = _UNPACKERS.get(compression)
    if unpacker is None:
        raise ChunkRefusedError(
            "unsupported_compression", f"compression {compression[:32]!r} is not supported"
        )
    out = unpacker(data, unpacked_bytes)
    if len(out) != unpacked_bytes:
        raise ChunkRefusedError(
            "bad_chunk", f"chunk unpacks to another size than the stated {unpacked_bytes} bytes"
        )
    return out


def unpack_partly(compression: str, data: bytes | memoryview, max_bytes: int) -> bytes | memoryview:
    """Return what unpacks of a chunk that is cut or broken, at most `max_bytes`; empty where nothing does."""
    if compression == "":
        return data[:max_bytes]
    out = bytearray()
    try:
        for piece in _pieces(compression, data):
            out += piece
            if len(out) >= max_bytes:
                break
    except (zstandard.ZstdError, RuntimeError, OSError, EOFError, MemoryError):
        pass  # the pieces before the break are kept
    return memoryview(out)[:max_bytes]


def unpack_again(compression: str, data: bytes | memoryview, unpacked_bytes: int) -> bytes | memoryview:
    """Return what an earlier unpacking gave: all records of a chunk, or the whole ones of one that is cut or broken.

    Raises:
        ChunkRefusedError: The bytes no longer unpack so far.
    """
    try:
        return unpack(compression, data, unpacked_bytes)
    except ChunkRefusedError:
        records = unpack_partly(compression, data, unpacked_bytes)
        if len(records) < unpacked_bytes:
            raise
        return records


def _pieces(compression: str, data: bytes | memoryview) -> Iterator[bytes]:
    if compression == "zstd":
        reader = zstandard.ZstdDecompressor().stream_reader(data)
        while piece := reader.read(_PIECE_BYTES):
            yield piece
    elif compression in _INCREMENTAL:
        unpacker = _INCREMENTAL[compression]()
        for at in range(0, len(data), _PIECE_BYTES):
            packed: bytes | memoryview = data[at : at + _PIECE_BYTES]
            while not unpacker.eof:
                yield unpacker.decompress(packed, _PIECE_BYTES)
                if unpacker.needs_input:
                    break
                packed = b""


def _unpack_nothing(data: bytes | memoryview, unpacked_bytes: int) -> bytes | memoryview:
    del unpacked_bytes
    return data


def _unpack_zstd(data: bytes | memoryview, unpacked_bytes: int) -> bytes:
    # The one-shot call takes the memory that the frame states, so it is used only where that is the stated size.
    try:
        unpacker = zstandard.ZstdDecompressor()
        if zstandard.frame_content_size(data) == unpacked_bytes:
            return bytes(unpacker.decompress(data))
        return bytes(unpacker.stream_reader(data).read(unpacked_bytes + 1))
    except (zstandard.ZstdError, MemoryError) as error:
        raise ChunkRefusedError("bad_chunk", f"zstd chunk does not unpack: {error}") from error


def _unpack_lz4(data: bytes | memoryview, unpacked_bytes: int) -> bytes:
    try:
        return bytes(lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=unpacked_bytes + 1))
    except (RuntimeError, EOFError, MemoryError) as error:
        raise ChunkRefusedError("bad_chunk", f"lz4 chunk does not unpack: {error}") from error


def _unpack_bz2(data: bytes | memoryview, unpacked_bytes: int) -> bytes:
    try:
        return bz2.BZ2Decompressor().decompress(data, unpacked_bytes + 1)
    except (OSError, EOFError, MemoryError) as error:
        raise ChunkRefusedError("bad_chunk", f"bz2 chunk does not unpack: {error}") from error


_UNPACKERS = {"": _unpack_nothing, "zstd": _unpack_zstd, "lz4": _unpack_lz4, "bz2": _unpack_bz2}
_INCREMENTAL = {"lz4": lz4.frame.LZ4FrameDecompressor, "bz2": bz2.BZ2Decompressor}

COMPRESSIONS = frozenset({"", "zstd", "lz4"})
"""Compressions of MCAP chunks that can be read, as their heads spell them."""
