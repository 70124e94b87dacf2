"""Weight files: which exist, their digests and licences, where they are found, and how they are fetched.

A room asks `find(name)` for a checked path and records `use(name)` in its outcome; `find_given` and `use_given` do
the same for files that a user gives by path. `litert` runs TensorFlow Lite files for every room. Nothing is read,
downloaded or loaded at import time.
"""

from episode_assets.models.fetching import fetch
from episode_assets.models.files import (
    ABSENT,
    WeightStatus,
    cache_directory,
    find,
    find_given,
    status,
    use,
    use_given,
)
from episode_assets.models.needs import Needs
from episode_assets.models.packages import load_package, require_package
from episode_assets.models.registry import REGISTRY, Weight, Wheel, weight

__all__ = [
    "ABSENT",
    "REGISTRY",
    "Needs",
    "Weight",
    "WeightStatus",
    "Wheel",
    "cache_directory",
    "fetch",
    "find",
    "find_given",
    "load_package",
    "require_package",
    "status",
    "use",
    "use_given",
    "weight",
]
