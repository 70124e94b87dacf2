"""Which topic fills which role: known recorders, truthful reasons, and an error where nothing tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from episode_assets.demo import DemoConfig, write_demo
from episode_assets.errors import AmbiguousStream
from episode_assets.recording import RecordingConfig, RecordingView, inspect, scan_recording
from episode_assets_tests.recording import rig as ros
from episode_assets_tests.recording.rig import EPOCH_NS, Rig

STEP = 100_000_000
COLOUR, DEEP = np.zeros((6, 8, 3), np.uint8), np.full((6, 8), 700, np.uint16)
Maker = Callable[[int], Any]


def _colour(frame: str = "color") -> Maker:
    return lambda stamp: ros.image(stamp, COLOUR, "rgb8", frame=frame)


def _jpeg(frame: str = "color") -> Maker:
    return lambda stamp: ros.compressed_image(stamp, ros.jpeg(0), frame=frame)


def _deep(frame: str = "depth") -> Maker:
    return lambda stamp: ros.image(stamp, DEEP, "16UC1", frame=frame)


def _info(frame: str = "color") -> Maker:
    return lambda stamp: ros.camera_info(stamp, frame=frame)


def _imu(stamp: int) -> Any:
    return ros.imu(stamp, (0, 0, 9.81), gyro=(0.1, 0, 0))


def _gyro(stamp: int) -> Any:
    return ros.imu(stamp, (0, 0, 0), gyro=(0.1, 0, 0))


def _acceleration(stamp: int) -> Any:
    return ros.imu(stamp, (0, 0, 9.81))


def _pose(frame: str = "map") -> Maker:
    return lambda stamp: ros.pose_stamped(stamp, (0, 0, 0), frame=frame)


def _write(file: Path, topics: Mapping[str, Maker], counts: Mapping[str, int] | None = None) -> Path:
    rig = Rig(file)
    for topic, message in topics.items():
        for number in range((counts or {}).get(topic, 5)):
            rig.add(topic, message(EPOCH_NS + number * STEP))
    return rig.close()


REALSENSE = {
    "/color/image_raw": _colour(),
    "/color/image_raw/compressed": _jpeg(),
    "/color/camera_info": _info(),
    "/aligned_depth_to_color/image_raw": _deep("color"),
    "/aligned_depth_to_color/camera_info": _info(),
    "/depth/image_rect_raw": _deep(),
    "/depth/camera_info": _info("depth"),
    "/imu": _imu,
    "/gyro/sample": _gyro,
    "/accel/sample": _acceleration,
}


def _at(camera: str, topics: Mapping[str, Maker]) -> dict[str, Maker]:
    return {camera + topic: message for topic, message in topics.items()}


RIGS: list[tuple[str, dict[str, Maker], dict[str, str]]] = [
    (
        "RealSense",
        _at("/camera/camera", REALSENSE),
        {
            "rgb": "/camera/camera/color/image_raw",
            "depth": "/camera/camera/aligned_depth_to_color/image_raw",
            "camera_info": "/camera/camera/color/camera_info",
            "depth_camera_info": "/camera/camera/aligned_depth_to_color/camera_info",
            "imu": "/camera/camera/imu",
        },
    ),
    (
        "RealSense",
        _at(
            "/camera",
            {k: v for k, v in REALSENSE.items() if "aligned" not in k and k != "/color/image_raw"},
        ),
        {
            "rgb": "/camera/color/image_raw/compressed",
            "depth": "/camera/depth/image_rect_raw",
            "depth_camera_info": "/camera/depth/camera_info",
        },
    ),
    (
        "ZED",
        _at(
            "/zed/zed_node",
            {
                "/rgb/image_rect_color": _colour("left"),
                "/left/image_rect_color": _colour("left"),
                "/right/image_rect_color": _colour("right"),
                "/rgb/camera_info": _info("left"),
                "/depth/depth_registered": lambda stamp: ros.image(
                    stamp, DEEP.astype(np.float32) / 1000, "32FC1", frame="left"
                ),
                "/depth/camera_info": _info("left"),
                "/pose": _pose(),
                "/odom": lambda stamp: ros.odometry(stamp, (0, 0, 0)),
                "/imu/data": _imu,
                "/imu/data_raw": _imu,
            },
        ),
        {
            "rgb": "/zed/zed_node/rgb/image_rect_color",
            "depth": "/zed/zed_node/depth/depth_registered",
            "pose": "/zed/zed_node/pose",
            "imu": "/zed/zed_node/imu/data",
        },
    ),
    (
        "OAK",
        _at(
            "/oak",
            {
                "/rgb/image_raw": _colour("oak_rgb"),
                "/rgb/camera_info": _info("oak_rgb"),
                "/stereo/image_raw": _deep("oak_right"),
                "/stereo/camera_info": _info("oak_right"),
                "/imu/data": _imu,
            },
        ),
        {"depth": "/oak/stereo/image_raw", "depth_camera_info": "/oak/stereo/camera_info"},
    ),
    (
        "Azure Kinect",
        {
            "/rgb/image_raw": _colour("rgb_camera_link"),
            "/rgb/camera_info": _info("rgb_camera_link"),
            "/depth/image_raw": _deep("depth_camera_link"),
            "/depth_to_rgb/image_raw": _deep("rgb_camera_link"),
            "/imu": _imu,
        },
        {"rgb": "/rgb/image_raw", "depth": "/depth_to_rgb/image_raw", "imu": "/imu"},
    ),
    (
        "Stera app, Android",
        {
            "/camera/rgb/compressed": _jpeg("camera_optical_frame"),
            "/camera/depth": _deep("camera_optical_frame"),
            "/camera/camera_info": _info("camera_optical_frame"),
            "/camera/pose": _pose("world"),
            "/device/imu": _imu,
        },
        {"rgb": "/camera/rgb/compressed", "imu": "/device/imu", "pose": "/camera/pose"},
    ),
    (
        "Foxglove",
        {"/head/image": _jpeg(), "/head/calibration": _info(), "/wrist/image": _jpeg("wrist"), "/imu": _imu},
        {"rgb": "/head/image", "camera_info": "/head/calibration"},
    ),
]


@pytest.mark.parametrize(("name", "topics", "expected"), RIGS, ids=[f"{n} {min(t)}" for n, t, _ in RIGS])
def test_known_recorders_are_recognised_by_their_topics(
    name: str, topics: dict[str, Maker], expected: dict[str, str], tmp_path: Path
) -> None:
    roles = inspect(str(_write(tmp_path / "rig.mcap", topics))).roles

    assert {role: roles[role].topics for role in expected} == {r: (t,) for r, t in expected.items()}
    assert {roles[role].reason for role in expected} == {f"layout: {name}"}


def test_a_layout_gives_no_role_to_a_topic_that_is_empty_or_of_another_kind(tmp_path: Path) -> None:
    topics = _at("/camera", REALSENSE)
    topics["/camera/aligned_depth_to_color/image_raw"] = _colour()
    del topics["/camera/imu"]

    roles = inspect(str(_write(tmp_path / "rig.mcap", topics, {"/camera/color/image_raw": 0}))).roles

    assert roles["rgb"].topics == ("/camera/color/image_raw/compressed",)
    assert roles["depth"].topics == ("/camera/depth/image_rect_raw",)
    assert roles["imu"].topics == ("/camera/accel/sample",)
    assert roles["imu"].reason == "finite accelerations"


def test_configuration_comes_before_a_layout_and_names_the_camera(tmp_path: Path) -> None:
    topics = {**_at("/cam_a", REALSENSE), **_at("/cam_b", REALSENSE)}
    file = _write(tmp_path / "rig.mcap", topics)

    roles = inspect(str(file), config=RecordingConfig(topics=("rgb=/cam_b/color/image_raw",))).roles

    assert roles["rgb"].reason == "configured"
    assert roles["depth"].topics == ("/cam_b/aligned_depth_to_color/image_raw",)
    assert roles["imu"].topics == ("/cam_b/imu",)


def test_of_several_known_cameras_the_one_that_is_worn_is_taken(tmp_path: Path) -> None:
    topics = {**_at("/head", REALSENSE), **_at("/left_wrist", REALSENSE), **_at("/right_wrist", REALSENSE)}

    roles = inspect(str(_write(tmp_path / "rig.mcap", topics))).roles

    assert roles["rgb"].topics == ("/head/color/image_raw",)
    assert roles["depth"].topics == ("/head/aligned_depth_to_color/image_raw",)
    assert roles["rgb"].reason == "layout: RealSense at /head"


def test_the_left_of_a_stereo_pair_is_taken_and_two_imus_differ_by_their_place(tmp_path: Path) -> None:
    topics = {
        "/stereo/left/image": _jpeg("left_optical"),
        "/stereo/right/image": _jpeg("right_optical"),
        "/stereo/imu": _imu,
        "/vehicle/imu": _imu,
    }

    roles = inspect(str(_write(tmp_path / "rig.mcap", topics))).roles

    assert (roles["rgb"].topics, roles["rgb"].reason) == (("/stereo/left/image",), "left picture of a pair")
    assert roles["imu"].topics == ("/stereo/imu",)
    assert "longest common topic path" in roles["imu"].reason


def test_a_few_lost_messages_are_no_reason_to_choose(tmp_path: Path) -> None:
    topics = {"/a/image": _jpeg("a"), "/b/image": _jpeg("b")}

    roles = inspect(str(_write(tmp_path / "rig.mcap", topics, {"/a/image": 20, "/b/image": 19}))).roles

    assert roles["rgb"].is_ambiguous


def test_a_scan_stops_at_ambiguous_roles_and_lists_all_of_them_in_one_line(tmp_path: Path) -> None:
    topics = {
        "/a/image": _jpeg("a"),
        "/b/image": _jpeg("b"),
        "/x/imu": lambda stamp: ros.imu(stamp, (0, 0, 9.81)),
        "/y/pose": _pose(),
        "/z/pose": _pose(),
    }
    file = _write(tmp_path / "rig.mcap", topics)
    (tmp_path / "out").mkdir()

    with pytest.raises(AmbiguousStream) as caught:
        scan_recording(str(file), tmp_path / "out", recording_id="rec-1")

    words = str(caught.value)
    assert "\n" not in words
    assert "rgb is ambiguous between /a/image, /b/image" in words
    assert "pose is ambiguous between /y/pose, /z/pose" in words
    assert "'rgb=/a/image'" in words
    assert "'rgb='" in words
    assert caught.value.is_permanent
    assert list((tmp_path / "out").iterdir()) == []


def test_a_look_shows_what_is_ambiguous_and_never_fails_for_it(tmp_path: Path) -> None:
    file = _write(tmp_path / "rig.mcap", {"/a/image": _jpeg("a"), "/b/image": _jpeg("b")})

    choice = inspect(str(file)).roles["rgb"]

    assert (choice.topics, choice.is_ambiguous) == ((), True)
    assert choice.candidates == ("/a/image", "/b/image")


@pytest.mark.parametrize("entry", ["rgb=/b/image", "rgb="])
def test_an_ambiguous_role_is_settled_by_configuration(
    entry: str, tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    file = _write(tmp_path / "rig.mcap", {"/a/image": _jpeg("a"), "/b/image": _jpeg("b")})

    view = view_of(file, topics=(entry,))

    assert view.inventory.roles["rgb"].reason == "configured"
    assert view.has_rgb == (entry != "rgb=")


def test_the_phone_recording_is_recognised(table_scene: RecordingView) -> None:
    roles = table_scene.inventory.roles

    assert {role for role, choice in roles.items() if choice.reason == "layout: Stera app, iOS"} == {
        "rgb", "depth", "camera_info", "depth_camera_info", "pose", "imu", "tracking", "mesh"
    }  # fmt: skip


def test_the_calibration_of_the_depth_camera_is_not_that_of_the_pictures(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    config = DemoConfig(seconds=1, width=320, height=180, with_camera_info=False)
    write_demo(tmp_path / "uncalibrated.mcap", config=config)

    view = view_of(tmp_path / "uncalibrated.mcap")

    assert view.camera_info is None
    assert view.depth_camera_info is not None
