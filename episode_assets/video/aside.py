"""A file that is written beside its target and takes its name only when it is whole.

What a killed run left there is written over by the next one. Whole artifacts with manifests belong in `storage`.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from episode_assets.errors import BadVideo
from episode_assets.video.faults import named_failures


class Aside:
    """A hidden file in the target's folder, locked while its writer lives; gone on leaving a `with` block.

    Args:
        target: The name that the file shall take.
        overwrite: Whether a file of that name may be replaced.

    Attributes:
        path: Where to write.

    Raises:
        BadVideo: The target exists, its folder does not, or another writer is at it.
    """

    def __init__(self, target: Path, *, overwrite: bool = True) -> None:
        self._target = target
        self._overwrite = overwrite
        self.path = target.with_name(f".{target.name}.part")
        self._lock: int | None = None
        self._refuse_existing()
        with named_failures("a video cannot be written", where=target.name, kind=BadVideo):
            self._lock = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._release()
            raise BadVideo("another process is writing this video", where=target.name) from error
        except OSError:  # a file system without locks
            pass

    def __enter__(self) -> Aside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def publish(self) -> None:
        """Give the file its name, at once and on the disk.

        Raises:
            BadVideo: A file of that name has come up meanwhile, or the folder cannot be written to.
        """
        self._refuse_existing()
        with named_failures("a video cannot be published", where=self._target.name, kind=BadVideo):
            if self._lock is not None:
                os.fsync(self._lock)
            self.path.replace(self._target)
        self._release()

    def discard(self) -> None:
        """Remove what was written, unless it is published; may be called again."""
        if self._lock is not None:
            with suppress(OSError):
                self.path.unlink()
            self._release()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _refuse_existing(self) -> None:
        if not self._overwrite and self._target.exists():
            raise BadVideo(
                "a file of this name exists", where=self._target.name, remedy="ask for overwriting it"
            )
