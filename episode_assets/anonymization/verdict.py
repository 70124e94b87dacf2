"""What the audit concluded, and on what grounds: the privacy record of the manifest and `audit.json`.

Evidence is numbers only: frame numbers, boxes, scores, shares. No picture of any kind belongs here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from episode_assets.anonymization.chunk_work import ChunkResult, SearchUse
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.tracks import Source
from episode_assets.outcome import Json

AUDIT_SCHEMA_VERSION = 1

NOT_REMOVED = (
    "faces smaller than smallest_face_px, faces turned sideways or upside down, and faces the detector does not know",
    "bodies, clothes, hair outside the blurred rectangles, gait",
    "licence plates, screens, documents, photographs without a face",
    "places that are recognisable from the scene",
)
"""What a user must not take for removed. The video is face-blurred, not anonymised."""


def passed(results: Sequence[ChunkResult]) -> bool:
    """Say whether every chunk knew the test's face and came out of its audit clean."""
    return bool(results) and all(result.knows_faces and result.is_written for result in results)


def privacy_record(results: Sequence[ChunkResult], config: FaceBlurConfig) -> dict[str, Json]:
    """Return the record that stands in the manifest."""
    searches = results[0].searches
    knows_faces = all(result.knows_faces for result in results)
    return {
        "audit": "passed" if passed(results) else "failed",
        "known_answer": "passed" if knows_faces else "failed",
        "rounds": max(result.rounds for result in results),
        "boxes_added": sum(len(result.finds) for result in results),
        "detector": config.detector,
        "audit_detector": config.audit_detector,
        "sha256": {model.name: model.sha256 for model in results[0].models},
        "thresholds": _thresholds(config),
        "frames": sum(_own_frames(result) for result in results),
        "frames_with_faces": sum(_frames_with_faces(result) for result in results),
        "boxes_refuted": sum(result.look.refuted for result in results if result.look is not None),
        "boxes_total": sum(sum(_box_counts(result).values()) for result in results),
        "boxes": _summed([_box_counts(result) for result in results]),
        "min_face_px": _rounded(searches[0].smallest_face_px),
        "upright": "assumed",
        "method": config.method,
        "not_removed": list(NOT_REMOVED),
    }


def write_audit(
    path: Path,
    results: Sequence[ChunkResult],
    config: FaceBlurConfig,
    *,
    frame_index: Mapping[int, int],
    message_numbers: Sequence[int],
) -> None:
    """Write `audit.json`.

    Args:
        path: Where to write.
        results: All chunks.
        config: The settings of the run.
        frame_index: Position in the stream to frame index.
        message_numbers: Message number by position in the stream.
    """
    content: dict[str, Json] = {
        "schema": "episode_assets.face_audit",
        "schema_version": AUDIT_SCHEMA_VERSION,
        "privacy": privacy_record(results, config),
        "reasons": list(_reasons(results, config)),
        "searches": [_search_record(search) for search in _weakest(results)],
        "finds": [
            *_find_records(results, frame_index, message_numbers),
            *_left_records(results, config, frame_index, message_numbers),
        ],
        "kept_detail": _detail_record(results),
        "chunks": [
            {
                "frames": _own_frames(result),
                "rounds": result.rounds,
                "finds": len(result.finds),
                "finds_of_neighbours": len(result.foreign),
                "passed": result.is_written,
            }
            for result in results
        ],
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
        "detector_stride": config.detector_stride,
    }


def _reasons(results: Sequence[ChunkResult], config: FaceBlurConfig) -> list[str]:
    """Return in words why the audit failed; empty if it passed."""
    reasons = [
        f"{search.role}: the face of the known-answer test was not found"
        for search in _weakest(results)
        if not search.known_answer.passed
    ]
    audits = [audit for result in results for audit in result.audits]
    left = sum(int((boxes[:, 4] >= config.strong_score).sum()) for a in audits for boxes in a.outside)
    if left:
        reasons.append(f"{left} faces with a score of {config.strong_score:g} or more lie outside the blur")
    sharp = sum(int((kept > config.audit_max_detail).sum()) for audit in audits for kept in audit.kept_detail)
    if sharp:
        reasons.append(
            f"{sharp} blurred rectangles keep more than {config.audit_max_detail:.0%} of their detail"
        )
    if not results:
        reasons.append("there is no picture to audit")
    return reasons


