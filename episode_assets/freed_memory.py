"""Giving memory back to the operating system: allocators keep what was freed, in case it is wanted again.

A process that goes on from one kind of work to another adds the peaks up otherwise.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa


def return_freed_memory() -> None:
    """Give back what Arrow and the C library keep of tables and frames that were let go of; takes milliseconds."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(0)


@contextmanager
def memory_given_back() -> Iterator[None]:
    """Give back what is freed of long columns as soon as it is freed, in a block or as a decorator.

    Arrow's own pools keep what is freed, 20 to 30 MB for the tables of an hour: here it uses the memory of the C
    library. That takes large blocks out of its heap as well, once it has seen one of them freed (up to 32 MiB), and
    small ones between them then hold the heap open: here each goes back by itself. Both are as usual at the end, when
    pictures follow each other for which fresh memory would cost time.
    """
    before = pa.default_memory_pool()
    if before.backend_name == pa.system_memory_pool().backend_name:
        yield  # inside another such block, which goes on afterwards
        return
    pa.set_memory_pool(pa.system_memory_pool())
    _take_from_heap(up_to=_COLUMN_BYTES)
    try:
        yield
    finally:
        _take_from_heap(up_to=_LARGEST_IN_HEAP)
        pa.set_memory_pool(before)


_COLUMN_BYTES = 1 << 18
_LARGEST_IN_HEAP = 32 << 20
"""What glibc itself goes up to (mallopt(3), M_MMAP_THRESHOLD)."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def _take_from_heap(*, up_to: int) -> None:
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, up_to)
        set_option(_M_TRIM_THRESHOLD, 2 * up_to)
