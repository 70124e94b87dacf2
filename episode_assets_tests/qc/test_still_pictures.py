"""Pictures that hardly change: a tripod, a bare wall, a camera that hangs, a finger beside a free depth sensor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from episode_assets.qc import QualityConfig
from episode_assets.qc.motion_evidence import moves
from episode_assets.qc.ranges import FrameRange
from episode_assets_tests.qc.episodes import check_of, judged

STRETCH = slice(40, 80)
EVERYWHERE = slice(1, None)


def seen(e, where=EVERYWHERE, **values):
    changed = {name: getattr(e.signals, name).copy() for name in values}
    for name, value in values.items():
        changed[name][where] = value
    return replace(e, signals=replace(e.signals, **changed))


def standing(e, way_m=0.0):
    """Return evidence of a camera that does not turn, and whose poses go `way_m`, (F, 3) or a number."""
    positions = np.zeros((len(e), 3)) + way_m
    return replace(e, gyro_rad_s=np.full(len(e), 0.01), camera_position_m=positions)


def turning(e, rad_s=0.5):
    return replace(standing(e), gyro_rad_s=np.full(len(e), rad_s))


def without_hands(e, where=STRETCH):
    kinds = {}
    for side in ("left", "right"):
        kinds[side] = getattr(e, side).kind.copy()
        kinds[side][where] = 0
    left, right = replace(e.left, kind=kinds["left"]), replace(e.right, kind=kinds["right"])
    return replace(e, left=left, right=right)


def objections(judgement):
    return {check.id for check in judgement.checks if check.status in ("warn", "fail")}


def drift(e):
    return np.linspace(0, 0.015, len(e))[:, None] * np.array([1.0, 0, 0])


def tremble(e):
    return np.random.default_rng(0).normal(0, 0.002, (len(e), 3))


def relocalised(e):
    return np.where(np.arange(len(e)) < 60, 0.0, 0.2)[:, None]


@pytest.mark.parametrize("poses", [drift, tremble, relocalised])
def test_poses_of_a_tripod_drift_and_tremble_and_its_pictures_are_not_frozen(evidence, poses):
    tripod = seen(standing(evidence, poses(evidence)), diff_previous=0.2)

    judgement = judged(tripod)

    assert not objections(judgement) & {"frozen", "still_picture"}
    assert [(item.first, item.last) for item in judgement.kept] == [(0, len(evidence) - 1)]


def test_a_calm_head_moves_enough_for_repeated_pictures_to_be_frozen(evidence):
    calm = standing(evidence, 0.02 * np.arange(len(evidence))[:, None] / 15 * np.array([1.0, 0, 0]))
    frozen = seen(calm, STRETCH, payload="0" * 16, diff_previous=0.0)

    assert [(item.first, item.last) for item in check_of(judged(frozen), "frozen").ranges] == [(40, 79)]


def test_three_frames_are_enough_to_tell_a_walk_from_a_tripod(evidence):
    walk = standing(evidence, 0.5 * np.arange(len(evidence))[:, None] / 15 * np.array([1.0, 0, 0]))
    item = FrameRange(60, 62)

    assert moves(walk, QualityConfig(), item) is True
    assert moves(standing(evidence), QualityConfig(), item) is False


def test_a_bare_wall_looks_the_same_wherever_one_walks_and_is_not_frozen(evidence):
    walk = standing(evidence, 0.3 * np.arange(len(evidence))[:, None] / 15 * np.array([1.0, 0, 0]))
    wall = seen(walk, slice(None), flat_tiles_ratio=1.0, std=3.4)

    judgement = judged(seen(wall, diff_previous=0.25))

    assert not objections(judgement) & {"frozen", "still_picture", "covered_lens", "blank_picture"}
    assert len(judgement.kept) == 1


def test_a_wall_whose_pictures_are_repeated_is_frozen(evidence):
    walk = standing(evidence, 0.3 * np.arange(len(evidence))[:, None] / 15 * np.array([1.0, 0, 0]))
    wall = seen(walk, slice(None), flat_tiles_ratio=1.0, std=3.4)
    frozen = seen(seen(wall, diff_previous=0.25), STRETCH, payload="0" * 16, diff_previous=0.0)

    assert [(item.first, item.last) for item in check_of(judged(frozen), "frozen").ranges] == [(40, 79)]


def test_pictures_written_anew_are_frozen_while_the_camera_turns_and_only_doubtful_while_it_creeps(evidence):
    again = seen(evidence, STRETCH, diff_previous=0.2)
    creep = standing(again, 0.03 * np.arange(len(evidence))[:, None] / 15 * np.array([1.0, 0, 0]))

    turned, crept = judged(turning(again)), judged(creep)

    assert [(item.first, item.last) for item in check_of(turned, "frozen").ranges] == [(40, 79)]
    assert "frozen" not in objections(crept)
    assert "still_picture" in objections(crept)
    assert len(crept.kept) == 1


def test_a_finger_beside_a_free_depth_sensor_is_told_and_not_cut(evidence):
    blank = without_hands(seen(evidence, STRETCH, flat_tiles_ratio=1.0, std=5.0, diff_previous=0.8))

    turned, stood = judged(turning(blank)), judged(standing(blank))

    check = check_of(turned, "blank_picture")
    assert (check.status, [(item.first, item.last) for item in check.ranges]) == ("warn", [(40, 79)])
    assert turned.verdict == "review"
    assert len(turned.kept) == 1
    assert check_of(stood, "blank_picture").status == "pass"


def test_a_bare_wall_behind_measured_hands_is_no_blank_picture(evidence):
    wall = seen(evidence, STRETCH, flat_tiles_ratio=0.8, std=17.0, diff_previous=1.3)

    assert check_of(judged(turning(wall)), "blank_picture").status == "pass"


def test_without_depth_a_wall_that_one_walks_along_is_not_covered(evidence):
    walk = standing(evidence, 0.3 * np.arange(len(evidence))[:, None] / 15 * np.array([1.0, 0, 0]))
    wall = seen(replace(walk, depth=None), slice(None), flat_tiles_ratio=1.0, std=5.0)

    assert not check_of(judged(seen(wall, diff_previous=0.8)), "covered_lens").ranges


def test_a_finger_before_a_wall_ends_where_depth_says_so(evidence):
    near = evidence.depth.median_m.copy()
    near[STRETCH] = 0.1
    wall = seen(evidence, slice(None), flat_tiles_ratio=1.0, std=5.0)

    judgement = judged(replace(standing(wall), depth=replace(evidence.depth, median_m=near)))

    assert [(item.first, item.last) for item in check_of(judgement, "covered_lens").ranges] == [(40, 79)]