def _weakest(results: Sequence[ChunkResult]) -> tuple[SearchUse, ...]:
    """Return the searches of the chunk whose known answer was worst; all workers ask the same question."""
    return min(results, key=lambda result: result.knows_faces).searches if results else ()


def _search_record(search: SearchUse) -> dict[str, Json]:
    return {
        "role": search.role,
        "input_width": search.input_width,
        "input_height": search.input_height,
        "smallest_face_px": _rounded(search.smallest_face_px),
        "known_answer": {
            "passed": search.known_answer.passed,
            "score": _rounded(search.known_answer.score),
            "overlap": _rounded(search.known_answer.overlap),
        },
    }


def _find_records(
    results: Sequence[ChunkResult], frame_index: Mapping[int, int], message_numbers: Sequence[int]
) -> list[Json]:
    return [
        _box_record(int(position), box.tolist(), "blurred", frame_index, message_numbers)
        for result in results
        for position, box in zip(result.finds.position, result.finds.boxes, strict=True)
    ]


def _left_records(
    results: Sequence[ChunkResult],
    config: FaceBlurConfig,
    frame_index: Mapping[int, int],
    message_numbers: Sequence[int],
) -> list[Json]:
    records: list[Json] = []
    for result in results:
        if result.look is None:
            continue
        outside = [boxes for audit in result.audits for boxes in audit.outside]
        for position, boxes in zip(result.look.position[slice(*result.look.own)], outside, strict=True):
            for box in boxes.tolist():
                state = "blocks" if box[4] >= config.strong_score else "tolerated"
                records.append(_box_record(int(position), box, state, frame_index, message_numbers))
    return records


def _box_record(
    position: int,
    box: Sequence[float],
    state: str,
    frame_index: Mapping[int, int],
    message_numbers: Sequence[int],
) -> Json:
    return {
        "frame_index": frame_index[position],
        "message_number": int(message_numbers[position]),
        "box": [_rounded(value, 1) for value in box[:4]],
        "score": _rounded(box[4]),
        "state": state,
    }


def _detail_record(results: Sequence[ChunkResult]) -> dict[str, Json]:
    kept = np.concatenate(
        [np.zeros(0), *(part for result in results for audit in result.audits for part in audit.kept_detail)]
    )
    if len(kept) == 0:
        return {"rectangles": 0, "median": None, "p99": None, "max": None}
    median, p99, largest = (_rounded(float(v)) for v in np.quantile(kept, [0.5, 0.99, 1.0]))
    return {"rectangles": len(kept), "median": median, "p99": p99, "max": largest}


def _own_frames(result: ChunkResult) -> int:
    return 0 if result.look is None else result.look.own[1] - result.look.own[0]


def _frames_with_faces(result: ChunkResult) -> int:
    return sum(len(rectangles) > 0 for audit in result.audits for rectangles in audit.rectangles)


def _box_counts(result: ChunkResult) -> dict[str, int]:
    if result.tracks is None or result.look is None:
        return {}
    frame = result.tracks.frame
    own = (frame >= result.look.own[0]) & (frame < result.look.own[1])
    sources = result.tracks.source[own]
    return {
        source.name.lower(): int((sources == source).sum()) for source in Source if (sources == source).any()
    }


def _summed(counts: Sequence[Mapping[str, int]]) -> dict[str, Json]:
    names = sorted({name for count in counts for name in count})
    return {name: sum(count.get(name, 0) for count in counts) for name in names}


def _rounded(value: float, digits: int = 4) -> float:
    return round(float(value), digits)
