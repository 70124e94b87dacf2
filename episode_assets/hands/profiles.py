"""What each profile changes of the settings of hand estimation: whole sets that belong together, chosen by one name.

A profile is a starting point and no setting of its own: it is resolved into the fields of `HandPoseConfig` before
anything is computed or fingerprinted. What each one costs and finds is measured by `benchmarks/perception.py`. How a
name is chosen belongs to the settings of the pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from episode_assets.hands.backends import NO_MODEL

PROFILES: Mapping[str, Mapping[str, Any]] = {
    "fast": {
        "second_landmark_model": NO_MODEL,
        "key_interval_busy_s": 2.4,
        "wide_interval_s": 0.0,
    },
    "default": {},
    "thorough": {
        "precision": "float32",
        "second_palm_model": "palm_detection_full",
        "key_interval_busy_s": 0.4,
        "wide_interval_s": 0.8,
    },
}
"""For each name the fields that differ from their defaults."""
