"""Small recordings of an ordinary ROS 2 rig, encoded by other libraries than the reader under test.

Messages are serialised by rosbags and packed by the mcap writer; a test asks only for the streams it needs.
"""

from __future__ import annotations

import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from mcap.writer import CompressionType, Writer
from rosbags.typesys import Stores, get_typestore  # noqa: TID253  # every test of this room needs it

STORE = get_typestore(Stores.ROS2_HUMBLE)
T = SimpleNamespace(**{name.split("/")[-1]: kind for name, kind in STORE.types.items()})
S = 1_000_000_000
EPOCH_NS = 1_700_000_000 * S
IDENTITY = (0.0, 0.0, 0.0, 1.0)


def header(stamp_ns: int, frame: str) -> Any:
    return T.Header(stamp=T.Time(sec=stamp_ns // S, nanosec=stamp_ns % S), frame_id=frame)


def vector(values: Any) -> Any:
    return T.Vector3(*(float(v) for v in values))


def quaternion(xyzw: Any) -> Any:
    return T.Quaternion(*(float(v) for v in xyzw))


def pose(translation: Any, xyzw: Any = IDENTITY) -> Any:
    return T.Pose(position=T.Point(*(float(v) for v in translation)), orientation=quaternion(xyzw))


def jpeg(number: int, width: int = 64, height: int = 48) -> bytes:
    picture = np.full((height, width, 3), (number * 7) % 256, np.uint8)
    return cv2.imencode(".jpg", picture)[1].tobytes()


def compressed_image(
    stamp_ns: int, data: bytes, *, frame: str = "camera_color_optical_frame", name: str = "jpeg"
) -> Any:
    return T.CompressedImage(header(stamp_ns, frame), name, np.frombuffer(data, np.uint8))


def image(
    stamp_ns: int,
    picture: np.ndarray,
    encoding: str,
    *,
    frame: str = "camera_color_optical_frame",
    step: int | None = None,
    is_bigendian: bool = False,
    extra: bytes = b"",
) -> Any:
    height, width = picture.shape[:2]
    row = picture.nbytes // height
    step = step or row
    ordered = picture.astype(picture.dtype.newbyteorder(">")) if is_bigendian else picture
    padded = b"".join(line.tobytes() + bytes(step - row) for line in ordered) + extra
    data = np.frombuffer(padded, np.uint8)
    return T.Image(header(stamp_ns, frame), height, width, encoding, int(is_bigendian), step, data)


def camera_info(
    stamp_ns: int,
    *,
    size: tuple[int, int] = (64, 48),
    focal: float = 50.0,
    frame: str = "camera_color_optical_frame",
) -> Any:
    k = np.array([focal, 0, size[0] / 2, 0, focal, size[1] / 2, 0, 0, 1.0])
    roi = T.RegionOfInterest(0, 0, 0, 0, False)
    return T.CameraInfo(
        header(stamp_ns, frame),
        size[1],
        size[0],
        "plumb_bob",
        np.zeros(5),
        k,
        np.eye(3).ravel(),
        np.zeros(12),
        0,
        0,
        roi,
    )


def pose_stamped(stamp_ns: int, translation: Any, xyzw: Any = IDENTITY, *, frame: str = "world") -> Any:
    return T.PoseStamped(header(stamp_ns, frame), pose(translation, xyzw))


def odometry(stamp_ns: int, translation: Any, *, frame: str = "odom", child: str = "base_link") -> Any:
    still = T.TwistWithCovariance(T.Twist(vector((0, 0, 0)), vector((0, 0, 0))), np.zeros(36))
    return T.Odometry(
        header(stamp_ns, frame), child, T.PoseWithCovariance(pose(translation), np.zeros(36)), still
    )


def tf_message(*edges: tuple[int, str, str, Any, Any]) -> Any:
    return T.TFMessage(
        [
            T.TransformStamped(header(stamp, parent), child, T.Transform(vector(t), quaternion(q)))
            for stamp, parent, child, t, q in edges
        ]
    )


def imu(stamp_ns: int, acceleration: Any, *, gyro: Any = (0, 0, 0), covariance: float = 0.0) -> Any:
    none = np.array([-1.0] + [0.0] * 8)
    given = np.array([covariance] + [0.0] * 8)
    return T.Imu(
        header(stamp_ns, "imu"),
        quaternion((0, 0, 0, 0)),
        none,
        vector(gyro),
        np.zeros(9),
        vector(acceleration),
        given,
    )


def marker(
    points: np.ndarray,
    *,
    number: int = 0,
    action: int = 0,
    translation: Any = (0, 0, 0),
    xyzw: Any = IDENTITY,
    namespace: str = "mesh",
    colours: int = 0,
    kind: int = 11,
) -> Any:
    colour = T.ColorRGBA(1.0, 0.0, 0.0, 1.0)
    empty = T.CompressedImage(header(0, ""), "", np.zeros(0, np.uint8))
    return T.Marker(
        header(S, "world"), namespace, number, kind, action, pose(translation, xyzw), vector((1, 1, 1)), colour,
        T.Duration(0, 0), False, [T.Point(*map(float, p)) for p in points], [colour] * colours, "", empty, [],
        "text", "", T.MeshFile("", np.zeros(0, np.uint8)), False,
    )  # fmt: skip


def path(stamp_ns: int, poses: dict[int, Any]) -> Any:
    return T.Path(header(stamp_ns, "world"), [pose_stamped(stamp, t) for stamp, t in poses.items()])


class Rig:
    """Writes one recording; messages come in the order of the calls."""

    def __init__(
        self,
        file: Path,
        *,
        compression: str = "",
        chunk_bytes: int = 1 << 20,
        chunked: bool = True,
        library: str = "rig",
        **options: bool,
    ) -> None:
        self.file = file
        kinds = {"": CompressionType.NONE, "lz4": CompressionType.LZ4, "zstd": CompressionType.ZSTD}
        self.writer = Writer(
            str(file), chunk_size=chunk_bytes, compression=kinds[compression], use_chunking=chunked, **options
        )
        self.writer.start(profile="ros2", library=library)
        self._channels: dict[tuple[str, str], int] = {}

    def channel(self, topic: str, kind: str, *, encoding: str = "cdr") -> int:
        if (topic, kind) not in self._channels:
            text, _ = STORE.generate_msgdef(kind, ros_version=2)
            schema = self.writer.register_schema(kind, "ros2msg", text.encode())
            self._channels[topic, kind] = self.writer.register_channel(topic, encoding, schema)
        return self._channels[topic, kind]

    def add(self, topic: str, message: Any, *, log_time_ns: int | None = None) -> None:
        stamped = getattr(message, "header", None)
        stamp = stamped.stamp.sec * S + stamped.stamp.nanosec if stamped else 0
        data = bytes(STORE.serialize_cdr(message, message.__msgtype__))
        self.add_bytes(
            topic, message.__msgtype__, data, log_time_ns=stamp if log_time_ns is None else log_time_ns
        )

    def add_bytes(self, topic: str, kind: str, data: bytes, *, log_time_ns: int) -> None:
        self.writer.add_message(self.channel(topic, kind), log_time_ns, data, log_time_ns)

    def metadata(self, name: str, entries: dict[str, str]) -> None:
        self.writer.add_metadata(name, entries)

    def close(self) -> Path:
        self.writer.finish()
        return self.file


def write_rig(
    file: Path, *, frames: int = 20, step_ns: int = 50_000_000, start_ns: int = EPOCH_NS, **options: Any
) -> Path:
    """A whole small rig: colour, depth, calibration, odometry, static and moving tf, IMU with gravity."""
    rig = Rig(file, **options)
    optical = (-0.5, 0.5, -0.5, 0.5)
    rig.add(
        "/tf_static",
        tf_message((start_ns, "base_link", "camera_color_optical_frame", (0.1, 0, 0.2), optical)),
    )
    for number in range(frames):
        stamp = start_ns + number * step_ns
        rig.add("/camera/color/camera_info", camera_info(stamp))
        rig.add("/camera/color/image_raw/compressed", compressed_image(stamp, jpeg(number)))
        depth = np.full((24, 32), 500 + number, np.uint16)
        rig.add(
            "/camera/depth/image_rect_raw", image(stamp, depth, "16UC1", frame="camera_depth_optical_frame")
        )
        rig.add("/odom", odometry(stamp, (0.01 * number, 0, 0)))
        rig.add("/tf", tf_message((stamp, "odom", "base_link", (0.01 * number, 0, 0), IDENTITY)))
        for sample in range(5):
            rig.add("/imu/data", imu(stamp + sample * step_ns // 5, (0, 0, 9.81)))
    return rig.close()


def set_record_length(file: Path, offset: int, length: int) -> None:
    """Overwrite the length field of the record at `offset`."""
    with file.open("r+b") as handle:
        handle.seek(offset + 1)
        handle.write(struct.pack("<Q", length))
