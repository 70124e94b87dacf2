"""Reads published artifacts into what rows are made from, and checks that they belong together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import EpisodeBundle
from episode_assets.errors import ArtifactDamaged
from episode_assets.lerobot.hand_table import read_hand_table
from episode_assets.lerobot.imu_samples import imu_around
from episode_assets.lerobot.mano_table import read_mano_table
from episode_assets.lerobot.recipe_layout import Layout
from episode_assets.lerobot.source import EpisodeSource

QC_FILE = "qc.json"


@dataclass(frozen=True)
class QualityVerdict:
    """What quality control says about a recording.

    Attributes:
        verdict: pass, review or fail.
        score: 0 to 100; None where it is not stated.
        kept: Half-open ranges of frame positions, sorted and disjoint.
    """

    verdict: str
    score: float | None
    kept: tuple[tuple[int, int], ...]


def read_source(bundle: EpisodeBundle, hands: Path, *, layout: Layout, state: str) -> EpisodeSource:
    """Return the frames of a bundle with poses, intrinsics and hands.

    Args:
        bundle: The opened bundle.
        hands: Directory of the hand_poses artifact; its rows are joined by message number.
        layout: What rows hold beside the usual; only that is read.
        state: The layout's family.

    Raises:
        ArtifactDamaged: A table cannot be read or belongs to another recording.
    """
    frames = bundle.frames
    found = read_hand_table(hands, frames.message_number)
    depth = bundle.depth
    return EpisodeSource(
        recording_id=frames.recording_id,
        message_number=frames.message_number,
        stamp_ns=frames.stamp_ns,
        gap_before=frames.gap_before,
        is_key=frames.is_key,
        world_from_optical=bundle.poses.world_from_optical,
        intrinsics=_intrinsics(bundle.K, len(frames)),
        has_depth=_has_depth(bundle),
        depth_intrinsics=None if depth is None else _intrinsics(depth.K, len(frames)),
        depth_size=(0, 0) if depth is None else (depth.width, depth.height),
        joints_cam=found.joints_cam,
        joint_valid=found.joint_valid,
        hand_kind=found.kind,
        hand_confidence=found.confidence,
        hand_smoothed=found.smoothed,
        mano=read_mano_table(hands, frames.message_number, found.track) if layout.needs_mano(state) else None,
        handedness=found.handedness,
        imu=imu_around(bundle.imu, frames.stamp_ns) if "imu" in layout.extra else None,
    )


def _intrinsics(K: NDArray[np.float64] | None, frames: int) -> NDArray[np.float64]:
    """Return fx, fy, cx, cy (F, 4) of matrices (F, 3, 3), NaN where they are unknown."""
    return np.full((frames, 4), np.nan) if K is None else K[:, [0, 1, 0, 1], [0, 1, 2, 2]]


def _has_depth(bundle: EpisodeBundle) -> NDArray[np.bool_]:
    """Return which pictures have a depth image; without images in the bundle, which have a depth message."""
    if bundle.depth is not None:
        return bundle.depth.valid
    return np.asarray(bundle.pairing.depth_message_number >= 0)


def read_verdict(qc: Path, message_number: NDArray[np.int64]) -> QualityVerdict:
    """Return the verdict of a quality report with its kept intervals as positions in the bundle.

    Intervals are matched by message numbers, which hold for ever; positions may differ between versions.

    Raises:
        ArtifactDamaged: The report cannot be read, lists fewer intervals than it keeps, or names messages that the
            bundle does not have.
    """
    try:
        report = json.loads((qc / QC_FILE).read_text(encoding="utf-8"))
        score = report.get("score")
        _check_all_listed(report)
        positions = _places(message_number)
        kept = sorted(_positions(interval, positions) for interval in report["intervals"])
        return QualityVerdict(str(report["verdict"]), None if score is None else float(score), tuple(kept))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactDamaged(
            f"the quality report cannot be read: {type(error).__name__}: {error}",
            where=QC_FILE,
            remedy="materialise qc_report again",
        ) from error


def _check_all_listed(report: dict[str, Any]) -> None:
    """Refuse a report that counts more intervals than it lists: good frames would be lost without a word."""
    listed, kept = len(report["intervals"]), report.get("kept", {}).get("intervals")
    if kept is not None and kept != listed:
        raise ArtifactDamaged(
            f"the quality report keeps {kept} intervals and lists {listed}",
            where=QC_FILE,
            remedy="materialise qc_report again",
        )


def _places(message_number: NDArray[np.int64]) -> dict[int, int]:
    """Return the position of each message number that occurs once."""
    numbers, first, count = np.unique(message_number, return_index=True, return_counts=True)
    return dict(zip(numbers[count == 1].tolist(), first[count == 1].tolist(), strict=True))


def _positions(interval: dict[str, Any], positions: dict[int, int]) -> tuple[int, int]:
    ends = []
    for key in ("message_start", "message_end"):
        found = positions.get(interval[key])
        if found is None:
            raise ArtifactDamaged(
                f"a kept interval names message {interval[key]}, which the bundle does not have",
                where=QC_FILE,
                remedy="materialise qc_report again; it was made from another version of the bundle",
            )
        ends.append(found)
    return ends[0], ends[1] + 1
