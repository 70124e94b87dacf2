"""Several cameras encoded while their pictures come, each by a thread of its own, without ever losing one.

A row is one picture of every camera. Rows wait in short queues; where those are full the giver waits. One camera that
fails ends all of them, and no file gets its name before every one is whole. A single video without threads is
`writing`'s.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from episode_assets.errors import BadConfig, BadVideo
from episode_assets.video.encoder_config import RGBEncoderConfig
from episode_assets.video.frames import Image, ready
from episode_assets.video.probing import VideoProbe
from episode_assets.video.writing import VideoWriter

WhenFull: TypeAlias = Literal["wait", "drop_row"]


class CameraOutput(NamedTuple):
    """Where one camera's video goes, and how it is encoded."""

    path: Path
    config: RGBEncoderConfig


@dataclass(frozen=True)
class StreamedVideo:
    """One camera's finished video and how the encoding went.

    Attributes:
        probe: The facts of the file; `probe.frames` rows went in and are in it.
        encode_s: Seconds in which its thread encoded.
        most_waiting: Most pictures that waited in its queue at once.
    """

    probe: VideoProbe
    encode_s: float
    most_waiting: int

    @property
    def frames_per_s(self) -> float:
        """Frames encoded in a second of its thread's work."""
        return self.probe.frames / max(self.encode_s, 1e-9)


class StreamingEncoder(AbstractContextManager["StreamingEncoder", None]):
    """Encodes rows of pictures into one mp4 for each camera, in a `with` block that removes what is not finished.

    Memory holds `queue_rows` pictures of each camera beside the encoders' look-ahead, however long it runs.

    Args:
        cameras: Name to output; every row brings a picture of each.
        fps: Row i is shown at exactly i / fps, in all videos.
        queue_rows: Rows that may wait, 1 to 1000.
        when_full: `wait` keeps the giver until there is room. `drop_row` is for live recording only: the row is refused
            as a whole, and `feed` says so, so that it can be left out everywhere else too.
        threads: Encoder threads of each camera; see `FrameEncoder`. A fixed number, so that bytes do not depend on the
            machine; two, because the giver is often faster than one.
        overwrite: Whether existing files are replaced.

    Raises:
        BadConfig: No camera, or a number out of range.
        BadVideo: A target exists and may not be replaced, or another process writes it.
    """

    def __init__(
        self,
        cameras: Mapping[str, CameraOutput],
        *,
        fps: int,
        queue_rows: int = 4,
        when_full: WhenFull = "wait",
        threads: int = 2,
        overwrite: bool = True,
    ) -> None:
        if not cameras:
            raise BadConfig("there is no camera to encode")
        if not 1 <= queue_rows <= 1000:
            raise BadConfig(f"queue_rows must be 1..1000, got {queue_rows!r}")
        if when_full not in ("wait", "drop_row"):
            raise BadConfig(f"when_full must be 'wait' or 'drop_row', got {when_full!r}")
        self._when_full = when_full
        self._queue_rows = queue_rows
        self._shared = _Shared()
        self._lanes: dict[str, _Lane] = {}
        self._rows = 0
        self._feeding = threading.Lock()
        # Also when nobody closes it: threads must not outlive the interpreter's libraries, nor half files the process.
        self._end = weakref.finalize(self, _cancel, self._shared, self._lanes)
        try:
            for name, output in cameras.items():
                writer = VideoWriter(
                    output.path, output.config, fps=fps, threads=threads, overwrite=overwrite
                )
                self._lanes[name] = _Lane(name, writer, self._shared)
        except BaseException:
            self.cancel()
            raise
        for lane in self._lanes.values():
            lane.thread.start()

    def __exit__(self, *_: object) -> None:
        self.cancel()

    @property
    def rows(self) -> int:
        """Rows taken so far."""
        return self._rows

    def feed(self, images: Mapping[str, Image], *, is_owned: bool = False, force_key: bool = False) -> bool:
        """Hand over one row; several threads may do so, their rows stay whole.

        Args:
            images: One picture for every camera.
            is_owned: The caller will not touch the pictures again, so that planes and codes need not be copied. RGB is
                turned into planes here in any case: they wait in half the memory.
            force_key: Begin a new group of pictures here, in every video.

        Returns:
            Whether the row was taken; False only with `drop_row`.

        Raises:
            BadVideo: A camera is missing or unknown, a picture is none, the stream is over, or a camera failed, now or
                before.
            BadConfig: An encoder did not open.
        """
        if images.keys() != self._lanes.keys():
            raise BadVideo(f"a row of {sorted(images)} came for the cameras {sorted(self._lanes)}")
        with self._feeding:
            if not self._has_room():
                return False
            row = {name: ready(image, is_owned=is_owned) for name, image in images.items()}
            with self._shared.changed:
                for name, lane in self._lanes.items():
                    lane.put(row[name], force_key)
                self._shared.changed.notify_all()
            self._rows += 1
            return True

    def finish(self) -> dict[str, StreamedVideo]:
        """Wait for every encoder, check that every row is in every file, and give the files their names.

        Raises:
            BadVideo: Nothing was fed, or a camera failed; no file is left then.
            BadConfig: An encoder did not open.
            DiskFull: No space is left.
        """
        with self._feeding:
            if self._shared.is_over:
                raise self._failure()
            with self._shared.changed:
                self._shared.is_over = True
                self._shared.changed.notify_all()
            for lane in self._lanes.values():
                lane.thread.join()
            try:
                finished = self._finished()
                for lane in self._lanes.values():
                    lane.writer.publish()
            finally:
                self.cancel()
            return finished

    def cancel(self) -> None:
        """Stop at once, what waits is not encoded, and remove every unfinished file; may be called again."""
        self._end()

    def _has_room(self) -> bool:
        """Wait for room in every queue, or say that there is none."""
        with self._shared.changed:
            while not self._shared.is_over:
                if all(len(lane.waiting) < self._queue_rows for lane in self._lanes.values()):
                    return True
                if self._when_full == "drop_row":
                    return False
                self._shared.changed.wait()
        raise self._failure()

    def _failure(self) -> BaseException:
        failure = self._shared.failure
        return BadVideo("the stream is finished or cancelled") if failure is None else failure

    def _finished(self) -> dict[str, StreamedVideo]:
        if self._shared.is_cancelled:
            raise self._failure()
        finished = {name: lane.result() for name, lane in self._lanes.items()}
        for name, video in finished.items():
            if video.probe.frames != self._rows:
                raise BadVideo(
                    f"{self._rows} rows were fed and {video.probe.frames} frames of {name} written"
                )
        return finished


