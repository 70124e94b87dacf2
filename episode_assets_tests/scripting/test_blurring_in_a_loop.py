"""Blurring and reading hands frame by frame: what is remembered from one to the next, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from episode_assets.scripting import FaceBlurrer, HandTracker, Keypoint
from episode_assets.scripting.hand_pose import FINGER_NAMES, HandPose
from episode_assets_tests.conftest import Demo
from episode_assets_tests.scripting.conftest import Opener
from episode_assets_tests.scripting.stand_ins import MAGENTA, MARKS

PATCH = (slice(60, 100), slice(120, 160))


def blurrer(**options: object) -> FaceBlurrer:
    return FaceBlurrer(MARKS, audit_detector=MARKS, method="fill", fill_colour="black", **options)


def with_patch(rgb: np.ndarray) -> np.ndarray:
    picture = np.full_like(rgb, 200)
    picture[PATCH] = MAGENTA
    return picture


def test_a_face_that_is_missed_stays_covered_for_a_moment(opened: Opener) -> None:
    session, blur = opened(), blurrer()
    covered = []
    for frame in session.frames():
        frame.rgb = with_patch(frame.rgb) if frame.index == 3 else np.full_like(frame.rgb, 200)
        covered.append(bool(blur.blur(frame)[PATCH].mean() < 60))

    assert covered == [index in {3, 4, 5, 6} for index in range(20)]  # 0.3 s, with message 7 missing


def test_a_new_loop_begins_anew(opened: Opener) -> None:
    session, blur = opened(), blurrer()
    first = next(session.frames())
    first.rgb = with_patch(first.rgb)

    covered = blur.blur(first)
    again = next(session.frames())
    again.rgb = np.full_like(again.rgb, 200)

    assert covered[PATCH].mean() < 60
    assert blur.blur(again)[PATCH].mean() > 190


def test_a_picture_on_its_own_is_blurred_without_memory() -> None:
    blur, grey = blurrer(), np.full((180, 320, 3), 200, np.uint8)

    marked, plain = blur.blur_batch([with_patch(grey), grey])
    (boxes, none) = blur.detect_boxes([with_patch(grey), grey])

    assert marked[PATCH].mean() < 60
    assert plain == pytest.approx(grey, abs=3)
    assert boxes.tolist() == [[120, 60, 160, 100]]
    assert none.shape == (0, 4)


def test_the_picture_that_was_given_stays_as_it_is() -> None:
    picture = with_patch(np.zeros((180, 320, 3), np.uint8))
    before = picture.copy()

    blurrer().blur(picture)

    assert np.array_equal(picture, before)


def test_names_of_models_are_those_that_scripts_use() -> None:
    assert FaceBlurrer(model="mediapipe").config.detector == "centerface"
    assert FaceBlurrer(model="blazeface").config.detector == "blazeface"
    assert FaceBlurrer().config.detector == "centerface"
    assert HandTracker().config.backend == "mediapipe"


def test_hands_lie_where_depth_says_and_keep_their_pixels(marked: Demo, opened: Opener) -> None:
    session, tracker = opened(marked.path), HandTracker()
    hands = [tracker.detect_hands(frame) for frame in session.frames()]

    sides = {hand.hand_side for found in hands[2:] for hand in found}
    assert sides == {"left", "right"}
    assert all(len({hand.hand_side for hand in found}) == len(found) for found in hands)
    last = hands[-1][0]
    assert last.frame_idx == len(hands) - 1
    assert len(last.all_keypoints) == 21
    K = session.rgb_intrinsics.K
    wrist = last.wrist.as_array()
    assert 0.2 < wrist[2] < 1.0
    projected = (K @ wrist)[:2] / wrist[2]
    assert projected == pytest.approx(last._kpts_2d_rgb[0], abs=3)


def test_without_depth_hands_are_pixels_with_no_distance(marked: Demo, opened: Opener) -> None:
    session, tracker = opened(marked.path), HandTracker()
    found = []
    for frame in session.frames():
        found += tracker.detect_hands(frame.rgb)
        if frame.index == 3:
            break

    assert found
    points = np.array([point.as_array() for point in found[-1].all_keypoints])
    assert (points[:, 2] == 0).all()
    assert points[:, 0].max() > 20


def a_hand(side: str, x: float, z: float) -> HandPose:
    points = [Keypoint(x + 0.01 * number, 0.1, z) for number in range(21)]
    fingers = {name: points[1 + 4 * i : 5 + 4 * i] for i, name in enumerate(FINGER_NAMES)}
    return HandPose(points[0], fingers, side, confidence=0.5)


def test_hands_that_are_handed_in_come_back_and_reach_the_episode(opened: Opener, tmp_path) -> None:
    from episode_assets.bundle import EpisodeBundle

    session = opened()
    for frame in session.frames():
        if frame.index < 4:
            session.add_rgb_frame(frame.index, frame.rgb)
    session.add_hand_pose(0, [a_hand("left", -0.2, 0.4)])
    session.add_hand_pose(1, [a_hand("left", -0.2, 0.4)])
    session.add_hand_pose(1, [a_hand("right", 0.1, 0.5)])  # the last call counts
    session.add_hand_pose(2, [HandPose(Keypoint(10.0, 20.0), hand_side="right")])
    session.add_hand_pose(3, None)

    back = session.hand_poses
    session.export(tmp_path / "out")

    assert {frame: [hand.hand_side for hand in hands] for frame, hands in back.items()} == {
        0: ["left"], 1: ["right"], 2: ["right"], 3: [],
    }  # fmt: skip
    with EpisodeBundle.open(tmp_path / "out") as bundle:
        assert bundle.left.valid.tolist() == [True, False, False, False]
        assert bundle.right.valid.tolist() == [False, True, True, False]
        assert bundle.right.joints_cam[1, 0] == pytest.approx([0.1, 0.1, 0.5])
        assert np.isnan(bundle.right.joints_cam[2]).all()
        assert bundle.right.joints_px[2, 0] == pytest.approx([10, 20])
        assert np.isnan(bundle.right.joints_px[2, 1:]).all()  # a wrist is not 21 joints
        assert bundle.left.confidence[0] == pytest.approx(0.5)
