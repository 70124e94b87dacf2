"""What stays for review after a failed audit: boxes, a verdict, stills without a face, nothing that a reader can open.

Evidence lies under `quarantine/<asset>/<recording_id>/<fingerprint>/`. No function here makes it an artifact.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from episode_assets.outcome import Json, Outcome
from episode_assets.storage import files
from episode_assets.storage.backend import Backend
from episode_assets.storage.canonical import to_text
from episode_assets.storage.keys import ArtifactKey
from episode_assets.storage.privacy_gate import is_evidence, is_picture
from episode_assets.storage.write_points import reached

VERDICT = "verdict.json"


@dataclass(frozen=True)
class Quarantined:
    """A computation whose result was kept from all readers.

    Attributes:
        key: Asset and recording.
        fingerprint: The computation.
        reason: Why it was refused, in words.
        privacy: The audit as the computation gave it, or `None` where there was none.
        summary: The computation's own small numbers.
        files: Names of the evidence, without the verdict.
        created_at: ISO 8601 in UTC.
        uri: Where the evidence lies, for review by people.
    """

    key: ArtifactKey
    fingerprint: str
    reason: str
    privacy: Mapping[str, Json] | None
    summary: Mapping[str, Json]
    files: tuple[str, ...]
    created_at: str
    uri: str

    @property
    def pictures(self) -> tuple[str, ...]:
        """Names of the stills among the evidence."""
        return tuple(name for name in self.files if is_picture(name))


def keep_evidence(
    backend: Backend,
    directory: Path,
    outcome: Outcome,
    *,
    key: ArtifactKey,
    fingerprint: str,
    reason: str,
    created_at: str,
) -> str:
    """Delete everything but evidence from a draft, put the rest into quarantine, and return its address."""
    kept = _remove_pixels(directory, outcome.privacy)
    reached("quarantine.pixels_removed")
    verdict = {
        "schema": "episode_assets.quarantine",
        "schema_version": 1,
        "asset": key.asset,
        "recording_id": key.recording_id,
        "fingerprint": fingerprint,
        "reason": reason,
        "files": kept,
        "created_at": created_at,
        **outcome.described(),
    }
    for path in kept:
        files.seal(directory / path)
    files.write_durably(directory / VERDICT, to_text(verdict), mode=files.READ_ONLY)
    reached("quarantine.verdict_written")
    target = _place(key, fingerprint)
    backend.place_evidence(directory, target)
    reached("quarantine.evidence_visible")
    return backend.uri_of(target)


def latest_evidence(backend: Backend, key: ArtifactKey) -> Quarantined | None:
    """Return the youngest verdict on an artifact that was refused, or `None`."""
    found = [
        verdict
        for fingerprint in backend.names(f"quarantine/{key.base}")
        if (verdict := _read(backend, key, fingerprint)) is not None
    ]
    return max(found, key=lambda verdict: verdict.created_at, default=None)


def read_evidence(backend: Backend, verdict: Quarantined, name: str) -> bytes | None:
    """Return one of the files that a verdict lists, or `None` where it lists no such file."""
    if name not in verdict.files:
        return None
    return backend.read(f"{_place(verdict.key, verdict.fingerprint)}/{name}")


def _read(backend: Backend, key: ArtifactKey, fingerprint: str) -> Quarantined | None:
    place = _place(key, fingerprint)
    text = backend.read(f"{place}/{VERDICT}")
    if text is None:
        return None
    values: dict[str, Any] = json.loads(text)
    return Quarantined(
        key=key,
        fingerprint=fingerprint,
        reason=values["reason"],
        privacy=values["privacy"],
        summary=values["summary"],
        files=tuple(values["files"]),
        created_at=values["created_at"],
        uri=backend.uri_of(place),
    )


def _place(key: ArtifactKey, fingerprint: str) -> str:
    return f"quarantine/{key.base}/{fingerprint}"


def _remove_pixels(directory: Path, privacy: Mapping[str, Json] | None) -> list[str]:
    kept: list[str] = []
    for path, is_regular in list(files.walk(directory)):
        if is_regular and is_evidence(path, privacy) and path != VERDICT:
            kept.append(path)
        else:
            (directory / path).unlink()
    files.prune_empty_directories(directory)
    return kept
