"""Open videos kept for the next question, as many as are allowed, for threads and forked processes.

What is decoded belongs to `decoder` and `lookup`; this module only knows which files are open.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from episode_assets.errors import BadConfig
from episode_assets.video.decoder import VideoDecoder
from episode_assets.video.faults import UndecodableVideo, named_failures

SIZE_VARIABLES = ("EPISODE_ASSETS_DECODER_CACHE_SIZE", "LEROBOT_VIDEO_DECODER_CACHE_SIZE")
"""Environment variables with the number of files that stay open; the first that is set holds."""

DEFAULT_SIZE = 100

_NO_LIMIT = ("", "none", "unbounded", "-1")


class DecoderCache:
    """Keeps the videos open that were used last; safe for threads, and empty in a forked or unpickled copy.

    A decoder in use belongs to its user alone: nobody else decodes with it and nothing closes it. Who asks for a video
    whose decoder is in use gets another one, so threads do not wait for each other; while all are in use, more than the
    limit are open. A video that was replaced on the disk is opened again.

    Args:
        max_size: Decoders that stay open, at least 1; None for no limit. Without it the environment says
            (`SIZE_VARIABLES`: a number, or empty, `none`, `unbounded`, `-1` for no limit), and else it is 100.

    Attributes:
        max_size: The limit.
        hits: Questions that an open decoder answered.
        misses: Questions for which a file was opened.

    Raises:
        BadConfig: The size, here or in the environment, is neither a positive number nor one of those words.
    """

    def __init__(self, max_size: int | Literal["environment"] | None = "environment") -> None:
        self.max_size = _size_of_environment() if max_size == "environment" else max_size
        if self.max_size is not None:
            _check_size(self.max_size, "max_size")
        self.hits = 0
        self.misses = 0
        self._lock = threading.Lock()
        self._idle: OrderedDict[str, list[_Kept]] = OrderedDict()
        self._leased: Counter[str] = Counter()
        self._process = 0
        _CACHES.add(self)

    def __contains__(self, path: object) -> bool:
        with self._lock:
            return str(path) in self._idle or self._leased[str(path)] > 0

    def __reduce__(self) -> tuple[object, ...]:
        return (DecoderCache, (self.max_size,))

    def size(self) -> int:
        """Return how many decoders are open."""
        with self._lock:
            return self._open()

    @contextmanager
    def lease(self, path: Path) -> Iterator[VideoDecoder]:
        """Lend a decoder of a video for a `with` block.

        Raises:
            UndecodableVideo: The file cannot be opened, holds no video, or holds no frame.
        """
        key, version, process = str(path), _version_of(path), self._process
        kept = self._taken(key, version)
        try:
            if kept is None:
                kept = _Kept(version, VideoDecoder(path))
            yield kept.decoder
        finally:
            self._returned(key, kept, is_ours=process == self._process)

    def clear(self) -> None:
        """Close every decoder that is not in use."""
        with self._lock:
            _close_all(self._idle)

    def forget_after_fork(self) -> None:
        """Begin empty in a child process, which shares the position in every file with its parent; the system calls."""
        self._lock = threading.Lock()
        self._process += 1
        self._leased.clear()
        _close_all(self._idle)

    def _open(self) -> int:
        return sum(map(len, self._idle.values())) + self._leased.total()

    def _taken(self, key: str, version: _Version) -> _Kept | None:
        """Note a user of a video and return an open decoder of it, if there is one."""
        with self._lock:
            kept = self._idle_one(key, version)
            self.hits += kept is not None
            self.misses += kept is None
            self._leased[key] += 1
            self._shrink()
            return kept

    def _idle_one(self, key: str, version: _Version) -> _Kept | None:
        idle = self._idle.pop(key, [])
        for stale in (kept for kept in idle if kept.version != version):
            stale.decoder.close()
        fresh = [kept for kept in idle if kept.version == version]
        taken = fresh.pop() if fresh else None
        if fresh:
            self._idle[key] = fresh
        return taken

    def _returned(self, key: str, kept: _Kept | None, *, is_ours: bool) -> None:
        with self._lock:
            if is_ours:
                self._leased[key] -= 1
                self._leased += Counter()  # leaves out what is 0
            if kept is not None and is_ours:
                self._idle.setdefault(key, []).append(kept)
                self._idle.move_to_end(key)
                self._shrink()
            elif kept is not None:
                kept.decoder.close()

    def _shrink(self) -> None:
        """Close what was used longest ago until the limit is kept; what is in use stays."""
        while self.max_size is not None and self._idle and self._open() > self.max_size:
            key, idle = next(iter(self._idle.items()))
            idle.pop(0).decoder.close()
            if not idle:
                del self._idle[key]


_Version: TypeAlias = tuple[int, ...]


class _Kept(NamedTuple):
    """An open decoder, and which version of the file it reads."""

    version: _Version
    decoder: VideoDecoder


_CACHES: weakref.WeakSet[DecoderCache] = weakref.WeakSet()


def _forget_all() -> None:
    for cache in list(_CACHES):
        cache.forget_after_fork()


os.register_at_fork(after_in_child=_forget_all)


def _close_all(idle: OrderedDict[str, list[_Kept]]) -> None:
    while idle:
        for kept in idle.popitem()[1]:
            kept.decoder.close()


def _version_of(path: Path) -> _Version:
    with named_failures("a video cannot be read", where=path.name, kind=UndecodableVideo):
        found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _size_of_environment() -> int | None:
    for name in SIZE_VARIABLES:
        text = os.environ.get(name)
        if text is not None:
            return _size_of_text(name, text.strip().lower())
    return DEFAULT_SIZE


def _size_of_text(name: str, text: str) -> int | None:
    if text in _NO_LIMIT:
        return None
    try:
        size = int(text)
    except ValueError:
        raise BadConfig(f"{name} must be a whole number, 'none' or -1, got {text!r}") from None
    return _check_size(size, name)


def _check_size(size: object, name: str) -> int:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise BadConfig(f"{name} must be a positive whole number, got {size!r}")
    return size
