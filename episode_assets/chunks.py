"""Cutting a stream of frames into fixed chunks, and working on them in spawned processes.

The cuts depend on the stamps and on one configured length, never on the number of workers, so that any number of
workers gives the same bytes. What a chunk means to a room (detecting, encoding) belongs to that room.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import StorageTrouble

CHUNK_FRAMES = 300
"""Default chunk length in frames. Configuration that affects output, hence part of fingerprints."""

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Chunk:
    """A run of frames that is computed on its own.

    All numbers are positions in the stream's sorted frame table; ranges are half-open.

    Attributes:
        index: Position of the chunk in the plan, from 0.
        start: First frame the chunk writes.
        stop: One past the last frame it writes.
        lead_start: First frame it may look at, at most `start`.
        tail_stop: One past the last frame it may look at, at least `stop`.
    """

    index: int
    start: int
    stop: int
    lead_start: int
    tail_stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def plan_chunks(
    stamps_ns: NDArray[np.int64],
    gap_before: NDArray[np.bool_],
    *,
    length: int = CHUNK_FRAMES,
    margin_ns: int = 0,
) -> tuple[Chunk, ...]:
    """Cut frames into chunks of at most `length`, with a new chunk after every gap.

    Args:
        stamps_ns: Stamps of the frames, (F,) int64 nanoseconds, increasing.
        gap_before: (F,) bool, true where a gap lies between a frame and its predecessor.
        length: Largest number of frames a chunk writes; at least 1.
        margin_ns: How far a chunk may look beyond its own frames on either side; never across a gap.

    Returns:
        The chunks in order; their `[start, stop)` ranges tile `[0, F)`.
    """
    if length < 1:
        raise ValueError(f"chunk length must be at least 1 frame, got {length}")
    count = len(stamps_ns)
    if count == 0:
        return ()
    run_starts = [0, *[int(i) for i in np.flatnonzero(gap_before) if i > 0]]
    run_stops = [*run_starts[1:], count]
    chunks: list[Chunk] = []
    for run_start, run_stop in zip(run_starts, run_stops, strict=True):
        run = stamps_ns[run_start:run_stop]
        for start in range(run_start, run_stop, length):
            stop = min(start + length, run_stop)
            first = int(np.searchsorted(run, stamps_ns[start] - margin_ns, side="left"))
            last = int(np.searchsorted(run, stamps_ns[stop - 1] + margin_ns, side="right"))
            chunks.append(Chunk(len(chunks), start, stop, run_start + first, run_start + last))
    return tuple(chunks)


def map_chunks(
    make_worker: Callable[[], Callable[[Task], Result]],
    tasks: Sequence[Task],
    *,
    workers: int,
) -> Iterator[Result]:
    """Apply a worker to every task and yield the results in the order of the tasks.

    `make_worker` is called once in each process (models are loaded there) and returns the function to apply; it
    must be picklable. With one worker everything happens in the calling process. At most `workers + 1` tasks are
    under way, so results do not pile up while an early one is slow.

    Raises:
        StorageTrouble: A worker process died without an error of its own (killed, out of memory).
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if workers == 1 or len(tasks) <= 1:
        worker = make_worker() if tasks else None
        for task in tasks:
            assert worker is not None
            yield worker(task)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        max_workers=min(workers, len(tasks)),
        mp_context=context,
        initializer=_prepare,
        initargs=(make_worker,),
    )
    waiting: deque[Future[Any]] = deque()
    remaining = iter(tasks)
    try:
        for task in remaining:
            waiting.append(pool.submit(_apply, task))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise StorageTrouble(
            "a chunk worker died before it could answer",
            remedy="look for the out-of-memory killer in the system log, or lower --workers",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_worker: Callable[[Any], Any] | None = None


def _prepare(make_worker: Callable[[], Callable[[Any], Any]]) -> None:
    global _worker  # noqa: PLW0603  # one worker per spawned process, set once by the pool's initializer
    _end_with_parent()
    _worker = make_worker()


def _apply(task: Any) -> Any:
    assert _worker is not None
    return _worker(task)


def _end_with_parent() -> None:
    # A killed parent cannot shut its pool down, and a worker waiting on the queue would live for ever.
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
