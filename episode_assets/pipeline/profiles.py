"""The profiles: one name for whole sets of settings of several steps.

What a profile sets stands beside the settings themselves, in the rooms of the steps; here the tables are put together.
Add a step's table here when it gets one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from episode_assets.anonymization import profiles as face_profiles
from episode_assets.errors import BadConfig
from episode_assets.hands import profiles as hand_profiles
from episode_assets.pipeline.steps import BLURRED_RGB, HAND_POSES

DEFAULT_PROFILE = "default"

_TABLES = {BLURRED_RGB.asset: face_profiles.PROFILES, HAND_POSES.asset: hand_profiles.PROFILES}

PROFILE_NAMES = tuple(dict.fromkeys(name for table in _TABLES.values() for name in table))
"""The names, the quickest first."""


def profile_sections(name: str, *, where: str) -> Mapping[str, Mapping[str, Any]]:
    """Return what a profile sets, as sections of a settings file by the names of assets.

    Raises:
        BadConfig: There is no such profile; `where` says who named it.
    """
    if name not in PROFILE_NAMES:
        raise BadConfig(f"profile is {name!r}", where=where, remedy=f"use one of {', '.join(PROFILE_NAMES)}")
    return {asset: table[name] for asset, table in _TABLES.items()}
