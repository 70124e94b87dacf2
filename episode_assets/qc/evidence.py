"""Everything the report is computed from: numbers per frame, small streams, depth figures, hands.

Only what it holds is told here; `gathering` reads it. A stream that is absent is None, never an empty stand-in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.signals import REDUCED_WIDTH_PX
from episode_assets.bundle import FaceBoxes
from episode_assets.qc.depth_figures import DepthNumbers
from episode_assets.qc.hand_figures import HandFigures
from episode_assets.qc.map_figures import CloudFigures, MeshFigures
from episode_assets.qc.ranges import Flags, Stamps
from episode_assets.recording import (
    CameraInfoStream,
    ImuSamples,
    Inventory,
    PoseStream,
    TfStream,
    TrackingStream,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Signals:
    """Numbers taken from each picture before blurring, (F,) float64; NaN where not measured.

    Luma is full range (0 to 255) at `width_px` pixels width (or the true one, if smaller); shifts are pixels at that
    width. `payload` holds short hashes of the compressed pictures, in hex.
    """

    mean: Floats
    std: Floats
    median: Floats
    laplacian_variance: Floats
    tiles_laplacian_median: Floats
    dark_ratio: Floats
    bright_ratio: Floats
    flat_tiles_ratio: Floats
    diff_previous: Floats
    shift_x_px: Floats
    shift_y_px: Floats
    shift_agreement: Floats
    red_mean: Floats
    green_mean: Floats
    blue_mean: Floats
    payload: NDArray[np.bytes_]
    width_px: int = REDUCED_WIDTH_PX

    @property
    def shift_px(self) -> Floats:
        """(F, 2) shift against the picture before."""
        return np.stack([self.shift_x_px, self.shift_y_px], axis=1)


@dataclass(frozen=True)
class HandTable:
    """How many hands the table of hand poses holds per frame, and which software found them.

    Attributes:
        per_frame: (F,) hands of anybody.
        not_wearer: Rows of other people's hands.
        same_side: (F,) the wearer has two hands of one side.
        backend: Name of the software; empty without rows.
    """

    per_frame: NDArray[np.int64]
    not_wearer: int
    same_side: Flags
    backend: str


@dataclass(frozen=True)
class SentCalibration:
    """A calibration as it was sent, which may be for the buffer of the camera and not for the pictures.

    Attributes:
        K: (3, 3) pixels.
        size: Width and height that it is for.
        model: Name of the distortion model.
        D: Its coefficients.
    """

    K: Floats
    size: tuple[int, int]
    model: str
    D: tuple[float, ...]

    @classmethod
    def first_of(cls, sent: CameraInfoStream | None) -> SentCalibration | None:
        """Return the first of a stream; None where there is none."""
        if sent is None or len(sent.width) == 0:
            return None
        size = int(sent.width[0]), int(sent.height[0])
        return cls(sent.K[0].copy(), size, sent.distortion_model[0], sent.D[0])


@dataclass(frozen=True)
class EdgeCounts:
    """How many transforms of the frame tree were sent.

    Attributes:
        moving: By names of parent and child, in the order in which they first came, those that are not static.
        static: All others.
    """

    moving: Mapping[tuple[str, str], int]
    static: int

    @classmethod
    def of(cls, tf: TfStream | None) -> EdgeCounts | None:
        """Count the transforms of a stream; None where there are none."""
        if tf is None or len(tf.stamp_ns) == 0:
            return None
        sent = zip(tf.parent, tf.child, tf.is_static.tolist(), strict=True)
        moving = Counter((parent, child) for parent, child, is_static in sent if not is_static)
        return cls(moving, len(tf.stamp_ns) - moving.total())


@dataclass(frozen=True)
class PathFigures:
    """Figures of all poses of all path messages.

    Attributes:
        poses: How many.
        length_m: Sum of the ways between them.
    """

    poses: int
    length_m: float

    @classmethod
    def of(cls, path: PoseStream | None) -> PathFigures | None:
        """Measure a path; None where there is none."""
        if path is None or len(path.stamp_ns) == 0:
            return None
        steps = np.linalg.norm(np.diff(path.translation, axis=0), axis=1)
        return cls(len(path.stamp_ns), float(np.nansum(steps)))


@dataclass(frozen=True)
class Evidence:
    """All inputs of the checks. Arrays with F rows follow the frames of the bundle.

    Attributes:
        recording_id: The recording.
        inventory: What the recording holds.
        stamps_ns: (F,) header stamps.
        message_number: (F,) rgb message numbers.
        gap_before: (F,) the one gap rule.
        median_step_ns: Median frame distance.
        seconds: (F,) how long each frame is shown, at most a median step.
        picture_size: Width and height.
        signals: Numbers per picture.
        dropped: (message number, stamp, reason) of pictures that are not in the video.
        rgb_stamps_ns: Stamps of all rgb messages, undecodable ones included.
        depth_stamps_ns: Stamps of the depth messages; None without depth.
        depth: Figures of the depth images, None without depth.
        K: (F, 3, 3) intrinsics or None.
        camera_position_m: (F, 3) optical centre in the world, NaN without pose.
        camera_rotation: (F, 3, 3) world from optical, NaN without pose.
        gyro_rad_s: (F,) median gyro norm while the frame was shown, NaN without IMU.
        tracking_state: (F,) state at each frame, -1 where unknown.
        pose, imu, tracking: The small streams, None where absent; columns of the IMU are read when asked for.
        tf: Counts of the frame tree, None without.
        left, right: Figures of the hands of the wearer.
        hands: Counts of the hand table; None when hands were not looked for.
        faces: Blurred rectangles.
        roll_rad: (F,) roll of the scene in the pictures, NaN where unknown.
        optical_from_imu: (3, 3) rotation, None where the recording does not say how the IMU sits.
        calibration: First calibration of the colour camera, None without.
        depth_calibration: That of the depth camera.
        mesh: Figures of the mesh as recorded, None without.
        scene_mesh: Figures of the mesh of the bundle, None without.
        scene_mesh_has_colours: Whether that mesh is coloured, from blurred pictures.
        cloud: Figures of the point cloud of the bundle, None without.
        trajectory: Figures of the recorder's own path, None without.
        hands_with_mano: Hands of the wearer that carry MANO numbers.
        up_in_world: (3,) unit vector against gravity in the world of the poses, None where nothing tells.
    """

    recording_id: str
    inventory: Inventory
    stamps_ns: Stamps
    message_number: NDArray[np.int64]
    gap_before: Flags
    median_step_ns: int
    seconds: Floats
    picture_size: tuple[int, int]
    signals: Signals
    dropped: tuple[tuple[int, int, str], ...]
    rgb_stamps_ns: Stamps
    depth_stamps_ns: Stamps | None
    depth: DepthNumbers | None
    K: Floats | None
    camera_position_m: Floats
    camera_rotation: Floats
    gyro_rad_s: Floats
    tracking_state: NDArray[np.int64]
    pose: PoseStream | None
    imu: ImuSamples | None
    tracking: TrackingStream | None
    tf: EdgeCounts | None
    left: HandFigures
    right: HandFigures
    hands: HandTable | None
    faces: FaceBoxes
    roll_rad: Floats
    optical_from_imu: Floats | None
    calibration: SentCalibration | None
    depth_calibration: SentCalibration | None
    mesh: MeshFigures | None
    scene_mesh: MeshFigures | None
    scene_mesh_has_colours: bool
    cloud: CloudFigures | None
    trajectory: PathFigures | None
    hands_with_mano: int
    up_in_world: Floats | None

    def __len__(self) -> int:
        return len(self.stamps_ns)

    def t(self, stamp_ns: int | np.int64) -> float:
        """Return seconds since the first frame."""
        return round((int(stamp_ns) - int(self.stamps_ns[0])) / 1e9, 6)
