"""Cameras worn sideways or upside down: what is looked at stands upright, what is written fits the recording."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from episode_assets.errors import BadConfig
from episode_assets.hands import HandPoseConfig
from episode_assets.hands.sightings import no_sightings
from episode_assets.hands.turning import (
    stood_upright,
    turn_directions,
    turn_intrinsics,
    turn_points,
    turn_sightings,
    usual_turns,
)
from episode_assets.recording import Attitude
from episode_assets_tests.hands.conftest import estimated

BACKEND = "episode_assets_tests.hands.stand_in:make"
TURNS = (1, 2, 3)


@pytest.mark.parametrize("turns", (0, *TURNS))
def test_a_point_of_the_upright_picture_is_the_same_pixel_of_the_recorded_one(turns):
    recorded = np.random.default_rng(3).integers(0, 255, (6, 9, 3), np.uint8)
    upright = stood_upright(recorded, turns)
    y, x = (axis.ravel() for axis in np.mgrid[: upright.shape[0], : upright.shape[1]])
    points = np.stack([x, y], axis=1)[None].astype(np.float64)

    back = turn_points(points, turns, np.array([[9.0, 6.0]]))[0].astype(int)

    np.testing.assert_array_equal(upright[y, x], recorded[back[:, 1], back[:, 0]])


@pytest.mark.parametrize("turns", TURNS)
def test_directions_turn_as_points_do(turns):
    sizes = np.array([[9.0, 6.0]])
    ends = turn_points(np.array([[[2.0, 3.0], [5.0, 4.0]]]), turns, sizes)[0]

    np.testing.assert_allclose(turn_directions(np.array([3.0, 1.0, 7.0]), turns), [*(ends[1] - ends[0]), 7.0])


@pytest.mark.parametrize("turns", TURNS)
def test_turning_rows_there_and_back_changes_nothing(turns):
    rng = np.random.default_rng(5)
    rows = replace(
        no_sightings(),
        track=np.zeros(4, np.int64),
        region=rng.uniform(-3, 3, (4, 4)).astype(np.float32),
        joints_px=rng.uniform(0, 600, (4, 21, 2)).astype(np.float32),
        shape_m=rng.normal(size=(4, 21, 3)).astype(np.float32),
    )
    recorded = np.tile([1280.0, 720.0], (4, 1))
    upright = recorded[:, ::-1] if turns % 2 else recorded

    back = turn_sightings(turn_sightings(rows, -turns, upright), turns, recorded)

    for name in ("region", "joints_px", "shape_m"):
        np.testing.assert_allclose(getattr(back, name), getattr(rows, name), atol=1e-3)


@pytest.mark.parametrize("turns", TURNS)
def test_a_point_in_space_falls_on_the_turned_pixel_of_the_turned_camera(turns):
    K = np.array([[[600.0, 0, 650.0], [0, 620.0, 340.0], [0, 0, 1]]])
    sizes = np.array([[1280.0, 720.0]])
    point = np.array([0.2, -0.1, 0.8])
    turned_sizes = sizes[:, ::-1] if turns % 2 else sizes

    def seen(K, point):
        return (K[0] @ point / point[2])[None, :2]

    turned = seen(turn_intrinsics(K, turns, turned_sizes), turn_directions(point, turns))

    np.testing.assert_allclose(turned, turn_points(seen(K, point), turns, turned_sizes))


def test_the_turn_of_most_known_pictures_counts():
    roll = np.array([np.nan, np.nan, np.nan, 1.5, 1.6, 0.1])

    assert usual_turns(Attitude(roll, "pose")) == 1
    assert usual_turns(Attitude.unknown(4)) == 0


def test_a_set_turn_outdoes_what_poses_say(demo_view, tmp_path):
    view, _ = demo_view(seconds=0.6, fps=10)

    runs = [
        estimated(view, tmp_path / turned, config=HandPoseConfig(backend=BACKEND, scene_turned=turned))
        for turned in ("auto", "0", "180")
    ]

    rotation = [run.hands["roi_rotation"].to_numpy() for run in runs]
    np.testing.assert_array_equal(rotation[0], rotation[1])
    np.testing.assert_allclose(np.abs(np.diff([rotation[1], rotation[2]], axis=0)), np.pi, atol=1e-3)
    assert [run.outcome.summary["scene_turned_deg"] for run in runs] == [0, 0, 180]


def test_turns_other_than_quarters_are_refused():
    with pytest.raises(BadConfig, match="scene_turned"):
        HandPoseConfig(scene_turned="45")
