"""Reading everything that the report is computed from, once.

No verdict is made here and no colour picture is decoded; the only pixels that are read are the bundle's depth images,
one at a time. Joints of hands are held a block of pictures at a time, streams of the recording one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from episode_assets.anonymization.signals import REDUCED_WIDTH_PX
from episode_assets.bundle import EpisodeBundle
from episode_assets.bundle.layout import SIDES, Side
from episode_assets.errors import ArtifactDamaged
from episode_assets.footage import read_table, require_columns
from episode_assets.freed_memory import return_freed_memory
from episode_assets.progress import Progress
from episode_assets.qc.blocks import lengths
from episode_assets.qc.depth_figures import DepthMeter, DepthNumbers
from episode_assets.qc.depth_table import DEPTH_FIGURES, read_depth_table
from episode_assets.qc.evidence import EdgeCounts, Evidence, HandTable, PathFigures, SentCalibration, Signals
from episode_assets.qc.hand_figures import HandFigures, Scene, hand_blocks, measure_hand
from episode_assets.qc.map_figures import cloud_figures, mesh_figures
from episode_assets.qc.ranges import Flags, Stamps, frame_seconds
from episode_assets.recording import (
    Attitude,
    ImuSamples,
    PoseStream,
    RecordingView,
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
    "tiles_laplacian_median",
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


def gather(
    bundle: EpisodeBundle,
    blurred: Path,
    hands: Path | None,
    raw: RecordingView,
    *,
    earlier: Path | None = None,
    progress: Progress,
) -> Evidence:
    """Read all inputs; the bundle's depth images are visited one at a time.

    Where `earlier` holds their figures, since it is a report of the same bundle, they are not visited at all.

    Nothing here is kept by the bundle or by `raw` beyond what the evidence refers to: an hour must fit.
    """
    raw = RecordingView(raw.directory, raw.source, recording_id=raw.recording_id, inventory=raw.inventory)
    stamps, poses = bundle.stamps_ns, bundle.poses
    step = median_step_ns(stamps)
    streams = _streams(raw, stamps)
    scene = Scene(bundle.K, bundle.picture_size, bundle.face_boxes)
    left, right = (_hand(bundle, side, scene) for side in SIDES)
    messages = 0 if streams.depth_stamps_ns is None else len(streams.depth_stamps_ns)
    depth = None if earlier is None else read_depth_table(earlier / DEPTH_FIGURES, bundle, messages)
    if depth is None:
        depth = _read_depth(bundle, messages, progress)
    return_freed_memory()
    table = None if hands is None else read_hand_table(hands / HANDS, bundle.message_numbers)
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
        rgb_stamps_ns=streams.rgb_stamps_ns,
        depth_stamps_ns=streams.depth_stamps_ns,
        depth=depth,
        K=scene.K,
        camera_position_m=poses.world_from_optical[:, :3, 3],
        camera_rotation=poses.world_from_optical[:, :3, :3],
        gyro_rad_s=_gyro_of_frames(streams.imu, stamps, step),
        tracking_state=_state_of_frames(streams.tracking, stamps),
        pose=streams.pose,
        imu=streams.imu,
        tracking=streams.tracking,
        tf=streams.tf,
        left=left,
        right=right,
        hands=table,
        faces=scene.faces,
        roll_rad=streams.attitude.roll_rad,
        up_in_world=streams.attitude.up_in_world,
        optical_from_imu=streams.optical_from_imu,
        calibration=SentCalibration.first_of(raw.first_calibration("camera_info")),
        depth_calibration=SentCalibration.first_of(raw.first_calibration("depth_camera_info")),
        mesh=None if raw.mesh is None else mesh_figures(raw.mesh.vertices, raw.mesh.triangles),
        scene_mesh=None if bundle.mesh is None else mesh_figures(bundle.mesh.vertices, bundle.mesh.triangles),
        scene_mesh_has_colours=bundle.mesh is not None and bundle.mesh.colours is not None,
        cloud=cloud_figures(bundle.point_cloud),
        trajectory=streams.trajectory,
        hands_with_mano=sum(_with_mano(bundle, side) for side in SIDES),
    )


@dataclass(frozen=True)
class _Streams:
    """What the report needs of the streams that move."""

    rgb_stamps_ns: Stamps
    depth_stamps_ns: Stamps | None
    attitude: Attitude
    optical_from_imu: Floats | None
    pose: PoseStream | None
    imu: ImuSamples | None
    tracking: TrackingStream | None
    tf: EdgeCounts | None
    trajectory: PathFigures | None


def _streams(raw: RecordingView, stamps_ns: Stamps) -> _Streams:
    """Return the streams, and let go of the tables behind them."""
    rgb_stamps = raw.rgb.stamp_ns if raw.has_rgb else stamps_ns
    depth_stamps = None if raw.depth is None else raw.depth.stamp_ns
    raw.let_go()
    mounted = raw.optical_from_imu
    streams = _Streams(
        rgb_stamps,
        depth_stamps,
        raw.attitude(stamps_ns),
        None if mounted is None else mounted[:3, :3],
        raw.pose,
        raw.imu_samples,
        raw.tracking,
        EdgeCounts.of(raw.tf),
        PathFigures.of(raw.trajectory),
    )
    raw.let_go()
    return streams


def _hand(bundle: EpisodeBundle, side: Side, scene: Scene) -> HandFigures:
    return measure_hand(hand_blocks(bundle, side), len(bundle), scene, is_right=side == "right")


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
    payload = np.asarray(table["payload_sha256_8"].to_pylist(), dtype=np.bytes_)
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


def read_hand_table(path: Path, message_number: NDArray[np.int64]) -> HandTable:
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


def _read_depth(bundle: EpisodeBundle, messages: int, progress: Progress) -> DepthNumbers | None:
    if bundle.depth is None:
        return None
    meter = DepthMeter(bundle, messages)
    with _one_thread():
        for frame in range(len(bundle)):
            image = bundle.depth_frame(frame)
            progress("depth figures", frame + 1, len(bundle))
            if image is None:
                meter.skip()
            else:
                meter.see(frame, image)
    return meter.numbers()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep OpenCV from sharing small images among threads: to wake and await them costs as much again."""
    usual = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(usual)


def _gyro_of_frames(imu: ImuSamples | None, stamps_ns: Stamps, step_ns: int) -> Floats:
    """Return the median gyro norm in the interval that ends at each frame and is one median step long."""
    gyro = np.full(len(stamps_ns), np.nan)
    if imu is None or len(imu) == 0:
        return gyro
    norm, felt_ns = lengths(imu.rotation_axes()), imu.stamp_ns
    starts = np.searchsorted(felt_ns, stamps_ns - step_ns, side="right")
    ends = np.searchsorted(felt_ns, stamps_ns, side="right")
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
