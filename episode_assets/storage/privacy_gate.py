"""Which artifacts need a passed privacy audit, and the one function that decides it.

Readers and writers of the store both ask here. An asset whose files hold pixels, or colours taken from pixels, is
added to `AUDITED_ASSETS`. The audit itself belongs to `anonymization`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from episode_assets.outcome import Json
from episode_assets.storage.keys import ArtifactKey

AUDITED_ASSETS = frozenset(
    {
        "blurred_rgb",
        "scene_mesh",
        "episode_bundle",
        "qc_report",
        "lerobot_episode",
        "lerobot_dataset",
        "archive_report",
    }
)
"""Assets that may not exist for a reader without `audit: passed`; the recipe behind a slash does not count."""

EVIDENCE_SUFFIXES = frozenset({".json", ".parquet"})
"""Kinds of files that may stay for review after a failed audit: boxes and verdicts."""

_SHOWN_SUFFIX = ".jpg"


def refusal(key: ArtifactKey, privacy: Mapping[str, Json] | None) -> str | None:
    """Say why an artifact must be refused, or return `None` where it may be read.

    An artifact of any asset that carries a verdict must have passed it.
    """
    verdict = None if privacy is None else privacy.get("audit")
    if verdict == "passed":
        return None
    if privacy is not None and verdict is not None:
        reasons = privacy.get("reasons")
        why = f" ({'; '.join(map(str, reasons))})" if isinstance(reasons, list) and reasons else ""
        return f"its privacy audit says {verdict!r}{why}"
    if key.asset.split("/")[0] in AUDITED_ASSETS:
        return "it carries no privacy audit"
    return None


def is_evidence(path: str, privacy: Mapping[str, Json] | None) -> bool:
    """Whether a file may be kept for review after a failed audit.

    Pixels may be kept only of stills that the audit itself vouches for by name, because it filled all that it found
    and found nothing more; and never where it did not find the face of its known-answer test.
    """
    if not is_picture(path):
        return PurePosixPath(path).suffix in EVIDENCE_SUFFIXES
    if privacy is None or privacy.get("known_answer") != "passed":
        return False
    vouched = privacy.get("evidence")
    return isinstance(vouched, list) and path in vouched


def is_picture(path: str) -> bool:
    """Whether a file of the evidence shows a frame."""
    return PurePosixPath(path).suffix == _SHOWN_SUFFIX
