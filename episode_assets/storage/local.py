"""A store in a directory of a local or network file system.

One-step publication is the rename of a complete directory; small files are replaced by rename. All temporary files
lie under the store's own `scratch/`, which is on the same file system, so nothing half-written is ever beside
published files.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from episode_assets.errors import ArtifactDamaged, BadConfig
from episode_assets.storage import files, scratch
from episode_assets.storage.manifest import MANIFEST, FileEntry, Manifest
from episode_assets.storage.write_points import reached

_TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST})
_NO_LINK = frozenset({errno.EMLINK, errno.EPERM, errno.EXDEV, errno.ENOTSUP, errno.EACCES})
"""The file system has no links, or no more of them for this file."""


@dataclass(frozen=True)
class LocalBackend:
    """Files under one root directory."""

    root: Path

    @property
    def uri(self) -> str:
        """Absolute path of the store."""
        return str(self.root)

    def prepare(self) -> None:
        """Make the root directory.

        Raises:
            BadConfig: There is a file at that path.
        """
        if self.root.exists() and not self.root.is_dir():
            raise BadConfig("the store is a file, not a directory", where=str(self.root))
        self.root.mkdir(parents=True, exist_ok=True)

    def uri_of(self, path: str) -> str:
        """Return the absolute path."""
        return str(self.root / path)

    def read(self, path: str) -> bytes | None:
        """Return a small file whole, or `None` where there is none."""
        try:
            return (self.root / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def replace(self, path: str, data: bytes) -> None:
        """Write aside, force to the disk, and rename over the old file."""
        target = self.root / path
        _make_directory(target.parent)
        aside = scratch.make_root(self._scratch_root) / f"{scratch.owned_name()}.tmp"
        try:
            files.write_durably(aside, data, mode=0o644)
            reached("replace.temporary_written")
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
        files.fsync_directory(target.parent)

    def exists(self, path: str) -> bool:
        """Whether there is a file at `path`."""
        return (self.root / path).is_file()

    def names(self, path: str) -> tuple[str, ...]:
        """Return the names right under a directory, sorted."""
        try:
            return tuple(sorted(entry.name for entry in os.scandir(self.root / path)))
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def sizes(self, directory: str, paths: Iterable[str]) -> dict[str, int]:
        """Return the sizes of those regular files that exist."""
        found: dict[str, int] = {}
        for path in paths:
            try:
                status = (self.root / directory / path).lstat()
            except (FileNotFoundError, NotADirectoryError):
                continue
            if stat.S_ISREG(status.st_mode):
                found[path] = status.st_size
        return found

    def all_files(self, directory: str) -> tuple[str, ...]:
        """Return the paths of all files below a directory, relative to it."""
        root = self.root / directory
        return tuple(path for path, _ in files.walk(root)) if root.is_dir() else ()

    def sha256(self, path: str) -> str:
        """Return the SHA-256 of a file."""
        return files.sha256_of(self.root / path)

    def fetch(self, path: str, target: Path) -> None:
        """Copy a file without its mode."""
        shutil.copyfile(self.root / path, target)

    def scratch(self) -> AbstractContextManager[Path]:
        """Open a private directory under the store."""
        return scratch.private_directory(self._scratch_root)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a lock file under the scratch directory; the system releases it when the process dies."""
        with (scratch.make_root(self._scratch_root) / f"{name}.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def lend(self, source: str, target: Path) -> bool:
        """Link the published file, which nobody writes to any more."""
        try:
            os.link(self.root / source, target)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            shutil.copyfile(self.root / source, target)
            return False
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
        """Rename the directory to its version; see `Backend.publish`."""
        del previous, lent  # what older versions lend has been linked into the directory
        reached("publish.files_written")
        files.write_durably(directory / MANIFEST, manifest.to_json(), mode=files.READ_ONLY)
        files.open_directories(directory)
        reached("publish.manifest_written")
        target = self.root / base / manifest.version
        _make_directory(target.parent)
        while True:
            try:
                directory.rename(target)
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise
                existing = self._intact(target)
                if existing is not None:
                    return existing
                self._set_aside(target)
            else:
                files.fsync_directory(target.parent)
                return manifest

    def point(self, base: str, version: str) -> None:
        """Replace the link `latest` where it leads elsewhere."""
        link = self.root / base / "latest"
        if link.is_symlink() and link.readlink() == Path(version):
            return
        aside = scratch.make_root(self._scratch_root) / f"{scratch.owned_name()}.link"
        aside.symlink_to(version, target_is_directory=True)
        try:
            aside.replace(link)
        finally:
            aside.unlink(missing_ok=True)
        reached("publish.link_written")

    def place_evidence(self, directory: Path, target: str) -> None:
        """Rename the evidence to its place."""
        files.open_directories(directory)
        place = self.root / target
        _make_directory(place.parent)
        if place.exists():
            self._set_aside(place)
        directory.rename(place)
        files.fsync_directory(place.parent)

    def local_file(self, base: str, manifest: Manifest, entry: FileEntry) -> Path:
        """Return the published file itself."""
        return self.local_directory(base, manifest) / entry.path

    def local_directory(self, base: str, manifest: Manifest) -> Path:
        """Return the published directory itself."""
        return self.root / base / manifest.version

    def sweep(self) -> int:
        """Remove scratch of killed processes."""
        return scratch.sweep(self._scratch_root)

    @property
    def _scratch_root(self) -> Path:
        return self.root / "scratch"

    def _intact(self, version: Path) -> Manifest | None:
        # Read in full: this is the moment at which good bytes for a silently damaged version are at hand.
        try:
            manifest = Manifest.from_json((version / MANIFEST).read_bytes())
            matches = all(files.sha256_of(version / entry.path) == entry.sha256 for entry in manifest.files)
        except (ArtifactDamaged, FileNotFoundError):
            return None
        return manifest if matches else None

    def _set_aside(self, path: Path) -> None:
        with self.scratch() as grave:
            try:
                path.rename(grave / "replaced")
            except FileNotFoundError:
                return  # another process was faster


def _make_directory(path: Path) -> None:
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        files.fsync_directory(path.parent)
