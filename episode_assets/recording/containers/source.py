"""Bytes of a recording: random access by offset, or one pass forward with a digest; every byte read is counted.

A source is a local path or any fsspec address. How a remote object is asked belongs to `remote`, what is fetched ahead
to `read_ahead`; what the bytes mean belongs to `container`.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import threading
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadRecording, StorageTrouble
from episode_assets.recording.containers.read_ahead import ReadAhead
from episode_assets.recording.containers.remote import Range, RemoteObject

BLOCK_BYTES = 1 << 16
"""How much a forward pass reads ahead for small records; larger ones are read straight into a buffer of their size."""

REMOTE_BLOCK_BYTES = 4 << 20
"""How much a forward pass asks a remote file system for in one request; two requests make a window."""

PAGE_BYTES = 1 << 14
"""Remote reads below this size fetch whole pages of it, of which a few are kept: heads lie close together."""

_PAGES_HELD = 4
_MERGED_GAP_BYTES = 1 << 12
_LARGEST_MERGED_BYTES = 8 << 20
_SKIP_BYTES = 1 << 20
_DIGESTED_ASIDE_BYTES = 1 << 17
_BUFFERS_HELD = 3
_BUFFER_STEP_BYTES = 1 << 18
_LARGEST_BUFFER_HELD_BYTES = 16 << 20


class Source:
    """An open recording; `size` is taken once when it is opened, `bytes_read` counts what was really read.

    Raises:
        BadRecording: There is no such file, or it may not be read.
        SourceChanged: A remote object was replaced or deleted while it was read.
        StorageTrouble: The place did not answer.
    """

    _descriptor = -1
    _remote: RemoteObject | None = None
    _ahead: ReadAhead | None = None

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.bytes_read = 0
        self._counting = threading.Lock()
        self._pages: dict[Range, bytes] = {}
        path = local_path(uri)
        if path is not None:
            self._descriptor, self.size = _open_local(path)
        else:
            self._remote = RemoteObject(uri)
            self.size = self._remote.size

    @property
    def is_remote(self) -> bool:
        """Whether a read costs a request."""
        return self._remote is not None

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer only at the end of the file."""
        if self._remote is not None:
            return self._read_remote(self._remote, offset, length)
        # What damage claims may lie anywhere, and be larger than memory.
        length = min(length, self.size - offset)
        if offset < 0 or length <= 0:
            return b""
        try:
            data = os.pread(self._descriptor, length, offset)
            while len(data) < length and (
                more := os.pread(self._descriptor, length - len(data), offset + len(data))
            ):
                data += more
        except OSError as error:
            raise StorageTrouble(
                f"reading {length} bytes at offset {offset} failed: {error}", where=self.uri
            ) from error
        self._count(len(data))
        return data

    def read_ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return the bytes of each (offset, length) in the order given, each shorter only at the end of the file.

        Remote ranges that nearly touch are fetched together, and many requests run at once.
        """
        if self._remote is None:
            return [self.read_at(offset, length) for offset, length in ranges]
        inside = [(at, max(0, min(length, self.size - at))) for at, length in ranges]
        merged = merge_ranges(inside)
        blocks = self._remote.read_many(merged) if merged else []
        self._count(sum(map(len, blocks)))
        starts = [at for at, _ in merged]
        return [_cut_out(starts, blocks, at, length) for at, length in inside]

    def expect(self, ranges: Iterable[Range]) -> None:
        """Say which ranges `read_at` will be asked for, in that order; a remote file is then read ahead of them."""
        if self._remote is not None:
            if self._ahead is not None:
                self._ahead.close()
            self._ahead = ReadAhead(self._read_window, ranges)

    def _read_window(self, ranges: Sequence[Range]) -> list[bytes]:
        read = self.read_ranges(ranges)
        self.check_unchanged()
        return read

    def expect_all(self) -> int:
        """Say that one pass over the whole file follows; return the bytes of a block to read it by."""
        if self._remote is None:
            if self._descriptor >= 0 and hasattr(os, "posix_fadvise"):
                os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
            return BLOCK_BYTES
        step = REMOTE_BLOCK_BYTES
        self.expect((at, min(step, self.size - at)) for at in range(0, self.size, step))
        return step

    def check_unchanged(self) -> None:
        """Return if a remote object is still the one that was opened; raises SourceChanged."""
        if self._remote is not None:
            self._remote.check_unchanged()

    def _read_remote(self, remote: RemoteObject, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        known = self._ahead.take((offset, length)) if self._ahead is not None else None
        if known is not None:
            return known
        if length >= PAGE_BYTES:
            data = remote.read(offset, length)
            self._count(len(data))
            return data
        return self._from_page(remote, offset, length)

    def _from_page(self, remote: RemoteObject, offset: int, length: int) -> bytes:
        for (first, held), page in self._pages.items():
            if first <= offset and offset + length <= first + held:
                return page[offset - first : offset - first + length]
        start = offset - offset % PAGE_BYTES
        end = min(-(-(offset + length) // PAGE_BYTES) * PAGE_BYTES, self.size)
        wanted = (start, end - start)
        page = remote.read(*wanted)
        self._count(len(page))
        self._pages[wanted] = page
        if len(self._pages) > _PAGES_HELD:
            del self._pages[next(iter(self._pages))]
        return page[offset - start : offset - start + length]

    def _count(self, count: int) -> None:
        with self._counting:
            self.bytes_read += count

    def read_into(self, offset: int, buffer: memoryview) -> bool:
        """Fill a writable buffer from `offset` without a copy between; return whether it could be filled."""
        if self._remote is not None:
            return self._fill_remote(offset, buffer)
        done = 0
        try:
            while done < len(buffer):
                step = os.preadv(self._descriptor, [buffer[done:]], offset + done)
                if step == 0:
                    break
                done += step
        except OSError as error:
            raise StorageTrouble(f"reading at offset {offset} failed: {error}", where=self.uri) from error
        self._count(done)
        return done == len(buffer)

    def _fill_remote(self, offset: int, buffer: memoryview) -> bool:
        done = 0
        while done < len(buffer):
            data = self.read_at(offset + done, min(REMOTE_BLOCK_BYTES, len(buffer) - done))
            if not data:
                break
            buffer[done : done + len(data)] = data
            done += len(data)
        return done == len(buffer)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None
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


class _Digest:
    """SHA-256 of what passes by; large pieces are digested in a thread, which needs no lock of the interpreter."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._thread: ThreadPoolExecutor | None = None
        self._under_way: Future[None] | None = None

    def update(self, piece: memoryview) -> None:
        """Take the next piece, which must not be written to any more."""
        self._settle()
        if len(piece) < _DIGESTED_ASIDE_BYTES:
            self._sha256.update(piece)
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sha256")
        self._under_way = self._thread.submit(self._sha256.update, piece)

    def hexdigest(self) -> str:
        """Return the digest of all pieces."""
        self._settle()
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        return self._sha256.hexdigest()

    def _settle(self) -> None:
        if self._under_way is not None:
            self._under_way.result()
            self._under_way = None


