from dataclasses import replace

import numpy as np
import pytest

from episode_assets.geometry import quaternion_to_matrix, rot6d_to_matrix
from episode_assets.lerobot import Recipe
from episode_assets.lerobot.cuts import Span
from episode_assets.lerobot.rows import build_rows, usable_hands
from episode_assets.lerobot.source import EpisodeSource
from episode_assets.recording import gap_before
from episode_assets_tests.lerobot.archive import make_scene, rotation_about, stamps

SPAN = Span(10, 40)


def source_of(scene):
    count = len(scene)
    return EpisodeSource(
        recording_id="scene",
        message_number=scene.message_number,
        stamp_ns=scene.stamp_ns,
        gap_before=gap_before(scene.stamp_ns),
        is_key=np.ones(count, bool),
        world_from_optical=scene.world_from_optical,
        intrinsics=np.tile([500.0, 501.0, 320.0, 240.0], (count, 1)),
        has_depth=np.ones(count, bool),
        joints_cam=scene.joints_cam(),
        joint_valid=scene.joint_valid,
        hand_kind=scene.kind,
        hand_confidence=np.full((count, 2), 0.8),
        hand_smoothed=np.zeros((count, 2), bool),
    )


def rows_of(scene, *, span=SPAN, **choices):
    return build_rows(source_of(scene), span, recipe=Recipe(**choices), fps=15)


def test_a_state_is_the_wrist_in_the_frame_of_the_first_camera():
    scene = make_scene(60)
    rows = rows_of(scene)

    first = scene.world_from_optical[SPAN.start]
    heading = np.arctan2(-first[0, 2], -first[2, 2])
    world_to_episode = rotation_about((0, 1, 0), heading).T
    for row in (0, 12, 29):
        for side in (0, 1):
            joints = (scene.joints_world[SPAN.start + row, side] - first[:3, 3]) @ world_to_episode.T
            state = rows["observation.state"][row, 9 * side : 9 * side + 9]
            np.testing.assert_allclose(state[:3], joints[0], atol=1e-6)
            np.testing.assert_allclose(
                rot6d_to_matrix(state[3:])[:, 0], unit(joints[9] - joints[0]), atol=1e-5
            )
            stored = rows["hand.joints"][row].reshape(2, 21, 3)[side]
            np.testing.assert_allclose(stored, joints, atol=1e-6)


def unit(vector):
    return vector / np.linalg.norm(vector)


def test_an_action_is_the_state_of_the_next_frame_and_the_last_row_looks_past_the_end():
    scene = make_scene(60)

    rows, longer = rows_of(scene), rows_of(scene, span=Span(10, 41))

    np.testing.assert_array_equal(rows["action"], longer["observation.state"][1:])


@pytest.mark.parametrize("frame", ["episode", "camera"])
def test_moving_the_world_changes_no_training_value(frame):
    scene = make_scene(60)
    world = np.eye(4)
    world[:3, :3] = rotation_about((0, 1, 0), 2.2)
    world[:3, 3] = [3.0, -1.0, 2.0]
    moved = replace(
        scene,
        world_from_optical=world @ scene.world_from_optical,
        joints_world=scene.joints_world @ world[:3, :3].T + world[:3, 3],
    )

    here, there = rows_of(scene, reference_frame=frame), rows_of(moved, reference_frame=frame)

    for key in ("observation.state", "action", "hand.joints", "camera.pose"):
        np.testing.assert_allclose(here[key], there[key], atol=1e-5, err_msg=key)


def test_rows_in_the_world_are_as_recorded():
    scene = make_scene(60)

    rows = rows_of(scene, reference_frame="world")

    np.testing.assert_allclose(rows["observation.state"][:, :3], scene.joints_world[10:40, 0, 0], atol=1e-5)
    pose = scene.world_from_optical[10:40]
    np.testing.assert_allclose(rows["camera.pose"][:, :3], pose[:, :3, 3], atol=1e-6)
    np.testing.assert_allclose(quaternion_to_matrix(rows["camera.pose"][:, 3:]), pose[:, :3, :3], atol=1e-6)


def test_a_target_in_the_camera_frame_is_seen_from_the_row_it_belongs_to():
    scene = make_scene(60)

    rows = rows_of(scene, reference_frame="camera")

    cam_from_world = np.linalg.inv(scene.world_from_optical[10])
    expected = cam_from_world[:3, :3] @ scene.joints_world[11, 1, 0] + cam_from_world[:3, 3]
    np.testing.assert_allclose(rows["action"][0, 9:12], expected, atol=1e-6)
    np.testing.assert_allclose(rows["observation.state"][0, 9:12], scene.joints_cam()[10, 1, 0], atol=1e-6)


