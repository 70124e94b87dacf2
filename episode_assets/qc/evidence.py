"""Everything the report is computed from, gathered once: numbers per frame, small streams, depth figures, hands.

No verdict is made here and no colour picture is decoded; the only pixels that are read are the bundle's depth images,
one at a time. A stream that is absent is None, never an empty stand-in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from episode_assets.anonymization.signals import REDUCED_WIDTH_PX
from episode_assets.bundle import EpisodeBundle, FaceBoxes, HandArrays
from episode_assets.bundle.layout import SIDES, Side
from episode_assets.errors import ArtifactDamaged
from episode_assets.footage import read_table, require_columns
from episode_assets.progress import Progress
from episode_assets.qc.depth_figures import DepthMeter, DepthNumbers
from episode_assets.qc.hand_depth import HandDepth
from episode_assets.qc.map_figures import CloudFigures, MeshFigures, cloud_figures, mesh_figures
from episode_assets.qc.ranges import Flags, Stamps, frame_seconds
from episode_assets.recording import (
    CameraInfoStream,
    ImuStream,
    Inventory,
    PoseStream,
    RecordingView,
    TfStream,
    TrackingStream,
)
from episode_assets.recording.timeline import gap_before, median_step_ns

Floats = NDArray[np.float64]

SIGNALS = "signals.parquet"
DROPPED = "dropped.parquet"
HANDS = "hands.parquet"
_REMEDY = "materialise blurred_rgb and episode_bundle of this recording again"
_NUMBERS = (
    "mean",
    "std",
    "median",
    "laplacian_variance",
    "dark_ratio",
    "bright_ratio",
    "flat_tiles_ratio",
    "diff_previous",
    "shift_x_px",
    "shift_y_px",
    "shift_agreement",
    "red_mean",
    "green_mean",
    "blue_mean",
)


@dataclass(frozen=True)
class Signals:
    """Numbers taken from each picture before blurring, (F,) float64; NaN where not measured.

    Luma is full range (0 to 255) at `width_px` pixels width (or the true one, if smaller); shifts are pixels at that
    width. `payload` holds short hashes of the compressed pictures.
    """

    mean: Floats
    std: Floats
    median: Floats
    laplacian_variance: Floats
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
    payload: NDArray[np.str_]
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
        left_depth_offset_m: (F,) metres by which palm joints lie behind the measured surface, NaN where not known.
        right_depth_offset_m: The same of the right hand.
        backend: Name of the software; empty without rows.
    """

    per_frame: NDArray[np.int64]
    not_wearer: int
    same_side: Flags
    left_depth_offset_m: Floats
    right_depth_offset_m: Floats
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
        pose, imu, tracking, tf: The small streams, None where absent; the IMU without its orientation.
        left, right: Hands of the wearer, without uncertainty and validity of each joint.
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
        trajectory: All poses of all path messages, None without.
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
    imu: ImuStream | None
    tracking: TrackingStream | None
    tf: TfStream | None
    left: HandArrays
    right: HandArrays
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
    trajectory: PoseStream | None
    hands_with_mano: int
    up_in_world: Floats | None

    def __len__(self) -> int:
        return len(self.stamps_ns)

    def t(self, stamp_ns: int | np.int64) -> float:
        """Return seconds since the first frame."""
        return round((int(stamp_ns) - int(self.stamps_ns[0])) / 1e9, 6)


def gather(
    bundle: EpisodeBundle, blurred: Path, hands: Path | None, raw: RecordingView, *, progress: Progress
) -> Evidence:
    """Read all inputs; the bundle's depth images are visited one at a time.

    Nothing here is kept by the bundle or by `raw` beyond what the evidence refers to: an hour must fit.
    """
    raw = RecordingView(raw.directory, raw.source, recording_id=raw.recording_id, inventory=raw.inventory)
    e = _without_hands_and_depth(bundle, blurred, raw)
    raw.let_go()
    left, right = _hand(bundle, "left"), _hand(bundle, "right")
    at_hands = (HandDepth(bundle, left), HandDepth(bundle, right))
    depth = _read_depth(
        bundle, 0 if e.depth_stamps_ns is None else len(e.depth_stamps_ns), at_hands, progress
    )
    table = None if hands is None else read_hand_table(hands / HANDS, bundle.message_numbers, at_hands)
    return replace(e, left=left, right=right, depth=depth, hands=table)


