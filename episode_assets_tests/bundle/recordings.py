"""Small recordings and blurred videos for the tests of the bundle, written with other libraries than the package's.

The recording is an MCAP of ROS 2 messages as the phone app writes it; the video and its tables are what the
anonymization publishes.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mcap.writer import Writer
from rosbags.typesys import (  # noqa: TID253  # the recordings here are written with it
    Stores,
    get_types_from_msg,
    get_typestore,
)

from episode_assets.ply import Mesh, write_ply

RECORDING_ID = "kitchen-0123abcd"
START_NS = 5_000_000_000_123
TICK_NS = 66_666_667
PASSED = {"audit": "passed", "known_answer": "passed", "detector": "centerface", "boxes_total": 3}
TRACKING_TEXT = "std_msgs/Header header\nuint8 state\nuint8 reason\nstring state_str\nstring reason_str\n"

STORE = get_typestore(Stores.ROS2_FOXY)
STORE.register(get_types_from_msg(TRACKING_TEXT, "stera_msgs/msg/TrackingState"))


@dataclass(frozen=True)
class Scene:
    """What is in the recording; every test asks for what it needs.

    `stamps_ns` are those of the pictures; depth frame i has stamp i plus `depth_dt_ns`.
    """

    frames: int = 12
    width: int = 64
    height: int = 48
    depth_width: int = 32
    depth_height: int = 24
    gap_after: int | None = None
    gap_ns: int = 8_000_000_000
    depth_dt_ns: int = 3_900_000
    streams: frozenset[str] = frozenset(
        {"depth", "camera_info", "pose", "tf", "imu", "tracking", "mesh", "trajectory", "cloud"}
    )
    cloud_frame: str = "world"
    cloud_depth_m: float = 1.0
    cloud_late_ns: int = 0
    info_size: tuple[int, int] | None = None
    depth_focal: float | None = None
    depth_missing: frozenset[int] = frozenset()
    depth_cut: frozenset[int] = frozenset()
    depth_halved: frozenset[int] = frozenset()
    metadata: dict[str, str] = field(default_factory=dict)
    profile: str = "ros2"
    library: str = "test"

    @property
    def stamps_ns(self) -> np.ndarray:
        stamps = START_NS + np.arange(self.frames, dtype=np.int64) * TICK_NS
        if self.gap_after is not None:
            stamps[self.gap_after + 1 :] += self.gap_ns
        return stamps

    def without(self, *names: str) -> Scene:
        return replace(self, streams=self.streams - set(names))

    def depth_mm(self, frame: int) -> np.ndarray:
        """Depth of one frame: a slope with texture and a few holes, never the same twice."""
        rng = np.random.default_rng(frame)
        rows, columns = np.mgrid[: self.depth_height, : self.depth_width]
        image = 800 + 7 * rows + 3 * columns + rng.integers(0, 40, rows.shape)
        image[rng.random(rows.shape) < 0.05] = 0
        return image.astype(np.uint16)

    @property
    def clouds(self) -> list[np.ndarray]:
        """One cloud (N, 3) per picture, world metres: a grid before the camera, a little shifted each time."""
        x, y = np.meshgrid(np.linspace(-0.4, 0.4, 9), np.linspace(-0.3, 0.3, 7))
        optical = np.stack([x, y, np.full_like(x, self.cloud_depth_m), np.ones_like(x)], axis=-1).reshape(
            -1, 4
        )
        return [(optical @ self.world_from_optical(i).T)[:, :3] + 0.001 * i for i in range(self.frames)]

    def world_from_optical(self, frame: int) -> np.ndarray:
        """Transform (4, 4) of the camera, whose link has X right, Y up, Z backward."""
        _, y, _, w = self.quaternion(frame)
        cos, sin = w * w - y * y, 2 * y * w
        transform = np.eye(4)
        transform[:3, :3] = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]) @ np.diag([1.0, -1.0, -1.0])
        transform[:3, 3] = self.translation(frame)
        return transform

    def intrinsics(self, frame: int) -> np.ndarray:
        focal = 50.0 + 0.25 * frame
        return np.array([[focal, 0, self.width / 2], [0, focal, self.height / 2], [0, 0, 1]])

    def translation(self, frame: int) -> np.ndarray:
        return np.array([0.1 * frame, 1.5, -0.02 * frame])

    def quaternion(self, frame: int) -> np.ndarray:
        angle = 0.05 * frame
        return np.array([0.0, np.sin(angle / 2), 0.0, np.cos(angle / 2)])


def message(kind: str, **fields: Any) -> Any:
    return STORE.types[kind](**fields)


def header(stamp_ns: int, frame_id: str) -> Any:
    stamp = message("builtin_interfaces/msg/Time", sec=int(stamp_ns // 10**9), nanosec=int(stamp_ns % 10**9))
    return message("std_msgs/msg/Header", stamp=stamp, frame_id=frame_id)


def vector(values: Any) -> Any:
    x, y, z = (float(value) for value in values)
    return message("geometry_msgs/msg/Vector3", x=x, y=y, z=z)


def point(values: Any) -> Any:
    x, y, z = (float(value) for value in values)
    return message("geometry_msgs/msg/Point", x=x, y=y, z=z)


def quaternion(values: Any) -> Any:
    x, y, z, w = (float(value) for value in values)
    return message("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w)


def pose(translation: Any, rotation: Any) -> Any:
    return message("geometry_msgs/msg/Pose", position=point(translation), orientation=quaternion(rotation))


class RecordingWriter:
    """Writes ROS 2 messages into an MCAP file; schemas and channels are made on first use."""

    def __init__(self, stream: io.BufferedIOBase, *, profile: str, library: str) -> None:
        self._writer = Writer(stream)
        self._writer.start(profile=profile, library=library)
        self._channels: dict[str, int] = {}

    def add(self, topic: str, stamp_ns: int, item: Any) -> None:
        kind = item.__msgtype__
        if topic not in self._channels:
            text, _ = STORE.generate_msgdef(kind, ros_version=2)
            schema = self._writer.register_schema(kind, "ros2msg", text.encode())
            self._channels[topic] = self._writer.register_channel(topic, "cdr", schema)
        data = bytes(STORE.serialize_cdr(item, kind))
        self._writer.add_message(self._channels[topic], int(stamp_ns), data, int(stamp_ns))

    def metadata(self, name: str, values: dict[str, str]) -> None:
        self._writer.add_metadata(name, values)

    def finish(self) -> None:
        self._writer.finish()


def write_recording(path: Path, scene: Scene) -> Path:
    """Write the MCAP file of a scene."""
    with path.open("wb") as stream:
        writer = RecordingWriter(stream, profile=scene.profile, library=scene.library)
        if scene.metadata:
            writer.metadata("session", scene.metadata)
        for frame, stamp_ns in enumerate(scene.stamps_ns.tolist()):
            _write_frame(writer, scene, frame, stamp_ns)
        last = int(scene.stamps_ns[-1])
        if "imu" in scene.streams:
            _write_imu(writer, START_NS, last)
        if "mesh" in scene.streams:
            writer.add("/map/mesh", last, mesh_marker(last))
        if "trajectory" in scene.streams:
            writer.add("/trajectory", last, _path(scene))
        if "cloud" in scene.streams:
            for stamp_ns, points in zip(scene.stamps_ns.tolist(), scene.clouds, strict=True):
                late_ns = stamp_ns + scene.cloud_late_ns
                writer.add("/map/point_cloud", late_ns, cloud_message(late_ns, points, scene.cloud_frame))
        writer.finish()
    return path


def _write_frame(writer: RecordingWriter, scene: Scene, frame: int, stamp_ns: int) -> None:
    optical = "camera_optical_frame"
    _, jpeg = cv2.imencode(".jpg", np.full((scene.height, scene.width, 3), 90, np.uint8))
    picture = message(
        "sensor_msgs/msg/CompressedImage",
        header=header(stamp_ns, optical),
        format="jpeg",
        data=np.frombuffer(jpeg.tobytes(), np.uint8),
    )
    writer.add("/camera/rgb/compressed", stamp_ns, picture)
    if "camera_info" in scene.streams:
        size = scene.info_size or (scene.width, scene.height)
        writer.add("/camera/camera_info", stamp_ns, _camera_info(stamp_ns, size, scene.intrinsics(frame)))
    if scene.depth_focal is not None and frame == 0:
        writer.add("/camera/depth/camera_info", stamp_ns, _depth_camera_info(scene, stamp_ns))
    if "depth" in scene.streams and frame not in scene.depth_missing:
        writer.add("/camera/depth", stamp_ns + scene.depth_dt_ns, _depth(scene, frame, stamp_ns))
    if "pose" in scene.streams:
        item = message(
            "geometry_msgs/msg/PoseStamped",
            header=header(stamp_ns, "world"),
            pose=pose(scene.translation(frame), scene.quaternion(frame)),
        )
        writer.add("/camera/pose", stamp_ns, item)
    if "tf" in scene.streams:
        writer.add("/tf", stamp_ns, _tf(stamp_ns))
    if "moving_tf" in scene.streams:
        edges = [_edge(stamp_ns, "world", "base", scene.translation(frame))]
        if frame % 2 == 0:
            edges.append(_edge(stamp_ns, "base", "camera_link", (0.01 * frame, 0, 0)))
        writer.add("/tf", stamp_ns, message("tf2_msgs/msg/TFMessage", transforms=edges))
    if "tracking" in scene.streams:
        state = message(
            "stera_msgs/msg/TrackingState",
            header=header(stamp_ns, "camera_link"),
            state=2,
            reason=0,
            state_str="normal",
            reason_str="none",
        )
        writer.add("/camera/tracking_state", stamp_ns, state)


def _camera_info(stamp_ns: int, size: tuple[int, int], K: np.ndarray) -> Any:
    roi = message(
        "sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
    )
    return message(
        "sensor_msgs/msg/CameraInfo",
        header=header(stamp_ns, "camera_optical_frame"),
        height=size[1],
        width=size[0],
        distortion_model="plumb_bob",
        d=np.array([0.1, -0.05, 0.0, 0.0, 0.01]),
        k=K.reshape(-1),
        r=np.eye(3).reshape(-1),
        p=np.zeros(12),
        binning_x=0,
        binning_y=0,
        roi=roi,
    )


def _depth_camera_info(scene: Scene, stamp_ns: int) -> Any:
    size, focal = (scene.depth_width, scene.depth_height), scene.depth_focal
    K = np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]])
    return _camera_info(stamp_ns, size, K)


def _depth(scene: Scene, frame: int, stamp_ns: int) -> Any:
    image = scene.depth_mm(frame)[:: 2 if frame in scene.depth_halved else 1]
    data = image.astype("<u2").tobytes()
    if frame in scene.depth_cut:
        data = data[: len(data) // 2]
    return message(
        "sensor_msgs/msg/Image",
        header=header(stamp_ns + scene.depth_dt_ns, "camera_optical_frame"),
        height=image.shape[0],
        width=image.shape[1],
        encoding="16UC1",
        is_bigendian=0,
        step=2 * scene.depth_width,
        data=np.frombuffer(data, np.uint8),
    )


def _tf(stamp_ns: int) -> Any:
    edge = _edge(stamp_ns, "camera_link", "camera_optical_frame", (0, 0, 0), (1, 0, 0, 0))
    return message("tf2_msgs/msg/TFMessage", transforms=[edge])


def _edge(stamp_ns: int, parent: str, child: str, translation: Any, rotation: Any = (0, 0, 0, 1)) -> Any:
    return message(
        "geometry_msgs/msg/TransformStamped",
        header=header(stamp_ns, parent),
        child_frame_id=child,
        transform=message(
            "geometry_msgs/msg/Transform", translation=vector(translation), rotation=quaternion(rotation)
        ),
    )


def _write_imu(writer: RecordingWriter, first_ns: int, last_ns: int) -> None:
    rng = np.random.default_rng(1)
    for stamp_ns in range(first_ns, last_ns, 10_000_000):
        item = message(
            "sensor_msgs/msg/Imu",
            header=header(stamp_ns, "imu_frame"),
            orientation=quaternion((0, 0, 0, 1)),
            orientation_covariance=np.eye(3).reshape(-1),
            angular_velocity=vector(rng.normal(0, 0.01, 3)),
            angular_velocity_covariance=np.zeros(9),
            linear_acceleration=vector(rng.normal(0, 0.05, 3)),
            linear_acceleration_covariance=np.zeros(9),
        )
        writer.add("/device/imu", stamp_ns, item)


def cloud_message(stamp_ns: int, points: np.ndarray, frame_id: str) -> Any:
    """Points as an AR framework records them: coordinates, then a colour that nobody may see again."""
    row = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<u4")])
    data = np.empty(len(points), row)
    data["x"], data["y"], data["z"] = points.T
    data["rgb"] = 0xFF00FF
    kinds = {"x": (0, 7), "y": (4, 7), "z": (8, 7), "rgb": (12, 6)}
    fields = [
        message("sensor_msgs/msg/PointField", name=name, offset=offset, datatype=kind, count=1)
        for name, (offset, kind) in kinds.items()
    ]
    return message(
        "sensor_msgs/msg/PointCloud2",
        header=header(stamp_ns, frame_id),
        height=1,
        width=len(points),
        fields=fields,
        is_bigendian=False,
        point_step=row.itemsize,
        row_step=row.itemsize * len(points),
        data=np.frombuffer(data.tobytes(), np.uint8),
        is_dense=True,
    )


MESH_CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0], [1, 0, 1], [0, 0, 1]], dtype=np.float64)
"""A square of two triangles, without shared corners."""

MESH_COLOURS = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90], [100, 110, 120]], dtype=np.uint8)


def mesh_marker(
    stamp_ns: int,
    corners: np.ndarray = MESH_CORNERS,
    *,
    id_: int = 0,
    action: int = 0,
    at: tuple[Any, Any] = ((0, 0, 0), (0, 0, 0, 1)),
    frame_id: str = "world",
) -> Any:
    """The square, or other triangles, as a triangle list whose corners carry a colour."""
    colour = message("std_msgs/msg/ColorRGBA", r=1.0, g=0.0, b=1.0, a=1.0)
    return message(
        "visualization_msgs/msg/Marker",
        header=header(stamp_ns, frame_id),
        ns="mesh",
        id=id_,
        type=11,
        action=action,
        pose=pose(*at),
        scale=vector((1, 1, 1)),
        color=colour,
        lifetime=message("builtin_interfaces/msg/Duration", sec=0, nanosec=0),
        frame_locked=False,
        points=[point(corner) for corner in corners],
        colors=[colour] * len(corners),
        text="",
        mesh_resource="",
        mesh_use_embedded_materials=False,
    )


def write_mesh(directory: Path, scene: Scene) -> Path:
    """Write what the scene publishes of the square: welded, each corner in a colour of its own."""
    directory.mkdir()
    reason = {"name": "mesh.ply", "code": "no_mesh_messages", "detail": "the recording has no mesh"}
    skipped = [] if "mesh" in scene.streams else [reason]
    (directory / "mesh.json").write_text(json.dumps({"skipped": skipped}))
    if "mesh" in scene.streams:
        corners, rows = np.unique(MESH_CORNERS.astype(np.float32), axis=0, return_inverse=True)
        write_ply(directory / "mesh.ply", Mesh(corners, rows.reshape(-1, 3).astype(np.int32), MESH_COLOURS))
    return directory


def _path(scene: Scene) -> Any:
    stamps = scene.stamps_ns.tolist()
    poses = [
        message(
            "geometry_msgs/msg/PoseStamped",
            header=header(stamp_ns, "world"),
            pose=pose(scene.translation(frame), scene.quaternion(frame)),
        )
        for frame, stamp_ns in enumerate(stamps)
    ]
    return message("nav_msgs/msg/Path", header=header(stamps[-1], "world"), poses=poses)


# --- what the anonymization publishes ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Box:
    """One blurred rectangle of the synthetic faces.parquet, picture pixels, half-open."""

    frame: int
    x0: int
    y0: int
    x1: int
    y1: int
    source: str = "detected"
    label: str | None = "face"


def grey_of(frame: int) -> int:
    """The mean grey that tells the pictures of the synthetic video apart."""
    return 60 + 8 * (frame % 16)


@dataclass(frozen=True)
class Pictures:
    """The pictures of a synthetic blurred video."""

    message_number: np.ndarray
    stamp_ns: np.ndarray
    width: int
    height: int


def write_blurred(
    directory: Path,
    scene: Scene,
    *,
    boxes: tuple[Box, ...] = (),
    dropped: frozenset[int] = frozenset(),
) -> Path:
    """Write what blurring a scene publishes; boxes count frames of the video, `dropped` counts messages."""
    numbers = np.array([i for i in range(scene.frames) if i not in dropped], dtype=np.int64)
    pictures = Pictures(numbers, scene.stamps_ns[numbers], scene.width, scene.height)
    write_pictures(directory, pictures, boxes=boxes)
    left_out = {
        "message_number": pa.array(sorted(dropped), pa.int64()),
        "reason": pa.array(["undecodable"] * len(dropped), pa.string()),
    }
    pq.write_table(pa.table(left_out), directory / "dropped.parquet")
    return directory


def write_pictures(
    directory: Path, pictures: Pictures, *, boxes: tuple[Box, ...] = (), sharpest: int = 4
) -> Path:
    """Write rgb.mp4, frames.parquet, faces.parquet and signals.parquet."""
    directory.mkdir()
    numbers, stamps, F = pictures.message_number, pictures.stamp_ns, len(pictures.stamp_ns)
    pts = (stamps - stamps[0] + 500) // 1000
    is_key = np.arange(F) % 4 == 0
    _write_video(directory / "rgb.mp4", pictures, pts, is_key)
    identity = {
        "recording_id": pa.array([RECORDING_ID] * F),
        "message_number": pa.array(numbers),
        "frame_index": pa.array(np.arange(F)),
        "stamp_ns": pa.array(stamps),
    }
    frames = {
        **identity,
        "log_time_ns": pa.array(stamps),
        "pts_us": pa.array(pts),
        "is_key": pa.array(is_key),
        "gap_before": pa.array(np.diff(stamps, prepend=stamps[0]) > 2.5 * TICK_NS),
        "width": pa.array(np.full(F, pictures.width, np.int32)),
        "height": pa.array(np.full(F, pictures.height, np.int32)),
    }
    pq.write_table(pa.table(frames), directory / "frames.parquet")
    sharpness = np.where(np.arange(F) == sharpest, 900.0, 100.0).astype(np.float32)
    signals = {
        **identity,
        "mean": pa.array(np.full(F, 120.0, np.float32)),
        "laplacian_variance": pa.array(sharpness),
        "dark_ratio": pa.array(np.zeros(F, np.float32)),
        "bright_ratio": pa.array(np.zeros(F, np.float32)),
    }
    pq.write_table(pa.table(signals), directory / "signals.parquet")
    _write_faces(directory / "faces.parquet", boxes, numbers, stamps)
    return directory


def _write_video(path: Path, pictures: Pictures, pts: np.ndarray, is_key: np.ndarray) -> None:
    width, height = pictures.width + pictures.width % 2, pictures.height + pictures.height % 2
    numbers = pictures.message_number.tolist()
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"bf": "0", "g": "1000", "sc_threshold": "0", "preset": "ultrafast"}
        stream.codec_context.time_base = Fraction(1, 1_000_000)
        stream.time_base = Fraction(1, 1_000_000)
        for number, when, key in zip(numbers, pts.tolist(), is_key.tolist(), strict=True):
            image = np.full((height, width, 3), grey_of(number), np.uint8)
            image[::7, ::5] += 20
            picture = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
            picture.pts, picture.time_base = when, Fraction(1, 1_000_000)
            picture.pict_type = av.video.frame.PictureType.I if key else av.video.frame.PictureType.NONE
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def _write_faces(path: Path, boxes: tuple[Box, ...], numbers: np.ndarray, stamps: np.ndarray) -> None:
    index = np.array([box.frame for box in boxes], dtype=np.int64)
    columns: dict[str, pa.Array] = {
        "recording_id": pa.array([RECORDING_ID] * len(boxes), pa.string()),
        "message_number": pa.array(numbers[index], pa.int64()),
        "frame_index": pa.array(index, pa.int64()),
        "stamp_ns": pa.array(stamps[index], pa.int64()),
    }
    for name in ("x0", "y0", "x1", "y1"):
        values = [getattr(box, name) for box in boxes]
        columns[name] = pa.array(values, pa.float32())
        columns[f"redact_{name}"] = pa.array(values, pa.int32())
    columns["score"] = pa.array([0.9] * len(boxes), pa.float32())
    columns["track"] = pa.array(range(len(boxes)), pa.int64())
    columns["source"] = pa.array([box.source for box in boxes], pa.string())
    columns["backend"] = pa.array(["centerface"] * len(boxes), pa.string())
    columns["label"] = pa.array([box.label for box in boxes], pa.string())
    pq.write_table(pa.table(columns), path)


# --- what the hands room publishes -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hand:
    """One row of the synthetic hands.parquet; without `metres` the hand is known in pixels only."""

    frame: int
    side: str = "right"
    confidence: float = 0.9
    wearer: bool = True
    metres: bool = True
    valid_joints: int = 21
    kind: int = 1
    smoothed: bool | None = False
    off_px: float | None = None
    off_m: float | None = None
    at: tuple[float, float] | None = None
    """Wrist of a hand that is spread out over the picture; None gives a tiny one near the corner."""


def joints_of(hand: Hand) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (21, 2) and camera metres (21, 3) of a synthetic hand."""
    joint = np.arange(21, dtype=np.float32)
    pixels = np.stack([10 + joint + hand.frame, 20 + joint / 2], axis=1)
    if hand.at is not None:
        finger, along = (joint + 3) // 4, np.where(joint == 0, 0, (joint - 1) % 4 + 1)
        pixels = np.array(hand.at) + np.stack([(finger - 3) * 14 * (along > 0), -16 * along], axis=1)
    metres = np.stack([joint / 100, -joint / 200, 0.4 + 0.001 * hand.frame + joint / 1000], axis=1)
    return pixels.astype(np.float32), metres.astype(np.float32)


