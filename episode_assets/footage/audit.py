"""Whether a blurred video may be used at all. The audit itself belongs to `anonymization`."""

from __future__ import annotations

from collections.abc import Mapping

from episode_assets.errors import UnauditedArtifact
from episode_assets.footage.frames import REMEDY
from episode_assets.outcome import Json


def passed_audit(privacy: Mapping[str, Json] | None, *, where: str = "blurred_rgb") -> Mapping[str, Json]:
    """Return the privacy block of `where` when its audit passed.

    Raises:
        UnauditedArtifact: It did not, or nobody says that it did.
    """
    verdict = None if privacy is None else privacy.get("audit")
    if privacy is None or verdict != "passed":
        raise UnauditedArtifact(
            f"only a blurred video may be used whose audit says 'passed', found {verdict!r}",
            where=where,
            remedy=REMEDY,
        )
    return privacy
