"""What of a bundle nobody audited, by its own privacy record; who judges or packs bundles asks here.

Whether the audit of its video passed is told by `footage.passed_audit`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from episode_assets.bundle.layout import VIDEO
from episode_assets.bundle.personal import PERSONAL_FILES
from episode_assets.outcome import Json

_KEY = "unverified"


def unverified(privacy: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the names of what nobody audited: pictures that a caller brought, and sound and places asked for.

    A record without the list names nothing. One whose list cannot be read names the video, since nobody can tell what
    it was meant to name.
    """
    names = privacy.get(_KEY, ())
    if not isinstance(names, list | tuple):
        return (VIDEO,)
    read = tuple(name for name in names if isinstance(name, str))
    return read if len(read) == len(names) else (*read, VIDEO)


def pictures_among(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names that are pictures, each once; only these keep an episode out of datasets."""
    return tuple(dict.fromkeys(name for name in names if name not in PERSONAL_FILES))
