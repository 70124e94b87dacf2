"""Pictures, depth, poses, IMU and mesh of a demo recording tell of one and the same scene."""

from __future__ import annotations

import numpy as np
import pytest

from episode_assets.demo import DemoConfig, write_demo
from episode_assets.demo.scene import FLOOR_Y_M, TABLE_Y_M
from episode_assets_tests.demo.independent_reader import read_everything, xyz, xyzw


def rotation(q):
    """Rotation matrix of a quaternion, by the axis-angle formula rather than the product form."""
    angle = 2 * np.arctan2(np.linalg.norm(q[:3]), q[3])
    axis = q[:3] / max(np.linalg.norm(q[:3]), 1e-12)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def rotation_vector(R):
    angle = np.arccos(np.clip((np.trace(R) - 1) / 2, -1, 1))
    axis = np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    return axis * (0.5 if angle < 1e-9 else angle / (2 * np.sin(angle)))


def edge(message, child):
    found = next(entry for entry in message.transforms if entry.child_frame_id == child)
    return rotation(xyzw(found.transform.rotation)), xyz(found.transform.translation)


def world_points(written, number):
    """World point of each depth pixel, by the messages alone."""
    info = written.topics["/camera/depth/camera_info"][0]
    camera = written.topics["/camera/camera_info"][number]
    depth = written.depth_m(number)
    K = np.diag([info.width / camera.width, info.height / camera.height, 1]) @ camera.k.reshape(3, 3)
    ratio = info.width / written.picture(number).shape[1]
    # The app scales K by the plain ratio; pixel centres then sit at u * ratio in its picture.
    v, u = np.mgrid[: info.height, : info.width] + 0.5
    rays = np.stack(
        [(u - 0.5 * ratio - K[0, 2]) / K[0, 0], (v - 0.5 * ratio - K[1, 2]) / K[1, 1], np.ones_like(u)], -1
    )
    tf = written.topics["/tf"][number]
    world_from_link, translation = edge(tf, "camera_link")
    link_from_optical, _ = edge(tf, "camera_optical_frame")
    return (rays * depth[..., None]) @ (world_from_link @ link_from_optical).T + translation


def test_depth_and_pose_put_table_and_floor_at_their_heights(small):
    _, written = small

    for number in (0, 12, 25):
        heights = world_points(written, number)[..., 1]
        table = np.abs(heights - TABLE_Y_M) < 0.004
        floor = np.abs(heights - FLOOR_Y_M) < 0.008
        assert table.mean() > 0.15
        assert floor.mean() > 0.01
        assert heights.min() > FLOOR_Y_M - 0.01


def test_depth_has_the_aspect_ratio_of_the_pictures(small):
    _, written = small

    assert written.depth_m(0).shape == (144, 256)
    assert written.picture(0).shape == (180, 320, 3)


def test_the_pose_message_is_the_first_edge_of_tf(small):
    truth, written = small

    for number, (pose, tf) in enumerate(
        zip(written.topics["/camera/pose"], written.topics["/tf"], strict=True)
    ):
        R, t = edge(tf, "camera_link")
        assert np.allclose(t, xyz(pose.pose.position))
        assert np.allclose(R, rotation(xyzw(pose.pose.orientation)), atol=1e-12)
        optical_R, optical_t = truth.world_from_optical
        assert np.allclose(optical_R[number], R @ np.diag([1, -1, -1]), atol=1e-12)
        assert np.allclose(optical_t[number], t)


def test_the_gyroscope_turns_one_pose_into_the_next(longer):
    _, written = longer
    link_from_imu, _ = edge(written.topics["/device/camera_imu_extrinsics"][0], "imu_frame")
    imu_ns = written.stamps("/device/imu")
    gyro = (
        np.array([xyz(message.angular_velocity) for message in written.topics["/device/imu"]])
        @ link_from_imu.T
    )
    pose_ns = written.stamps("/camera/pose")
    poses = [rotation(xyzw(message.pose.orientation)) for message in written.topics["/camera/pose"]]

    for first in range(0, 80, 8):
        seconds = (pose_ns[first + 1] - pose_ns[first]) / 1e9
        turned = rotation_vector(poses[first].T @ poses[first + 1]) / seconds
        inside = (imu_ns >= pose_ns[first]) & (imu_ns <= pose_ns[first + 1])
        assert np.allclose(gyro[inside].mean(axis=0), turned, atol=0.01)


