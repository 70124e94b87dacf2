"""What the manifest says about hand poses: files, numbers, and what is missing and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from episode_assets.hands.backends import has_mano
from episode_assets.hands.config import HandPoseConfig
from episode_assets.hands.depth_view import DepthView, depth_view
from episode_assets.hands.findings import Seen
from episode_assets.hands.tables import (
    ANCHORED,
    FRAMES_FILE,
    GIVEN,
    HANDS_FILE,
    HELD,
    INTERPOLATED,
    MANO_FILE,
    MEASURED,
    PIXEL_ONLY,
    UPPER_BODY_FILE,
    list_values,
)
from episode_assets.outcome import Json, Note, Outcome, Skipped
from episode_assets.recording import RecordingView


def outcome_of(
    view: RecordingView,
    seen: Seen,
    table: pa.Table,
    *,
    config: HandPoseConfig,
    calibration_reasons: tuple[str, ...],
) -> Outcome:
    """Return the outcome of a finished computation whose hands were looked for in the pictures."""
    return _outcome(
        seen,
        table,
        config=config,
        skipped=_skipped(view, config),
        warnings=(
            *_picture_notes(seen),
            *_depth_notes(view, seen),
            *_camera_notes(view, calibration_reasons),
        ),
    )


def outcome_of_given(
    view: RecordingView,
    seen: Seen,
    table: pa.Table,
    *,
    config: HandPoseConfig,
    calibration_reasons: tuple[str, ...],
    notes: Sequence[Note],
) -> Outcome:
    """Return the outcome of a computation whose hands were given.

    Args:
        view: The recording.
        seen: Its pictures.
        table: The rows of hands.
        config: Settings.
        calibration_reasons: Why intrinsics are missing, where they are.
        notes: What is wrong with the source of the hands.
    """
    return _outcome(
        seen,
        table,
        config=config,
        skipped=_not_given(table),
        warnings=(*_picture_notes(seen), *_camera_notes(view, calibration_reasons), *notes),
    )


def _outcome(
    seen: Seen,
    table: pa.Table,
    *,
    config: HandPoseConfig,
    skipped: tuple[Skipped, ...],
    warnings: tuple[Note, ...],
) -> Outcome:
    asked_for = ((MANO_FILE, has_mano(config)), (UPPER_BODY_FILE, config.upper_body))
    files = (HANDS_FILE, FRAMES_FILE, *(name for name, is_there in asked_for if is_there))
    return Outcome(
        core=files,
        saved=files,
        skipped=skipped,
        warnings=warnings,
        models=config.models(),
        summary={
            **_summary(seen, table),
            "smoothing": config.smoothing,
            "scene_turned_deg": 90 * seen.turns,
        },
    )


def _skipped(view: RecordingView, config: HandPoseConfig) -> tuple[Skipped, ...]:
    items: list[Skipped] = []
    if view.depth is None:
        items.append(
            Skipped("hands.parquet:joints_cam", "no_depth_messages", "without depth hands have no place")
        )
    elif view.camera_info is None:
        items.append(
            Skipped("hands.parquet:joints_cam", "no_camera_info", "without intrinsics hands have no place")
        )
    elif depth_view(view) is DepthView.UNKNOWN:
        items.append(
            Skipped(
                "hands.parquet:joints_cam", "depth_view", "the depth is of another view than the pictures"
            )
        )
    if view.pose is None:
        names = ("hands.parquet", *((UPPER_BODY_FILE,) if config.upper_body else ()))
        items += [
            Skipped(f"{name}:joints_world", "no_pose_messages", "the camera's place is not known")
            for name in names
        ]
    return tuple(items)


def _not_given(table: pa.Table) -> tuple[Skipped, ...]:
    """Say which places in space no row has."""
    return tuple(
        Skipped(f"{HANDS_FILE}:{name}", "not_given", f"neither given nor to be had: {why}")
        for name, why in (
            ("joints_cam", "the hands or the camera have no known place"),
            ("joints_world", "the camera's place is not known"),
        )
        if table[name].null_count == table.num_rows
    )


def _picture_notes(seen: Seen) -> Iterator[Note]:
    lost = int((~seen.is_decodable).sum())
    if lost:
        yield Note("undecodable", f"{lost} pictures do not decode and have no rows", "rgb", lost)


def _depth_notes(view: RecordingView, seen: Seen) -> Iterator[Note]:
    if seen.undecodable_depth:
        text = f"{seen.undecodable_depth} depth frames do not decode; their hands are not anchored"
        yield Note("undecodable", text, "depth", seen.undecodable_depth)
    if seen.depth_misfits:
        text = f"the depth of {seen.depth_misfits} frames has another shape than picture or calibration; not used"
        yield Note("depth_aspect", text, "depth", seen.depth_misfits)
    if view.depth is not None and depth_view(view) is DepthView.UNKNOWN:
        text = (
            "the depth camera has another field of view than the pictures, and nothing says that it stands in the same "
            "place; no hand is placed by it"
        )
        yield Note("depth_view", text, "depth")


def _camera_notes(view: RecordingView, calibration_reasons: tuple[str, ...]) -> Iterator[Note]:
    if view.camera_info is not None:
        yield from (Note("intrinsics_unusable", reason, "camera_info") for reason in calibration_reasons)
        if any(abs(value) > 1e-6 for coefficients in view.camera_info.D for value in coefficients):
            text = (
                "lens distortion is not corrected: joints far from the centre are off by as much as it bends"
            )
            yield Note("distortion_ignored", text, "camera_info")


def _summary(seen: Seen, table: pa.Table) -> dict[str, Json]:
    """Return the numbers that people look at first; ratios count frames that decode, or hands read in their frame."""
    frames = int(seen.is_decodable.sum())
    kind, frame = table["kind"].to_numpy(), table["frame_index"].to_numpy()
    wearer = table["wearer"].to_numpy(zero_copy_only=False)
    is_right = pc.equal(table["side"], "right").to_numpy(zero_copy_only=False)
    anchor = table["anchor"].to_numpy(zero_copy_only=False)
    is_valid = (list_values(table, "joint_valid") > 0).any(axis=1)
    # A held row was read in its own frame too; only its distance was not.
    seen_now = kind != INTERPOLATED

    def frames_with(rows: NDArray[np.bool_]) -> int:
        return len(np.unique(frame[rows]))

    return {
        "frames": frames,
        "frames_undecodable": int((~seen.is_decodable).sum()),
        "frames_searched": int(seen.is_key.sum()),
        "frames_with_hand": frames_with(seen_now),
        "frames_with_wearer_hand": frames_with(seen_now & wearer),
        "frames_wearer_left": frames_with(seen_now & wearer & ~is_right),
        "frames_wearer_right": frames_with(seen_now & wearer & is_right),
        "wearer_left_valid_ratio": _ratio(frames_with(is_valid & wearer & ~is_right), frames),
        "wearer_right_valid_ratio": _ratio(frames_with(is_valid & wearer & is_right), frames),
        "in_space_ratio": _ratio(
            int(np.isin(anchor[seen_now], (ANCHORED, GIVEN)).sum()), int(seen_now.sum())
        ),
        "hands_measured": int((kind == MEASURED).sum()),
        "hands_interpolated": int((kind == INTERPOLATED).sum()),
        "hands_held": int((kind == HELD).sum()),
        "hands_anchored": int((anchor == ANCHORED).sum()),
        "hands_given": int((anchor == GIVEN).sum()),
        "hands_pixel_only": int((seen_now & (anchor == PIXEL_ONLY)).sum()),
        "hands_of_others": int((seen_now & ~wearer).sum()),
        "hands_smoothed": int(pc.sum(table["smoothed"]).as_py() or 0),
        "uncertainty_px_median": _median(list_values(table, "uncertainty_px")[seen_now]),
        "uncertainty_m_median": _median(list_values(table, "uncertainty_m")[seen_now]),
        "tracks": len(pc.unique(table["track"])),
    }


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _median(values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return round(float(np.median(known)), 4) if len(known) else None
