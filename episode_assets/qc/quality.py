"""The computation of the asset: gather, check, judge, write. Reads top to bottom like the report itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from episode_assets.bundle import EpisodeBundle
from episode_assets.bundle.unaudited import pictures_among, unverified
from episode_assets.errors import ArtifactDamaged
from episode_assets.footage import passed_audit
from episode_assets.freed_memory import memory_given_back, return_freed_memory
from episode_assets.outcome import Json, Note, Outcome
from episode_assets.progress import Progress, silent
from episode_assets.qc.activity import idle_check
from episode_assets.qc.calibration_checks import calibration_checks
from episode_assets.qc.checks import Check, boundary_flags, hard_flags
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.depth_checks import depth_checks
from episode_assets.qc.depth_table import DEPTH_FIGURES, write_depth_table
from episode_assets.qc.document import Judgement, document, dumps, kept_summary
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.findings import findings_of
from episode_assets.qc.fingerprint import fingerprint, wall_offset_ns
from episode_assets.qc.gathering import SIGNALS, gather
from episode_assets.qc.hand_checks import hand_checks
from episode_assets.qc.imu_checks import imu_checks
from episode_assets.qc.intervals import KeptInterval, keep
from episode_assets.qc.metrics import metric_blocks
from episode_assets.qc.numbers import Block
from episode_assets.qc.page import render
from episode_assets.qc.picture_checks import picture_checks
from episode_assets.qc.pictures import stamps_as_json, take_pictures
from episode_assets.qc.pose_checks import pose_checks
from episode_assets.qc.privacy import privacy_block, privacy_check
from episode_assets.qc.ranges import Flags
from episode_assets.qc.scoring import score, stera_score, verdict
from episode_assets.qc.stream_checks import stream_checks
from episode_assets.qc.sync_checks import sync_checks
from episode_assets.qc.tracking_checks import tracking_checks
from episode_assets.recording import RecordingView

QC_JSON = "qc.json"
REPORT = "report.html"
DEFAULT = QualityConfig()


@memory_given_back()
def check_quality(
    bundle: EpisodeBundle,
    blurred: Path,
    hands: Path | None,
    raw: RecordingView,
    directory: Path,
    *,
    config: QualityConfig = DEFAULT,
    privacy: Mapping[str, Json] | None,
    earlier: Path | None = None,
    progress: Progress = silent,
) -> Outcome:
    """Judge one episode and write `qc.json` and `report.html`.

    The recording's pictures are never read: their numbers come from the blurred video's tables, and the pictures of
    the report from the bundle's blurred video.

    Args:
        bundle: The episode.
        blurred: Directory of the `blurred_rgb` artifact.
        hands: Directory of the `hand_poses` artifact; None where hands were not looked for.
        raw: The recording's inventory and small streams.
        directory: Empty directory to write into.
        config: Thresholds and weights.
        privacy: Privacy block of the blurred artifact's manifest.
        earlier: Directory of another report of the bundle, as one with other thresholds: its depth figures are taken
            over then, and no depth image is read. One of another bundle is of no use and does no harm.
        progress: Told while depth figures are taken.

    Returns:
        Both files as core, `depth_figures.parquet` beside them where there is depth, and the verdict as summary.

    Raises:
        UnauditedArtifact: The blurred video or the bundle's own record has no passed audit.
        ArtifactDamaged: The inputs do not belong together or cannot be read.
    """
    audited, record = passed_audit(privacy), passed_audit(bundle.privacy, where="episode_bundle")
    e = gather(bundle, blurred, hands, raw, earlier=earlier, progress=progress)
    return_freed_memory()  # an hour of tables has been read, of which the evidence keeps a part
    blocks = metric_blocks(e, config)
    judgement = judge(e, blocks, config, unverified_names=unverified(record))
    content = document(
        e,
        judgement,
        blocks,
        privacy_block(e, audited, record),
        config,
        signals_sha256=_sha256(blurred / SIGNALS),
    )
    pictures = take_pictures(bundle, e, judgement, most=config.contact_sheet_frames)
    content |= {
        "thumbnails": stamps_as_json(pictures.stamps),
        "fingerprint": fingerprint(e),
        "wall_offset_ns": wall_offset_ns(e),
    }
    (directory / QC_JSON).write_text(dumps(content), encoding="utf-8")
    (directory / REPORT).write_text(render(e, judgement, content, pictures), encoding="utf-8")
    figures: tuple[str, ...] = ()
    if e.depth is not None and e.depth_stamps_ns is not None:
        write_depth_table(directory / DEPTH_FIGURES, e.depth, bundle, len(e.depth_stamps_ns))
        figures = (DEPTH_FIGURES,)
    return Outcome(
        core=(QC_JSON, REPORT),
        view=figures,
        saved=(QC_JSON, REPORT, *figures),
        warnings=_notes(judgement.checks),
        summary=_summary(e, judgement),
        privacy=dict(audited),
    )


def judge(
    e: Evidence,
    blocks: Mapping[str, Block | None],
    config: QualityConfig,
    *,
    unverified_names: tuple[str, ...] = (),
) -> Judgement:
    """Run all checks on the evidence and decide; no picture is read, so thresholds are cheap to change."""
    checks = _all_checks(e, config, unverified_names)
    kept = _kept(e, checks, config)
    points, deductions = score(e, checks, config)
    comparison, _ = stera_score(blocks, config, has_pose=e.pose is not None)
    pictures = pictures_among(unverified_names)
    word, doubts = verdict(e, checks, kept, points, config, unverified=bool(pictures))
    return Judgement(
        verdict=word,
        doubts=tuple(doubts),
        score=points,
        deductions=tuple(deductions),
        score_stera=comparison,
        checks=checks,
        kept=tuple(kept),
        unverified=pictures,
        findings=findings_of(e, checks, deductions),
    )


def _all_checks(e: Evidence, config: QualityConfig, unverified_names: tuple[str, ...]) -> tuple[Check, ...]:
    in_time = sync_checks(e, config)
    late_ms = next((check.value or 0.0 for check in in_time if check.id == "sync_pose_imu"), 0.0)
    return (
        *picture_checks(e, config),
        *stream_checks(e, config),
        *in_time,
        *tracking_checks(e, config),
        *pose_checks(e, config, imu_late_ms=late_ms),
        *imu_checks(e, config),
        *depth_checks(e, config),
        *calibration_checks(e, config),
        *hand_checks(e, config),
        idle_check(e, config),
        privacy_check(unverified_names),
    )


def _kept(e: Evidence, checks: tuple[Check, ...], config: QualityConfig) -> list[KeptInterval]:
    return keep(
        e.stamps_ns,
        hard_flags(checks, len(e)),
        boundary_flags(checks, len(e)),
        median_step_ns=e.median_step_ns,
        hole_close_s=config.hole_close_s,
        cut_frames=config.cut_frames,
        keep_min_s=config.keep_min_s,
        missing=_before_missing_picture(e),
    )


def _before_missing_picture(e: Evidence) -> Flags:
    """Return (F,) flags of frames before which a message is not in the video."""
    flags = np.zeros(len(e) + 1, np.bool_)
    flags[np.searchsorted(e.stamps_ns, np.array([stamp for _, stamp, _ in e.dropped], np.int64))] = True
    return flags[:-1]


def _notes(checks: tuple[Check, ...]) -> tuple[Note, ...]:
    return tuple(
        Note(check.id, check.detail, stream=check.stream, count=max(len(check.ranges), 1))
        for check in checks
        if check.status in ("warn", "fail")
    )


def _summary(e: Evidence, judgement: Judgement) -> dict[str, Json]:
    kept = kept_summary(e, judgement.kept)
    counts = {
        word: sum(check.status == word for check in judgement.checks)
        for word in ("pass", "warn", "fail", "not_applicable", "not_run")
    }
    return {
        "verdict": judgement.verdict,
        "score": judgement.score,
        "score_stera": round(judgement.score_stera, 2),
        "publishable": judgement.publishable,
        "frames": len(e),
        "kept_intervals": kept["intervals"],
        "kept_s": kept["seconds"],
        "kept_share": kept["share"],
        "one_hand_s": kept["one_hand_seconds"],
        "two_hands_s": kept["two_hands_seconds"],
        "checks": counts,
    }


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArtifactDamaged(f"the file cannot be read: {error.strerror}", where=path.name) from error
