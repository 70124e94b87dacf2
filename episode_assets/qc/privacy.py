"""The privacy block of the report: the audit's verdict repeated, never performed, and what was blurred in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from episode_assets.bundle.unaudited import pictures_among, unverified
from episode_assets.outcome import Json
from episode_assets.qc.checks import Check
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.numbers import number

RISK_NOTE = (
    "Face-blurred, not anonymised. Detectors miss some faces: small ones (under 20 px), profiles, and faces that are "
    "mostly hidden. The audit repeats the search at another scale and bounds the risk; it does not remove it."
)
NOT_REMOVED = (
    "plates",
    "screens",
    "documents",
    "audio",
    "bodies and clothes",
    "places recognisable from the scene",
)


def privacy_block(e: Evidence, privacy: Mapping[str, Json], bundle: Mapping[str, Json]) -> dict[str, Json]:
    """Return the audit's verdict together with figures of the blurred boxes.

    Args:
        e: The evidence, for the boxes.
        privacy: Privacy block of the blurred video's manifest.
        bundle: Privacy block of the bundle: what it removed on top.
    """
    boxes = e.faces.rectangle_px.astype(np.int64)
    sides = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) if len(boxes) else np.zeros(0)
    frames = len(np.unique(e.faces.frame_index))
    return {
        "verdict": dict(privacy),
        "audit": "passed",
        "boxes": len(boxes),
        "tracks": len(np.unique(e.faces.track[e.faces.track >= 0])),
        "frames_with_boxes": frames,
        "frames_with_boxes_share": number(frames / len(e)) if len(e) else 0.0,
        "box_side_px_min": number(sides.min()) if len(sides) else None,
        "box_side_px_median": number(np.median(sides)) if len(sides) else None,
        "depth_faces": bundle.get("depth_faces"),
        "depth_hole_pixels": bundle.get("depth_hole_pixels"),
        "depth_hole_frames": bundle.get("depth_hole_frames"),
        "unverified": list(unverified(bundle)),
        "risk": RISK_NOTE,
        "not_removed": list(NOT_REMOVED),
    }


def privacy_check(names: Sequence[str]) -> Check:
    """Return the check of the privacy block; an audit that did not pass never comes this far."""
    pictures = pictures_among(names)
    if pictures:
        detail = f"{len(pictures)} pictures were handed in and not audited"
        return Check("privacy", "rgb", "fail", detail, float(len(pictures)), "pictures", 0.0)
    if names:
        detail = f"the audit of the blurred video passed; nobody anonymised {', '.join(names)} of the bundle"
        return Check("privacy", "rgb", "warn", detail, 0.0, "pictures", 0.0)
    return Check("privacy", "rgb", "pass", "the audit of the blurred video passed", 0.0, "pictures", 0.0)
