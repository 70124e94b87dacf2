"""What each profile changes of the face blur's settings: whole sets that belong together, chosen by one name.

A profile is a starting point and no setting of its own: it is resolved into the fields of `FaceBlurConfig` before
anything is computed or fingerprinted. What each one costs and finds is measured by `benchmarks/perception.py`. How a
name is chosen belongs to the settings of the pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PROFILES: Mapping[str, Mapping[str, Any]] = {
    "fast": {
        "min_face_px": 32.0,
        "near_face_px": 48.0,
        "preset": "superfast",
    },
    "default": {},
    "thorough": {
        "centerface": {"precision": "float32"},
        "far_stride": 1,
        "audit_key_scale": 1.6667,
        "box_scale": 1.7,
        "fill_s": 1.5,
        "hold_s": 0.5,
        "preset": "medium",
    },
}
"""For each name the fields that differ from their defaults; a section of settings by the fields that differ in it."""
