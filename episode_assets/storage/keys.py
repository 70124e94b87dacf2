"""Names inside the store: which asset and recording an artifact belongs to, and which file paths it may hold.

Every name that becomes a path of the store is checked here, once. How a recording id is made from a file belongs
to `registry`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from episode_assets.errors import BadConfig

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_VERSION = re.compile(r"[0-9a-f]{16}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

RESERVED = frozenset({"recordings", "quarantine", "forgotten", "scratch"})
"""Top-level directories of the store that are no assets."""


def is_safe_name(text: str) -> bool:
    """Whether a text can be a recording id, a partition key and a directory name at once."""
    return _NAME.fullmatch(text) is not None and ".." not in text


def is_version(text: str) -> bool:
    """Whether a text has the form of an artifact version: 16 lower-case hex digits."""
    return _VERSION.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Whether a text has the form of a SHA-256: 64 lower-case hex digits."""
    return _DIGEST.fullmatch(text) is not None


@dataclass(frozen=True)
class ArtifactKey:
    """Which artifact: the asset, and the recording it was made from.

    Attributes:
        asset: Name of the asset, with the recipe behind a slash where one asset has several
            (`blurred_rgb`, `lerobot_episode/default`).
        recording_id: The recording, or `None` for artifacts over the whole archive (`lerobot_dataset/default`).

    Raises:
        BadConfig: A name could not be a path of the store.
    """

    asset: str
    recording_id: str | None = None

    def __post_init__(self) -> None:
        parts = self.asset.split("/")
        if parts[0] in RESERVED or not all(is_safe_name(part) for part in parts):
            raise BadConfig(
                f"{self.asset!r} is not the name of an asset",
                remedy="use letters, digits, '.', '_' and '-', with one '/' before a recipe",
            )
        if self.recording_id is not None and not is_safe_name(self.recording_id):
            raise BadConfig(
                f"{self.recording_id!r} is not a recording id",
                remedy="use an id that `episode-assets status` lists; it is not a file name",
            )

    @property
    def base(self) -> str:
        """Path of the artifact's directory in the store, without the version."""
        return self.asset if self.recording_id is None else f"{self.asset}/{self.recording_id}"

    def __str__(self) -> str:
        return self.base


def path_problem(path: str) -> str | None:
    """Say why a relative path cannot name a file of an artifact, or return `None` where it can."""
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or str(pure) != path or ".." in pure.parts:
        return "not a plain relative path"
    if "\\" in path or _CONTROL.search(path):
        return "holds a backslash, a control character or bytes that are no text"
    if path == "manifest.json":
        return "the name of the manifest, which the store writes"
    return None
