"""What a script hands in by mistake is named, not taken, and leaves the session as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from episode_assets.errors import BadConfig
from episode_assets.scripting import HandPose, HandTracker, Keypoint
from episode_assets_tests.conftest import Demo
from episode_assets_tests.scripting.conftest import Opener


@pytest.mark.parametrize(
    ("body", "words"),
    [(np.zeros((9, 3)), r"shape \(9, 3\)"), (np.zeros(30), r"shape \(30,\)"), ("standing", "not of numbers")],
)
def test_a_body_of_another_shape_is_named(opened: Opener, body: object, words: str) -> None:
    session = opened()
    next(session.frames())

    with pytest.raises(BadConfig, match=f"body of frame 0.*{words}"):
        session.add_body(0, body)

    assert len(session.workshop.bodies) == 0


@pytest.mark.parametrize(
    "hands",
    [
        np.array([1, 2]),
        [1],
        5,
        HandPose(Keypoint(0.1, 0.1, 0.5)),
        [HandPose(Keypoint(0.1, 0.1, 0.5), {"thumb": []})],
        [HandPose("wrist")],
    ],
)
def test_what_is_no_list_of_hands_is_named(opened: Opener, hands: object) -> None:
    session = opened()
    next(session.frames())
    session.add_hand_pose(0, [HandPose(Keypoint(0.1, 0.2, 0.5))])

    with pytest.raises(BadConfig, match="frame 0 is no list of hands"):
        session.add_hand_pose(0, hands)

    (kept,) = session.hand_poses[0]
    assert kept.wrist.as_array() == pytest.approx([0.1, 0.2, 0.5])


@pytest.mark.parametrize("shape", [(0, 0, 3), (0, 8, 3)])
def test_a_thumbnail_without_a_pixel_is_named(opened: Opener, tmp_path: Path, shape: tuple[int, ...]) -> None:
    session = opened()
    session.add_rgb_frame(0, next(session.frames()).rgb)

    with pytest.raises(BadConfig, match="thumbnail_rgb must be"):
        session.export(tmp_path / "out", thumbnail_rgb=np.zeros(shape, np.uint8))


def test_hands_of_a_frame_are_placed_by_the_intrinsics_that_are_given(opened: Opener, marked: Demo) -> None:
    frame = next(opened(marked.path).frames())
    assert frame.depth is not None
    assert frame.depth_K is not None
    longer = frame.depth_K * [[1.5], [1.5], [1.0]]

    (hand, *_) = HandTracker().detect_hands(frame, intrinsics=longer)

    joints = np.array([point.as_array() for point in hand.all_keypoints])
    assert np.isfinite(joints).all()
    assert (joints[:, 2] > 0).all()
    projected = joints @ longer.T
    scale = frame.rgb.shape[1] / frame.depth.shape[1]
    assert projected[:, :2] / projected[:, 2:] * scale == pytest.approx(hand._kpts_2d_rgb, abs=1.0)


def test_intrinsics_of_another_shape_are_named(opened: Opener) -> None:
    frame = next(opened().frames())

    with pytest.raises(BadConfig, match=r"intrinsics have shape \(2, 2\)"):
        HandTracker().detect_hands(frame, intrinsics=np.eye(2))