class _Buffers:
    """Memory for blocks, used again once nobody looks at it: fresh pages cost more than the bytes that fill them."""

    def __init__(self) -> None:
        self._held = list[NDArray[np.uint8]]()

    def take(self, size: int) -> memoryview:
        """Return `size` writable bytes of any content."""
        for array in self._held:
            # The list, the variable and the argument: no view of it is left anywhere.
            if len(array) >= size and sys.getrefcount(array) == 3:
                return memoryview(array.data)[:size]
        array = np.empty(-(-size // _BUFFER_STEP_BYTES) * _BUFFER_STEP_BYTES, dtype=np.uint8)
        if size <= _LARGEST_BUFFER_HELD_BYTES:
            self._held = [*self._held[-(_BUFFERS_HELD - 1) :], array]
        return memoryview(array.data)[:size]


class ForwardReader:
    """One pass over a source, front to back, that digests every byte it passes."""

    def __init__(self, source: Source, *, with_digest: bool = True) -> None:
        self._source = source
        self._digest = _Digest() if with_digest else None
        self._buffers = _Buffers()
        self._block = memoryview(b"")
        self._used = 0
        self._step = source.expect_all()
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
        view = self._block[self._used : self._used + length]
        self._used += length
        self.offset += length
        return view

    def peek(self, length: int) -> memoryview:
        """Return the next bytes without passing them: at most `length`, fewer only at the end of the file."""
        length = min(length, self.remaining)
        held = len(self._block) - self._used
        if length > held:
            self._refill(length, held)
        return self._block[self._used : self._used + length]

    def _refill(self, length: int, held: int) -> None:
        """Replace the block by one that starts with the bytes still held and has at least `length`."""
        ahead = self.offset + held
        fresh_bytes = min(self._fresh_bytes(length, held), self._source.size - ahead)
        block = self._buffers.take(held + fresh_bytes)
        block[:held] = self._block[self._used :]
        fresh = block[held:]
        if not self._source.read_into(ahead, fresh):
            raise EndOfBytes
        if self._digest:
            self._digest.update(fresh)
        self._block, self._used = block, 0

    def _fresh_bytes(self, length: int, held: int) -> int:
        if self._source.is_remote:
            # Whole steps, because those are what the source has read ahead.
            return -(-(length - held) // self._step) * self._step
        return max(length, self._step) - held

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


def merge_ranges(ranges: Iterable[Range]) -> list[Range]:
    """Return ranges, sorted, that cover all of the given ones: those that nearly touch become one.

    Two are one where at most 4 KiB lie between them and both together stay below 8 MiB.
    """
    merged = list[Range]()
    for at, length in sorted(item for item in ranges if item[1] > 0):
        if merged:
            start, covered = merged[-1]
            end = max(start + covered, at + length)
            if at <= start + covered + _MERGED_GAP_BYTES and end - start <= _LARGEST_MERGED_BYTES:
                merged[-1] = (start, end - start)
                continue
        merged.append((at, length))
    return merged


def _cut_out(starts: Sequence[int], blocks: Sequence[bytes], at: int, length: int) -> bytes:
    """Return a range from the block it lies in; a block that is that range is handed on as it is."""
    if length == 0:
        return b""
    index = bisect_right(starts, at) - 1
    while at + length > starts[index] + len(blocks[index]):
        index -= 1
    begin = at - starts[index]
    return blocks[index][begin : begin + length]


def local_path(uri: str) -> Path | None:
    """Return the local path that an address means, or None for a remote one."""
    if uri.startswith("file://"):
        return Path(unquote(urlsplit(uri).path))
    return None if "://" in uri else Path(uri)


_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
"""Without waiting: a pipe that nobody writes to would be waited for before it can be told that it is one."""


def _open_local(path: Path) -> tuple[int, int]:
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
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
        raise BadRecording("not a regular file", where=str(path), remedy="give the recording itself")
    return descriptor, status.st_size