def _without_hands_and_depth(bundle: EpisodeBundle, blurred: Path, raw: RecordingView) -> Evidence:
    """Return all that needs the streams of the recording; they go before the hands come."""
    stamps = bundle.stamps_ns
    step = median_step_ns(stamps)
    poses, attitude, nothing = bundle.poses, raw.attitude(stamps), HandArrays.missing(0)
    return Evidence(
        recording_id=bundle.recording_id,
        inventory=raw.inventory,
        stamps_ns=stamps,
        message_number=bundle.message_numbers,
        gap_before=gap_before(stamps),
        median_step_ns=step,
        seconds=frame_seconds(stamps, step),
        picture_size=bundle.picture_size,
        signals=_read_signals(blurred / SIGNALS, bundle.message_numbers, bundle.picture_size[0]),
        dropped=_read_dropped(blurred / DROPPED),
        rgb_stamps_ns=raw.rgb.stamp_ns if raw.has_rgb else stamps,
        depth_stamps_ns=None if raw.depth is None else raw.depth.stamp_ns,
        depth=None,
        K=bundle.K,
        camera_position_m=poses.world_from_optical[:, :3, 3],
        camera_rotation=poses.world_from_optical[:, :3, :3],
        gyro_rad_s=_gyro_of_frames(raw.imu, stamps, step),
        tracking_state=_state_of_frames(raw.tracking, stamps),
        pose=raw.pose,
        imu=_imu(raw),
        tracking=raw.tracking,
        tf=raw.tf,
        left=nothing,
        right=nothing,
        hands=None,
        faces=bundle.face_boxes,
        roll_rad=attitude.roll_rad,
        up_in_world=attitude.up_in_world,
        optical_from_imu=None if raw.optical_from_imu is None else raw.optical_from_imu[:3, :3],
        calibration=SentCalibration.first_of(raw.camera_info),
        depth_calibration=SentCalibration.first_of(raw.depth_camera_info),
        mesh=None if raw.mesh is None else mesh_figures(raw.mesh.vertices, raw.mesh.triangles),
        scene_mesh=None if bundle.mesh is None else mesh_figures(bundle.mesh.vertices, bundle.mesh.triangles),
        scene_mesh_has_colours=bundle.mesh is not None and bundle.mesh.colours is not None,
        cloud=cloud_figures(bundle.point_cloud),
        trajectory=raw.trajectory,
        hands_with_mano=sum(_with_mano(bundle, side) for side in SIDES),
    )


def _hand(bundle: EpisodeBundle, side: Side) -> HandArrays:
    nothing = np.empty((len(bundle), 0), np.float32)
    unread = nothing.astype(np.bool_)
    return replace(bundle.hand(side), uncertainty_px=nothing, uncertainty_m=nothing, joint_valid=unread)


def _imu(raw: RecordingView) -> ImuStream | None:
    """Return the IMU's samples without its orientation; copies, since slices would hold the whole table."""
    return raw.imu and replace(
        raw.imu,
        linear_acceleration=raw.imu.linear_acceleration.copy(),
        angular_velocity=raw.imu.angular_velocity.copy(),
        orientation_xyzw=np.empty((0, 4)),
    )


def _with_mano(bundle: EpisodeBundle, side: Side) -> int:
    path = f"/hand-pose/{side}_mano_valid"
    return int(np.count_nonzero(bundle.array(path))) if bundle.has(path) else 0


def _read(path: Path, columns: list[str]) -> pa.Table:
    table = read_table(path, columns, remedy=_REMEDY)
    require_columns(table, columns, where=path.name, remedy=_REMEDY)
    return table


