"""What is computed of tracks is computed of some at a time: memory follows the tracks and not the recording."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.hands import HandPoseConfig
from episode_assets.hands.placing import place_tracks
from episode_assets.hands.sightings import Sightings, whole_tracks
from episode_assets.hands.smoothing import smooth_tracks

FRAMES, FOCAL = 1000, 900.0


def tracks(count: int) -> Sightings:
    """So many hands of a thousand frames, one after the other."""
    random, rows = np.random.default_rng(1), count * FRAMES
    return Sightings(
        np.repeat(np.arange(count), FRAMES),
        np.arange(rows),
        np.tile(np.float32([300, 300, 200, 0]), (rows, 1)),
        random.uniform(100, 500, (rows, 21, 2)).astype(np.float32),
        random.normal(0, 0.05, (rows, 21, 3)).astype(np.float32),
        np.full(rows, 0.9, np.float32),
        np.ones(rows, np.float32),
        np.full((rows, 21), 0.5, np.float32),
        np.zeros((rows, 0), np.float32),
    )


def peak_bytes(rows: Sightings) -> int:
    K = np.tile(np.array([[FOCAL, 0, 320], [0, FOCAL, 180], [0, 0, 1]]), (len(rows), 1, 1))
    stamps_ns, run = rows.position * 33_000_000, np.zeros(len(rows), np.int64)
    tracemalloc.start()
    try:
        placed = place_tracks(rows, K, stamps_ns, config=HandPoseConfig())
        smooth_tracks(rows, placed, K, stamps_ns, run, reach_s=0.15)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_placing_and_smoothing_hold_little_more_than_their_results():
    # 2.7 kB a row are the tables before and after, and their parts while they are joined; with all rows at once, 4.6.
    more = peak_bytes(tracks(16)) - peak_bytes(tracks(8))

    assert more / (8 * FRAMES) < 3400


@given(lengths=st.lists(st.integers(1, 9), max_size=12), most_rows=st.integers(1, 20))
def test_parts_are_whole_tracks_in_order_and_no_larger_than_they_must_be(lengths, most_rows):
    track = np.repeat(np.arange(len(lengths)), lengths)

    parts = [track[rows] for rows in whole_tracks(track, most_rows=most_rows)]

    np.testing.assert_array_equal(np.concatenate(parts), track)
    names = [name for part in parts for name in np.unique(part)]
    assert len(names) == len(set(names))
    assert all(len(part) <= most_rows or len(np.unique(part)) == 1 for part in parts)


@pytest.mark.parametrize("count", [0, 3])
def test_every_row_is_placed_once(count):
    rows = tracks(count)
    K = np.tile(np.eye(3), (len(rows), 1, 1))

    placed = place_tracks(rows, K, rows.position, config=HandPoseConfig())

    assert placed.joints_m.shape == (count * FRAMES, 21, 3)
