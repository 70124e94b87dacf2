"""The scene: two dozen pictures of a person and two hands with all that a recorder notes beside them, as numbers.

Add a stream here when recordings carry a new kind of data. How a stream is called in a message stands in `ros` and
`foxglove`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.demo import DemoConfig
from episode_assets.demo.film import Film, encode_jpeg

START_NS = 1_700_000_000_123_456_789
"""An epoch stamp with all its digits, which float64 seconds could not hold."""

LATENCY_NS = 1_234_567
"""How long after its stamp a message is logged; only the stamps may end up in data."""

WORLD, LINK, OPTICAL, IMU = "world", "camera_link", "camera_optical_frame", "imu_frame"
LINK_FROM_OPTICAL_XYZW = (1.0, 0.0, 0.0, 0.0)
DISTORTION = (0.11, -0.052, 0.0013, -0.0007, 0.0125)
NORMAL, LIMITED, EXCESSIVE_MOTION = 2, 1, 2

TOPICS = {
    "camera_info": "/camera/camera_info",
    "pose": "/camera/pose",
    "tf": "/tf",
    "point_cloud": "/map/point_cloud",
    "depth": "/camera/depth",
    "depth_camera_info": "/camera/depth/camera_info",
    "rgb": "/camera/rgb",
    "hands": "/hands/joints",
    "tracking": "/camera/tracking_state",
    "imu": "/device/imu",
    "annotations": "/task/annotation",
    "trajectory": "/trajectory",
    "mesh": "/map/mesh",
}
"""Role to topic, in the order in which messages of one moment are written."""

_FRAMES, _LAST_BEFORE_GAP, _GAP_NS = 24, 14, 500_000_000
_WIDTH, _HEIGHT = 640, 360
_TICK_NS, _TRACKING_NS, _IMU_NS = 66_666_667, 16_666_667, 10_000_000
_AFTER_NS = 40_000_000


class Event(NamedTuple):
    """One message to write: its stream and topic, its position in that stream, its stamp."""

    stream: str
    topic: str
    index: int
    stamp_ns: int

    @property
    def log_ns(self) -> int:
        """When it is logged; words are logged at their stamp, since ROS strings carry none of their own."""
        return self.stamp_ns if self.stream == "annotations" else self.stamp_ns + LATENCY_NS


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that a file of this scene has to say. Arrays are read-only.

    Attributes:
        frame_ns: (F,) i8 stamps of the pictures, irregular, with one gap.
        jpegs: F pictures as JPEG bytes.
        depth_mm: (F,h,w) u2, 0 is a hole.
        K: (F,3,3) f8 for the capture buffer.
        capture_size: Width and height of the capture buffer that K belongs to.
        depth_intrinsics: (3,3) f8 for the depth pictures, sent once.
        translation: (F,3) f8, the link in the world, metres, Y up.
        quaternion_xyzw: (F,4) f8.
        clouds: F arrays (n,4) f4 of x, y, z, confidence in the world.
        hand_joints: (F,42,3) f8 metres in the optical frame, left hand first.
        imu_ns: (I,) i8.
        imu: (I,10) f8 acceleration, angular velocity, orientation x, y, z, w.
        tracking_ns: (T,) i8.
        tracking: (T,2) u1 state and reason; it is lost during the gap.
        mesh_corners: (3M,3) f8 world corners of triangles, sent last.
        paths: Positions of the pictures whose poses each trajectory message holds.
        texts: Stamps and words of the annotations.
        metadata: Session metadata.
        topics: Topic of each stream.
    """

    frame_ns: NDArray[np.int64]
    jpegs: tuple[bytes, ...]
    depth_mm: NDArray[np.uint16]
    K: NDArray[np.float64]
    capture_size: tuple[int, int]
    depth_intrinsics: NDArray[np.float64]
    translation: NDArray[np.float64]
    quaternion_xyzw: NDArray[np.float64]
    clouds: tuple[NDArray[np.float32], ...]
    hand_joints: NDArray[np.float64]
    imu_ns: NDArray[np.int64]
    imu: NDArray[np.float64]
    tracking_ns: NDArray[np.int64]
    tracking: NDArray[np.uint8]
    mesh_corners: NDArray[np.float64]
    paths: tuple[range, ...]
    texts: tuple[tuple[int, str], ...]
    metadata: dict[str, str]
    topics: Mapping[str, str]

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            for array in value if isinstance(value, tuple) else (value,):
                if isinstance(array, np.ndarray):
                    array.setflags(write=False)

    @property
    def pictures(self) -> list[NDArray[np.uint8]]:
        """The pictures (H,W,3), blue first, as the JPEGs hold them."""
        return [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for jpeg in self.jpegs]

    @property
    def gap_ns(self) -> tuple[int, int]:
        """Stamps of the pictures before and after the gap."""
        return int(self.frame_ns[_LAST_BEFORE_GAP]), int(self.frame_ns[_LAST_BEFORE_GAP + 1])

    @property
    def events(self) -> list[Event]:
        """All messages in the order of the file."""
        stamps = {
            **dict.fromkeys(
                ("camera_info", "pose", "tf", "point_cloud", "depth", "rgb", "hands"), self.frame_ns
            ),
            "depth_camera_info": self.frame_ns[:1],
            "tracking": self.tracking_ns,
            "imu": self.imu_ns,
            "annotations": np.array([stamp for stamp, _ in self.texts]),
            "trajectory": self.frame_ns[[path[-1] for path in self.paths]],
            "mesh": self.frame_ns[-1:] + _AFTER_NS,
        }
        events = [
            Event(stream, topic, index, stamp)
            for stream, topic in self.topics.items()
            for index, stamp in enumerate(stamps[stream].tolist())
        ]
        return sorted(events, key=lambda event: event.stamp_ns)


