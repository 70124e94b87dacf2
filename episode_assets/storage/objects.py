"""A store in an object store, through fsspec.

There is no rename, so a version exists for readers from the moment its manifest does, and the manifest is written
last. Core files have equal bytes whoever writes them and are simply put; a `view` file and the manifest belong to
whoever puts them first, so that two publishers of one version never mix. A marker object under `scratch/` names each
upload under way, which is how the leftovers of a killed one are found.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from episode_assets.errors import ArtifactDamaged, BadConfig, StorageTrouble
from episode_assets.storage import files, remote, scratch
from episode_assets.storage.canonical import to_text
from episode_assets.storage.manifest import MANIFEST, FileEntry, Manifest
from episode_assets.storage.trouble import disk_full, is_disk_full
from episode_assets.storage.write_points import reached

_PART_BYTES = 16 * 2**20
_PARTS_AT_ONCE = 4
_READ_BYTES = 4 * 2**20


@dataclass(frozen=True)
class ObjectBackend:
    """Objects under one prefix.

    Attributes:
        uri: Address of the prefix, without a slash at its end.
    """

    uri: str

    def prepare(self) -> None:
        """Check that the bucket is there; a prefix needs no making.

        Raises:
            BadConfig: The bucket does not exist.
        """
        bucket = self._root.split("/", 1)[0]
        if self._is_s3 and self._type_of(bucket) is None:
            raise BadConfig(
                f"the bucket {bucket!r} does not exist",
                where=self.uri,
                remedy="create it, or correct --store",
            )

    def uri_of(self, path: str) -> str:
        """Return the address of an object."""
        return f"{self.uri}/{path}"

    def read(self, path: str) -> bytes | None:
        """Return a small object whole, or `None` where there is none."""
        try:
            # One request for the whole object: two could see two objects.
            options = {"max_concurrency": 1} if self._is_s3 else {}
            return bytes(self._files.cat_file(self._at(path), **options))
        except FileNotFoundError:
            return None

    def replace(self, path: str, data: bytes) -> None:
        """Put a small object; object stores show the old or the new one."""
        self._files.pipe_file(self._at(path), data)

    def exists(self, path: str) -> bool:
        """Whether there is an object at `path`."""
        return self._type_of(self._at(path)) == "file"

    def names(self, path: str) -> tuple[str, ...]:
        """Return the names right under a prefix, sorted."""
        try:
            found = self._files.ls(self._at(path), detail=False)
        except FileNotFoundError:
            return ()
        prefix = self._at(path) + "/"
        return tuple(sorted(str(name).rstrip("/")[len(prefix) :] for name in found if str(name) != prefix))

    def sizes(self, directory: str, paths: Iterable[str]) -> dict[str, int]:
        """Return the sizes of those objects that exist, from one listing."""
        wanted = set(paths)
        return {path: size for path, size in self._listing(directory).items() if path in wanted}

    def all_files(self, directory: str) -> tuple[str, ...]:
        """Return the paths of all objects below a prefix, relative to it."""
        return tuple(sorted(self._listing(directory)))

    def sha256(self, path: str) -> str:
        """Read an object in pieces and return its SHA-256."""
        digest = hashlib.sha256()
        with self._files.open(self._at(path), "rb", block_size=_READ_BYTES, cache_type="none") as stream:
            while piece := stream.read(_READ_BYTES):
                digest.update(piece)
        return digest.hexdigest()

    def fetch(self, path: str, target: Path) -> None:
        """Copy an object to a new local file."""
        self._files.get_file(self._at(path), str(target), **self._transfer_options)

    def scratch(self) -> AbstractContextManager[Path]:
        """Open a private local directory."""
        return scratch.private_directory(remote.scratch_root())

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a local lock file; processes on other machines are not kept out."""
        root = scratch.make_root(remote.scratch_root())
        with (root / f"{_short_digest(self.uri)}-{name}.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def lend(self, source: str, target: Path) -> bool:
        """Do nothing yet: the object is copied inside the store when the version is put."""
        del source, target
        return True

    def publish(
        self,
        directory: Path,
        base: str,
        manifest: Manifest,
        *,
        previous: Manifest | None,
        lent: Mapping[str, str],
    ) -> Manifest:
        """Put all files, the manifest last; see `Backend.publish`."""
        version = f"{base}/{manifest.version}"
        with self._marked(version):
            text = self.read(f"{version}/{MANIFEST}")
            existing = _parsed(text)
            if existing is not None and self._is_complete(version, existing):
                return existing
            if text is not None:
                # A damaged version is taken back before it is put again; it was of no use to any reader.
                self._files.rm_file(self._at(f"{version}/{MANIFEST}"))
            copies = self._copies(base, previous, manifest.version)
            copies |= {
                entry.sha256: self._at(lent[entry.path]) for entry in manifest.files if entry.path in lent
            }
            entries = tuple(
                self._put_entry(directory, version, entry, copies, is_repair=text is not None)
                for entry in manifest.files
            )
            reached("publish.files_written")
            visible = self._put_manifest(version, dataclasses.replace(manifest, files=entries))
            if not self._is_complete(version, visible):
                raise StorageTrouble(
                    "objects of the version disappeared while it was published",
                    where=self.uri_of(version),
                    remedy="run again",
                )
            self._keep_local_copies(directory, base, manifest, visible)
            return visible

    def point(self, base: str, version: str) -> None:
        """Do nothing: object stores have no links."""

    def place_evidence(self, directory: Path, target: str) -> None:
        """Put the evidence, its verdict last."""
        stale = self._listing(target)
        for path in sorted(
            (path for path, _ in files.walk(directory)), key=lambda path: path == "verdict.json"
        ):
            self._put(directory / path, f"{target}/{path}")
            stale.pop(path, None)
        for path in stale:
            self._files.rm_file(self._at(f"{target}/{path}"))

    def local_file(self, base: str, manifest: Manifest, entry: FileEntry) -> Path:
        """Return the file in the local cache, fetched there once and checked against its digest."""
        path = self._cached(base, manifest) / entry.path
        if path.is_file() and path.stat().st_size == entry.bytes:
            return path
        where = self.uri_of(f"{base}/{manifest.version}")
        with _into_cache(path) as aside:
            try:
                self.fetch(f"{base}/{manifest.version}/{entry.path}", aside)
            except FileNotFoundError as error:
                raise ArtifactDamaged(f"{entry.path} is missing", where=where) from error
            if files.seal(aside) != (entry.bytes, entry.sha256):
                raise ArtifactDamaged(
                    f"{entry.path} does not match the size and digest of the manifest",
                    where=where,
                    remedy="run `episode-assets verify`, then compute the artifact again",
                )
        return path

    def local_directory(self, base: str, manifest: Manifest) -> Path:
        """Return the directory of one version in the local cache, with all files fetched."""
        for entry in manifest.files:
            self.local_file(base, manifest, entry)
        path = self._cached(base, manifest) / MANIFEST
        if not path.is_file():
            with _into_cache(path) as aside:
                files.write_durably(aside, manifest.to_json(), mode=files.READ_ONLY)
        return path.parent

    def sweep(self) -> int:
        """Remove local scratch, unfinished versions and markers of killed processes."""
        markers = {name: self._marker(name) for name in self.names("scratch")}
        dead = {name for name, (_, idle_s) in markers.items() if scratch.is_left_over(name, idle_s=idle_s)}
        in_use = {version for name, (version, _) in markers.items() if name not in dead}
        for name in sorted(dead):
            version = markers[name][0]
            if version and version not in in_use and not self.exists(f"{version}/{MANIFEST}"):
                for path in self._listing(version):
                    self._files.rm_file(self._at(f"{version}/{path}"))
                self._abort_uploads(version)
            self._files.rm_file(self._at(f"scratch/{name}"))
        return len(dead) + scratch.sweep(remote.scratch_root()) + scratch.sweep(_fetching_root())

    @property
    def _is_s3(self) -> bool:
        return remote.scheme_of(self.uri) in remote.S3_SCHEMES

    @property
    def _transfer_options(self) -> dict[str, Any]:
        # The defaults of s3fs hold up to 500 MB of one file in memory.
        return {"chunksize": _PART_BYTES, "max_concurrency": _PARTS_AT_ONCE} if self._is_s3 else {}

    @property
    def _files(self) -> Any:
        return _opened(self.uri, os.getpid(), remote.s3_endpoint())[0]

    @property
    def _root(self) -> str:
        return str(_opened(self.uri, os.getpid(), remote.s3_endpoint())[1]).rstrip("/")

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _type_of(self, place: str) -> str | None:
        # The questions `exists` and `isfile` of fsspec answer no when the network fails; this one raises.
        try:
            return str(self._files.info(place)["type"])
        except FileNotFoundError:
            return None

    def _listing(self, directory: str) -> dict[str, int]:
        prefix = self._at(directory) + "/"
        found = self._files.find(prefix[:-1], detail=True)
        return {
            str(name)[len(prefix) :]: int(info["size"])
            for name, info in found.items()
            if str(name).startswith(prefix) and name != prefix
        }

    def _is_complete(self, version: str, manifest: Manifest) -> bool:
        sizes = self._listing(version)
        return all(sizes.get(entry.path) == entry.bytes for entry in manifest.files)

    def _copies(self, base: str, previous: Manifest | None, coming: str) -> dict[str, str]:
        """Return where unchanged content lies already: address in the file system by SHA-256."""
        if previous is None or previous.version == coming:
            return {}
        version = f"{base}/{previous.version}"
        sizes = self._listing(version)
        return {
            entry.sha256: self._at(f"{version}/{entry.path}")
            for entry in previous.files
            if sizes.get(entry.path) == entry.bytes
        }

    def _put_entry(
        self, directory: Path, version: str, entry: FileEntry, copies: dict[str, str], *, is_repair: bool
    ) -> FileEntry:
        source, target = directory / entry.path, f"{version}/{entry.path}"
        if entry.role == "view" and not is_repair:
            try:
                self._put(source, target, mode="create")
            except FileExistsError:
                size = self.sizes(version, [entry.path]).get(entry.path, -1)
                entry = dataclasses.replace(entry, bytes=size, sha256=self.sha256(target))
        elif entry.sha256 in copies:
            self._files.cp_file(copies[entry.sha256], self._at(target))
        else:
            self._put(source, target)
        reached("publish.object_written")
        return entry

    def _put(self, source: Path, target: str, *, mode: str = "overwrite") -> None:
        self._files.put_file(str(source), self._at(target), mode=mode, **self._transfer_options)

    def _put_manifest(self, version: str, manifest: Manifest) -> Manifest:
        try:
            self._files.pipe_file(self._at(f"{version}/{MANIFEST}"), manifest.to_json(), mode="create")
        except FileExistsError:
            text = self.read(f"{version}/{MANIFEST}")
            return Manifest.from_json(text or b"", where=self.uri_of(version))
        reached("publish.manifest_written")
        return manifest

    def _keep_local_copies(self, directory: Path, base: str, written: Manifest, visible: Manifest) -> None:
        """Move what was just published into the cache, where it will be read next."""
        for entry in visible.files:
            target = self._cached(base, visible) / entry.path
            if written.entry(entry.path) != entry or target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            # A cache on another file system is filled by the first reader instead.
            with contextlib.suppress(OSError):
                (directory / entry.path).rename(target)

    def _cached(self, base: str, manifest: Manifest) -> Path:
        # The manifest takes part in the name: after a repair, view files of one version may be others.
        name = f"{manifest.version}-{hashlib.sha256(manifest.to_json()).hexdigest()[:8]}"
        root = scratch.make_root(remote.cache_root())
        return root / "artifacts" / _short_digest(self.uri) / base / name

    @contextmanager
    def _marked(self, version: str) -> Iterator[None]:
        marker = f"scratch/{scratch.owned_name()}"
        self.replace(marker, to_text({"version": version, "opened_at": time.time()}))
        try:
            yield
        finally:
            self._files.rm_file(self._at(marker))

    def _marker(self, name: str) -> tuple[str, float]:
        """Return the version that an upload is about, and how long ago it was opened, in seconds."""
        try:
            marker = json.loads(self.read(f"scratch/{name}") or b"{}")
            return str(marker["version"]), time.time() - float(marker["opened_at"])
        except (ValueError, KeyError, TypeError):
            return "", 0.0

    def _abort_uploads(self, version: str) -> None:
        """End uploads in parts that a killed process left open; they are invisible, but they are paid for."""
        if not self._is_s3:
            return
        bucket, prefix = self._at(f"{version}/").split("/", 1)
        answer = self._files.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix)
        for upload in answer.get("Uploads", ()):
            self._files.call_s3(
                "abort_multipart_upload", Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
            )


@functools.lru_cache(maxsize=8)
def _opened(uri: str, process: int, endpoint: str | None) -> tuple[Any, str]:
    # Clients survive neither a fork nor a change of the endpoint, so both are part of the cache's key.
    del process, endpoint
    return remote.open_file_system(uri)


def _fetching_root() -> Path:
    # On the file system of the cache, so that a fetched file can be renamed to its place.
    return remote.cache_root() / "fetching"


@contextmanager
def _into_cache(path: Path) -> Iterator[Path]:
    """Give a place to write a file to that is renamed to `path` at the end, or removed when something fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = scratch.make_root(_fetching_root()) / scratch.owned_name()
        try:
            yield aside
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        if is_disk_full(error):
            # It is this machine's disk that is full, not the object store.
            raise disk_full(str(path)) from error
        raise


def _parsed(text: bytes | None) -> Manifest | None:
    try:
        return None if text is None else Manifest.from_json(text)
    except ArtifactDamaged:
        return None


def _short_digest(uri: str) -> str:
    return hashlib.sha256(uri.encode()).hexdigest()[:12]
