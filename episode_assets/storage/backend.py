"""What the store needs from the place it lies in; `local` and `objects` provide it.

Paths are relative to the store, with forward slashes. A new kind of place implements `Backend` and is chosen in
`backend_for`. Nothing here knows what an artifact means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from episode_assets.errors import BadConfig
from episode_assets.storage.local import LocalBackend
from episode_assets.storage.manifest import FileEntry, Manifest
from episode_assets.storage.objects import ObjectBackend


class Backend(Protocol):
    """A place that holds published files and keeps the promise of one-step publication."""

    @property
    def uri(self) -> str:
        """Address of the place."""

    def prepare(self) -> None:
        """Make the place if it is not there yet."""

    def uri_of(self, path: str) -> str:
        """Return the address of one file or directory."""

    def read(self, path: str) -> bytes | None:
        """Return a small file whole, or `None` where there is none."""

    def replace(self, path: str, data: bytes) -> None:
        """Write a small file so that every reader sees the old content or the new one."""

    def exists(self, path: str) -> bool:
        """Whether there is a file at `path`."""

    def names(self, path: str) -> tuple[str, ...]:
        """Return the names right under a directory, sorted; none where there is no directory."""

    def sizes(self, directory: str, paths: Iterable[str]) -> dict[str, int]:
        """Return the sizes in bytes of those regular files of a directory that exist."""

    def all_files(self, directory: str) -> tuple[str, ...]:
        """Return the paths of all files below a directory, relative to it, sorted."""

    def sha256(self, path: str) -> str:
        """Read a file to its end and return its SHA-256."""

    def fetch(self, path: str, target: Path) -> None:
        """Copy a published file to a new local file."""

    def scratch(self) -> AbstractContextManager[Path]:
        """Open a private local directory that disappears at the end."""

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Keep other processes on this machine out while a small file is read, changed and written back."""

    def lend(self, source: str, target: Path) -> bool:
        """Let a draft have a published file without reading it, or copy it where that cannot be; return which.

        Where it is true, the file may be missing at `target` until `publish` is told of it.
        """

    def publish(
        self,
        directory: Path,
        base: str,
        manifest: Manifest,
        *,
        previous: Manifest | None,
        lent: Mapping[str, str],
    ) -> Manifest:
        """Make a version visible in one step, and return the manifest that readers see from now on.

        That is another one than given when an intact version was there before, or when another process was faster.

        Args:
            directory: The files, checked and sealed; they are taken away.
            base: Directory of the artifact in the store.
            manifest: What to publish.
            previous: The version published before, whose unchanged files may be copied in place.
            lent: Files that `lend` has let the draft have: their places in the store, by path in the version.
        """

    def point(self, base: str, version: str) -> None:
        """Lead people who browse the place to the latest version, where it has means for that."""

    def place_evidence(self, directory: Path, target: str) -> None:
        """Make the files of a failed audit visible to reviewers, instead of older ones at the same place."""

    def local_file(self, base: str, manifest: Manifest, entry: FileEntry) -> Path:
        """Return a local file with the content of one published file."""

    def local_directory(self, base: str, manifest: Manifest) -> Path:
        """Return a local directory with all files of one version, its manifest included."""

    def sweep(self) -> int:
        """Remove what killed processes left behind, and return how many of them."""


def backend_for(uri: str) -> Backend:
    """Choose the backend for the address of a store: a path, `file://`, or any scheme that fsspec knows.

    Raises:
        BadConfig: The address is empty or of a scheme that nothing here can open.
    """
    path = local_path(uri)
    if path is not None:
        return LocalBackend(path)
    if not uri.split("://", 1)[1].strip("/"):
        raise BadConfig("the address names no bucket", where=uri, remedy="give s3://bucket/prefix")
    return ObjectBackend(uri.rstrip("/"))


def local_path(uri: str) -> Path | None:
    """Return the absolute path that a plain path or a `file://` address names, or `None` for other schemes.

    Raises:
        BadConfig: The address is empty.
    """
    if not uri.strip():
        raise BadConfig("the address is empty", remedy="give a directory or a URI such as s3://bucket/prefix")
    if "://" not in uri:
        return Path(uri).expanduser().absolute()
    if uri.startswith("file://"):
        return Path(unquote(urlsplit(uri.replace("#", "%23").replace("?", "%3F")).path)).absolute()
    return None
