"""Finding published versions: by fingerprint, by version, or the latest; and refusing those nobody may read.

Every reader and every writer of the store goes through `artifact_at`, so existence, sizes and the audit are checked
in one place.
"""

from __future__ import annotations

import logging

from episode_assets.errors import ArtifactDamaged, ArtifactMissing, UnauditedArtifact
from episode_assets.storage.artifact import Artifact
from episode_assets.storage.backend import Backend
from episode_assets.storage.keys import ArtifactKey, is_version
from episode_assets.storage.manifest import MANIFEST, Manifest
from episode_assets.storage.privacy_gate import refusal
from episode_assets.storage.publication import Publication

_log = logging.getLogger(__name__)

_RECOMPUTE = "compute the artifact again; `episode-assets verify` lists every problem"


def artifact_of(backend: Backend, key: ArtifactKey, manifest: Manifest) -> Artifact:
    """Return an artifact whose manifest is known to be readable and complete."""
    return Artifact(key=key, manifest=manifest, _backend=backend)


def manifest_at(backend: Backend, key: ArtifactKey, version: str) -> Manifest:
    """Return the manifest of one version, without looking at its files.

    Raises:
        ArtifactMissing: There is no such version.
        ArtifactDamaged: The manifest is not readable or belongs to another artifact.
        UnauditedArtifact: It must not be read.
    """
    directory = f"{key.base}/{version}"
    text = backend.read(f"{directory}/{MANIFEST}") if is_version(version) else None
    if text is None:
        raise ArtifactMissing(f"{key} has no version {version!r}", where=backend.uri_of(key.base))
    manifest = Manifest.from_json(text, where=backend.uri_of(f"{directory}/{MANIFEST}"))
    if (manifest.asset, manifest.recording_id, manifest.version) != (key.asset, key.recording_id, version):
        raise ArtifactDamaged(
            f"the manifest is that of {manifest.asset}, {manifest.recording_id}, version {manifest.version}",
            where=backend.uri_of(directory),
            remedy=_RECOMPUTE,
        )
    reason = refusal(key, manifest.privacy)
    if reason is not None:
        raise UnauditedArtifact(
            f"{key} is refused: {reason}",
            where=backend.uri_of(directory),
            remedy="compute it again; only a passed audit makes it readable",
        )
    return manifest


def artifact_at(backend: Backend, key: ArtifactKey, version: str) -> Artifact:
    """Return one version after checking that every file exists with its recorded size.

    Raises:
        ArtifactMissing: There is no such version.
        ArtifactDamaged: A file is missing or has another size, or the manifest is not readable.
        UnauditedArtifact: It must not be read.
    """
    manifest = manifest_at(backend, key, version)
    directory = f"{key.base}/{version}"
    sizes = backend.sizes(directory, (entry.path for entry in manifest.files))
    wrong = [entry for entry in manifest.files if sizes.get(entry.path) != entry.bytes]
    if wrong:
        first = wrong[0]
        found = f"{sizes[first.path]} bytes" if first.path in sizes else "no such file"
        raise ArtifactDamaged(
            f"{len(wrong)} of {len(manifest.files)} files do not match the manifest; the first is {first.path!r}: "
            f"expected {first.bytes} bytes, found {found}",
            where=backend.uri_of(directory),
            remedy=_RECOMPUTE,
        )
    return artifact_of(backend, key, manifest)


def record_of(backend: Backend, key: ArtifactKey, fingerprint: str) -> Publication | None:
    """Return what is recorded under a fingerprint, or `None`; a record that cannot be read counts as none."""
    text = backend.read(f"{key.base}/fingerprints/{fingerprint}.json")
    try:
        return None if text is None else Publication.from_json(text)
    except ValueError as error:
        _log.warning("%s: the record of fingerprint %s is ignored: %s", key, fingerprint[:16], error)
        return None


def version_of(backend: Backend, key: ArtifactKey, fingerprint: str) -> Artifact | None:
    """Return the readable, complete version that a fingerprint has led to, or `None`."""
    record = record_of(backend, key, fingerprint)
    if record is None:
        return None
    try:
        return artifact_at(backend, key, record.version)
    except (ArtifactMissing, ArtifactDamaged, UnauditedArtifact) as error:
        _log.warning("%s: not reused: %s", key, error)
        return None


def current(backend: Backend, key: ArtifactKey) -> Publication | None:
    """Return the record behind `latest.json`, or `None` where nothing was published.

    Raises:
        ArtifactDamaged: The file is there and cannot be read.
    """
    path = f"{key.base}/latest.json"
    text = backend.read(path)
    if text is None:
        return None
    try:
        return Publication.from_json(text)
    except ValueError as error:
        raise ArtifactDamaged(
            f"the pointer cannot be read: {error}",
            where=backend.uri_of(path),
            remedy="compute the artifact again; it will be found by its fingerprint",
        ) from error