def test_the_camera_begins_at_the_origin_and_its_quaternions_never_jump():
    rows = rows_of(make_scene(stamp_ns=stamps(300)), span=Span(0, 299))

    np.testing.assert_allclose(rows["camera.pose"][0, :3], 0, atol=1e-7)
    q = rows["camera.pose"][:, 3:]
    assert (np.sum(q[1:] * q[:-1], axis=1) > 0).all()


def test_missing_hands_are_masked_held_and_never_nan():
    scene = make_scene(60)
    scene.kind[15:20, 0] = 0
    scene.kind[:, 1] = 0

    rows = rows_of(scene)

    assert rows["valid.left"].tolist() == [True] * 5 + [False] * 5 + [True] * 20
    assert not rows["valid.right"].any()
    assert not rows["valid.action"][4:10, 0].any() and rows["valid.action"][3, 0]
    np.testing.assert_array_equal(rows["observation.state"][5:10, :9], rows["observation.state"][[4] * 5, :9])
    np.testing.assert_array_equal(rows["observation.state"][0, 9:], [0, 0, 0, 1, 0, 0, 0, 1, 0])
    assert rows["source.hand_kind"][4:11].tolist() == [[1, 0]] + [[3, 0]] * 5 + [[1, 0]]
    assert rows["hand.confidence"][5].tolist() == [0, 0]
    assert all(np.isfinite(values).all() for values in rows.values())


def test_interpolated_hands_keep_their_values_and_are_not_valid():
    scene = make_scene(60)
    scene.kind[15:18, 0] = 2

    rows, measured = rows_of(scene), rows_of(make_scene(60))

    np.testing.assert_array_equal(rows["observation.state"], measured["observation.state"])
    assert rows["source.hand_kind"][4:9, 0].tolist() == [1, 2, 2, 2, 1]
    assert rows["valid.left"][4:9].tolist() == [True, False, False, False, True]
    assert not rows["valid.joints"][5:8, :21].any()


def test_a_joint_outside_the_picture_is_masked_by_itself():
    scene = make_scene(60)
    scene.joint_valid[12, 0, 8] = False
    scene.joint_valid[13, 0, 0] = False

    rows = rows_of(scene)

    assert rows["valid.left"][:5].tolist() == [True, True, True, False, True]
    assert not rows["valid.joints"][2, 8] and rows["valid.joints"][2, :8].all()


def test_a_row_without_a_camera_pose_has_no_valid_hand_in_the_episode_frame():
    scene = make_scene(60)
    joints = scene.joints_cam()
    scene.world_from_optical[20] = np.nan
    source = replace(source_of(scene), joints_cam=joints)

    rows = build_rows(source, SPAN, recipe=Recipe(), fps=15)

    assert not rows["valid.left"][10] and not rows["valid.camera_pose"][10]
    assert not rows["valid.action"][9:11].any()
    np.testing.assert_array_equal(rows["camera.pose"][10], rows["camera.pose"][9])


def test_without_any_pose_the_camera_frame_gives_states_and_no_valid_action():
    scene = make_scene(60)
    joints = scene.joints_cam()
    scene.world_from_optical[:] = np.nan
    source = replace(source_of(scene), joints_cam=joints)

    rows = build_rows(source, SPAN, recipe=Recipe(reference_frame="camera"), fps=15)

    assert rows["valid.left"].all() and not rows["valid.action"].any()
    np.testing.assert_array_equal(rows["camera.pose"][0], [0, 0, 0, 0, 0, 0, 1])
    assert all(np.isfinite(values).all() for values in rows.values())


def test_every_row_leads_back_to_its_message_and_true_stamp():
    scene = make_scene(60, first_message=500)

    rows = rows_of(scene)

    np.testing.assert_array_equal(rows["source.message_number"], np.arange(510, 540))
    np.testing.assert_array_equal(rows["source.timestamp_ns"], scene.stamp_ns[10:40])
    np.testing.assert_array_equal(rows["source.dt_ns"], np.diff(scene.stamp_ns)[10:40])
    np.testing.assert_array_equal(rows["source.frame_index"], np.arange(10, 40))
    np.testing.assert_array_equal(rows["timestamp"], (np.arange(30) / 15).astype(np.float32))


def test_a_flat_hand_is_not_measured():
    scene = make_scene(60)
    joints = scene.joints_cam()
    joints[20, 1, [5, 17]] = joints[20, 1, 9]

    present, valid = usable_hands(replace(source_of(scene), joints_cam=joints), reference_frame="episode")

    assert not present[20, 1] and not valid[20, 1] and valid[20, 0]