@cache
def film_scene() -> Scene:
    """Film the demo's room, person and hands at irregular moments; once for all tests."""
    rng = np.random.default_rng(11)
    film = Film(DemoConfig(width=_WIDTH, height=_HEIGHT))
    frame_ns = START_NS + np.arange(_FRAMES) * _TICK_NS + rng.integers(-150_000, 150_000, _FRAMES)
    frame_ns[_LAST_BEFORE_GAP + 1 :] += _GAP_NS
    seconds = (frame_ns - START_NS) / 1e9
    frames = [film.frame(float(t), number=number) for number, t in enumerate(seconds)]
    last_ns = int(frame_ns[-1]) + _AFTER_NS
    tracking_ns, imu_ns = _ticks(last_ns, _TRACKING_NS, 90_000, rng), _ticks(last_ns, _IMU_NS, 240_000, rng)
    samples = film.motion.imu((imu_ns - START_NS) / 1e9, noise=1.0, random=rng)
    translation, quaternion = film.motion.pose(seconds)
    scale = np.diag([1.5, 1.5, 1.0])
    height, width = frames[0].depth_mm.shape
    return Scene(
        frame_ns=frame_ns,
        jpegs=tuple(encode_jpeg(frame.rgb, quality=90) for frame in frames),
        depth_mm=np.stack([frame.depth_mm for frame in frames]),
        K=np.stack([scale @ frame.K for frame in frames]),
        capture_size=(_WIDTH * 3 // 2, _HEIGHT * 3 // 2),
        depth_intrinsics=np.diag([width / _WIDTH, height / _HEIGHT, 1.0]) @ frames[0].K,
        translation=translation,
        quaternion_xyzw=quaternion,
        clouds=tuple(_cloud(frame.features, rng) for frame in frames),
        hand_joints=np.stack([frame.hand_joints_cam.reshape(42, 3) for frame in frames]),
        imu_ns=imu_ns,
        imu=np.hstack([samples.linear_acceleration, samples.angular_velocity, samples.orientation_xyzw]),
        tracking_ns=tracking_ns,
        tracking=_tracking(tracking_ns, frame_ns),
        mesh_corners=film.scene.mesh_corners(),
        paths=(range(1), range(1, _LAST_BEFORE_GAP + 1), range(_LAST_BEFORE_GAP + 1, _FRAMES)),
        texts=(
            (int(frame_ns[2]), "sort the objects"),
            (int(frame_ns[-2]), "put the \u201cred\u201d cup away"),
        ),
        metadata={"imu_reference_frame": "xArbitraryZVertical", "rgb_target_fps": "15"},
        topics=TOPICS,
    )


def _ticks(last_ns: int, step_ns: int, jitter_ns: int, rng: np.random.Generator) -> NDArray[np.int64]:
    nominal = np.arange(START_NS, last_ns, step_ns)
    ticks: NDArray[np.int64] = nominal + rng.integers(-jitter_ns, jitter_ns, len(nominal))
    return ticks


def _tracking(tracking_ns: NDArray[np.int64], frame_ns: NDArray[np.int64]) -> NDArray[np.uint8]:
    before, after = frame_ns[_LAST_BEFORE_GAP], frame_ns[_LAST_BEFORE_GAP + 1]
    lost = ((tracking_ns > before) & (tracking_ns < after))[:, None]
    return np.where(lost, [LIMITED, EXCESSIVE_MOTION], [NORMAL, 0]).astype(np.uint8)


def _cloud(points: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    confidence = rng.uniform(0, 1, (len(points), 1))
    return np.hstack([points, confidence]).astype(np.float32)
