"""What the audit concluded, and on what grounds: the privacy record of the manifest and `audit.json`.

Numbers and names only: frame numbers, boxes, scores, shares. Pictures that show them are made in `evidence`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.areas import Areas
from episode_assets.anonymization.backends import labels_of, unhashed_of
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.detectors import Label
from episode_assets.anonymization.evidence import Shown, picture_name
from episode_assets.anonymization.filling import MAX_LEFT
from episode_assets.anonymization.groups import blocking_finds
from episode_assets.anonymization.means import SearchUse
from episode_assets.anonymization.passes import Blurred
from episode_assets.anonymization.tracks import Source
from episode_assets.anonymization.upright import Upright
from episode_assets.outcome import Json

AUDIT_SCHEMA_VERSION = 2

_SMALL = "faces smaller than smallest_face_px, and faces the detector does not know"
_TILTED = "faces tilted by more than some 25 degrees against gravity, as of people who lie down"
_PLATES_TOO = "licence plates that the detector does not know, screens, documents, photographs without a face"
_NO_PLATES = "licence plates, screens, documents, photographs without a face"


def not_removed(config: FaceBlurConfig, upright: Upright) -> list[str]:
    """Return what a user must not take for removed. The video is face-blurred, not anonymised."""
    return [
        _SMALL,
        _TILTED,
        *([_guessed(upright)] if upright.unknown else []),
        "bodies, clothes, hair outside the blurred rectangles, gait",
        _PLATES_TOO if Label.PLATE in labels_of(config, config.detector) else _NO_PLATES,
        "places that are recognisable from the scene",
    ]


def _guessed(upright: Upright) -> str:
    told = "samples showed no faces at any angle" if upright.sampled_quarters is None else "samples told"
    degrees = 90 * (upright.sampled_quarters or 0)
    return (
        f"of the {upright.unknown} pictures whose roll nothing tells: faces that do not stand upright when turned by "
        f"{degrees} degrees ({told}), except in every {upright.key_stride}th picture, which is searched at all right "
        "angles"
    )


def privacy_record(
    blurred: Blurred, config: FaceBlurConfig, areas: Areas, *, frame_index: Mapping[int, int]
) -> dict[str, Json]:
    """Return the record that stands in the manifest; `reasons` and `evidence` are there only if the audit failed.

    Args:
        blurred: The recording after its passes.
        config: The settings of the run.
        areas: What people drew to be painted over.
        frame_index: Position in the stream to frame index.
    """
    is_face = blurred.redactions.tracks.source != Source.REDACTION
    sources = blurred.redactions.tracks.source
    counts: dict[str, Json] = {
        source.name.lower(): int((sources == source).sum())
        for source in sorted(Source, key=lambda source: source.name)
        if (sources == source).any()
    }
    record: dict[str, Json] = {
        "audit": "passed" if blurred.passed else "failed",
        "known_answer": "passed" if blurred.knows_faces else "failed",
        "rounds": blurred.rounds,
        "boxes_added": len(blurred.finds),
        "detector": config.detector,
        "audit_detector": config.audit_detector,
        "sha256": {model.name: model.sha256 for model in blurred.models},
        "thresholds": _thresholds(config),
        "frames": sum(len(look.position) for look in blurred.looks),
        "frames_with_faces": len(np.unique(blurred.redactions.tracks.frame[is_face])),
        "finds_refuted": sum(len(boxes) for group in blurred.groups for boxes in group.audit.refuted),
        "boxes_refuted": sum(look.refuted for look in blurred.looks),
        "boxes_total": int(is_face.sum()),
        "boxes": counts,
        "min_face_px": _rounded(blurred.searches[0].smallest_face_px),
        "upright": blurred.upright.grounds,
        "upright_unknown": blurred.upright.unknown,
        "upright_turned_degrees": 90 * (blurred.upright.sampled_quarters or 0),
        "method": config.method,
        "shape": config.shape,
        "not_removed": not_removed(config, blurred.upright),
    }
    if len(areas):
        record["redactions"] = areas.record(blurred.redactions)
    unhashed = unhashed_of(config, config.detector, config.audit_detector)
    if unhashed:
        record["without_digest"] = list(unhashed)
    count = sum(int(is_excepted.sum()) for is_excepted in _excepted(blurred, config))
    if count:
        record["excepted"] = {"finds": count, "video": blurred.digest}
    if blurred.passed:
        return record
    video = {"video": blurred.digest} if blurred.groups else {}
    pictures = [picture_name(frame_index[shown.position]) for shown in blurred.shown if shown.jpeg]
    return record | {"reasons": _reasons(blurred, config), "evidence": pictures} | video


def _excepted(blurred: Blurred, config: FaceBlurConfig) -> Iterator[NDArray[np.bool_]]:
    """Yield for each frame which of the finds outside the blur would block without an exception."""
    for group in blurred.groups:
        blocking = blocking_finds(group.audit, group.excepted, config)
        for boxes, blocks in zip(group.audit.outside, blocking, strict=True):
            yield (boxes[:, 4] >= config.strong_score) & ~blocks


def write_audit(
    path: Path,
    blurred: Blurred,
    config: FaceBlurConfig,
    areas: Areas,
    *,
    frame_index: Mapping[int, int],
    message_numbers: NDArray[np.int64],
) -> None:
    """Write `audit.json`.

    Args:
        path: Where to write.
        blurred: The recording after its passes.
        config: The settings of the run.
        areas: What people drew to be painted over.
        frame_index: Position in the stream to frame index.
        message_numbers: Message number by position in the stream.
    """
    content: dict[str, Json] = {
        "schema": "episode_assets.face_audit",
        "schema_version": AUDIT_SCHEMA_VERSION,
        "privacy": privacy_record(blurred, config, areas, frame_index=frame_index),
        "reasons": _reasons(blurred, config),
        "searches": [_search_record(search) for search in blurred.searches],
        "finds": [
            _box_record(position, box, state, frame_index, message_numbers)
            for position, box, state in _boxes_found(blurred, config)
        ],
        "evidence": [_shown_record(shown, frame_index, message_numbers) for shown in blurred.shown],
        "kept_detail": _detail_record(blurred),
        "groups": {
            "made": len(blurred.groups),
            "passed": sum(group.is_written for group in blurred.groups),
        },
    }
    text = json.dumps(content, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _thresholds(config: FaceBlurConfig) -> dict[str, Json]:
    return {
        "score": config.score_threshold,
        "strong_score": config.strong_score,
        "audit_max_detail": config.audit_max_detail,
        "box_scale": config.box_scale,
        "fill_s": config.fill_s,
        "hold_s": config.hold_s,
        "smooth_s": config.smooth_s,
        "detector_stride": config.detector_stride,
        "far_stride": config.far_stride,
        "near_face_px": config.near_face_px,
    }


def _reasons(blurred: Blurred, config: FaceBlurConfig) -> list[str]:
    """Return in words why the audit failed; empty if it passed."""
    reasons = [
        f"{search.role}: the face of the known-answer test was not found"
        for search in blurred.searches
        if not search.known_answer.passed
    ]
    audits = [group.audit for group in blurred.groups]
    left = sum(
        int(blocks.sum())
        for group in blurred.groups
        for blocks in blocking_finds(group.audit, group.excepted, config)
    )
    if left:
        reasons.append(f"{left} faces with a score of {config.strong_score:g} or more lie outside the blur")
    sharp = sum(int((kept > config.audit_max_detail).sum()) for audit in audits for kept in audit.kept_detail)
    if sharp:
        reasons.append(
            f"{sharp} blurred rectangles keep more than {config.audit_max_detail:.0%} of their detail"
        )
    painted = sum(int((left > MAX_LEFT).sum()) for audit in audits for left in audit.left_in_areas)
    if painted:
        reasons.append(
            f"{painted} painted areas are not plain after encoding; draw them larger, or lower crf"
        )
    if not reasons and not blurred.passed:
        reasons.append("there is no picture to audit")
    return reasons


def _search_record(search: SearchUse) -> dict[str, Json]:
    return {
        "role": search.role,
        "input_width": search.input_width,
        "input_height": search.input_height,
        "looks": search.looks,
        "smallest_face_px": _rounded(search.smallest_face_px),
        "known_answer": {
            "passed": search.known_answer.passed,
            "score": _rounded(search.known_answer.score),
            "overlap": _rounded(search.known_answer.overlap),
        },
    }


def _boxes_found(blurred: Blurred, config: FaceBlurConfig) -> Iterator[tuple[int, list[float], str]]:
    """Yield position, box and state of what audits found: first what was blurred, then what was left or dismissed."""
    for position, found in zip(blurred.finds.position.tolist(), blurred.finds.boxes.tolist(), strict=True):
        yield position, found, "blurred"
    for group in blurred.groups:
        blocking = blocking_finds(group.audit, group.excepted, config)
        for position, boxes, blocks in zip(
            group.position.tolist(), group.audit.outside, blocking, strict=True
        ):
            for box, is_blocking in zip(boxes.tolist(), blocks.tolist(), strict=True):
                is_weak = box[4] < config.strong_score
                yield position, box, "blocks" if is_blocking else "tolerated" if is_weak else "excepted"
        for position, boxes in zip(group.position.tolist(), group.audit.refuted, strict=True):
            yield from ((position, box, "refuted") for box in boxes.tolist())


def _box_record(
    position: int,
    box: Sequence[float],
    state: str,
    frame_index: Mapping[int, int],
    message_numbers: NDArray[np.int64],
) -> Json:
    return {
        "frame_index": frame_index[position],
        "message_number": int(message_numbers[position]),
        "box": [_rounded(value, 1) for value in box[:4]],
        "score": _rounded(box[4]),
        "state": state,
    }


def _shown_record(shown: Shown, frame_index: Mapping[int, int], message_numbers: NDArray[np.int64]) -> Json:
    index = frame_index[shown.position]
    return {
        "frame_index": index,
        "message_number": int(message_numbers[shown.position]),
        "picture": picture_name(index) if shown.jpeg else None,
    }


def _detail_record(blurred: Blurred) -> dict[str, Json]:
    kept = np.concatenate(
        [np.zeros(0), *(part for group in blurred.groups for part in group.audit.kept_detail)]
    )
    if len(kept) == 0:
        return {"rectangles": 0, "median": None, "p99": None, "max": None}
    median, p99, largest = (_rounded(float(v)) for v in np.quantile(kept, [0.5, 0.99, 1.0]))
    return {"rectangles": len(kept), "median": median, "p99": p99, "max": largest}


def _rounded(value: float, digits: int = 4) -> float:
    return round(float(value), digits)