def test_the_accelerometer_feels_the_motion_and_no_gravity(longer):
    _, written = longer
    link_from_imu, _ = edge(written.topics["/device/camera_imu_extrinsics"][0], "imu_frame")
    imu_ns = written.stamps("/device/imu")
    felt = (
        np.array([xyz(message.linear_acceleration) for message in written.topics["/device/imu"]])
        @ link_from_imu.T
    )
    pose_ns = written.stamps("/camera/pose")
    positions = np.array([xyz(message.pose.position) for message in written.topics["/camera/pose"]])

    for middle in range(10, 80, 7):
        before, after = (np.diff(pose_ns[middle - 1 : middle + 2]) / 1e9).tolist()
        slopes = np.diff(positions[middle - 1 : middle + 2], axis=0) / [[before], [after]]
        acceleration = (slopes[1] - slopes[0]) / (0.5 * (before + after))
        R = rotation(xyzw(written.topics["/camera/pose"][middle].pose.orientation))
        nearest = np.argmin(np.abs(imu_ns - pose_ns[middle]))
        assert np.allclose(R @ felt[nearest], acceleration, atol=0.02)


def test_the_imu_attitude_has_z_up(longer):
    _, written = longer
    link_from_imu, _ = edge(written.topics["/device/camera_imu_extrinsics"][0], "imu_frame")
    pose = written.topics["/camera/pose"][0]
    nearest = np.argmin(np.abs(written.stamps("/device/imu") - written.stamps("/camera/pose")[0]))

    up_in_device = rotation(xyzw(written.topics["/device/imu"][nearest].orientation)).T @ [0, 0, 1]

    up_in_link = rotation(xyzw(pose.pose.orientation)).T @ [0, 1, 0]
    assert np.allclose(link_from_imu @ up_in_device, up_in_link, atol=1e-3)


def test_mesh_and_point_cloud_lie_on_what_depth_sees(small):
    _, written = small
    marker = written.topics["/map/mesh"][0]
    corners = np.array([xyz(point) for point in marker.points])
    assert (marker.type, len(corners) % 3, len(marker.colors)) == (11, 0, 0)
    features = written.topics["/map/point_cloud"][0]
    points = features.data.view("<f4").reshape(-1, 4)

    seen = world_points(written, 0).reshape(-1, 3)

    assert np.all(points[:, 3] == 1)
    assert len(points) > 40
    distances = np.array([np.linalg.norm(seen - point, axis=1).min() for point in points[:, :3]])
    # The far floor is seen at a flat angle: neighbouring depth pixels lie centimetres apart there.
    assert np.median(distances) < 0.01
    assert np.percentile(distances, 95) < 0.1
    table = corners[np.abs(corners[:, 1] - TABLE_Y_M) < 1e-9]
    assert np.ptp(table[:, 0]) == pytest.approx(1.6)


def test_mesh_triangles_of_the_table_face_upward(small):
    _, written = small
    corners = np.array([xyz(point) for point in written.topics["/map/mesh"][0].points]).reshape(-1, 3, 3)
    on_table = np.all(np.abs(corners[..., 1] - TABLE_Y_M) < 1e-9, axis=1)

    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])

    assert np.all(normals[on_table, 1] > 0)


def test_depth_is_nearer_than_the_joints_and_close_to_them(small):
    truth, written = small
    checked = 0

    for number in range(0, len(truth.stamp_ns), 5):
        depth = written.depth_m(number)
        for side in np.flatnonzero(truth.hand_in_view[number]):
            pixels = (truth.hand_joints_px[number, side] + 0.5) * [256 / 320, 144 / 180] - 0.5
            columns, rows = np.rint(pixels).astype(int).T
            skin = truth.hand_joints_cam[number, side, :, 2] - depth[rows, columns]
            stable = [0, 5, 9, 13, 17]
            assert np.all(np.abs(skin[stable] - 0.012) < 0.012)
            assert np.median(np.abs(skin)) < 0.02
            checked += 1

    assert checked > 4


