"""Pictures straight into an mp4, one at a time: the writer behind every video that is not joined from segments.

Memory holds the encoder's look-ahead and one packet. Several cameras at once, each with a thread of its own, belong in
`streaming`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from episode_assets.errors import BadConfig, BadVideo, DiskFull
from episode_assets.video.aside import Aside
from episode_assets.video.encoder_config import RGBEncoderConfig
from episode_assets.video.encoding import EncodedFrame, FrameEncoder, resolved
from episode_assets.video.faults import named_failures
from episode_assets.video.frames import Image, encodable, size_of
from episode_assets.video.muxing import TICKS_PER_FRAME, check_fps, check_written, muxer, stream_template
from episode_assets.video.picture import padded_size
from episode_assets.video.probing import VideoProbe


class VideoWriter(AbstractContextManager["VideoWriter", None]):
    """Encodes pictures into an mp4 in a `with` block; the file is there after `finish`, and before that nothing is.

    Args:
        out: The mp4 to write; index first (faststart), no B-frames, no edit list.
        config: How to encode.
        fps: Frame i is shown at exactly i / fps; at least 1. Leave it out and give stamps instead.
        time_base: Seconds per tick of the stamps that `add` gets; needed where there is no `fps`.
        threads: Encoder threads; see `FrameEncoder`.
        overwrite: Whether an existing file is replaced.

    Raises:
        BadConfig: Neither or both of `fps` and `time_base`, or one out of range.
        BadVideo: The target exists and may not be replaced, or another process writes it.
    """

    def __init__(
        self,
        out: Path,
        config: RGBEncoderConfig,
        *,
        fps: int | None = None,
        time_base: Fraction | None = None,
        threads: int = 1,
        overwrite: bool = True,
    ) -> None:
        self._tick, self._timescale = _clock(fps, time_base)
        self._fps = fps
        self._config = resolved(config)
        self._threads = threads
        self._name = out.name
        self._size: tuple[int, int] | None = None
        self._encoder: FrameEncoder | None = None
        self._container: Any = None
        self._stream: Any = None
        self._waiting: EncodedFrame | None = None
        self._stamps = array("q")
        self._muxed = 0
        self._is_over = False
        self._open = ExitStack()
        self._aside = Aside(out, overwrite=overwrite)

    def __exit__(self, *_: object) -> None:
        self.cancel()

    @property
    def frames(self) -> int:
        """How many pictures have been added."""
        return len(self._stamps)

    def add(self, image: Image, *, pts: int | None = None, force_key: bool = False) -> None:
        """Encode one picture; it is only read, and free again on return.

        Args:
            image: Of the size of the first one; an odd side is padded by one line.
            pts: Its stamp in ticks, larger than the one before; only where there is no `fps`.
            force_key: Begin a new group of pictures here.

        Raises:
            BadVideo: The size or kind differs, the stamp does not advance, or the encoder failed.
            BadConfig: The encoder does not open with this configuration.
            DiskFull: No space is left.
        """
        stamp = self._stamp(pts)
        size = size_of(image)
        if self._size is None:
            self._size = size
        if size != self._size:
            raise BadVideo(
                f"frame {self.frames} is {size[0]} x {size[1]} and the first {self._size[0]} x {self._size[1]}",
                where=self._name,
            )
        frame = encodable(image, self._config.pix_fmt)
        encoder = self._opened_encoder()
        self._stamps.append(stamp)
        self._take(encoder.encode(frame, force_key=force_key))

    def finish(self) -> VideoProbe:
        """Write what is left, check the file and give it its name.

        Returns:
            The probe of the file: as many frames as were added, with their stamps.

        Raises:
            BadVideo: Nothing was added, or the file does not read back as written.
            DiskFull: No space is left.
        """
        found = self.complete()
        self.publish()
        return found

    def complete(self) -> VideoProbe:
        """Do what `finish` does, but leave the file without its name until `publish`."""
        if self._encoder is None:
            raise BadVideo("a video needs at least one picture", where=self._name)
        self._take(self._encoder.flush())
        self._mux(last=True)
        self._encoder = self._container = None
        self._is_over = True
        with named_failures("a video cannot be written", where=self._name, kind=BadVideo):
            self._open.close()
        return check_written(
            self._aside.path, np.asarray(self._stamps, np.int64), self._tick, where=self._name
        )

    def publish(self) -> None:
        """Give a complete file its name."""
        self._aside.publish()

    def cancel(self) -> None:
        """Remove everything that was written, unless it is published; may be called again."""
        self._encoder = self._waiting = None
        self._is_over = True
        try:
            # Whatever the container says about its half a file: the file goes now.
            with suppress(BadVideo, DiskFull), named_failures("", where=self._name, kind=BadVideo):
                self._open.close()
        finally:
            self._container = None
            self._aside.discard()

    def _stamp(self, pts: int | None) -> int:
        if self._is_over:
            raise BadVideo("the video is finished or cancelled", where=self._name)
        if self._fps is not None:
            if pts is not None:
                raise BadVideo("stamps come from the rate of this video, not with its pictures")
            return len(self._stamps)
        if pts is None:
            raise BadVideo(f"frame {self.frames} has no stamp", where=self._name)
        if self._stamps and pts <= self._stamps[-1]:
            raise BadVideo(f"stamp {pts} follows {self._stamps[-1]}; stamps must advance", where=self._name)
        return pts

    def _opened_encoder(self) -> FrameEncoder:
        if self._encoder is None:
            assert self._size is not None
            width, height = padded_size(*self._size)
            self._encoder = FrameEncoder(self._config, width=width, height=height, threads=self._threads)
            self._coded = width, height
        return self._encoder

    def _take(self, frames: Iterable[EncodedFrame]) -> None:
        for frame in frames:
            if self._container is None:
                self._open_file(frame)
            self._mux()
            self._waiting = frame

    def _open_file(self, first: EncodedFrame) -> None:
        encoder = self._encoder
        assert encoder is not None
        with named_failures("a video cannot be written", where=self._name, kind=BadVideo):
            template = self._open.enter_context(stream_template(encoder.codec, encoder.extradata, first.data))
            self._container = self._open.enter_context(muxer(self._aside.path, timescale=self._timescale))
            self._stream = self._container.add_stream_from_template(template, opaque=True)
            self._stream.time_base = self._tick
            self._stream.width, self._stream.height = self._coded

    def _mux(self, *, last: bool = False) -> None:
        """Write the packet that waits: how long it lasts is known with the next stamp."""
        if self._waiting is None:
            return
        packet = av.Packet(self._waiting.data)
        packet.stream = self._stream
        packet.time_base = self._tick
        packet.pts = packet.dts = self._stamps[self._muxed]
        packet.duration = self._last_duration() if last else self._stamps[self._muxed + 1] - packet.pts
        packet.is_keyframe = self._waiting.is_key
        with named_failures("a video cannot be written", where=self._name, kind=BadVideo):
            self._container.mux_one(packet)
        self._muxed += 1

    def _last_duration(self) -> int:
        if self._fps is not None:
            return 1
        steps = np.diff(np.asarray(self._stamps, np.int64))
        return max(int(np.median(steps)), 1) if len(steps) else max(round(1 / (15 * self._tick)), 1)


def encode_frames(
    images: Iterable[Image],
    out: Path,
    config: RGBEncoderConfig,
    *,
    fps: int,
    threads: int = 1,
    overwrite: bool = True,
) -> VideoProbe:
    """Write pictures into an mp4 with frame i at exactly i / fps; see `VideoWriter`.

    Returns:
        The probe of the file, with the number of frames.
    """
    with VideoWriter(out, config, fps=fps, threads=threads, overwrite=overwrite) as writer:
        for image in images:
            writer.add(image)
        return writer.finish()


def _clock(fps: int | None, time_base: Fraction | None) -> tuple[Fraction, int]:
    """Return seconds per tick of the stamps, and how many ticks of the track make a second."""
    if (fps is None) == (time_base is None):
        raise BadConfig("a video has either a constant fps or stamps with a time_base")
    if time_base is None:
        rate = check_fps(fps)
        return Fraction(1, rate), TICKS_PER_FRAME * rate
    if time_base <= 0:
        raise BadConfig(f"time_base must be positive, got {time_base}")
    return time_base, time_base.denominator
