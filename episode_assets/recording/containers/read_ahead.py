"""Reading ahead of a consumer that says beforehand which ranges it will ask for, and in which order.

One window is held, the next is fetched in a thread: memory is two windows, whatever the length of the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from episode_assets.recording.containers.remote import Range

WINDOW_BYTES = 8 << 20
"""Bytes that are asked for together; with 50 ms to an object store and 32 requests at once, latency is then hidden."""

FIRST_WINDOW_BYTES = 128 << 10
"""The first window is this small and each is twice the one before: a reader who stops early has fetched little."""


class ReadAhead:
    """Ranges fetched before they are asked for; whoever asks in another order gets None and reads on its own.

    Args:
        fetch: Returns the bytes of several ranges; called in a thread.
        ranges: What will be asked for, in that order.
    """

    def __init__(self, fetch: Callable[[Sequence[Range]], list[bytes]], ranges: Iterable[Range]) -> None:
        self._fetch = fetch
        self._windows = _windows(ranges)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead")
        self._held: dict[Range, bytes] = {}
        self._coming: tuple[set[Range], Future[dict[Range, bytes]]] | None = None
        self._begin()

    def take(self, wanted: Range) -> bytes | None:
        """Return the bytes of a range and let go of them, or None where it is not the time of that range."""
        if wanted not in self._held and self._coming is not None and wanted in self._coming[0]:
            self._held = self._coming[1].result()
            self._begin()
        return self._held.pop(wanted, None)

    def close(self) -> None:
        """Wait for the request under way and forget everything."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._held, self._coming = {}, None

    def _begin(self) -> None:
        window = next(self._windows, None)
        self._coming = None if window is None else (set(window), self._thread.submit(self._load, window))

    def _load(self, window: Sequence[Range]) -> dict[Range, bytes]:
        return dict(zip(window, self._fetch(window), strict=True))


def _windows(ranges: Iterable[Range]) -> Iterator[list[Range]]:
    window, size, limit = list[Range](), 0, FIRST_WINDOW_BYTES
    for item in ranges:
        window.append(item)
        size += item[1]
        if size >= limit:
            yield window
            window, size, limit = [], 0, min(2 * limit, WINDOW_BYTES)
    if window:
        yield window
