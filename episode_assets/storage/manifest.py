"""The manifest of a published artifact: what it holds, what it was made from, and what is missing from it.

A new key goes into `Manifest` and raises `SCHEMA_VERSION` when old readers would misunderstand it. The manifest lies
outside the content digest, so it may hold the time of publication. It never holds paths or names of the recording's
file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from episode_assets.errors import ArtifactDamaged
from episode_assets.outcome import Json, ModelUse, Note, Skipped
from episode_assets.storage.canonical import content_digest, to_text

MANIFEST = "manifest.json"
SCHEMA = "episode_assets.artifact"
SCHEMA_VERSION = 1

Role = Literal["core", "view"]


@dataclass(frozen=True)
class FileEntry:
    """One file of an artifact.

    Attributes:
        path: Path below the artifact's directory, with forward slashes.
        role: `core` files make up the content digest; `view` files (previews, timings) do not.
        bytes: Size.
        sha256: Digest of the content, 64 hex digits.
    """

    path: str
    role: Role
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a published artifact is.

    Attributes:
        asset: Name of the asset, with its recipe.
        recording_id: The recording, or `None` for artifacts over the whole archive.
        version: First 16 hex digits of `content_digest`.
        fingerprint: The computation that published this version first; others may have led to it since.
        content_digest: Digest over path and SHA-256 of the core files.
        inputs: Content digest of each input by the name of its asset.
        code: `package` and `package_version`, and `version`, the asset's own code version.
        config: The resolved configuration.
        files: Every file but the manifest, sorted by path.
        models: Weight files that took part.
        saved: What was saved, for people.
        skipped: What is not there, and why.
        warnings: What a reader should know.
        summary: Small numbers and words.
        privacy: The audit verdict, where pixels are concerned.
        created_at: Time of publication, ISO 8601 in UTC.
        schema: Always `SCHEMA`.
        schema_version: Version of this layout.
    """

    asset: str
    recording_id: str | None
    version: str
    fingerprint: str
    content_digest: str
    inputs: Mapping[str, str]
    code: Mapping[str, str]
    config: Mapping[str, Json]
    files: tuple[FileEntry, ...]
    models: tuple[ModelUse, ...]
    saved: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    warnings: tuple[Note, ...]
    summary: Mapping[str, Json]
    privacy: Mapping[str, Json] | None
    created_at: str
    schema: str = SCHEMA
    schema_version: int = SCHEMA_VERSION

    @property
    def total_bytes(self) -> int:
        """Size of all files together, without the manifest."""
        return sum(entry.bytes for entry in self.files)

    def entry(self, path: str) -> FileEntry | None:
        """Return the entry of one file, or `None` where the artifact has no such file."""
        return next((entry for entry in self.files if entry.path == path), None)

    def to_json(self) -> bytes:
        """Return the text of `manifest.json`."""
        return to_text(asdict(self))

    @classmethod
    def from_json(cls, text: bytes, *, where: str | None = None) -> Manifest:
        """Read a manifest back.

        Raises:
            ArtifactDamaged: The text is no manifest, is of a newer layout, or contradicts itself.
        """
        try:
            values = _known(json.loads(text))
            manifest = cls(**values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ArtifactDamaged(
                f"the manifest cannot be read ({type(error).__name__}: {error})",
                where=where,
                remedy="compute the artifact again",
            ) from error
        _check(manifest, where)
        return manifest


def digest_of(files: tuple[FileEntry, ...]) -> str:
    """Return the content digest: over the core files only."""
    return content_digest((entry.path, entry.sha256) for entry in files if entry.role == "core")


def _known(values: dict[str, Any]) -> dict[str, Any]:
    # Keys that a later release adds are ignored as long as the schema version stays.
    if values["schema"] != SCHEMA or values["schema_version"] > SCHEMA_VERSION:
        raise ValueError(
            f"schema {values['schema']!r} version {values['schema_version']!r} is not known here"
        )
    known = {field.name: values[field.name] for field in fields(Manifest)}
    for name, kind in (("files", FileEntry), ("models", ModelUse), ("skipped", Skipped), ("warnings", Note)):
        known[name] = tuple(kind(**item) for item in known[name])
    known["saved"] = tuple(known["saved"])
    return known


def _check(manifest: Manifest, where: str | None) -> None:
    roles = {entry.role for entry in manifest.files}
    if not roles <= set(get_args(Role)):
        raise ArtifactDamaged(f"the manifest names unknown roles {sorted(roles)}", where=where)
    digest = digest_of(manifest.files)
    if manifest.content_digest != digest or manifest.version != digest[:16]:
        raise ArtifactDamaged(
            f"the manifest says content digest {manifest.content_digest[:16]} but its files give {digest[:16]}",
            where=where,
            remedy="compute the artifact again",
        )
