"""Writes a demo recording: every message of the phone app, in its order, for a filmed scene.

This is the phone: it asks `timeline` when things happen, `film` and `motion` what is there, `messages` for payloads,
and fills an MCAP file. What a stream holds stands in those modules.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from episode_assets.demo import messages
from episode_assets.demo.config import DemoConfig
from episode_assets.demo.film import Film, Frame, encode_jpeg
from episode_assets.demo.mcap_file import McapFile
from episode_assets.demo.messages import StampedPose, Transform
from episode_assets.demo.motion import LINK_FROM_IMU_XYZW, ImuSamples
from episode_assets.demo.renderer import project
from episode_assets.demo.schemas import TOPICS, schema_text
from episode_assets.demo.sensor import is_during
from episode_assets.demo.timeline import AR_HZ, START_NS, Timeline, plan_timeline
from episode_assets.demo.truth import DemoTruth
from episode_assets.progress import Progress, silent

Array = NDArray[np.float64]

STAGE = "demo recording"

_TRAJECTORY_NS = 5_000_000_000
_MESH_DELAY_NS = 500_000_000
_LINK_FROM_OPTICAL_XYZW = np.array([1.0, 0.0, 0.0, 0.0])
_ORIENTATION_VARIANCE = np.deg2rad(2.0) ** 2
_AR_ORIENTATION_VARIANCE = np.deg2rad(1.0) ** 2
_STATE_NORMAL, _STATE_LIMITED = 2, 1
_REASON_NONE, _REASON_EXCESSIVE_MOTION = 0, 2


def write_demo(path: Path, *, config: DemoConfig | None = None, progress: Progress = silent) -> DemoTruth:
    """Write a recording in the layout of the Stera phone app and give what is true about it.

    The file appears under its name only when it is complete. Memory does not grow with the length of the recording,
    apart from the truth's few numbers per picture.

    Args:
        path: Where the .mcap file goes; an existing file is replaced.
        config: What to write; the default is ten seconds of 1280x720.
        progress: Told after each picture.

    Raises:
        ModelMissing: The person's photo is not installed.
    """
    config = config or DemoConfig()
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as stream:
            phone = _Phone(config, McapFile(stream, profile="ros2", library="fpv_labs/1.0"))
            truth = phone.record(progress)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return truth


@dataclass
class _Rows:
    """What is known of each picture so far, one list per column of the truth."""

    values: dict[str, list[Array]] = field(default_factory=lambda: defaultdict(list))
    count: int = 0

    def add(self, **values: Array | float) -> None:
        for name, value in values.items():
            self.values[name].append(np.asarray(value, dtype=np.float64))
        self.count += 1

    def column(self, name: str, *shape: int) -> Array:
        return np.array(self.values[name], dtype=np.float64).reshape(self.count, *shape)


class _Phone:
    """The recording app: walks through the AR frames and writes what belongs to each."""

    def __init__(self, config: DemoConfig, file: McapFile) -> None:
        self._config = config
        self._file = file
        self._film = Film(config)
        self._timeline: Timeline = plan_timeline(config)
        self._channels = self._register()
        self._rows = _Rows()
        self._pending: list[StampedPose] = []
        self._next_trajectory_ns = START_NS
        self._imu_written = 0
        shift_ns = round(config.clock_shift_ms * 1e6)
        self._rgb_ahead_ns = shift_ns
        self._ar_ahead_ns = shift_ns if config.shifted_clock == "camera" else 0
        self._repeated_jpeg: bytes | None = None
        self._imu = self._sample_imu()
        ar_s = self._seconds(self._timeline.ar_ns)
        self._translation, self._quaternion = self._film.motion.pose(ar_s)
        self._ar_gyro = self._film.motion.angular_velocity(ar_s)

    def record(self, progress: Progress) -> DemoTruth:
        """Write the whole recording."""
        timeline = self._timeline
        total = int(timeline.is_sampled.sum())
        progress(STAGE, 0, total)
        for position, stamp in enumerate(timeline.ar_ns.tolist()):
            if position == 0:
                self._write_start(stamp)
            if timeline.is_sampled[position]:
                self._write_sampled(position, stamp)
                progress(STAGE, self._rows.count, total)
            self._write_each(position, stamp)
        if len(timeline.ar_ns):
            self._write_end(int(timeline.ar_ns[-1]) + _MESH_DELAY_NS)
        self._file.add_metadata("session_metadata", self._metadata())
        self._file.close()
        return self._truth()

    def _register(self) -> dict[str, int]:
        schemas: dict[str, int] = {}
        for name in TOPICS.values():
            if name not in schemas:
                schemas[name] = self._file.add_schema(name, schema_text(name))
        return {topic: self._file.add_channel(topic, schemas[name]) for topic, name in TOPICS.items()}

    def _write(self, topic: str, stamp: int, payload: bytes) -> None:
        """Add a message; `stamp` is its log time, which no shifted clock moves."""
        self._file.add_message(self._channels[topic], stamp, payload)

    def _seconds(self, stamps_ns: NDArray[np.int64]) -> Array:
        seconds: Array = (stamps_ns - START_NS) / 1e9
        return seconds

    def _sample_imu(self) -> ImuSamples:
        seconds = self._seconds(self._timeline.imu_ns)
        random = np.random.default_rng([self._config.seed, 5])
        config = self._config
        return self._film.motion.imu(
            seconds, noise=config.imu_noise, random=random, with_gravity=config.imu_gravity == "included"
        )

    def _write_start(self, stamp: int) -> None:
        if not self._config.with_imu:
            return
        rates = (
            ("/device/imu/intrinsics", "imu_frame", self._config.imu_hz),
            ("/arkit/imu/intrinsics", "camera_link", AR_HZ),
        )
        for topic, frame_id, rate in rates:
            self._write(topic, stamp, messages.imu_intrinsics(stamp, frame_id, rate_hz=rate))
        edge = Transform("camera_link", "imu_frame", np.zeros(3), LINK_FROM_IMU_XYZW)
        self._write("/device/camera_imu_extrinsics", stamp, messages.tf(stamp, [edge]))

    def _write_sampled(self, position: int, stamp: int) -> None:
        """Write a picture and all that shares its stamp, in the app's order."""
        config, number = self._config, self._rows.count
        t_s = float(self._seconds(self._timeline.ar_ns[position : position + 1])[0])
        frame = self._film.frame(t_s, number=number)
        ar_ns, rgb_ns = stamp + self._ar_ahead_ns, stamp + self._rgb_ahead_ns
        pose = StampedPose(ar_ns, self._translation[position], self._quaternion[position])
        if config.with_camera_info:
            payload = self._camera_info(rgb_ns, config.capture_size, frame.K)
            self._write("/camera/camera_info", stamp, payload)
        if config.with_pose:
            self._write_pose(stamp, pose, frame)
        if config.with_depth:
            self._write("/camera/depth", stamp, messages.depth_image(ar_ns, frame.depth_mm))
            if number == 0:
                payload = self._camera_info(ar_ns, config.depth_size, frame.K)
                self._write("/camera/depth/camera_info", stamp, payload)
        if config.with_rgb:
            payload = messages.compressed_image(rgb_ns, self._jpeg(frame, t_s, number))
            self._write("/camera/rgb/compressed", stamp, payload)
        self._note(pose, frame)

    def _jpeg(self, frame: Frame, t_s: float, number: int) -> bytes:
        config = self._config
        if not is_during(config.frozen_interval_s, t_s) or self._repeated_jpeg is None:
            self._repeated_jpeg = encode_jpeg(frame.rgb, quality=config.jpeg_quality)
        jpeg = self._repeated_jpeg
        return _damage(jpeg) if number in config.corrupt_frames else jpeg

    def _camera_info(self, stamp: int, size: tuple[int, int], K: Array) -> bytes:
        """Payload with K scaled from the pictures to a size by the plain ratio, as the app does."""
        width, height = size
        scaled = np.diag([width / self._config.width, height / self._config.height, 1.0]) @ K
        return messages.camera_info(stamp, width=width, height=height, K=scaled)

    def _write_pose(self, stamp: int, pose: StampedPose, frame: Frame) -> None:
        self._write("/camera/pose", stamp, messages.pose_stamped(pose))
        edges = [
            Transform("world", "camera_link", pose.translation, pose.quaternion_xyzw),
            Transform("camera_link", "camera_optical_frame", np.zeros(3), _LINK_FROM_OPTICAL_XYZW),
        ]
        self._write("/tf", stamp, messages.tf(pose.stamp_ns, edges))
        self._pending.append(pose)
        if stamp >= self._next_trajectory_ns:
            self._write("/trajectory", stamp, messages.path(pose.stamp_ns, self._pending))
            self._pending = []
            self._next_trajectory_ns = stamp + _TRAJECTORY_NS
        if len(frame.features):
            self._write("/map/point_cloud", stamp, messages.point_cloud(pose.stamp_ns, frame.features))

    def _write_each(self, position: int, stamp: int) -> None:
        """Write what comes with every AR frame, tracked or not."""
        config, is_tracked = self._config, bool(self._timeline.is_tracked[position])
        if config.with_tracking_state:
            state = _STATE_NORMAL if is_tracked else _STATE_LIMITED
            reason = _REASON_NONE if is_tracked else _REASON_EXCESSIVE_MOTION
            payload = messages.tracking_state(stamp + self._ar_ahead_ns, state=state, reason=reason)
            self._write("/camera/tracking_state", stamp, payload)
        if config.with_imu:
            self._write_imu(position, stamp)
        battery = 0.82 - 0.00002 * (stamp - START_NS) / 1e9
        self._write("/device/metrics", stamp, messages.device_metrics(stamp, battery=battery))

    def _write_imu(self, position: int, stamp: int) -> None:
        payload = messages.imu(
            stamp + self._ar_ahead_ns,
            "camera_link",
            orientation_xyzw=self._quaternion[position],
            angular_velocity=self._ar_gyro[position],
            linear_acceleration=None,
            orientation_variance=_AR_ORIENTATION_VARIANCE,
            angular_variance=6e-7,
        )
        self._write("/arkit/imu", stamp, payload)
        stop = int(self._timeline.imu_stop[position])
        for sample in range(self._imu_written, stop):
            sample_ns = int(self._timeline.imu_ns[sample])
            payload = messages.imu(
                sample_ns,
                "imu_frame",
                orientation_xyzw=self._imu.orientation_xyzw[sample],
                angular_velocity=self._imu.angular_velocity[sample],
                linear_acceleration=self._imu.linear_acceleration[sample],
                orientation_variance=_ORIENTATION_VARIANCE,
                angular_variance=1e-6,
            )
            self._write("/device/imu", sample_ns, payload)
        self._imu_written = stop

    def _write_end(self, stamp: int) -> None:
        if not self._config.with_mesh:
            return
        corners = self._film.scene.mesh_corners()
        marker = messages.mesh_marker(stamp + self._ar_ahead_ns, corners, colour=self._config.mesh_colour)
        self._write("/map/mesh", stamp, marker)
        vertices = np.unique(corners.round(6), axis=0)
        self._write("/map/mesh_cloud", stamp, messages.point_cloud(stamp + self._ar_ahead_ns, vertices))

    def _note(self, pose: StampedPose, frame: Frame) -> None:
        self._rows.add(
            K=frame.K,
            translation=pose.translation,
            quaternion=pose.quaternion_xyzw,
            face_box=frame.face_box_px,
            head_box=frame.head_box_px,
            face_ratio=frame.face_visible_ratio,
            joints=frame.hand_joints_cam,
            joints_px=project(frame.K, frame.hand_joints_cam),
        )

    def _truth(self) -> DemoTruth:
        rows, size = self._rows, (self._config.width, self._config.height)
        stamps = self._timeline.picture_ns
        intervals = np.diff(stamps)
        joints_px = rows.column("joints_px", 2, 21, 2)
        inside: NDArray[np.bool_] = (joints_px >= -0.5) & (joints_px <= np.array(size) - 0.5)
        gap = np.zeros(len(stamps), dtype=bool)
        if len(intervals):
            gap[1:] = intervals > 2.5 * np.median(intervals)
        return DemoTruth(
            size_px=np.array(size, dtype=np.int64),
            message_number=np.arange(len(stamps), dtype=np.int64),
            stamp_ns=stamps + self._rgb_ahead_ns,
            gap_before=gap,
            K=rows.column("K", 3, 3),
            world_from_link_translation=rows.column("translation", 3),
            world_from_link_quaternion_xyzw=rows.column("quaternion", 4),
            face_box_px=rows.column("face_box", 4),
            head_box_px=rows.column("head_box", 4),
            face_visible_ratio=rows.column("face_ratio"),
            hand_joints_cam=rows.column("joints", 2, 21, 3),
            hand_joints_px=joints_px,
            hand_in_view=np.asarray(inside.all(axis=(2, 3)), dtype=bool),
            lost_ns=self._timeline.lost_ns,
        )

    def _metadata(self) -> dict[str, str]:
        config, stamps = self._config, self._timeline.picture_ns
        picture = f"{config.width}x{config.height}"
        losses = str(len(self._timeline.lost_ns))
        return {
            "device_model": "demo phone",
            "ios_version": "18.5",
            "app_version": "0.0.0",
            "resolution": picture,
            "recording_resolution": picture,
            "camera_resolution": "{}x{}".format(*config.capture_size),
            "target_orientation": "landscape",
            "rgb_target_fps": str(config.fps),
            "sampling_strategy": "timestamp_gate",
            "imu_reference_frame": "xArbitraryZVertical",
            "tracking_loss_events": losses,
            "tracking_pause_count": losses,
            "depth_supported": _flag(config.with_depth),
            "mesh_supported": _flag(config.with_mesh),
            "session_duration_seconds": f"{config.seconds:.3f}",
            "total_ar_frames": str(len(self._timeline.ar_ns)),
            "rgb_encoded_count": str(len(stamps) if config.with_rgb else 0),
            "depth_captured_count": str(len(stamps) if config.with_depth else 0),
            "total_imu_samples": str(len(self._timeline.imu_ns) if config.with_imu else 0),
            "low_quality_reason": "null",
            "rgb_start_ns": str(stamps[0]) if len(stamps) else "null",
            "rgb_end_ns": str(stamps[-1]) if len(stamps) else "null",
            "compression.depth_compression": "none",
            "camera_imu_extrinsic.source": "datasheet",
        }


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _damage(jpeg: bytes) -> bytes:
    """Keep the length and lose the content: the start marker and the first half of a JPEG become zeros."""
    half = len(jpeg) // 2
    return bytes(half) + jpeg[half:]
