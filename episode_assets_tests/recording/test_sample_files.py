"""Real recordings with known content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from episode_assets.errors import BadRecording
from episode_assets.recording import RecordingView, decode_depth, inspect
from episode_assets.recording.scan import notes_of


def test_the_phone_recording_has_the_counts_of_its_readme(
    table_scene: RecordingView, expected: dict[str, Any]
) -> None:
    inventory = table_scene.inventory

    counts = {info.topic: info.count for info in inventory.topics}
    assert counts == {t: d["count"] for t, d in expected["recordings/table_scene.mcap"]["topics"].items()}
    assert inventory.messages == 2913
    assert (inventory.chunks, inventory.compressions) == (56, ("none",))
    assert (inventory.profile, inventory.library) == ("ros2", "fpv_labs/1.0")
    assert (inventory.first_ns, inventory.last_ns) == (151283417203125, 151291767203125)
    assert inventory.clock == "relative"
    assert (inventory.backward_steps, inventory.largest_backward_step_ns // 10_000) == (726, 1042)
    assert not inventory.truncated
    assert inventory.damage_total == 0


def test_the_phone_recording_fills_the_known_roles(table_scene: RecordingView) -> None:
    roles = {role: choice.topics for role, choice in table_scene.inventory.roles.items()}

    assert roles == {
        "rgb": ("/camera/rgb/compressed",),
        "depth": ("/camera/depth",),
        "camera_info": ("/camera/camera_info",),
        "depth_camera_info": ("/camera/depth/camera_info",),
        "pose": ("/camera/pose",),
        "tf": ("/tf",),
        "imu": ("/device/imu",),
        "tracking": ("/camera/tracking_state",),
        "trajectory": ("/trajectory",),
        "mesh": ("/map/mesh",),
        "point_cloud": ("/map/mesh_cloud", "/map/point_cloud"),
        "hands": (),
        "annotations": (),
    }


def test_the_one_gap_lies_before_picture_48(table_scene: RecordingView) -> None:
    rgb = table_scene.rgb

    assert len(rgb) == 111
    assert np.flatnonzero(rgb.gap_before).tolist() == [48]
    assert round((rgb.stamp_ns[48] - rgb.stamp_ns[47]) / 1e6, 1) == 666.5
    assert round((rgb.stamp_ns[-1] - rgb.stamp_ns[0]) / 1e9, 3) == 7.933
    info = table_scene.inventory.role("rgb")
    assert info is not None
    assert info.rate_hz == pytest.approx(15.0, abs=0.02)


def test_depth_has_the_known_distances_and_holes(table_scene: RecordingView) -> None:
    assert table_scene.depth is not None
    assert np.array_equal(table_scene.depth.stamp_ns, table_scene.rgb.stamp_ns)

    depth = decode_depth(next(table_scene.depth.read(60, 61)))

    assert (depth.shape, depth.dtype) == ((192, 256), np.uint16)
    assert np.median(depth[depth > 0]) == 853
    assert (depth[depth > 0].min(), depth.max()) == (400, 1472)
    assert (depth == 0).mean() == pytest.approx(0.0566, abs=0.0001)


def test_every_picture_has_its_own_calibration(table_scene: RecordingView) -> None:
    calibration, of_depth = table_scene.camera_info, table_scene.depth_camera_info
    assert calibration is not None
    assert of_depth is not None

    K, valid, reason = calibration.for_pictures(table_scene.rgb.stamp_ns, width=1280, height=960)

    assert valid.all()
    assert reason is None
    assert len(np.unique(K[:, 0, 0])) == 111
    assert (K[:, 0, 0].min().round(2), K[:, 0, 0].max().round(2)) == (612.54, 617.46)
    assert np.allclose(of_depth.K[0, :2], calibration.K[0, :2] * 0.2)


def test_small_streams_have_the_known_content(table_scene: RecordingView) -> None:
    view = table_scene
    assert view.imu is not None
    assert view.tracking is not None
    assert view.trajectory is not None
    assert view.pose is not None
    assert view.tf is not None
    assert view.mesh is not None

    assert len(view.imu.stamp_ns) == 800
    assert view.imu.gravity == "removed"
    assert np.linalg.norm(view.imu.linear_acceleration.mean(axis=0)) == pytest.approx(0.077, abs=0.001)
    lost = view.tracking.stamp_ns[view.tracking.state != 2]
    assert len(lost) == 36
    assert np.round((lost[[0, -1]] - view.rgb.stamp_ns[0]) / 1e9, 3).tolist() == [3.2, 3.784]
    assert (len(view.pose.stamp_ns), len(view.trajectory.stamp_ns)) == (111, 67)
    assert len(view.tf.stamp_ns) == 222
    assert view.mesh.vertices.shape == (6000, 3)
    assert len(np.unique(view.mesh.vertices, axis=0)) == 1066
    assert np.median(view.mesh.vertices[:, 1]) == pytest.approx(0.72, abs=0.01)


def test_the_camera_frame_is_read_from_the_frame_tree(table_scene: RecordingView) -> None:
    rotation, source = table_scene.link_from_optical

    assert source == "tf"
    assert np.array_equal(rotation, np.diag([1.0, -1.0, -1.0]))
    assert table_scene.optical_offset_m.tolist() == [0, 0, 0]


def test_only_allow_listed_metadata_leaves_the_view(table_scene: RecordingView) -> None:
    private = table_scene.inventory.metadata["session_metadata"]

    assert "device_model" in private
    assert "device_model" not in table_scene.metadata
    assert not any("storage" in key for key in table_scene.metadata)
    assert table_scene.metadata["rgb_target_fps"] == "15"


def test_the_truncated_twin_keeps_whole_chunks_and_what_lies_before_the_cut(
    data: Path, view_of: Callable[..., RecordingView]
) -> None:
    view = view_of(data / "recordings" / "table_scene_truncated.mcap")

    inventory = view.inventory
    assert (inventory.messages, inventory.salvaged_messages, inventory.chunks) == (1781 + 25, 25, 34)
    assert view.is_truncated
    assert inventory.cut_offset == 16_744_885
    (damage,) = inventory.damage
    assert (damage.kind, damage.offset, damage.length) == ("cut", 16_744_885, 16_991_382 - 16_744_885)
    assert "7 of /device/imu" in damage.detail
    (note,) = [note for note in notes_of(inventory) if note.code == "truncated"]
    assert "1781 in whole records (34 whole chunks) and 25 saved" in note.detail
    assert np.flatnonzero(view.rgb.gap_before).tolist() == [48]
    assert view.mesh is None
    assert sum(1 for _ in view.rgb.read()) == 66
    assert view.depth is not None
    assert len(view.depth) == 67


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("damaged/empty.bag", "empty"),
        ("damaged/not_a_bag.bag", "text file"),
        ("mcap-conformance/conformance.zip", "zip archive"),
        ("faces/city.jpg", "JPEG"),
        ("damaged", "not the numbered parts of one"),
        ("faces", "a directory without a recording"),
        ("nowhere.mcap", "no such file"),
    ],
)
def test_a_file_of_another_kind_is_named_in_one_line(name: str, word: str, data: Path) -> None:
    with pytest.raises(BadRecording, match=word) as caught:
        inspect(str(data / name))

    assert "\n" not in str(caught.value)


def test_a_real_car_recording_gives_its_pose_and_imu(
    data: Path, view_of: Callable[..., RecordingView]
) -> None:
    view = view_of(data / "ros2" / "vehicle.mcap")

    assert view.imu is not None
    assert view.pose is not None
    assert (len(view.imu.stamp_ns), len(view.pose.stamp_ns)) == (1556, 314)
    assert view.inventory.clock == "epoch"
    assert view.inventory.backward_steps == 550
    assert not view.has_rgb
