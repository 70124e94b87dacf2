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
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any, Generic, TypeVar

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
        raise _worker_died() from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class Crew(Generic[Task, Result]):
    """Workers that are called one by one, so that what one of them keeps in memory serves its later tasks.

    Where `map_chunks` hands tasks to whoever is free, a crew's tasks go to the worker that the caller names; each
    worker takes its own in the order of submission. Answers come in the order in which they are finished, so a task
    must say in its result what it was. The caller bounds what is under way: every task submitted is held until its
    answer is taken.

    Each worker is a spawned process with a pool of its own; with one worker everything happens in the calling
    process, when an answer is asked for.

    Args:
        make_worker: Called once in each process (models are loaded there), returns the function to apply; must be
            picklable.
        workers: Number of workers, at least 1. Those that never get a task are never started.
    """

    def __init__(self, make_worker: Callable[[], Callable[[Task], Result]], *, workers: int) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self._size = workers
        self._make_worker = make_worker
        self._own_worker: Callable[[Task], Result] | None = None
        self._own_tasks: deque[Task] = deque()
        self._pools: dict[int, ProcessPoolExecutor] = {}
        self._waiting: dict[Future[Result], int] = {}

    def __enter__(self) -> Crew[Task, Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)

    def __len__(self) -> int:
        """Return the number of workers."""
        return self._size

    def pending(self) -> list[int]:
        """Return for each worker how many of its answers have not been taken."""
        counts = [0] * self._size
        for worker in self._waiting.values():
            counts[worker] += 1
        counts[0] += len(self._own_tasks)
        return counts

    def submit(self, task: Task, *, worker: int) -> None:
        """Hand a task to a worker, 0 to `len(self) - 1`.

        Raises:
            StorageTrouble: That worker has died.
        """
        if self._size == 1:
            self._own_tasks.append(task)
            return
        try:
            self._waiting[self._pool(worker).submit(_apply, task)] = worker
        except BrokenProcessPool as error:
            raise _worker_died() from error

    def next_result(self) -> Result:
        """Return the answer to one of the tasks; waits until there is one. There must be a task under way.

        Raises:
            StorageTrouble: A worker died without an error of its own (killed, out of memory).
        """
        if self._own_tasks:
            self._own_worker = self._own_worker or self._make_worker()
            return self._own_worker(self._own_tasks.popleft())
        finished = next(iter(wait_for(self._waiting, return_when=FIRST_COMPLETED).done))
        del self._waiting[finished]
        try:
            return finished.result()
        except BrokenProcessPool as error:
            raise _worker_died() from error

    def _pool(self, worker: int) -> ProcessPoolExecutor:
        if worker not in self._pools:
            self._pools[worker] = ProcessPoolExecutor(
                max_workers=1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_prepare,
                initargs=(self._make_worker,),
            )
        return self._pools[worker]


def _worker_died() -> StorageTrouble:
    return StorageTrouble(
        "a chunk worker died before it could answer",
        remedy="look for the out-of-memory killer in the system log, or lower --workers",
    )


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
