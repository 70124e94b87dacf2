"""The manifest of a published artifact: what it holds, what it was made from, and what is missing from it.

A new key goes into `Manifest` and raises `SCHEMA_VERSION` when old readers would misunderstand it. The manifest lies
outside the content digest, so it may hold the time of publication. It never holds paths or names of the recording's
file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Literal, get_args

from episode_assets.errors import ArtifactDamaged
from episode_assets.outcome import FileFacts, Json, ModelUse, Note, Skipped
from episode_assets.storage.canonical import content_digest, to_text
from episode_assets.storage.media_types import media_type

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
        media_type: Kind of file, such as `video/mp4`; empty in manifests of earlier releases.
        frames: Number of pictures, for files of pictures that say it.
        duration_s: Time from their first to their last, seconds.
    """

    path: str
    role: Role
    bytes: int
    sha256: str
    media_type: str = ""
    frames: int | None = None
    duration_s: float | None = None


def file_entry(path: str, role: Role, *, size: int, sha256: str, facts: FileFacts | None) -> FileEntry:
    """Return the entry of a file by its size, digest and what its maker knows of it."""
    held = (None, None) if facts is None else (facts.frames, facts.duration_s)
    return FileEntry(path, role, size, sha256, media_type(path), *held)


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
        source: What may be told about the recording itself, for artifacts that travel; never a name or a place.
        datasets: The datasets inside the files, for artifacts that list them.
        upstream_models: Weight files that took part in the inputs and their inputs.
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
    source: Mapping[str, Json] | None = None
    datasets: tuple[Mapping[str, Json], ...] = ()
    upstream_models: tuple[ModelUse, ...] = ()
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
        """Return the text of `manifest.json`.

        Beside the fields stand `episode_id` and `skipped_lines`, the names that readers of the Stera layout look for.
        """
        lines = [item.line for item in self.skipped]
        return to_text({**asdict(self), "episode_id": self.recording_id, "skipped_lines": lines})

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
    # Fields with a default came after the first release, whose manifests are read as well.
    required = {item.name for item in fields(Manifest) if item.default is MISSING}
    known = {item.name: values[item.name] for item in fields(Manifest) if item.name in {*values, *required}}
    for name, kind in _RECORDS.items():
        known[name] = tuple(kind(**item) for item in known.get(name, ()))
    for name in ("saved", "datasets"):
        known[name] = tuple(known.get(name, ()))
    return known


_RECORDS: Mapping[str, type[Any]] = {
    "files": FileEntry,
    "models": ModelUse,
    "upstream_models": ModelUse,
    "skipped": Skipped,
    "warnings": Note,
}
"""Fields that are lists of records, and the record."""


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