def write_hands(directory: Path, scene: Scene, hands: tuple[Hand, ...]) -> Path:
    """Write hands.parquet; hands count messages of the recording."""
    directory.mkdir()
    rows = []
    for hand in hands:
        pixels, metres = joints_of(hand)
        rows.append(
            {
                "recording_id": RECORDING_ID,
                "message_number": hand.frame,
                "frame_index": hand.frame,
                "stamp_ns": int(scene.stamps_ns[hand.frame]),
                "side": hand.side,
                "wearer": hand.wearer,
                "track": 7,
                "kind": hand.kind,
                "confidence": hand.confidence,
                "handedness": 0.8,
                "joints_px": pixels.reshape(-1).tolist(),
                "joints_cam": metres.reshape(-1).tolist() if hand.metres else None,
                "joints_world": metres.reshape(-1).tolist() if hand.metres else None,
                "joint_valid": [hand.kind != 2 and joint < hand.valid_joints for joint in range(21)],
                "anchor": "anchored" if hand.metres else "pixel_only",
                "depth_dt_ns": 0,
                "scale": 1.0,
                "uncertainty_px": None if hand.off_px is None else [hand.off_px] * 21,
                "uncertainty_m": None if hand.off_m is None else [hand.off_m] * 21,
                "smoothed": hand.smoothed,
                "backend": "mediapipe",
            }
        )
    schema = pa.schema(
        [
            ("recording_id", pa.string()),
            ("message_number", pa.int64()),
            ("frame_index", pa.int64()),
            ("stamp_ns", pa.int64()),
            ("side", pa.string()),
            ("wearer", pa.bool_()),
            ("track", pa.int64()),
            ("kind", pa.int8()),
            ("confidence", pa.float32()),
            ("handedness", pa.float32()),
            ("joints_px", pa.list_(pa.float32(), 42)),
            ("joints_cam", pa.list_(pa.float32(), 63)),
            ("joints_world", pa.list_(pa.float32(), 63)),
            ("joint_valid", pa.list_(pa.bool_(), 21)),
            ("anchor", pa.string()),
            ("depth_dt_ns", pa.int64()),
            ("scale", pa.float32()),
            ("uncertainty_px", pa.list_(pa.float32(), 21)),
            ("uncertainty_m", pa.list_(pa.float32(), 21)),
            ("smoothed", pa.bool_()),
            ("backend", pa.string()),
        ]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), directory / "hands.parquet")
    return directory
