"""A published artifact as readers hold it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from episode_assets.errors import ArtifactDamaged, ArtifactMissing
from episode_assets.storage.backend import Backend
from episode_assets.storage.keys import ArtifactKey
from episode_assets.storage.manifest import FileEntry, Manifest
from episode_assets.storage.trouble import translated


@dataclass(frozen=True)
class Artifact:
    """One version of an artifact, complete and allowed to be read when it was looked up.

    Attributes:
        key: Asset and recording.
        manifest: What it holds.
    """

    key: ArtifactKey
    manifest: Manifest
    _backend: Backend = field(repr=False, compare=False)

    @property
    def version(self) -> str:
        """First 16 hex digits of the content digest."""
        return self.manifest.version

    @property
    def content_digest(self) -> str:
        """Digest over the core files; the data version of the artifact."""
        return self.manifest.content_digest

    def path(self, name: str) -> Path:
        """Return a local, read-only file with the content of one of the artifact's files.

        In a local store that is the published file. From an object store it is fetched once into a cache.

        Raises:
            ArtifactMissing: The artifact has no such file.
            ArtifactDamaged: The object is gone or does not match the manifest.
        """
        entry = self._entry(name)
        with translated(self.uri(name)):
            return self._backend.local_file(self.key.base, self.manifest, entry)

    def directory(self) -> Path:
        """Return a local directory that holds all files of the artifact, its manifest included."""
        with translated(self.uri()):
            return self._backend.local_directory(self.key.base, self.manifest)

    def uri(self, name: str | None = None) -> str:
        """Return the address of one file, or of the whole version."""
        version = f"{self.key.base}/{self.version}"
        return self._backend.uri_of(version if name is None else f"{version}/{name}")

    def read_json(self, name: str) -> Any:
        """Read one JSON file of the artifact.

        Raises:
            ArtifactMissing: The artifact has no such file.
            ArtifactDamaged: The file is no JSON.
        """
        try:
            return json.loads(self.path(name).read_bytes())
        except ValueError as error:
            raise ArtifactDamaged(f"the file is no JSON: {error}", where=self.uri(name)) from error

    def _entry(self, name: str) -> FileEntry:
        entry = self.manifest.entry(name)
        if entry is None:
            names = ", ".join(item.path for item in self.manifest.files[:12])
            raise ArtifactMissing(
                f"{self.key.asset} has no file {name!r}; it has {names}",
                where=self.uri(),
                remedy="the manifest's `skipped` list says what was left out and why",
            )
        return entry