def _floats(table: pa.Table, name: str) -> Floats:
    return np.asarray(table[name].cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _read_signals(path: Path, message_number: NDArray[np.int64], picture_width: int) -> Signals:
    table = _read(path, ["message_number", *_NUMBERS, "payload_sha256_8"])
    numbers = np.asarray(table["message_number"].to_numpy(), dtype=np.int64)
    if not np.array_equal(numbers, message_number):
        raise ArtifactDamaged(
            f"{len(numbers)} rows do not belong to the {len(message_number)} frames of the bundle",
            where=path.name,
            remedy=_REMEDY,
        )
    payload = np.asarray(table["payload_sha256_8"].to_pylist(), dtype=np.str_)
    width = min(REDUCED_WIDTH_PX, picture_width)
    return Signals(**{name: _floats(table, name) for name in _NUMBERS}, payload=payload, width_px=width)


def _read_dropped(path: Path) -> tuple[tuple[int, int, str], ...]:
    if not path.exists():
        return ()
    table = _read(path, ["message_number", "stamp_ns", "reason"])
    return tuple(
        (int(row["message_number"]), int(row["stamp_ns"] or 0), str(row["reason"]))
        for row in table.to_pylist()
    )


def read_hand_table(
    path: Path, message_number: NDArray[np.int64], at_hands: tuple[HandDepth, HandDepth]
) -> HandTable:
    """Count the hands of the table at a path for frames (F,) of these messages.

    Frames are in the order of their stamps, in which message numbers need not ascend.
    """
    table = _read(path, ["message_number", "side", "wearer", "backend"])
    numbers = np.asarray(table["message_number"].to_numpy(), dtype=np.int64)
    order = np.argsort(message_number)
    sorted_place = np.searchsorted(message_number, numbers, sorter=order)
    place = order[np.minimum(sorted_place, len(message_number) - 1)]
    known = message_number[place] == numbers
    counts = np.bincount(place[known], minlength=len(message_number)).astype(np.int64)
    wearer = np.asarray(table["wearer"].to_numpy(zero_copy_only=False), dtype=np.bool_)
    backends = sorted({str(name) for name in table["backend"].unique().to_pylist()})
    return HandTable(
        counts,
        int((~wearer).sum()),
        _with_two_of_a_side(table["side"], place, known & wearer, len(message_number)),
        at_hands[0].offset_m,
        at_hands[1].offset_m,
        ",".join(backends),
    )


def _with_two_of_a_side(
    sides: pa.ChunkedArray, place: NDArray[np.intp], is_counted: Flags, count: int
) -> Flags:
    flags = np.zeros(count, np.bool_)
    for side in SIDES:
        is_side = np.asarray(pc.equal(sides, side).fill_null(False).to_numpy(), np.bool_)
        flags |= np.bincount(place[is_side & is_counted], minlength=count) > 1
    return flags


def _read_depth(
    bundle: EpisodeBundle, messages: int, at_hands: tuple[HandDepth, HandDepth], progress: Progress
) -> DepthNumbers | None:
    if bundle.depth is None:
        return None
    meter = DepthMeter(bundle, messages)
    for frame in range(len(bundle)):
        image = bundle.depth_frame(frame)
        progress("depth figures", frame + 1, len(bundle))
        if image is None:
            meter.skip()
        else:
            meter.see(frame, image)
            for hand in at_hands:
                hand.see(frame, image)
    return meter.numbers()


def _gyro_of_frames(imu: ImuStream | None, stamps_ns: Stamps, step_ns: int) -> Floats:
    """Return the median gyro norm in the interval that ends at each frame and is one median step long."""
    gyro = np.full(len(stamps_ns), np.nan)
    if imu is None or len(imu.stamp_ns) == 0:
        return gyro
    norm = np.linalg.norm(imu.angular_velocity, axis=1)
    starts = np.searchsorted(imu.stamp_ns, stamps_ns - step_ns, side="right")
    ends = np.searchsorted(imu.stamp_ns, stamps_ns, side="right")
    for frame in np.flatnonzero(ends > starts):
        inside = norm[starts[frame] : ends[frame]]
        inside = inside[np.isfinite(inside)]
        if len(inside):
            gyro[frame] = float(np.median(inside))
    return gyro


def _state_of_frames(tracking: TrackingStream | None, stamps_ns: Stamps) -> NDArray[np.int64]:
    if tracking is None or len(tracking.stamp_ns) == 0:
        return np.full(len(stamps_ns), -1, np.int64)
    place = np.searchsorted(tracking.stamp_ns, stamps_ns, side="right") - 1
    return np.where(place >= 0, tracking.state[np.maximum(place, 0)].astype(np.int64), -1)
