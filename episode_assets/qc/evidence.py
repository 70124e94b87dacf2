"""Everything the report is computed from, gathered once: numbers per frame, small streams, depth figures, hands.

No verdict is made here and no colour picture is decoded; the only pixels that are read are the bundle's depth images,
one at a time. A stream that is absent is None, never an empty stand-in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.bundle import EpisodeBundle, FaceBoxes, HandArrays
from episode_assets.bundle.layout import SIDES
from episode_assets.errors import ArtifactDamaged
from episode_assets.progress import Progress
from episode_assets.qc.hand_depth import HandDepth
from episode_assets.qc.ranges import Flags, Stamps, frame_seconds
from episode_assets.recording import (
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
)

DEPTH_BINS_M = (0.0, 1.0, 2.0, 5.0, np.inf)
FINE_DEPTH_BIN_M = 0.1
FINE_DEPTH_BINS = 60
_DEPTH_STEP = 2  # every second row and column: a quarter of the pixels tells the same shares


@dataclass(frozen=True)
class Signals:
    """Numbers taken from each picture before blurring, (F,) float64; NaN where not measured.

    Luma is full range (0 to 255) at 320 pixels width; shifts are pixels at that width. `payload` holds short hashes
    of the compressed pictures.
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
    payload: NDArray[np.str_]


@dataclass(frozen=True)
class DepthNumbers:
    """Figures of the depth images, read once.

    Attributes:
        has: (F,) bool, the frame has a depth image.
        valid_ratio: (F,) share of pixels with a measurement, NaN without image.
        median_m: (F,) median of the valid pixels in metres, NaN without any.
        mean_m: (F,) mean of the valid pixels.
        min_m: Smallest valid depth of all; None without any.
        max_m: Largest.
        histogram: (60,) pixels per 0.1 m bin from 0 m; what lies beyond is in `beyond`.
        beyond: Pixels at 6 m and more.
        saturated: Pixels at 65,535 mm.
        coarse: (4,) pixels in [0, 1), [1, 2), [2, 5), [5, inf) metres.
    """

    has: Flags
    valid_ratio: Floats
    median_m: Floats
    mean_m: Floats
    min_m: float | None
    max_m: float | None
    histogram: NDArray[np.int64]
    beyond: int
    saturated: int
    coarse: NDArray[np.int64]

    def percentile_m(self, percent: float) -> float | None:
        """Return a percentile of depth from the histogram, to a bin of 0.1 m; None without valid pixels."""
        total = int(self.histogram.sum()) + self.beyond
        if total == 0:
            return None
        position = int(np.searchsorted(np.cumsum(self.histogram), total * percent / 100))
        if position >= FINE_DEPTH_BINS:
            return self.max_m
        return (position + 0.5) * FINE_DEPTH_BIN_M


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
        pose, imu, tracking, tf: The small streams, None where absent.
        left, right: Hands of the wearer.
        hands: Counts of the hand table; None when hands were not looked for.
        faces: Blurred rectangles.
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

    def __len__(self) -> int:
        return len(self.stamps_ns)

    def t(self, stamp_ns: int | np.int64) -> float:
        """Return seconds since the first frame."""
        return round((int(stamp_ns) - int(self.stamps_ns[0])) / 1e9, 6)


def gather(
    bundle: EpisodeBundle, blurred: Path, hands: Path | None, raw: RecordingView, *, progress: Progress
) -> Evidence:
    """Read all inputs; the bundle's depth images are visited one at a time."""
    stamps = bundle.stamps_ns
    step = median_step_ns(stamps)
    poses = bundle.poses
    at_hands = (HandDepth(bundle, bundle.left), HandDepth(bundle, bundle.right))
    depth = _read_depth(bundle, at_hands, progress)
    return Evidence(
        recording_id=bundle.recording_id,
        inventory=raw.inventory,
        stamps_ns=stamps,
        message_number=bundle.message_numbers,
        gap_before=gap_before(stamps),
        median_step_ns=step,
        seconds=frame_seconds(stamps, step),
        picture_size=bundle.picture_size,
        signals=_read_signals(blurred / SIGNALS, bundle.message_numbers),
        dropped=_read_dropped(blurred / DROPPED),
        rgb_stamps_ns=raw.rgb.stamp_ns if raw.has_rgb else stamps,
        depth_stamps_ns=None if raw.depth is None else raw.depth.stamp_ns,
        depth=depth,
        K=bundle.K,
        camera_position_m=poses.world_from_optical[:, :3, 3],
        camera_rotation=poses.world_from_optical[:, :3, :3],
        gyro_rad_s=_gyro_of_frames(raw.imu, stamps, step),
        tracking_state=_state_of_frames(raw.tracking, stamps),
        pose=raw.pose,
        imu=raw.imu,
        tracking=raw.tracking,
        tf=raw.tf,
        left=bundle.left,
        right=bundle.right,
        hands=None if hands is None else _read_hand_table(hands / HANDS, bundle.message_numbers, at_hands),
        faces=bundle.face_boxes,
    )


