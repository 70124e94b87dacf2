"""The sections of the page about single streams: figures and charts, or a note where a stream is absent.

Charts over time share one axis, that of the pictures, so that they line up and are zoomed together. Findings of a
stream are marked on its charts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from episode_assets.qc.blocks import lengths
from episode_assets.qc.depth_figures import FINE_DEPTH_BIN_M
from episode_assets.qc.document import Judgement
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.marks import marks_in
from episode_assets.qc.markup import DASH, text
from episode_assets.qc.metrics import nearest_distance_ms
from episode_assets.qc.offsets import angular_speed
from episode_assets.qc.ranges import Flags, Stamps
from episode_assets.qc.svg import Line, Mark, histogram, line_chart, plan
from episode_assets.qc.timeline_rows import flag_row, span_of, time_axis
from episode_assets.qc.widgets import (
    Content,
    Figure,
    Tile,
    absent_note,
    answers,
    charts,
    figures,
    grade,
    show,
    table,
    tiles,
)
from episode_assets.recording.timeline import gap_before

SYNC_LIMIT_MS = 50.0
_RGB_FIGURES: tuple[Figure, ...] = (
    ("frame_count", "messages", "", 0),
    ("dropped_frames", "not in the video", "", 0),
    ("span_fps", "rate over the span", "Hz", 2),
    ("median_dt_ms", "median step", "ms", 2),
    ("max_dt_ms", "longest step", "ms", 0),
    ("gaps", "gaps", "", 0),
)
_TRAJECTORY_FIGURES: tuple[Figure, ...] = (
    ("path_length_m", "path", "m", 2),
    ("net_displacement_m", "start to end", "m", 2),
    ("footprint_area_m2", "footprint", "m²", 2),
    ("speed_mean_mps", "mean speed", "m/s", 2),
    ("speed_max_mps", "top speed", "m/s", 2),
    ("turn_count", "turns", "", 0),
    ("stationary_pct", "stationary", "%", 0),
    ("cumulative_rotation_deg", "rotation of the path", "°", 0),
)
_IMU_FIGURES: tuple[Figure, ...] = (
    ("sample_count", "samples", "", 0),
    ("effective_rate_hz", "rate", "Hz", 1),
    ("gravity_magnitude", "mean acceleration", "m/s²", 2),
    ("gravity_mode", "gravity", "", 0),
    ("accel_mag_max", "largest acceleration", "m/s²", 1),
    ("gyro_mag_max", "largest rotation", "rad/s", 1),
    ("jolt_events", "jolts", "", 0),
    ("motion_duration_s", "in motion", "s", 1),
    ("still_duration_s", "still", "s", 1),
)
_DEPTH_FIGURES: tuple[Figure, ...] = (
    ("frame_count", "messages", "", 0),
    ("span_fps", "rate", "Hz", 2),
    ("valid_pct_mean", "valid", "%", 1),
    ("empty_frame_count", "empty frames", "", 0),
    ("global_min_m", "nearest", "m", 2),
    ("global_max_m", "farthest", "m", 2),
)
_HAND_FIGURES: tuple[Figure, ...] = (
    ("backend", "found by", "", 0),
    ("wearer_any_hand_pct", "a hand of the wearer", "%", 0),
    ("frames_with_any_hand_pct", "a hand of anybody", "%", 0),
    ("frames_with_1plus_hand_pct", "one hand or more", "%", 0),
    ("frames_with_2_hands_pct", "exactly two hands", "%", 0),
    ("left_detection_pct", "left", "%", 0),
    ("right_detection_pct", "right", "%", 0),
    ("both_hands_pct", "both of the wearer", "%", 0),
    ("palm_width_mean_m", "palm width", "m", 3),
    ("not_wearer_rows", "other people's", "", 0),
)
_HAND_LIMITS = {
    "frames_with_any_hand_pct": "hand_any_thresholds",
    "frames_with_1plus_hand_pct": "hand_1plus_thresholds",
    "frames_with_2_hands_pct": "hand_2_thresholds",
}
_MESH_FIGURES: tuple[Figure, ...] = (
    ("vertex_count", "vertices", "", 0),
    ("face_count", "faces", "", 0),
    ("surface_area_m2", "surface", "m²", 1),
    ("bbox_volume_m3", "bounding volume", "m³", 1),
    ("verts_per_m2", "vertices per m²", "", 0),
    ("color_coverage_pct", "coloured", "%", 0),
)
_CLOUD_FIGURES: tuple[Figure, ...] = (
    ("point_count", "points", "", 0),
    ("density_pts_per_m3", "points per m³", "", 0),
)


class _TimeCharts:
    """Draws charts over the time of the recording, all with the findings of one section."""

    def __init__(self, e: Evidence, judgement: Judgement, section: str) -> None:
        self._e = e
        self.marks: list[Mark] = marks_in(judgement, section, end=span_of(e))

    def over_frames(self, title: str, lines: Sequence[Line], unit: str, limits: Sequence[float] = ()) -> str:
        """Draw one value per frame."""
        return self.over(self._e.stamps_ns, title, lines, unit, limits, breaks=self._e.gap_before)

    def over(
        self,
        stamps: Stamps,
        title: str,
        lines: Sequence[Line],
        unit: str,
        limits: Sequence[float] = (),
        *,
        breaks: Flags | None = None,
        from_zero: bool = True,
    ) -> str:
        """Draw one value per stamp."""
        return line_chart(
            title,
            _seconds(self._e, stamps),
            lines,
            unit=unit,
            limits=limits,
            breaks=gap_before(stamps) if breaks is None else breaks,
            from_zero=from_zero,
            marks=self.marks,
            span=(0.0, span_of(self._e)),
        )


def video(e: Evidence, judgement: Judgement, content: Content) -> str:
    """Exposure, sharpness and pace of the pictures, from the numbers taken before blurring."""
    s, draw, config = e.signals, _TimeCharts(e, judgement, "video"), content["config"]
    steps = np.full(len(e), np.nan)
    steps[1:] = np.diff(e.stamps_ns) / 1e6
    brightness = [Line(s.mean, "c1", "mean"), Line(s.median, "c2", "median")]
    drawn = [
        draw.over_frames("Brightness (luma)", brightness, f"0{DASH}255"),
        draw.over_frames(
            "Sharpness (Laplacian variance)",
            [Line(s.laplacian_variance)],
            "",
            (config["blur_laplacian_min"],),
        ),
        draw.over_frames("Change to the frame before", [Line(s.diff_previous)], "luma"),
        draw.over(
            e.stamps_ns,
            "Time between frames",
            [Line(steps)],
            "ms",
            (2.5 * e.median_step_ns / 1e6,),
            breaks=np.zeros(len(e), np.bool_),
        ),
    ]
    return tiles(figures(content["metrics"]["rgb"], _RGB_FIGURES)) + charts(drawn)


def trajectory(e: Evidence, judgement: Judgement, content: Content) -> str:
    """Where the camera went and how fast."""
    block = content["metrics"]["trajectory"]
    if block is None or e.pose is None:
        return absent_note("The recording has no poses.")
    p, stamps = e.pose.translation, e.pose.stamp_ns
    draw = _TimeCharts(e, judgement, "trajectory")
    speed = np.full(len(p), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        speed[1:] = np.linalg.norm(np.diff(p, axis=0), axis=1) / (np.diff(stamps) / 1e9)
    drawn = [
        plan(
            "Path from above",
            p[:, [0, 2]],
            seconds=_seconds(e, stamps),
            breaks=gap_before(stamps),
            marks=draw.marks,
        ),
        draw.over(stamps, "Height", [Line(p[:, 1])], "m", from_zero=False),
        draw.over(stamps, "Speed", [Line(speed)], "m/s"),
        _simple_histogram("Speed", speed, 40, unit="m/s · samples"),
    ]
    return tiles(figures(block, _TRAJECTORY_FIGURES)) + charts(drawn)


def imu(e: Evidence, judgement: Judgement, content: Content) -> str:
    """Acceleration and rotation over time."""
    block = content["metrics"]["imu"]
    if block is None or e.imu is None:
        return absent_note("The recording has no IMU samples.")
    draw, stamps = _TimeCharts(e, judgement, "imu"), e.imu.stamp_ns
    acceleration = lengths(e.imu.acceleration_axes())
    rotation = lengths(e.imu.rotation_axes())
    drawn = [
        draw.over(stamps, "Acceleration", [Line(acceleration)], "m/s²"),
        draw.over(stamps, "Rotation", [Line(rotation)], "rad/s"),
    ]
    return tiles(figures(block, _IMU_FIGURES)) + charts(drawn)


def depth(e: Evidence, judgement: Judgement, content: Content) -> str:
    """How much of the depth is measured, and how far things are."""
    block = content["metrics"]["depth"]
    if block is None or e.depth is None:
        return absent_note("The recording has no depth.")
    draw = _TimeCharts(e, judgement, "depth")
    used = max(10, int(np.flatnonzero(e.depth.histogram).max(initial=0)) + 1)
    edges = np.arange(used + 1, dtype=np.float64) * FINE_DEPTH_BIN_M
    limit = (100 * content["config"]["depth_low_ratio"],)
    limits = {"valid_pct_mean": content["config"]["depth_valid_thresholds"]}
    drawn = [
        draw.over_frames("Valid pixels", [Line(100 * e.depth.valid_ratio)], "%", limit),
        draw.over_frames("Median depth", [Line(e.depth.median_m)], "m"),
        histogram("Depth", edges, [("", "c1", e.depth.histogram[:used])], unit="m · pixels"),
    ]
    return tiles(figures(block, _DEPTH_FIGURES, limits=limits)) + charts(drawn)


def hands(e: Evidence, judgement: Judgement, content: Content) -> str:
    """When hands are seen, how sure, and how many."""
    block = content["metrics"]["hands"]
    if block is None:
        return absent_note("Hands were not looked for.")
    draw = _TimeCharts(e, judgement, "hands")
    sides = (("left", "c1", e.left), ("right", "c2", e.right))
    seen = [
        *(flag_row(e, f"{name} hand", e.stamps_ns, hand.valid, css) for name, css, hand in sides),
        time_axis(span_of(e)),
    ]
    edges = np.linspace(0, 1, 31, dtype=np.float64)
    groups = [
        (name, css, np.histogram(hand.confidence[hand.valid & (hand.kind == 1)], edges)[0].astype(np.int64))
        for name, css, hand in sides
    ]
    counts = e.left.valid.astype(int) + e.right.valid
    wrists = [Line(hand.wrist_cam[:, 2].astype(np.float64), css, name) for name, css, hand in sides]
    limits = {key: content["config"][name] for key, name in _HAND_LIMITS.items()}
    drawn = [
        histogram("Confidence", edges, groups, unit="measured hands"),
        histogram(
            "Hands of the wearer per frame",
            np.arange(4, dtype=np.float64) - 0.5,
            [("", "c1", np.bincount(counts, minlength=3)[:3].astype(np.int64))],
            unit="frames",
        ),
        draw.over_frames("Distance of the wrists", wrists, "m"),
    ]
    numbers = tiles(figures(block, _HAND_FIGURES, limits=limits))
    return f'<div class="card">{"".join(seen)}</div>{numbers}{charts(drawn)}'


def sync(e: Evidence, judgement: Judgement, content: Content) -> str:
    """How far the nearest message of each other stream lies from the pictures."""
    streams = {
        "rgb_vs_depth": ("Pictures to depth", e.depth_stamps_ns),
        "rgb_vs_pose": ("Pictures to poses", None if e.pose is None else e.pose.stamp_ns),
        "rgb_vs_imu": ("Pictures to IMU", None if e.imu is None else e.imu.stamp_ns),
    }
    cells: list[Tile] = []
    drawn: list[str] = []
    limits = content["config"]["sync_thresholds"]
    for key, (title, stamps) in streams.items():
        block = content["metrics"]["sync"][key]
        share = None if block is None else block["within_50ms_pct"]
        cells.append((show(share, "%", 0), f"{title}, within 50 ms", grade(share, limits)))
        if stamps is not None and len(stamps):
            drawn.append(_distances(title, nearest_distance_ms(e.rgb_stamps_ns, stamps)))
    offsets = [check for check in judgement.checks if check.id.startswith("sync_")]
    rows = answers(offsets)
    speeds = _speeds_chart(e, judgement)
    extra = [speeds] if speeds else []
    offered = table("Constant offsets", ("offset", "answer", "detail"), rows) if rows else ""
    return f"{tiles(cells)}{charts([*drawn, *extra])}{offered}"


def _distances(title: str, distance_ms: NDArray[np.float64]) -> str:
    edges = np.linspace(-60, 60, 51, dtype=np.float64)
    counts = np.histogram(np.clip(distance_ms, -60, 60), edges)[0].astype(np.int64)
    limits = (-SYNC_LIMIT_MS, SYNC_LIMIT_MS)
    return histogram(title, edges, [("", "c1", counts)], unit="ms · pictures", limits=limits)


def _speeds_chart(e: Evidence, judgement: Judgement) -> str:
    if e.pose is None or e.imu is None or len(e.pose.stamp_ns) < 3:
        return ""
    stamps, speed = angular_speed(e.pose)
    gyro = lengths(e.imu.rotation_axes())
    is_known = np.isfinite(gyro)
    if not is_known.any():
        return ""
    seen = np.interp(stamps.astype(np.float64), e.imu.stamp_ns[is_known].astype(np.float64), gyro[is_known])
    lines = [Line(speed, "c1", "poses"), Line(seen, "c2", "gyro")]
    return _TimeCharts(e, judgement, "sync").over(stamps, "Rotation seen by poses and gyro", lines, "rad/s")


def mesh(content: Content) -> str:
    """What is known of the surroundings in 3D."""
    metrics: Mapping[str, Mapping[str, object] | None] = content["metrics"]
    cells = [
        *figures(metrics.get("mesh") or {}, _MESH_FIGURES),
        *figures(metrics.get("point_cloud") or {}, _CLOUD_FIGURES),
    ]
    counts = content["metrics"]["recording"]["topic_counts"]
    found = {name: count for name, count in counts.items() if "mesh" in name or "point" in name}
    if not cells and not any(found.values()):
        return absent_note("The recording has no mesh and no point cloud.")
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th><td class=n>{count:,}</td></tr>'
        for name, count in found.items()
    )
    return (tiles(cells) if cells else "") + table(
        "Messages with a map", ("topic", "messages"), rows, numbers=(1,)
    )


def _simple_histogram(title: str, values: NDArray[np.float64], bins: int, *, unit: str) -> str:
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return ""
    low, high = float(finite.min()), float(np.percentile(finite, 99.5))
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(np.clip(finite, low, high), bins, (low, high))
    return histogram(title, edges, [("", "c1", counts.astype(np.int64))], unit=unit)


def _seconds(e: Evidence, stamps: Stamps) -> NDArray[np.float64]:
    return np.asarray((stamps - e.stamps_ns[0]) / 1e9, dtype=np.float64)
