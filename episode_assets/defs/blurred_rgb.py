"""The asset `blurred_rgb`: the face-blurred video, the only source of colour pixels for everything downstream."""

from __future__ import annotations

from typing import Any

import dagster as dg

from episode_assets.defs.recording_asset import Check, recording_asset
from episode_assets.pipeline.settings import Settings
from episode_assets.pipeline.steps import BLURRED_RGB
from episode_assets.storage import Artifact


def blurred_rgb(settings: Settings) -> dg.AssetsDefinition:
    """Return the asset."""
    return recording_asset(
        BLURRED_RGB,
        description=(
            "Face-blurred video with true time stamps, audited before publication; face boxes, per-frame signals taken "
            "before blurring, and colour statistics of the published video."
        ),
        kinds={"video", "onnx"},
        defaults=settings.config(BLURRED_RGB.asset),
        checks=(
            Check(
                "privacy_audit",
                "The encoded video was decoded and searched again, and no face was found outside the blur.",
                _audit_passed,
                is_error=True,
            ),
        ),
        describe=_privacy_numbers,
    )


def _audit_passed(artifact: Artifact) -> tuple[bool, dict[str, Any]]:
    privacy = artifact.manifest.privacy or {}
    return privacy.get("audit") == "passed", _privacy_numbers(artifact)


def _privacy_numbers(artifact: Artifact) -> dict[str, Any]:
    privacy = artifact.manifest.privacy or {}
    return {name: value for name, value in privacy.items() if isinstance(value, str | int | float)}