class _Shared:
    """What all lanes of a stream know: whether it is over, and why."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.is_over = False
        self.is_cancelled = False
        self.failure: BaseException | None = None

    def stop(self, failure: BaseException | None) -> None:
        """End everything; the first failure is the one that is told."""
        with self.changed:
            self.failure = self.failure or failure
            self.is_over = self.is_cancelled = True
            self.changed.notify_all()


class _Lane:
    """One camera: its queue, its thread and its file."""

    def __init__(self, name: str, writer: VideoWriter, shared: _Shared) -> None:
        self.writer = writer
        self.waiting: deque[tuple[Image, bool]] = deque()
        # A daemon, so that a process whose stream was forgotten can end; `weakref.finalize` stops it then.
        self.thread = threading.Thread(target=self._run, name=f"encode {name}", daemon=True)
        self._shared = shared
        self._encode_s = 0.0
        self._most_waiting = 0
        self._probe: VideoProbe | None = None

    def put(self, image: Image, force_key: bool) -> None:
        """Let a picture wait; the caller holds the lock and notifies."""
        self.waiting.append((image, force_key))
        self._most_waiting = max(self._most_waiting, len(self.waiting))

    def result(self) -> StreamedVideo:
        """Return what became of it, once the thread has ended well."""
        assert self._probe is not None
        return StreamedVideo(self._probe, self._encode_s, self._most_waiting)

    def _run(self) -> None:
        try:
            while (waited := self._next()) is not None:
                begun = time.perf_counter()
                image, force_key = waited
                self.writer.add(image, force_key=force_key)
                self._encode_s += time.perf_counter() - begun
            if not self._shared.is_cancelled:
                begun = time.perf_counter()
                self._probe = self.writer.complete()
                self._encode_s += time.perf_counter() - begun
        except BaseException as error:  # raised again where rows are fed or the stream finished
            self._shared.stop(error)
        finally:
            if self._probe is None:
                self.waiting.clear()
                self.writer.cancel()

    def _next(self) -> tuple[Image, bool] | None:
        """Wait for the next picture; None when there will be none."""
        with self._shared.changed:
            while not self.waiting and not self._shared.is_over:
                self._shared.changed.wait()
            if self._shared.is_cancelled or not self.waiting:
                return None
            waited = self.waiting.popleft()
            self._shared.changed.notify_all()
            return waited


def _cancel(shared: _Shared, lanes: Mapping[str, _Lane]) -> None:
    shared.stop(None)
    if threading.current_thread() in [lane.thread for lane in lanes.values()]:
        return  # the collector chose this thread to run in; each lane clears up after itself
    for lane in lanes.values():
        if lane.thread.ident is not None:
            lane.thread.join()
        lane.writer.cancel()
