"""Calmer joints: by no more than their uncertainty, in the picture and in space alike, and on evidence only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.errors import BadConfig
from episode_assets.geometry import back_project, project
from episode_assets.hands import HandPoseConfig
from episode_assets.hands.placing import Placed
from episode_assets.hands.sightings import Sightings, no_sightings
from episode_assets.hands.smoothing import smooth_tracks
from episode_assets_tests.hands.conftest import estimated

K = np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])
FRAME_NS = 66_666_667


def seen(joints_px, joints_z, *, track=None, position=None, held=(), off_px=5.0, off_m=0.02):
    """Rows whose joints were read at these pixels (N, 21, 2) and depths (N, 21), NaN for no place."""
    count = len(joints_px)
    rows = replace(
        no_sightings(),
        track=np.zeros(count, np.int64) if track is None else np.array(track),
        position=np.arange(count) if position is None else np.array(position),
        joints_px=np.asarray(joints_px).astype(np.float32),
    )
    joints_m = back_project(K, rows.joints_px.astype(np.float64), joints_z)
    is_held = np.isin(np.arange(count), held)
    limits = np.full((count, 21), off_px), np.where(np.isfinite(joints_m[..., 2]), off_m, np.nan)
    return rows, Placed(joints_m, np.ones(count), is_held, *limits, np.zeros(count, bool))


def smoothed(rows: Sightings, placed: Placed, *, run=None, reach_s=0.2) -> tuple[Sightings, Placed]:
    count = len(rows.position)
    return smooth_tracks(
        rows,
        placed,
        np.tile(K, (count, 1, 1)),
        rows.position * FRAME_NS,
        np.zeros(count, np.int64) if run is None else np.array(run),
        reach_s=reach_s,
    )


def shaken(random: np.random.Generator, count: int, *, px: float = 6.0, z: float = 0.01):
    joints_px = (
        [640, 360] + 150 * random.standard_normal((1, 21, 2)) + px * random.standard_normal((count, 21, 2))
    )
    return joints_px, 0.5 + z * random.standard_normal((count, 21))


@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 12),
    px=st.floats(0, 300),
    z=st.floats(0, 0.15),
    off_px=st.floats(0.5, 60),
    off_m=st.floats(0.005, 0.2),
    reach_s=st.floats(0.02, 1.0),
)
def test_no_joint_moves_by_more_than_its_uncertainty(seed, count, px, z, off_px, off_m, reach_s):
    random = np.random.default_rng(seed)
    joints_px, joints_z = shaken(random, count, px=px, z=z)
    joints_z[random.random(count) < 0.3] = np.nan
    position = np.cumsum(random.integers(1, 3, count))
    held = np.flatnonzero(random.random(count) < 0.2)
    rows, placed = seen(joints_px, joints_z, position=position, held=held, off_px=off_px, off_m=off_m)

    moved, in_space = smoothed(rows, placed, reach_s=reach_s)

    assert np.linalg.norm(moved.joints_px - rows.joints_px, axis=2).max() <= off_px
    off = np.linalg.norm((in_space.joints_m - placed.joints_m).astype(np.float32), axis=2)
    has_place = np.isfinite(joints_z).all(axis=1)
    np.testing.assert_array_equal(np.isfinite(off).all(axis=1), has_place)
    assert (off[has_place] <= off_m).all()
    np.testing.assert_allclose(
        project(K, in_space.joints_m[has_place]), moved.joints_px[has_place], rtol=1e-6, atol=1e-3
    )
    np.testing.assert_array_equal(moved.joints_px[held], rows.joints_px[held])
    assert not in_space.is_smoothed[held].any()


def test_a_still_hand_that_shakes_becomes_calmer_in_the_picture_and_in_space():
    rows, placed = seen(*shaken(np.random.default_rng(1), 40, px=2.0, z=0.005))

    moved, in_space = smoothed(rows, placed)

    assert moved.joints_px.std(axis=0).mean() < 0.7 * rows.joints_px.std(axis=0).mean()
    assert in_space.joints_m.std(axis=0).mean() < 0.7 * placed.joints_m.std(axis=0).mean()
    assert in_space.is_smoothed.all()


def test_steady_motion_is_not_cut_short():
    steps = np.arange(10)[:, None, None]
    rows, placed = seen(600 + 12.5 * steps * np.ones((10, 21, 2)), 0.5 + np.zeros((10, 21)))

    moved, _ = smoothed(rows, placed)

    np.testing.assert_allclose(moved.joints_px, rows.joints_px, atol=1e-3)


@pytest.mark.parametrize(
    "cut",
    [
        {"track": [0] * 5 + [1] * 5},
        {"position": [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]},
        {"run": [0] * 5 + [1] * 5},
    ],
    ids=["track", "missing frame", "gap"],
)
def test_nothing_reaches_over_the_end_of_a_stretch(cut):
    run = cut.pop("run", None)
    joints_px, joints_z = shaken(np.random.default_rng(2), 10)
    other = joints_px.copy()
    other[5:] += 40

    first, _ = smoothed(*seen(joints_px, joints_z, **cut), run=run, reach_s=1.0)
    second, _ = smoothed(*seen(other, joints_z, **cut), run=run, reach_s=1.0)

    np.testing.assert_array_equal(first.joints_px[:5], second.joints_px[:5])
    assert (first.joints_px[:5] != np.float32(joints_px[:5])).any()


def test_held_rows_say_nothing_to_their_neighbours():
    joints_px, joints_z = shaken(np.random.default_rng(3), 7)
    other, farther = joints_px.copy(), joints_z.copy()
    other[3] += 30
    farther[3] += 0.1

    first, in_space = smoothed(*seen(joints_px, joints_z, held=[3]))
    second, in_space_too = smoothed(*seen(other, farther, held=[3]))

    others = np.arange(7) != 3
    np.testing.assert_array_equal(first.joints_px[others], second.joints_px[others])
    np.testing.assert_array_equal(in_space.joints_m[others], in_space_too.joints_m[others])


def test_rows_are_smoothed_on_request_only_and_say_so(whole, whole_view, tmp_path):
    calm = estimated(whole_view[0], tmp_path, config=HandPoseConfig(smoothing="track"))

    assert not any(whole.hands["smoothed"].to_pylist())
    assert whole.outcome.summary["smoothing"] == "none"
    assert calm.outcome.summary["smoothing"] == "track"
    assert calm.outcome.summary["hands_smoothed"] == sum(calm.hands["smoothed"].to_pylist()) > 0
    moved = np.linalg.norm(
        (calm.numbers("joints_px") - whole.numbers("joints_px")).reshape(-1, 21, 2), axis=2
    )
    assert moved.max() > 0
    assert (moved <= np.nan_to_num(whole.numbers("uncertainty_px"), nan=np.inf)).all()


def test_only_known_kinds_of_smoothing_are_taken():
    with pytest.raises(BadConfig, match="smoothing"):
        HandPoseConfig(smoothing="much")  # type: ignore[arg-type]
