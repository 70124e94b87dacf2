"""Bytes of a recording: random access by offset, or one pass forward with a digest; every byte read is counted.

A source is a local path or any fsspec address. What the bytes mean belongs to `container`.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

from episode_assets.errors import BadRecording, StorageTrouble, is_storage_trouble

BLOCK_BYTES = 1 << 16
"""How much a forward pass reads ahead for small records; larger ones are read straight into a buffer of their size."""

REMOTE_BLOCK_BYTES = 1 << 20
"""How much a remote file system fetches at a time."""

_SKIP_BYTES = 1 << 20


class Source:
    """An open recording; `size` is taken once when it is opened, `bytes_read` counts what was really read."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.bytes_read = 0
        self._descriptor = -1
        self._remote: Any = None
        path = local_path(uri)
        if path is not None:
            self._descriptor, self.size = _open_local(path)
        else:
            self._remote, self.size = _open_remote(uri)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer only at the end of the file."""
        try:
            data = self._read(offset, length)
        except Exception as error:
            _name_trouble(error, f"reading {length} bytes at offset {offset} failed", self.uri)
            raise
        self.bytes_read += len(data)
        return data

    def _read(self, offset: int, length: int) -> bytes:
        if self._remote is not None:
            self._remote.seek(offset)
            return bytes(self._remote.read(length))
        data = os.pread(self._descriptor, length, offset)
        while len(data) < length:
            more = os.pread(self._descriptor, length - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def read_into(self, offset: int, buffer: memoryview) -> bool:
        """Fill a writable buffer from `offset` without a copy between; return whether it could be filled."""
        if self._remote is not None:
            data = self.read_at(offset, len(buffer))
            buffer[: len(data)] = data
            return len(data) == len(buffer)
        done = 0
        try:
            while done < len(buffer):
                step = os.preadv(self._descriptor, [buffer[done:]], offset + done)
                if step == 0:
                    break
                done += step
        except OSError as error:
            raise StorageTrouble(f"reading at offset {offset} failed: {error}", where=self.uri) from error
        self.bytes_read += done
        return done == len(buffer)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._remote is not None:
            self._remote.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class EndOfBytes(Exception):  # a signal inside this room, never an error that a user meets
    """Fewer bytes are left than were asked for."""


class ForwardReader:
    """One pass over a source, front to back, that digests every byte it passes."""

    def __init__(self, source: Source, *, with_digest: bool = True) -> None:
        self._source = source
        self._digest = hashlib.sha256() if with_digest else None
        self._block = bytearray()
        self._used = 0
        self.offset = 0

    @property
    def remaining(self) -> int:
        """Bytes between the current offset and the end of the file."""
        return self._source.size - self.offset

    def take(self, length: int) -> memoryview:
        """Return the next `length` bytes; raises EndOfBytes, and takes nothing, when fewer are left."""
        if length > self.remaining:
            raise EndOfBytes
        held = len(self._block) - self._used
        if length > held:
            self._refill(length, held)
        view = memoryview(self._block)[self._used : self._used + length]
        self._used += length
        self.offset += length
        return view

    def peek(self, length: int) -> memoryview:
        """Return the next bytes without passing them: at most `length`, fewer only at the end of the file."""
        length = min(length, self.remaining)
        held = len(self._block) - self._used
        if length > held:
            self._refill(length, held)
        return memoryview(self._block)[self._used : self._used + length]

    def _refill(self, length: int, held: int) -> None:
        """Replace the block by one that starts with the bytes still held and has at least `length`."""
        ahead = self.offset + held
        size = min(max(length, BLOCK_BYTES), held + self._source.size - ahead)
        block = bytearray(size)
        block[:held] = memoryview(self._block)[self._used :]
        fresh = memoryview(block)[held:]
        if not self._source.read_into(ahead, fresh):
            raise EndOfBytes
        if self._digest:
            self._digest.update(fresh)
        self._block, self._used = block, 0

    def skip(self, length: int) -> None:
        """Pass over `length` bytes, or up to the end, without holding more than a block."""
        left = min(length, self.remaining)
        while left > 0:
            step = min(left, _SKIP_BYTES)
            self.take(step)
            left -= step

    def sha256(self) -> str | None:
        """Read on to the end and return the digest of the whole file in hex."""
        self.skip(self.remaining)
        return self._digest.hexdigest() if self._digest else None


def local_path(uri: str) -> Path | None:
    """Return the local path that an address means, or None for a remote one."""
    if uri.startswith("file://"):
        return Path(unquote(urlsplit(uri).path))
    return None if "://" in uri else Path(uri)


def _open_local(path: Path) -> tuple[int, int]:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        status = os.fstat(descriptor)
    except FileNotFoundError as error:
        raise BadRecording("no such file", where=str(path), remedy="check the path") from error
    except PermissionError as error:
        raise BadRecording(
            "the file may not be read", where=str(path), remedy="check its permissions"
        ) from error
    except OSError as error:
        raise StorageTrouble(f"opening failed: {error.strerror}", where=str(path)) from error
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise BadRecording("not a regular file", where=str(path), remedy="give the .mcap file itself")
    return descriptor, status.st_size


def _open_remote(uri: str) -> tuple[Any, int]:
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(uri)
        opened = filesystem.open(path, "rb", block_size=REMOTE_BLOCK_BYTES, cache_type="readahead")
        return opened, int(opened.size)
    except FileNotFoundError as error:
        raise BadRecording("no such object", where=uri, remedy="check the address") from error
    except (ValueError, ImportError) as error:
        raise BadRecording(f"the address cannot be opened: {error}", where=uri) from error
    except Exception as error:
        _name_trouble(error, "opening failed", uri)
        raise


def _name_trouble(error: Exception, what: str, uri: str) -> None:
    """Raise StorageTrouble where a file system or the client of an object store raised the error."""
    if is_storage_trouble(error):
        remedy = "check that the place is reachable (for s3:// also the AWS_* variables)"
        raise StorageTrouble(f"{what}: {error}", where=uri, remedy=remedy) from error
