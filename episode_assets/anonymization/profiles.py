"""What each profile changes of the face blur's settings: whole sets that belong together, chosen by one name.

A profile is a starting point and no setting of its own: it is resolved into the fields of `FaceBlurConfig` before
anything is computed or fingerprinted. What each one costs and finds is measured by `benchmarks/perception.py`. How a
name is chosen belongs to the settings of the pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# `fast` was chosen on one rendered recording of 8 s, where it took about a tenth less than the defaults. What looks
# cheaper may not be: a quicker preset shows the audit more that looks like a face, a detector that looks at fewer
# pictures covers less of it, and each find has a group of pictures made anew.
PROFILES: Mapping[str, Mapping[str, Any]] = {
    "fast": {
        "min_face_px": 32.0,
        "near_face_px": 48.0,
        "audit_scale": 1.1,
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
