"""A camera that is worn turned about its optical axis records one and the same scene, turned, in every stream."""

from __future__ import annotations

import numpy as np
import pytest

from episode_assets.demo import DemoConfig, write_demo
from episode_assets.demo.scene import TABLE_Y_M
from episode_assets.errors import BadConfig
from episode_assets_tests.demo.independent_reader import read_everything, xyz, xyzw
from episode_assets_tests.demo.test_geometry import edge, rotation, world_points

SQUARE = {"seconds": 0.4, "width": 320, "height": 320, "motion": 0.0, "jpeg_quality": 95}


def record(folder, **options):
    truth = write_demo(folder / "demo.mcap", config=DemoConfig(**options))
    return truth, read_everything(folder / "demo.mcap")


@pytest.fixture(scope="module")
def upright(tmp_path_factory):
    return record(tmp_path_factory.mktemp("upright"), **SQUARE, with_hands=False)


@pytest.fixture(scope="module", params=[45, 90, 180, 270])
def rolled(request, tmp_path_factory):
    options = {"seconds": 1, "width": 320, "height": 180, "imu_noise": 0.0, "roll_deg": request.param}
    return request.param, *record(tmp_path_factory.mktemp("rolled"), **options)


def about_optical_axis(degrees):
    """Rotation of optical axes (x right, y down) clockwise."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (270, 3)])
def test_a_clockwise_roll_turns_the_scene_counter_clockwise(upright, tmp_path, degrees, turns):
    """With a square picture and a centred lens nothing but the turn would be left; ours is off by some pixels."""
    _, plain = upright
    _, written = record(tmp_path, **SQUARE, with_hands=False, roll_deg=degrees)

    def distance(quarter_turns):
        seen = np.rot90(plain.picture(0), quarter_turns).astype(float)
        return np.abs(seen - written.picture(0).astype(float)).mean()

    others = [distance(other) for other in range(4) if other != turns]
    assert distance(turns) < 0.5 * min(others)


def test_depth_and_pose_still_put_the_table_at_its_height(rolled):
    _, _, written = rolled

    heights = world_points(written, 0)[..., 1]

    assert np.mean(np.abs(heights - TABLE_Y_M) < 0.004) > 0.1


def test_the_pose_is_the_upright_pose_rolled_clockwise(rolled, tmp_path):
    degrees, truth, written = rolled
    upright_truth, _ = record(tmp_path, seconds=0.2, width=64, height=48)

    before, after = (value.world_from_optical[0][0] for value in (upright_truth, truth))

    assert np.allclose(after, before @ about_optical_axis(degrees), atol=1e-9)
    pose = written.topics["/camera/pose"][0].pose
    link_from_optical, _ = edge(written.topics["/tf"][0], "camera_optical_frame")
    assert np.allclose(rotation(xyzw(pose.orientation)) @ link_from_optical, after, atol=1e-9)


def test_the_imu_turns_with_the_camera(rolled):
    _, _, written = rolled
    link_from_imu, _ = edge(written.topics["/device/camera_imu_extrinsics"][0], "imu_frame")
    pose = written.topics["/camera/pose"][0]
    nearest = np.argmin(np.abs(written.stamps("/device/imu") - written.stamps("/camera/pose")[0]))

    attitude = rotation(xyzw(written.topics["/device/imu"][nearest].orientation))

    up_in_link = rotation(xyzw(pose.pose.orientation)).T @ [0, 1, 0]
    assert np.allclose(link_from_imu @ attitude.T @ [0, 0, 1], up_in_link, atol=1e-3)
    gyro = np.array([xyz(message.angular_velocity) for message in written.topics["/device/imu"]])
    poses = [rotation(xyzw(message.pose.orientation)) for message in written.topics["/camera/pose"]]
    seconds = (written.stamps("/camera/pose")[8] - written.stamps("/camera/pose")[0]) / 1e9
    step = poses[0].T @ poses[8]
    turned = np.array([step[2, 1], step[0, 2], step[1, 0]]) / seconds
    assert np.allclose((gyro[:53] @ link_from_imu.T).mean(axis=0), turned, atol=0.02)


def test_hands_keep_their_size_and_lie_under_their_joints(rolled):
    _, truth, written = rolled
    lengths = np.linalg.norm(truth.hand_joints_cam[:, :, 9] - truth.hand_joints_cam[:, :, 0], axis=2)

    picture = written.picture(0).astype(int)

    assert np.allclose(lengths[np.isfinite(lengths)], 0.09, atol=0.001)
    assert truth.hand_in_view.mean() >= 0.5
    for side in np.flatnonzero(truth.hand_in_view[0]):
        x, y = np.rint(truth.hand_joints_px[0, side]).astype(int).T
        red, green, blue = picture[y, x].T
        assert np.mean((red > green) & (green > blue)) > 0.85


def test_fingers_point_up_in_the_world(rolled):
    _, truth, _ = rolled

    up = truth.world_from_optical[0][0][1]

    for side in np.flatnonzero(truth.hand_in_view[0]):
        joints = truth.hand_joints_cam[0, side]
        assert (joints[12] - joints[0]) @ up > 0.03


@pytest.mark.parametrize("degrees", [0, 45, 90, 180, 270])
def test_the_face_marks_lie_inside_the_face_box(tmp_path, degrees):
    options = {"seconds": 0.1, "width": 640, "height": 640, "with_hands": False, "roll_deg": degrees}
    truth, plain = record(tmp_path, **options)
    _, written = record(tmp_path, **options, face_marker=(255, 0, 255))

    changed = np.abs(written.picture(0).astype(int) - plain.picture(0)).max(axis=2) > 60

    rows, columns = np.nonzero(changed)
    x0, y0, x1, y1 = truth.face_box_px[0]
    assert len(rows) > 30
    assert x0 < columns.min() <= columns.max() < x1
    assert y0 < rows.min() <= rows.max() < y1


def test_a_roll_out_of_range_is_named():
    with pytest.raises(BadConfig, match="roll_deg"):
        DemoConfig(roll_deg=361)


@pytest.mark.long
def test_a_picture_of_3840x2160_holds_face_and_hands_where_the_truth_says(tmp_path):
    truth, written = record(tmp_path, seconds=0.2, width=3840, height=2160, with_imu=False)

    picture = written.picture(0).astype(int)

    assert picture.shape == (2160, 3840, 3)
    assert truth.face_visible_ratio[0] == 1
    for side in np.flatnonzero(truth.hand_in_view[0]):
        x, y = np.rint(truth.hand_joints_px[0, side]).astype(int).T
        red, green, blue = picture[y, x].T
        assert np.mean((red > green) & (green > blue)) > 0.9
