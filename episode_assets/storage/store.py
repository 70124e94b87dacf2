"""The store: the only door to published artifacts, for those who read and for those who publish.

Layout and promises are those of the module headers beside this one: `draft` publishes, `lookup` finds and refuses,
`backend` and its two kinds know the place. A new question about published artifacts becomes a method here.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from episode_assets.errors import ArtifactDamaged, ArtifactMissing, BadConfig, UnauditedArtifact
from episode_assets.outcome import Json
from episode_assets.storage import lookup
from episode_assets.storage.artifact import Artifact
from episode_assets.storage.backend import Backend, backend_for
from episode_assets.storage.draft import Computation, Draft, make_latest
from episode_assets.storage.keys import ArtifactKey, is_digest, is_safe_name, is_version
from episode_assets.storage.manifest import MANIFEST, Manifest
from episode_assets.storage.publication import Publication
from episode_assets.storage.quarantine import Quarantined, latest_evidence, read_evidence
from episode_assets.storage.registry import Registry
from episode_assets.storage.trouble import translated

_LOOKUPS_AT_ONCE = 16


@dataclass(frozen=True)
class Store:
    """Published artifacts and the registry of recordings under one address. Cheap to open and to pickle."""

    _backend: Backend

    @classmethod
    def open(cls, uri: str | os.PathLike[str]) -> Store:
        """Open the store at a local path, a `file://` address, or an object store such as `s3://bucket/prefix`.

        A local directory is made if it is not there. Credentials and endpoint of s3 come from the AWS_* variables.

        Raises:
            BadConfig: The address cannot be a store.
            StorageTrouble: The place does not answer, or cannot be written.
        """
        backend = backend_for(os.fspath(uri))
        with translated(os.fspath(uri)):
            backend.prepare()
        return cls(backend)

    @property
    def uri(self) -> str:
        """Address of the store: an absolute path, or a URI without a slash at its end."""
        return self._backend.uri

    @property
    def recordings(self) -> Registry:
        """The registry of recordings."""
        return Registry(self._backend)

    def lookup(self, key: ArtifactKey, fingerprint: str) -> Artifact | None:
        """Return the artifact that a computation has led to before, if it may be reused as it is.

        It may when every file exists with its recorded size, and its audit passed where one is due.
        """
        with translated(self._at(key)):
            return lookup.version_of(self._backend, key, fingerprint)

    def reuse(self, key: ArtifactKey, fingerprint: str) -> Artifact | None:
        """Do what `lookup` does, and make the version found the latest one if another is.

        Without this, going back to an older configuration, or running again after a kill between the last two
        steps of publishing, would leave readers on another result.
        """
        with translated(self._at(key)):
            artifact = lookup.version_of(self._backend, key, fingerprint)
            record = lookup.record_of(self._backend, key, fingerprint)
            if artifact is None or record is None:
                return None
            if self._readable_current(key) == record:
                self._backend.point(key.base, record.version)
            else:
                make_latest(self._backend, key.base, record)
            return artifact

    def current(self, key: ArtifactKey) -> Publication | None:
        """Return the computation behind the latest version, or `None` where nothing was published.

        Raises:
            ArtifactDamaged: The pointer cannot be read.
        """
        with translated(self._at(key)):
            return lookup.current(self._backend, key)

    def latest(self, key: ArtifactKey) -> Artifact:
        """Return the latest version, complete by sizes and allowed to be read.

        Raises:
            ArtifactMissing: Nothing was published.
            UnauditedArtifact: The audit did not pass, or nothing but a quarantined result is there.
            ArtifactDamaged: Files or manifest do not match.
        """
        record = self.current(key)
        if record is None:
            self._refuse_quarantined(key)
            raise ArtifactMissing(
                f"{key} has not been published",
                where=self.uri,
                remedy="run it first (`episode-assets run`), or check the recording id with `episode-assets status`",
            )
        with translated(self._at(key)):
            try:
                return lookup.artifact_at(self._backend, key, record.version)
            except ArtifactMissing as error:
                raise ArtifactDamaged(
                    f"latest.json leads to version {record.version}, which is not there",
                    where=self._at(key),
                    remedy="compute the artifact again",
                ) from error

    def version(self, key: ArtifactKey, version: str) -> Artifact:
        """Return one version by name; raises what `latest` raises."""
        with translated(self._at(key)):
            return lookup.artifact_at(self._backend, key, version)

    def versions(self, key: ArtifactKey) -> tuple[str, ...]:
        """Return the names of all published versions, sorted, whether or not they may be read."""
        with translated(self._at(key)):
            names = [name for name in self._backend.names(key.base) if is_version(name)]
            return tuple(name for name in names if self._backend.exists(f"{key.base}/{name}/{MANIFEST}"))

    def keys(self, asset: str) -> tuple[ArtifactKey, ...]:
        """Return the artifacts of an asset that have a latest version, sorted by recording."""
        whole = ArtifactKey(asset)
        with translated(self._at(whole)):
            names = [name for name in self._backend.names(asset) if is_safe_name(name)]
            if "latest.json" in names:
                return (whole,)
            paths = [f"{asset}/{name}/latest.json" for name in names]
            with ThreadPoolExecutor(_LOOKUPS_AT_ONCE) as pool:
                present = list(pool.map(self._backend.exists, paths))
        return tuple(
            ArtifactKey(asset, name) for name, is_there in zip(names, present, strict=True) if is_there
        )

    def draft(
        self,
        key: ArtifactKey,
        *,
        fingerprint: str,
        code_version: str,
        config: Mapping[str, Json],
        inputs: Mapping[str, str],
    ) -> Draft:
        """Open a working directory for one computation; see `Draft`.

        Args:
            key: Asset and recording.
            fingerprint: Name of the computation, from `fingerprint()`.
            code_version: The asset's code version.
            config: The resolved configuration that affects output.
            inputs: Content digest of each input by the name of its asset.

        Raises:
            BadConfig: The fingerprint is not 64 hex digits.
        """
        if not is_digest(fingerprint):
            raise BadConfig(f"{fingerprint!r} is not a fingerprint of 64 hex digits", where=str(key))
        return Draft(self._backend, Computation(key, fingerprint, code_version, config, inputs))

    def quarantined(self, key: ArtifactKey) -> Quarantined | None:
        """Return the youngest verdict that kept a result of this artifact from its readers, or `None`."""
        with translated(self._at(key)):
            return latest_evidence(self._backend, key)

    def evidence(self, verdict: Quarantined, name: str) -> bytes | None:
        """Return one of the files that lie beside a verdict, boxes and numbers, or `None` where it has no such file."""
        with translated(verdict.uri):
            return read_evidence(self._backend, verdict, name)

    def verify(self, key: ArtifactKey) -> list[str]:
        """Read the latest version to its last byte and list what does not match its manifest.

        Raises:
            ArtifactMissing: Nothing was published.
        """
        record = self.current(key)
        if record is None:
            raise ArtifactMissing(f"{key} has not been published", where=self.uri)
        with translated(self._at(key)):
            try:
                manifest = lookup.manifest_at(self._backend, key, record.version)
            except (ArtifactMissing, ArtifactDamaged, UnauditedArtifact) as error:
                return [str(error)]
            return self._problems(f"{key.base}/{record.version}", manifest)

    def export(self, key: ArtifactKey, directory: Path) -> Path:
        """Copy the latest version into a directory of the user's own, writable, its manifest included.

        Args:
            key: Asset and recording.
            directory: Does not exist yet, or is empty.

        Raises:
            BadConfig: The directory holds something.
        """
        artifact = self.latest(key)
        target = directory.absolute()
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise BadConfig(
                "the place to export to is not empty", where=str(target), remedy="name a new directory"
            )
        aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        with translated(str(target)):
            try:
                for path in (*(entry.path for entry in artifact.manifest.files), MANIFEST):
                    (aside / path).parent.mkdir(parents=True, exist_ok=True)
                    self._backend.fetch(f"{key.base}/{artifact.version}/{path}", aside / path)
                aside.replace(target)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        return target

    def sweep(self) -> int:
        """Remove what killed runs left behind, never what a live one works on; return how much was removed."""
        with translated(self.uri):
            return self._backend.sweep()

    def _at(self, key: ArtifactKey) -> str:
        return self._backend.uri_of(key.base)

    def _readable_current(self, key: ArtifactKey) -> Publication | None:
        try:
            return lookup.current(self._backend, key)
        except ArtifactDamaged:
            return None

    def _refuse_quarantined(self, key: ArtifactKey) -> None:
        verdict = self.quarantined(key)
        if verdict is not None:
            raise UnauditedArtifact(
                f"{key} lies in quarantine: {verdict.reason}",
                where=verdict.uri,
                remedy="review the boxes and the verdict there, then change the detector's options and run again",
            )

    def _problems(self, directory: str, manifest: Manifest) -> list[str]:
        listed = {entry.path for entry in manifest.files}
        sizes = self._backend.sizes(directory, listed)
        problems: list[str] = []
        for entry in manifest.files:
            if entry.path not in sizes:
                problems.append(f"{entry.path}: missing")
            elif sizes[entry.path] != entry.bytes:
                problems.append(f"{entry.path}: {sizes[entry.path]} bytes instead of {entry.bytes}")
            elif self._backend.sha256(f"{directory}/{entry.path}") != entry.sha256:
                problems.append(f"{entry.path}: its content has changed (SHA-256 differs)")
        strangers = set(self._backend.all_files(directory)) - listed - {MANIFEST}
        problems.extend(f"{path}: not in the manifest" for path in sorted(strangers))
        return problems
