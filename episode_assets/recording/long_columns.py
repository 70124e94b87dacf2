"""Columns of numbers that grow with a recording: what is old lies in an unnamed file, only the newest in memory.

An hour has millions of numbers of small streams, and a day has no other bound. A column is written once from front to
back and read in pieces; whole columns are read where an order has to be found, one at a time.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Code: TypeAlias = Literal["b", "d", "q"]
"""As the module `array` has them: int8, float64, int64."""

BLOCK_NUMBERS = 4096
"""How many numbers a column holds in memory at most: 32 kB, since a recording has some hundred columns."""
READ_ROWS = 8192
"""How many rows are read at once where rows are picked."""


class Spool:
    """An unnamed file that blocks of bytes are put into; it is gone as soon as it is closed, or the process ends."""

    def __init__(self, directory: Path) -> None:
        """Open it on the file system of a directory, readable by nobody else."""
        self._file = TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115  (closed on leaving the block)
        self._end = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def put(self, block: bytes) -> int:
        """Append a block; return where it begins."""
        start, written = self._end, 0
        while written < len(block):
            written += os.pwrite(self._file.fileno(), memoryview(block)[written:], start + written)
        self._end += len(block)
        return start

    def get(self, start: int, size: int) -> bytes:
        """Return `size` bytes from where `put` said."""
        found = os.pread(self._file.fileno(), size, start)
        while len(found) < size:
            more = os.pread(self._file.fileno(), size - len(found), start + len(found))
            if not more:
                raise OSError(f"{size} bytes at {start} of a scratch file are not there")
            found += more
        return found


class LongColumn:
    """Numbers of one type, appended one after the other and read as arrays.

    Without a spool all of them stay in memory.
    """

    def __init__(self, code: Code, spool: Spool | None = None) -> None:
        self._newest: array[Any] = array(code)
        self._spool = spool
        self._blocks: list[int] = []

    def __len__(self) -> int:
        return len(self._blocks) * BLOCK_NUMBERS + len(self._newest)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.all().tolist())

    def append(self, value: float) -> None:
        """Append one number."""
        self._newest.append(value)
        if len(self._newest) >= BLOCK_NUMBERS:
            self._put_away()

    def extend(self, values: Iterable[float]) -> None:
        """Append several numbers."""
        self._newest.extend(values)
        self._put_away()

    def frombytes(self, data: bytes) -> None:
        """Append the numbers of a contiguous array of the column's type."""
        self._newest.frombytes(data)
        self._put_away()

    def _put_away(self) -> None:
        if self._spool is None:
            return
        while len(self._newest) >= BLOCK_NUMBERS:
            self._blocks.append(self._spool.put(self._newest[:BLOCK_NUMBERS].tobytes()))
            del self._newest[:BLOCK_NUMBERS]

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the numbers `[start, stop)` as a read-only array of their own memory."""
        size = self._newest.itemsize
        found = bytearray((stop - start) * size)
        at = start
        while at < stop:
            block, skipped = divmod(at, BLOCK_NUMBERS)
            if block < len(self._blocks) and self._spool is not None:
                end = min(stop, (block + 1) * BLOCK_NUMBERS)
                piece = self._spool.get(self._blocks[block] + skipped * size, (end - at) * size)
            else:
                end, past = stop, len(self._blocks) * BLOCK_NUMBERS
                piece = self._newest[at - past : end - past].tobytes()
            found[(at - start) * size : (end - start) * size] = piece
            at = end
        values = np.frombuffer(found, dtype=self._newest.typecode)
        values.flags.writeable = False
        return values

    def all(self) -> NDArray[Any]:
        """Return all numbers as a read-only array (N,)."""
        return self.read(0, len(self))

    def pieces(self, width: int) -> Iterator[NDArray[Any]]:
        """Yield all numbers as (n, width), some thousand rows at a time."""
        for start in range(0, len(self), READ_ROWS * width):
            yield self.read(start, min(start + READ_ROWS * width, len(self))).reshape(-1, width)

    def take(self, rows: NDArray[np.int64], width: int = 1) -> NDArray[Any]:
        """Return chosen rows (R,) of the numbers seen as (N, width), in the order of `rows`: (R, width).

        Costs one reading of the column where rows ascend, as they nearly always do.
        """
        taken = np.empty((len(rows), width), dtype=self._newest.typecode)
        pieces = rows // READ_ROWS
        for piece in np.unique(pieces).tolist():
            start = piece * READ_ROWS
            stop = min((start + READ_ROWS) * width, len(self))
            held = self.read(start * width, stop).reshape(-1, width)
            mine = pieces == piece
            taken[mine] = held[rows[mine] - start]
        return taken
