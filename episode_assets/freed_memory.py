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
    """Let Arrow use the memory of the C library, in a block or as a decorator.

    Its own pools keep what is freed, 20 to 30 MB for the tables of an hour; what `malloc` has taken back is there for
    the next stream, numpy's too. The pool of the process is set again at the end.
    """
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)
