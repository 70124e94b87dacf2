"""A whole recording, pictures included, kept in a ROS 1 bag or in SQLite instead of MCAP; written by rosbags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag1 import Writer as Writer1  # noqa: TID253  # the other side of every test here
from rosbags.rosbag2 import StoragePlugin  # noqa: TID253
from rosbags.rosbag2 import Writer as Writer2  # noqa: TID253
from rosbags.typesys import Stores, get_types_from_msg, get_typestore  # noqa: TID253

from episode_assets.errors import BadRecording
from episode_assets.recording import RecordingView, decode_depth
from episode_assets_tests.recording.rig import (
    EPOCH_NS,
    IDENTITY,
    STORE,
    camera_info,
    compressed_image,
    image,
    imu,
    jpeg,
    pose_stamped,
    tf_message,
)

ROS1 = get_typestore(Stores.ROS1_NOETIC)
ROS1.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", "tf2_msgs/msg/TFMessage"))
FRAMES, STEP_NS = 24, 50_000_000


def scene() -> Iterator[tuple[str, Any, int]]:
    """Topic, message and stamp of a small rig."""
    optical = (-0.5, 0.5, -0.5, 0.5)
    yield (
        "/tf_static",
        tf_message((EPOCH_NS, "base", "camera_color_optical_frame", (0, 0, 0), optical)),
        EPOCH_NS,
    )
    for number in range(FRAMES):
        stamp = EPOCH_NS + number * STEP_NS
        yield "/camera/color/camera_info", camera_info(stamp), stamp
        yield "/camera/color/image_raw/compressed", compressed_image(stamp, jpeg(number)), stamp
        depth = np.full((24, 32), 500 + number, np.uint16)
        yield (
            "/camera/depth/image_rect_raw",
            image(stamp, depth, "16UC1", frame="camera_depth_optical_frame"),
            stamp,
        )
        yield "/pose", pose_stamped(stamp, (number, 0, 0)), stamp
        yield "/tf", tf_message((stamp, "world", "base", (number, 0, 0), IDENTITY)), stamp
        yield "/imu/data", imu(stamp, (0, 0, 9.81)), stamp


def as_ros1(message: Any) -> Any:
    """The same message with the types of ROS 1: a header counts, and calibration has capital letters."""
    kind = message.__msgtype__
    values = {}
    for name in message.__dataclass_fields__:
        if name == "__msgtype__":
            continue
        value = getattr(message, name)
        if hasattr(value, "__msgtype__"):
            value = as_ros1(value)
        elif isinstance(value, list):
            value = [as_ros1(item) if hasattr(item, "__msgtype__") else item for item in value]
        values[name.upper() if kind.endswith("/CameraInfo") and name in {"d", "k", "r", "p"} else name] = (
            value
        )
    if kind == "std_msgs/msg/Header":
        values["seq"] = 7
    return ROS1.types[kind](**values)


def write_ros1(directory: Path, *, compression: str) -> Path:
    file = directory / f"{compression}.bag"
    writer = Writer1(file)
    if compression != "none":
        writer.set_compression(Writer1.CompressionFormat[compression.upper()])
    writer.chunk_threshold = 6000
    with writer:
        connections = {}
        for topic, message, stamp in scene():
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=ROS1)
            writer.write(connections[topic], stamp, bytes(ROS1.serialize_ros1(as_ros1(message), kind)))
    return file


def write_ros2(directory: Path) -> Path:
    bag = directory / "bag"
    with Writer2(bag, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connections = {}
        for topic, message, stamp in scene():
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], stamp, bytes(STORE.serialize_cdr(message, kind)))
    return next(bag.glob("*.db3"))


WRITERS: dict[str, Callable[[Path], Path]] = {
    "bag": lambda directory: write_ros1(directory, compression="none"),
    "bag_lz4": lambda directory: write_ros1(directory, compression="lz4"),
    "bag_bz2": lambda directory: write_ros1(directory, compression="bz2"),
    "sqlite": write_ros2,
}


@pytest.fixture(params=sorted(WRITERS))
def bag(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    directory = tmp_path / "written"
    directory.mkdir()
    return WRITERS[request.param](directory)


def test_pictures_come_back_as_they_were_written(bag: Path, view_of: Callable[..., RecordingView]) -> None:
    view = view_of(bag)

    read = [(message.stamp_ns, bytes(message.data)) for message in view.rgb.read()]

    assert read == [(EPOCH_NS + n * STEP_NS, jpeg(n)) for n in range(FRAMES)]


def test_pictures_are_read_from_the_middle_and_backwards(
    bag: Path, view_of: Callable[..., RecordingView]
) -> None:
    view = view_of(bag)

    for number in (23, 11, 0, 12):
        (message,) = view.rgb.read(number, number + 1)
        assert bytes(message.data) == jpeg(number)


def test_depth_and_small_streams_come_back(bag: Path, view_of: Callable[..., RecordingView]) -> None:
    view = view_of(bag)
    assert view.depth is not None
    assert view.pose is not None
    assert view.imu is not None
    assert view.camera_info is not None

    assert [int(decode_depth(message)[0, 0]) for message in view.depth.read()] == [
        500 + n for n in range(FRAMES)
    ]
    assert view.pose.translation[:, 0].tolist() == [float(n) for n in range(FRAMES)]
    assert (view.imu.gravity, len(view.imu.stamp_ns)) == ("included", FRAMES)
    assert np.allclose(view.camera_info.K[:, 0, 0], 50.0)
    assert view.link_from_optical[1] == "tf"


def test_a_bag_that_was_replaced_after_the_scan_is_named(
    bag: Path, view_of: Callable[..., RecordingView]
) -> None:
    view = view_of(bag)
    size = bag.stat().st_size
    bag.write_bytes(bag.read_bytes()[: size // 2])

    with pytest.raises(BadRecording, match="scan"):
        list(view.rgb.read())
