from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.qc.intervals import keep
from episode_assets.qc.ranges import frame_seconds, runs

STEP = 100_000_000


def kept(count, *, bad=(), jumps=(), stamps=None, **rules):
    """Frames at 10 Hz; `bad` frames have the hard reason `black`, `jumps` are frames with a gap before them."""
    stamps = np.arange(count, dtype=np.int64) * STEP if stamps is None else stamps
    hard, gaps = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    hard[list(bad)] = True
    gaps[list(jumps)] = True
    rules = {"hole_close_s": 0.2, "cut_frames": 2, "keep_min_s": 2.0, **rules}
    found = keep(stamps, {"black": hard}, {"rgb_gap": gaps}, median_step_ns=STEP, **rules)
    return [(item.first, item.last, item.reason_before, item.reason_after) for item in found]


def test_a_clean_recording_is_kept_whole():
    assert kept(100) == [(0, 99, "start", "end")]


def test_two_frames_are_cut_around_a_hard_reason():
    assert kept(100, bad=range(40, 45)) == [(0, 37, "start", "black"), (47, 99, "black", "end")]


def test_a_hole_of_two_tenths_of_a_second_is_closed():
    assert kept(100, bad=(40, 41)) == [(0, 99, "start", "end")]
    assert len(kept(100, bad=(40, 41, 42))) == 2


def test_a_hole_with_a_missing_frame_is_not_closed():
    assert kept(100, bad=(40,), jumps=(41,)) == [(0, 37, "start", "black"), (41, 99, "rgb_gap", "end")]


def test_a_bad_stretch_at_the_very_start_is_not_a_hole():
    assert kept(100, bad=(0,)) == [(3, 99, "black", "end")]


def test_a_gap_is_never_bridged_and_costs_no_frame():
    assert kept(100, jumps=(50,)) == [(0, 49, "start", "rgb_gap"), (50, 99, "rgb_gap", "end")]


@pytest.mark.parametrize(("count", "is_kept"), [(20, True), (19, False)])
def test_pieces_shorter_than_two_seconds_are_dropped(count, is_kept):
    assert bool(kept(count)) is is_kept


def test_a_recording_that_is_bad_throughout_keeps_nothing():
    assert kept(100, bad=range(100)) == []


def test_a_single_frame_and_none_do_not_fail():
    assert kept(1) == []
    assert kept(0) == []


@settings(max_examples=200)
@given(
    count=st.integers(1, 120),
    bad=st.sets(st.integers(0, 119)),
    jumps=st.sets(st.integers(1, 119)),
    cut=st.integers(0, 4),
)
def test_kept_intervals_are_ordered_apart_long_enough_and_never_cross_a_gap(count, bad, jumps, cut):
    bad, jumps = {i for i in bad if i < count}, {i for i in jumps if i < count}
    found = kept(count, bad=bad, jumps=jumps, cut_frames=cut, hole_close_s=0.0)

    frames = [frame for first, last, *_ in found for frame in range(first, last + 1)]
    assert frames == sorted(set(frames))
    assert not bad & set(frames)
    for first, last, before, after in found:
        assert last - first + 1 >= 20
        assert not jumps & set(range(first + 1, last + 1))
        assert before in {"start", "black", "rgb_gap"}
        assert after in {"end", "black", "rgb_gap"}


@settings(max_examples=100)
@given(st.lists(st.booleans(), max_size=60), st.sets(st.integers(0, 59)))
def test_runs_tile_the_true_flags(flags, breaks):
    flags = np.array(flags, dtype=np.bool_)
    cut = np.zeros(len(flags), np.bool_)
    cut[[i for i in breaks if i < len(flags)]] = True

    found = runs(flags, breaks=cut)

    assert [i for run in found for i in range(run.first, run.last + 1)] == np.flatnonzero(flags).tolist()
    assert all(not cut[run.first + 1 : run.last + 1].any() for run in found)


def test_a_frame_before_a_gap_counts_one_median_step():
    stamps = np.array([0, 100, 200, 5000, 5100], np.int64) * 1_000_000

    assert frame_seconds(stamps, 100_000_000).tolist() == pytest.approx([0.1] * 5)
