"""Where Arrow takes its memory from while streams are read one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa


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