def _read(path: Path, columns: list[str]) -> pa.Table:
    try:
        table = pq.read_table(path, use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise ArtifactDamaged(
            f"the table cannot be read: {error}", where=path.name, remedy=_REMEDY
        ) from error
    missing = sorted(set(columns) - set(table.column_names))
    if missing:
        raise ArtifactDamaged(f"columns {missing} are missing", where=path.name, remedy=_REMEDY)
    return table.select(columns)


def _floats(table: pa.Table, name: str) -> Floats:
    return np.asarray(table[name].cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _read_signals(path: Path, message_number: NDArray[np.int64]) -> Signals:
    table = _read(path, ["message_number", *_NUMBERS, "payload_sha256_8"])
    numbers = np.asarray(table["message_number"].to_numpy(), dtype=np.int64)
    if not np.array_equal(numbers, message_number):
        raise ArtifactDamaged(
            f"{len(numbers)} rows do not belong to the {len(message_number)} frames of the bundle",
            where=path.name,
            remedy=_REMEDY,
        )
    payload = np.asarray(table["payload_sha256_8"].to_pylist(), dtype=np.str_)
    return Signals(**{name: _floats(table, name) for name in _NUMBERS}, payload=payload)


def _read_dropped(path: Path) -> tuple[tuple[int, int, str], ...]:
    if not path.exists():
        return ()
    table = _read(path, ["message_number", "stamp_ns", "reason"])
    return tuple(
        (int(row["message_number"]), int(row["stamp_ns"] or 0), str(row["reason"]))
        for row in table.to_pylist()
    )


def _read_hand_table(
    path: Path, message_number: NDArray[np.int64], at_hands: tuple[HandDepth, HandDepth]
) -> HandTable:
    table = _read(path, ["message_number", "side", "wearer", "backend"])
    numbers = np.asarray(table["message_number"].to_numpy(), dtype=np.int64)
    place = np.minimum(np.searchsorted(message_number, numbers), len(message_number) - 1)
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
    bundle: EpisodeBundle, at_hands: tuple[HandDepth, HandDepth], progress: Progress
) -> DepthNumbers | None:
    info = bundle.depth
    if info is None:
        return None
    count = len(bundle)
    valid, median, mean = (np.full(count, np.nan) for _ in range(3))
    histogram, coarse = np.zeros(FINE_DEPTH_BINS, np.int64), np.zeros(len(DEPTH_BINS_M) - 1, np.int64)
    lows, highs, beyond, saturated = [], [], 0, 0
    for frame in range(count):
        image = bundle.depth_frame(frame)
        progress("depth figures", frame + 1, count)
        if image is None:
            continue
        for hand in at_hands:
            hand.see(frame, image)
        measured = image[::_DEPTH_STEP, ::_DEPTH_STEP]
        measured = measured[measured > 0]
        valid[frame] = np.count_nonzero(image) / image.size
        if len(measured) == 0:
            continue
        median[frame], mean[frame] = np.median(measured) / 1000, measured.mean() / 1000
        lows.append(int(measured.min()))
        highs.append(int(measured.max()))
        tenths = np.bincount(measured // int(FINE_DEPTH_BIN_M * 1000), minlength=FINE_DEPTH_BINS)
        histogram += tenths[:FINE_DEPTH_BINS]
        beyond += int(tenths[FINE_DEPTH_BINS:].sum())
        saturated += int(np.count_nonzero(measured == np.iinfo(np.uint16).max))
        coarse += np.histogram(measured / 1000, DEPTH_BINS_M)[0]
    return DepthNumbers(
        has=np.isfinite(valid),
        valid_ratio=valid,
        median_m=median,
        mean_m=mean,
        min_m=min(lows) / 1000 if lows else None,
        max_m=max(highs) / 1000 if highs else None,
        histogram=histogram,
        beyond=beyond,
        saturated=saturated,
        coarse=coarse,
    )


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
