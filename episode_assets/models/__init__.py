"""Weight files: which exist, their digests and licences, where they are found, and how they are fetched.

A room asks `find(name)` for a checked path and records `use(name)` in its outcome. Nothing here runs a
model, and nothing is read or downloaded at import time.
"""

from episode_assets.models.fetching import fetch
from episode_assets.models.files import WeightStatus, cache_directory, find, status, use
from episode_assets.models.registry import REGISTRY, Weight, Wheel, weight

__all__ = [
    "REGISTRY",
    "Weight",
    "WeightStatus",
    "Wheel",
    "cache_directory",
    "fetch",
    "find",
    "status",
    "use",
    "weight",
]
