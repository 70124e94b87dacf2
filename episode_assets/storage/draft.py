"""A computation's working directory, and the one way by which its result becomes visible to readers."""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
import logging
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from episode_assets.errors import (
    ArtifactDamaged,
    ArtifactMissing,
    AuditFailed,
    BadDraft,
    EpisodeAssetsError,
    UnauditedArtifact,
)
from episode_assets.outcome import Json, Outcome
from episode_assets.storage import files
from episode_assets.storage.artifact import Artifact
from episode_assets.storage.backend import Backend
from episode_assets.storage.canonical import plain
from episode_assets.storage.keys import ArtifactKey, path_problem
from episode_assets.storage.lookup import artifact_of, current, manifest_at, version_of
from episode_assets.storage.manifest import FileEntry, Manifest, Role, digest_of, file_entry
from episode_assets.storage.privacy_gate import refusal
from episode_assets.storage.publication import Publication
from episode_assets.storage.quarantine import keep_evidence
from episode_assets.storage.trouble import disk_full, is_disk_full, translated
from episode_assets.storage.write_points import reached

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Computation:
    """What is about to be computed, as it will stand in the manifest.

    Attributes:
        key: Asset and recording.
        fingerprint: Name of the computation.
        code_version: The asset's code version.
        config: The resolved configuration.
        inputs: Content digest of each input by the name of its asset.
    """

    key: ArtifactKey
    fingerprint: str
    code_version: str
    config: Mapping[str, Json]
    inputs: Mapping[str, str]


@dataclass(frozen=True)
class _Lent:
    """A file that a published artifact lends: its place in the store, and what its manifest says of it."""

    source: str
    entry: FileEntry


class Draft:
    """A private directory to compute into; use it as a context manager.

    Leaving the `with` block removes everything that was not published, and turns a full disk anywhere in the block
    into one clear error.

    Attributes:
        directory: Exists, empty, mode 0700; its files become the artifact.
    """

    directory: Path

    def __init__(self, backend: Backend, computation: Computation) -> None:
        self._backend = backend
        self._computation = computation
        self._stack = ExitStack()
        self._is_published = False
        self._lent: dict[str, _Lent] = {}

    def __enter__(self) -> Draft:
        with translated(self._backend.uri):
            scratch = self._stack.enter_context(self._backend.scratch())
            self.directory = scratch / "files"
            self.directory.mkdir(mode=0o700)
        reached("draft.opened")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        if isinstance(error, Exception) and not isinstance(error, EpisodeAssetsError) and is_disk_full(error):
            raise disk_full(str(self.directory)) from error

    def take_over(self, artifact: Artifact, name: str, target: str) -> None:
        """Make a file of a published artifact of this store a file of the draft, without reading it.

        On a file system the two share their bytes; in an object store the file is copied there when the draft is
        published, and never lies in the draft's directory.

        Args:
            artifact: An artifact that readers may see.
            name: Path of its file.
            target: Path in the draft, where nothing is yet.

        Raises:
            BadDraft: The artifact has no such file, or the path is none of an artifact.
        """
        entry, where = artifact.manifest.entry(name), str(self._computation.key)
        if entry is None or path_problem(target) is not None:
            raise BadDraft(f"{name!r} of {artifact.key} cannot become {target!r}", where=where)
        source = f"{artifact.key.base}/{artifact.version}/{name}"
        with translated(self._backend.uri_of(source)):
            if self._backend.lend(source, self.directory / target):
                self._lent[target] = _Lent(source, entry)
        reached("draft.file_taken_over")

    def publish(self, outcome: Outcome) -> Artifact:
        """Check, seal and publish the directory, and make it the latest version.

        Returns:
            The artifact that readers see now. It is an older one where an intact version of the same content, or
            another result of the same fingerprint, had been published before.

        Raises:
            AuditFailed: The audit is missing or did not pass; boxes and verdict went to quarantine.
            BadDraft: The outcome and the directory do not agree.
            DiskFull: No space was left; nothing was published.
            StorageTrouble: The store could not be written.
        """
        if self._is_published:
            raise BadDraft("the draft was published before", where=str(self._computation.key))
        self._is_published = True
        with translated(self._backend.uri_of(self._computation.key.base)):
            self._refuse_unaudited(outcome)
            manifest = self._seal(outcome)
            visible = self._settle(manifest)
            self._lead_to(visible, outcome)
        reached("publish.finished")
        return artifact_of(self._backend, self._computation.key, visible)

    def _refuse_unaudited(self, outcome: Outcome) -> None:
        key = self._computation.key
        reason = refusal(key, outcome.privacy)
        if reason is None:
            return
        place = keep_evidence(
            self._backend,
            self.directory,
            outcome,
            key=key,
            fingerprint=self._computation.fingerprint,
            reason=reason,
            created_at=_now(),
        )
        raise AuditFailed(
            f"{key} was not published: {reason}; its pictures were not kept",
            where=place,
            remedy="review the boxes and the verdict there, then change the detector's options and run again",
        )

    def _seal(self, outcome: Outcome) -> Manifest:
        computation = self._computation
        roles = _declared(outcome, self.directory, str(computation.key), lent=self._lent)
        reached("publish.checked")
        entries = tuple(
            file_entry(path, roles[path], size=size, sha256=sha256, facts=outcome.facts.get(path))
            for path in sorted(roles)
            for size, sha256 in [self._sealed(path)]
        )
        digest = digest_of(entries)
        try:
            return Manifest(
                asset=computation.key.asset,
                recording_id=computation.key.recording_id,
                version=digest[:16],
                fingerprint=computation.fingerprint,
                content_digest=digest,
                inputs=dict(computation.inputs),
                code=_code(computation.code_version),
                config=plain(computation.config),
                files=entries,
                models=outcome.models,
                saved=outcome.saved,
                skipped=outcome.skipped,
                warnings=outcome.warnings,
                summary=plain(outcome.summary),
                privacy=plain(outcome.privacy),
                created_at=_now(),
                source=plain(outcome.source),
                datasets=tuple(plain(item) for item in outcome.datasets),
                upstream_models=outcome.upstream_models,
            )
        except (TypeError, ValueError) as error:
            raise BadDraft(
                f"the outcome or its configuration cannot be written as JSON: {error}",
                where=str(computation.key),
            ) from error

    def _sealed(self, path: str) -> tuple[int, str]:
        # A file that another version lends was sealed with that version; reading it again would make every growth of
        # a dataset as expensive as all of it.
        lent = self._lent.get(path)
        return files.seal(self.directory / path) if lent is None else (lent.entry.bytes, lent.entry.sha256)

    def _settle(self, manifest: Manifest) -> Manifest:
        """Return the manifest that this computation leads to, published now or before."""
        key = self._computation.key
        before = version_of(self._backend, key, manifest.fingerprint)
        if before is not None and before.version != manifest.version:
            _log.warning(
                "%s: the same computation gave version %s before and %s now; the first one stays",
                key,
                before.version,
                manifest.version,
            )
            return before.manifest
        lent = {path: item.source for path, item in self._lent.items()}
        visible = self._backend.publish(
            self.directory, key.base, manifest, previous=self._previous(), lent=lent
        )
        reached("publish.version_visible")
        return visible

    def _previous(self) -> Manifest | None:
        key = self._computation.key
        try:
            latest = current(self._backend, key)
            return None if latest is None else manifest_at(self._backend, key, latest.version)
        except (ArtifactDamaged, ArtifactMissing, UnauditedArtifact):
            return None  # publishing is how a damaged artifact is repaired

    def _lead_to(self, visible: Manifest, outcome: Outcome) -> None:
        computation = self._computation
        base = computation.key.base
        record = Publication(
            fingerprint=computation.fingerprint,
            version=visible.version,
            content_digest=visible.content_digest,
            code_version=computation.code_version,
            config=plain(computation.config),
            models={model.name: model.sha256 for model in outcome.models},
            inputs=dict(computation.inputs),
            published_at=_now(),
        )
        self._backend.replace(f"{base}/fingerprints/{computation.fingerprint}.json", record.to_json())
        reached("publish.fingerprint_written")
        make_latest(self._backend, base, record)


