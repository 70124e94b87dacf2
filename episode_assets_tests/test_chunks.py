"""Chunks tile the frames, never cross a gap, and give the same results with any number of workers."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.chunks import Crew, map_chunks, plan_chunks
from episode_assets.errors import StorageTrouble


@given(
    steps=st.lists(st.integers(1, 100), min_size=1, max_size=200),
    gaps=st.sets(st.integers(1, 199)),
    length=st.integers(1, 50),
    margin_ns=st.integers(0, 500),
)
def test_chunks_tile_the_frames_and_look_no_further_than_the_margin_or_a_gap(
    steps: list[int], gaps: set[int], length: int, margin_ns: int
) -> None:
    stamps = np.cumsum(np.asarray(steps, np.int64))
    gap_before = np.zeros(len(stamps), np.bool_)
    gap_before[[g for g in gaps if g < len(stamps)]] = True

    chunks = plan_chunks(stamps, gap_before, length=length, margin_ns=margin_ns)

    assert [i for chunk in chunks for i in range(chunk.start, chunk.stop)] == list(range(len(stamps)))
    for chunk in chunks:
        assert 1 <= len(chunk) <= length
        assert not gap_before[chunk.lead_start + 1 : chunk.tail_stop].any()
        seen = stamps[chunk.lead_start : chunk.tail_stop]
        assert seen[0] >= stamps[chunk.start] - margin_ns
        assert seen[-1] <= stamps[chunk.stop - 1] + margin_ns


def test_no_frames_make_no_chunks() -> None:
    assert plan_chunks(np.zeros(0, np.int64), np.zeros(0, np.bool_)) == ()


def make_squarer(offset: int) -> object:
    return functools.partial(square, offset)


def square(offset: int, value: int) -> int:
    return value * value + offset


def make_dying_worker() -> object:
    return die


def die(_value: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def test_results_come_in_order_whatever_the_number_of_workers() -> None:
    make = functools.partial(make_squarer, 1)
    alone = list(map_chunks(make, list(range(7)), workers=1))
    together = list(map_chunks(make, list(range(7)), workers=2))
    assert alone == together == [n * n + 1 for n in range(7)]


def test_a_killed_worker_is_a_named_and_transient_error() -> None:
    with pytest.raises(StorageTrouble, match="a chunk worker died"):
        list(map_chunks(make_dying_worker, [1, 2, 3], workers=2))


class Rememberer:
    """Answers with the process it lives in and all it was ever given."""

    def __init__(self) -> None:
        self._given: list[int] = []

    def __call__(self, value: int) -> tuple[int, tuple[int, ...]]:
        if value < 0:
            raise ValueError(f"{value} is negative")
        self._given.append(value)
        return os.getpid(), tuple(self._given)


@pytest.mark.parametrize("workers", [1, 2])
def test_each_worker_of_a_crew_remembers_its_own_tasks_in_order(workers: int) -> None:
    with Crew[int, tuple[int, tuple[int, ...]]](Rememberer, workers=workers) as crew:
        for value in range(6):
            crew.submit(value, worker=value % workers)
        assert sum(crew.pending()) == 6
        answers = [crew.next_result() for _ in range(6)]
        assert crew.pending() == [0] * workers

    longest = {pid: max((given for p, given in answers if p == pid), key=len) for pid, _ in answers}
    assert sorted(longest.values()) == [tuple(range(first, 6, workers)) for first in range(workers)]
    assert (os.getpid() in longest) == (workers == 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_crew_reaches_the_caller_and_the_worker_lives_on(workers: int) -> None:
    with Crew[int, tuple[int, tuple[int, ...]]](Rememberer, workers=workers) as crew:
        crew.submit(-3, worker=0)
        with pytest.raises(ValueError, match="-3 is negative"):
            crew.next_result()
        crew.submit(4, worker=0)
        assert crew.next_result()[1] == (4,)


def test_a_killed_worker_of_a_crew_is_a_named_and_transient_error() -> None:
    with Crew[int, int](make_dying_worker, workers=2) as crew:  # type: ignore[arg-type]
        crew.submit(1, worker=1)
        with pytest.raises(StorageTrouble, match="a chunk worker died"):
            crew.next_result()
        with pytest.raises(StorageTrouble, match="a chunk worker died"):
            crew.submit(2, worker=1)


SLEEPER = """
import functools, sys, time
from episode_assets.chunks import Crew, map_chunks
from episode_assets_tests.test_chunks import make_sleeper
if __name__ == "__main__":
    make = functools.partial(make_sleeper, sys.argv[1])
    if sys.argv[2] == "crew":
        with Crew(make, workers=2) as crew:
            crew.submit(1, worker=0)
            crew.submit(2, worker=1)
            crew.next_result()
    else:
        list(map_chunks(make, [1, 2, 3], workers=2))
"""


def make_sleeper(folder: str) -> object:
    return functools.partial(sleep, folder)


def sleep(folder: str, _value: int) -> int:
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(60)
    return 0


@pytest.mark.parametrize("kind", ["map", "crew"])
def test_workers_end_when_their_parent_is_killed(kind: str, tmp_path: Path) -> None:
    script = tmp_path / "sleeper.py"
    script.write_text(SLEEPER)
    folder = tmp_path / "pids"
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    parent = subprocess.Popen([sys.executable, str(script), str(folder), kind], env=environment)
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    pids = [int(path.name) for path in folder.iterdir()]
    parent.kill()
    parent.wait()

    while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert len(pids) == 2
    assert not any(is_alive(pid) for pid in pids)


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return "State:\tZ" not in status
