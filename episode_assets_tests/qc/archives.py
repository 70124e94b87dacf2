"""Stores full of quality reports that no recording had to be made for: small files, published like real ones."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from episode_assets.errors import AuditFailed
from episode_assets.outcome import Outcome
from episode_assets.pipeline.archive import bring_archive_up_to_date
from episode_assets.qc.archive import ARCHIVE_JSON
from episode_assets.qc.fingerprint import POINTS, SKETCH, write_curve
from episode_assets.storage import ArtifactKey, Store, fingerprint
from episode_assets.video import encode_jpeg

PASSED = {"audit": "passed", "known_answer": "passed"}
MAY_2026_NS = 1_777_600_000_000_000_000


def register(store: Store, folder: Path, name: str, *, task: str | None = None) -> str:
    """Make a small file known to the store and return its recording id."""
    path = folder / f"{name}.mcap"
    if not path.exists():
        path.write_bytes(f"not a recording: {name}".encode())
    return store.recordings.register(str(path), task=task).recording_id


def publish(store: Store, recording_id: str, **values: Any) -> str:
    """Publish a quality report with the given values and return its version."""
    return publish_content(store, recording_id, qc_content(recording_id, **values))


def publish_content(store: Store, recording_id: str, content: dict[str, Any]) -> str:
    """Publish a quality report with the given content and return its version."""
    key = ArtifactKey("qc_report", recording_id)
    name = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    value = fingerprint(asset=key.asset, code_version="1", config={"test": name}, models={}, inputs={})
    with store.draft(key, fingerprint=value, code_version="1", config={}, inputs={}) as draft:
        (draft.directory / "qc.json").write_text(json.dumps(content), encoding="utf-8")
        (draft.directory / "report.html").write_text(
            "<!doctype html><title>a report</title>", encoding="utf-8"
        )
        return draft.publish(Outcome(core=("qc.json", "report.html"), privacy=PASSED)).version


def quarantine(store: Store, recording_id: str, *, reason: str = "a face") -> None:
    """Have a blurred video of the recording refused."""
    key = ArtifactKey("blurred_rgb", recording_id)
    value = fingerprint(asset=key.asset, code_version="1", config={"test": reason}, models={}, inputs={})
    with (
        pytest.raises(AuditFailed),
        store.draft(key, fingerprint=value, code_version="1", config={}, inputs={}) as draft,
    ):
        (draft.directory / "faces.parquet").write_bytes(b"boxes")
        draft.publish(Outcome(core=("faces.parquet",), privacy={"audit": "failed", "reasons": [reason]}))


def publish_blurred(store: Store, recording_id: str) -> None:
    """Publish something in place of a blurred video of the recording."""
    key = ArtifactKey("blurred_rgb", recording_id)
    value = fingerprint(asset=key.asset, code_version="1", config={}, models={}, inputs={})
    with store.draft(key, fingerprint=value, code_version="1", config={}, inputs={}) as draft:
        (draft.directory / "faces.parquet").write_bytes(b"boxes")
        draft.publish(Outcome(core=("faces.parquet",), privacy=PASSED))


def qc_content(
    recording_id: str,
    *,
    seed: int = 0,
    verdict: str = "pass",
    score: float = 100.0,
    duration_s: float = 60.0,
    kept_s: float = 50.0,
    one_hand_s: float = 40.0,
    two_hands_s: float = 30.0,
    found: dict[str, int] | None = None,
    sha256: str | None = None,
    wall_offset_ns: int | None = None,
    first_stamp_ns: int = 0,
    sketch: list[str] | None = None,
    light: list[float] | None = None,
    reasons: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return what `qc.json` of a recording holds, as far as the page over all recordings reads it."""
    rng = np.random.default_rng([seed, *recording_id.encode()])
    curve = light if light is not None else (120 + 40 * rng.standard_normal(POINTS)).clip(0, 255)
    own = [rng.bytes(8).hex() for _ in range(SKETCH)]
    return {
        "schema": "episode_assets.qc",
        "schema_version": 2,
        "episode_id": recording_id,
        "source_sha256": sha256,
        "verdict": verdict,
        "verdict_reasons": list(reasons),
        "publishable": verdict != "fail",
        "score": score,
        "frames": round(duration_s * 15),
        "first_stamp_ns": first_stamp_ns,
        "last_stamp_ns": first_stamp_ns + round(duration_s * 1e9),
        "wall_offset_ns": wall_offset_ns,
        "metrics": {"recording": {"duration_s": duration_s, "size_bytes": 1_000_000}},
        "kept": {"seconds": kept_s, "one_hand_seconds": one_hand_s, "two_hands_seconds": two_hands_s},
        "findings_by_kind": [
            {"kind": kind, "stream": "rgb", "count": count, "points_lost": 1.5 * count}
            for kind, count in (found or {}).items()
        ],
        "thumbnails": [
            {"frame": 3, "kind": "", "width": 128, "height": 72, "jpeg_base64": _picture(seed % 7)}
        ],
        "fingerprint": {
            "sketch": sorted(own if sketch is None else sketch),
            "pictures": round(duration_s * 15),
            "brightness": write_curve(np.asarray(curve)),
            "contrast": write_curve(np.asarray(curve) / 3),
        },
    }


@cache
def _picture(seed: int) -> str:
    """A tiny JPEG, about as large as those of real frames."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (9, 16, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    rgb = np.clip(coarse + rng.normal(0, 9, coarse.shape), 0, 255).astype(np.uint8)
    return base64.b64encode(encode_jpeg(rgb, quality=30)).decode()


def archive_of(store: Store) -> dict[str, Any]:
    """Bring the report over all recordings up to date and return its JSON."""
    content: dict[str, Any] = bring_archive_up_to_date(store).artifact.read_json(ARCHIVE_JSON)
    return content