def make_latest(backend: Backend, base: str, record: Publication) -> None:
    """Lead readers of `latest` to the version of a record."""
    backend.replace(f"{base}/latest.json", record.to_json())
    reached("publish.latest_written")
    backend.point(base, record.version)


def _declared(outcome: Outcome, directory: Path, where: str, *, lent: Collection[str]) -> dict[str, Role]:
    """Return the role of every file, after checking that declaration and directory agree."""
    roles: dict[str, Role] = dict.fromkeys(outcome.core, "core")
    roles.update(dict.fromkeys(outcome.view, "view"))
    found = dict(files.walk(directory)) | dict.fromkeys(lent, True)
    complaints = [
        *(f"{path!r} is declared twice" for path in sorted(_repeated((*outcome.core, *outcome.view)))),
        *(f"{path!r} is {problem}" for path in sorted(roles) if (problem := path_problem(path))),
        *(f"{path!r} is declared but does not exist" for path in sorted(roles.keys() - found.keys())),
        *(f"{path!r} exists but is not declared" for path in sorted(found.keys() - roles.keys())),
        *(f"{path!r} is a link or a device" for path, is_regular in sorted(found.items()) if not is_regular),
    ]
    if not outcome.core:
        complaints.append("no core file is declared, so there is nothing to make a version of")
    if complaints:
        more = f" and {len(complaints) - 5} more" if len(complaints) > 5 else ""
        raise BadDraft(
            "; ".join(complaints[:5]) + more,
            where=where,
            remedy="correct the asset's code; nothing was published",
        )
    files.prune_empty_directories(directory)
    return roles


def _repeated(paths: tuple[str, ...]) -> set[str]:
    return {path for path in paths if paths.count(path) > 1}


@functools.cache
def _package_version() -> str:
    try:
        return importlib.metadata.version("episode-assets")
    except importlib.metadata.PackageNotFoundError:
        return "0"


def _code(version: str) -> dict[str, str]:
    return {"package": "episode-assets", "package_version": _package_version(), "version": version}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