def test_hands_are_of_human_size_and_within_reach(small):
    truth, _ = small

    joints = truth.hand_joints_cam[:, 1]

    assert np.allclose(np.linalg.norm(joints[:, 9] - joints[:, 0], axis=1), 0.09, atol=0.001)
    assert joints[..., 2].min() > 0.3
    assert joints[..., 2].max() < 0.6


def test_the_left_hand_is_on_the_left_with_its_thumb_to_the_right(small):
    truth, _ = small

    left, right = truth.hand_joints_px[0]

    assert left[:, 0].max() < right[:, 0].min()
    assert left[4, 0] > left[17, 0]
    assert right[4, 0] < right[17, 0]


def test_hand_pixels_are_projections_of_the_joints(small):
    truth, _ = small

    rays = truth.hand_joints_cam / truth.hand_joints_cam[..., 2:]
    pixels = np.einsum("fij,fsnj->fsni", truth.K, rays)[..., :2]

    assert np.allclose(pixels, truth.hand_joints_px, equal_nan=True)


def test_the_painted_skin_lies_under_every_joint(small):
    """Compared with the same scene without hands, the picture differs where joints are said to be."""
    truth, written = small
    for number in (0, 14, 28):
        picture = written.picture(number).astype(int)
        for side in np.flatnonzero(truth.hand_in_view[number]):
            x, y = np.rint(truth.hand_joints_px[number, side]).astype(int).T
            r, g, b = picture[y, x].T
            assert np.mean((r > g) & (g > b)) > 0.9


def test_the_face_box_follows_the_face_through_depth(small):
    truth, written = small

    number = 0
    x0, y0, x1, y1 = truth.face_box_px[number] * [0.8, 0.8, 0.8, 0.8]
    patch = written.depth_m(number)[int(y0) + 1 : int(y1), int(x0) + 1 : int(x1)]

    assert truth.face_visible_ratio[number] == 1
    # A corner of the box may look past the chin to the wall.
    assert np.mean(np.abs(patch - np.median(patch)) < 0.1) > 0.9
    assert 1.2 < np.median(patch) < 2.0


def test_camera_info_describes_the_capture_buffer_or_the_picture(tmp_path):
    config = {"seconds": 0.2, "width": 320, "height": 180, "with_hands": False}

    for scale, size in ((1.5, (480, 270)), (1.0, (320, 180))):
        truth = write_demo(tmp_path / "demo.mcap", config=DemoConfig(**config, capture_scale=scale))
        info = read_everything(tmp_path / "demo.mcap").topics["/camera/camera_info"][0]
        assert (info.width, info.height) == size
        assert np.allclose(info.k.reshape(3, 3) / [[scale], [scale], [1]], truth.K[0])
        assert np.allclose(info.p.reshape(3, 4)[:, :3], info.k.reshape(3, 3))


def test_the_focal_length_breathes(longer):
    truth, _ = longer

    focal = truth.K[:, 0, 0]

    assert 0.002 < np.ptp(focal) / np.mean(focal) < 0.02


def test_the_camera_starts_at_the_origin_and_moves(longer):
    truth, _ = longer

    assert np.allclose(truth.world_from_link_translation[0], 0)
    assert np.ptp(truth.world_from_link_translation[:, 0]) > 0.02


def test_a_tripod_does_not_move(tmp_path):
    truth = write_demo(
        tmp_path / "demo.mcap", config=DemoConfig(seconds=0.5, width=64, height=48, motion=0.0)
    )

    assert np.ptp(truth.world_from_link_translation, axis=0).max() == 0
    assert np.ptp(truth.world_from_link_quaternion_xyzw, axis=0).max() == 0
