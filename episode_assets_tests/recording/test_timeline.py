from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.recording import gap_before, median_step_ns, nearest
from episode_assets.recording.timeline import clock_of

STAMPS = st.lists(st.integers(0, 10**6), max_size=40).map(
    lambda values: np.array(sorted(values), dtype=np.int64)
)


def test_one_missed_tick_is_no_gap_and_three_are() -> None:
    stamps = np.array([0, 10, 20, 40, 50, 75, 101], dtype=np.int64)

    assert gap_before(stamps).tolist() == [False, False, False, False, False, False, True]


def test_repeated_stamps_leave_no_gap_to_tell() -> None:
    assert not gap_before(np.array([5, 5, 5, 5, 900], dtype=np.int64)).any()


def test_streams_without_steps_have_no_gaps() -> None:
    for stamps in ([], [7], [7, 9000]):
        assert not gap_before(np.array(stamps, dtype=np.int64)).any()
    assert median_step_ns(np.array([7], dtype=np.int64)) == 0


@given(STAMPS, st.lists(st.integers(-100, 10**6 + 100), max_size=20), st.integers(0, 5000))
def test_nearest_agrees_with_a_search_over_all_pairs(
    stamps: np.ndarray, queries: list[int], tolerance: int
) -> None:
    found = nearest(stamps, np.array(queries, dtype=np.int64), tolerance_ns=tolerance)

    for query, position in zip(queries, found.tolist(), strict=True):
        distances = [abs(int(stamp) - query) for stamp in stamps]
        if not distances or min(distances) > tolerance:
            assert position == -1
        else:
            assert stamps[position] == min(stamps, key=lambda stamp: (abs(int(stamp) - query), stamp))


def test_uptime_and_epoch_clocks_are_told_apart() -> None:
    assert clock_of(151283417203125) == "relative"
    assert clock_of(1_700_000_000_000_000_000) == "epoch"
    assert clock_of(None) == "relative"
