"""Hands in space on demo recordings: where they are, how far they may be off, and what the outcome says of them."""

from __future__ import annotations

import numpy as np
import pytest

from episode_assets.hands import HELD, INTERPOLATED, MEASURED, HandPoseConfig
from episode_assets_tests.hands.conftest import SIZE, Estimated, estimated

WITHIN_M = 0.03


def truth_rows(run: Estimated) -> tuple[np.ndarray, np.ndarray]:
    """Frame of the truth and side index of each row."""
    frame_of = {int(number): index for index, number in enumerate(run.truth.message_number)}
    frames = np.array([frame_of[number] for number in run.hands["message_number"].to_pylist()])
    sides = np.array([("left", "right").index(side) for side in run.hands["side"].to_pylist()])
    return frames, sides


def off_m(run: Estimated) -> np.ndarray:
    """(N, 21) metres between joints and the truth, NaN where a joint is not valid or has no place."""
    frames, sides = truth_rows(run)
    joints = run.numbers("joints_cam").reshape(-1, 21, 3)
    off = np.linalg.norm(joints - run.truth.hand_joints_cam[frames, sides], axis=2)
    return np.where(run.numbers("joint_valid") > 0, off, np.nan)


@pytest.fixture(scope="module")
def phone(demo_view, weights, tmp_path_factory) -> Estimated:
    """Three seconds with the depth of a phone: smoothed, bled over edges, with dropouts."""
    del weights
    view, truth = demo_view(seconds=3.0, depth="phone")
    return estimated(view, tmp_path_factory.mktemp("phone"), truth=truth)


@pytest.fixture(scope="module")
def rolled(demo_view, weights, tmp_path_factory) -> Estimated:
    """The same with a camera that is worn sideways; joints are compared in its own optical frame."""
    del weights
    view, truth = demo_view(seconds=2.0, depth="phone", roll_deg=90.0)
    return estimated(view, tmp_path_factory.mktemp("rolled"), truth=truth)


@pytest.mark.parametrize("name", ["whole", "phone", "rolled"])
def test_nine_of_ten_valid_joints_lie_within_three_centimetres(name, request):
    off = off_m(request.getfixturevalue(name))

    known = np.isfinite(off)
    assert known.any(axis=1).mean() > 0.8
    assert (off[known] <= WITHIN_M).mean() >= 0.9


@pytest.mark.parametrize("name", ["whole", "phone"])
def test_two_thirds_of_joints_lie_within_their_uncertainty_and_nearly_all_within_twice(name, request):
    run = request.getfixturevalue(name)
    frames, sides = truth_rows(run)
    valid = run.numbers("joint_valid") > 0
    apart = run.numbers("joints_px").reshape(-1, 21, 2) - run.truth.hand_joints_px[frames, sides]

    for off, limit in (
        (np.linalg.norm(apart, axis=2), run.numbers("uncertainty_px")),
        (off_m(run), run.numbers("uncertainty_m")),
    ):
        ratio = (off / limit)[valid]
        ratio = ratio[np.isfinite(ratio)]
        assert (ratio <= 1).mean() >= 0.65
        assert (ratio <= 2).mean() >= 0.93
        # Not by being careless: an uncertainty of anything would hold all of them.
        assert np.median(ratio) > 0.2


def test_interpolated_rows_have_no_uncertainty_and_rows_without_a_place_none_in_metres(bare, whole):
    for run in (bare, whole):
        kind = run.hands["kind"].to_numpy()
        in_pixels = np.isfinite(run.numbers("uncertainty_px")).all(axis=1)
        in_metres = np.isfinite(run.numbers("uncertainty_m")).all(axis=1)
        has_place = np.isfinite(run.numbers("joints_cam")).all(axis=1)

        np.testing.assert_array_equal(in_pixels, kind != INTERPOLATED)
        np.testing.assert_array_equal(in_metres, in_pixels & has_place)


def test_what_was_read_in_a_frame_is_valid_in_the_picture_whatever_its_distance_is_from(
    weights, whole_view, tmp_path
):
    """Hands leave the range of depths for some frames, and are held there."""
    del weights
    run = estimated(whole_view[0], tmp_path, config=HandPoseConfig(depth_far_m=0.47))

    kind, anchor = run.hands["kind"].to_numpy(), run.hands["anchor"].to_numpy(zero_copy_only=False)
    assert {MEASURED, HELD} <= set(kind)
    np.testing.assert_array_equal(anchor[kind == HELD], "held")
    px = run.numbers("joints_px").reshape(-1, 21, 2)
    inside = ((px > -0.5) & (px < np.array(SIZE) - 0.5)).all(axis=2)
    np.testing.assert_array_equal(run.numbers("joint_valid") > 0, inside & (kind != INTERPOLATED)[:, None])


@pytest.mark.parametrize("name", ["whole", "bare", "difficult"])
def test_the_numbers_of_the_outcome_follow_from_the_rows(name, request):
    run = request.getfixturevalue(name)
    summary = run.outcome.summary
    rows = run.hands.to_pylist()
    read = [row for row in rows if row["kind"] in (MEASURED, HELD)]

    def count(anchor: str) -> int:
        return sum(row["anchor"] == anchor for row in read)

    assert summary["hands_anchored"] == count("anchored")
    assert summary["hands_held"] == count("held")
    assert summary["hands_pixel_only"] == count("pixel_only")
    assert summary["hands_anchored"] + summary["hands_held"] + summary["hands_pixel_only"] == len(read)
    assert summary["in_space_ratio"] == round(count("anchored") / len(read), 4)
    for side in ("left", "right"):
        valid = {
            row["frame_index"]
            for row in rows
            if row["side"] == side and row["wearer"] and any(row["joint_valid"])
        }
        assert summary[f"wearer_{side}_valid_ratio"] == round(len(valid) / summary["frames"], 4)
    assert (summary["uncertainty_m_median"] is None) == (name == "bare")


def test_a_recording_without_hands_has_no_ratio_of_hands(demo_view, tmp_path, weights):
    del weights
    view, _ = demo_view(seconds=0.4, with_hands=False, with_face=False)

    summary = estimated(view, tmp_path).outcome.summary

    assert summary["wearer_left_valid_ratio"] == 0
    assert summary["in_space_ratio"] is None
    assert summary["uncertainty_px_median"] is None
