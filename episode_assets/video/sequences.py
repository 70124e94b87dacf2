"""Pictures of one stream in order, whether its messages are stills or a video: the one way to read colour pictures.

A video decoder has state. What is known to be missing or damaged breaks the chain, and everything up to the next key
frame is refused by name: libav would conceal it and show grey or smeared pictures. Where messages come from, and which
of them a picture needs, is known in `recording`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar

import av

from episode_assets.errors import EpisodeAssetsError
from episode_assets.video.conversion import picture_from
from episode_assets.video.decoding import STRICT_DECODING, decode_picture
from episode_assets.video.faults import UndecodablePicture, named_failures
from episode_assets.video.frame_numbers import FrameNumbers
from episode_assets.video.picture import LIMITED_RANGE, Picture

VIDEO_DECODERS: Mapping[str, str] = {"h264": "h264", "h265": "hevc", "av1": "libdav1d", "vp9": "vp9"}
"""Format of a message -> libav's decoder; its own `av1` works with hardware only."""

_LONGEST_DELAY = 40
"""Messages after which a picture that has not come out will not come: codecs reorder over 16 at most."""

_IMMEDIATE = frozenset({"av1", "vp9"})
"""Formats whose messages show one picture each, whatever they reorder inside."""

_ANNEX_B, _START_CODES = frozenset({"h264", "h265"}), (b"\x00\x00\x01", b"\x00\x00\x00\x01")

# Without `strict`, H.264 streams that do not state their reordering lose pictures until the decoder has guessed it.
_OPTIONS = {**STRICT_DECODING, "strict": "1"}


class EncodedPicture(Protocol):
    """One picture as it lies in a message; see `decode_picture`."""

    @property
    def format(self) -> str:
        """`h264`, `h265`, `av1`, `vp9`, or a format of `decode_picture`."""

    @property
    def data(self) -> memoryview:
        """The payload."""

    @property
    def width(self) -> int | None:
        """Width of raw formats in pixels."""

    @property
    def height(self) -> int | None:
        """Height of raw formats in pixels."""

    @property
    def step(self) -> int | None:
        """Bytes per row of raw formats."""

    @property
    def is_bigendian(self) -> bool:
        """Byte order of raw formats of 16 bits."""


class Step(Protocol):
    """One message in the order of decoding."""

    @property
    def position(self) -> int | None:
        """Position of its picture in the stream; None where the message gives no frame."""

    @property
    def starts_group(self) -> bool:
        """Whether a decoder can begin here."""

    @property
    def stands_alone(self) -> bool:
        """Whether nothing from here on needs anything before; implies `starts_group`."""

    @property
    def is_after_hole(self) -> bool:
        """Whether messages before it are missing."""

    @property
    def message(self) -> EncodedPicture | EpisodeAssetsError:
        """The picture, or why the message cannot be read."""


StepT = TypeVar("StepT", bound=Step)
StepT_co = TypeVar("StepT_co", bound=Step, covariant=True)
Result = tuple[StepT, Picture | UndecodablePicture]


class Stream(Protocol[StepT_co]):
    """Gives the messages that the pictures `[start, stop)` need, in the order of decoding."""

    def steps(self, start: int, stop: int) -> Iterator[StepT_co]:
        """Yield every message that is needed once."""


def decode_pictures(stream: Stream[StepT], start: int, stop: int) -> Iterator[Result[StepT]]:
    """Decode the pictures at positions `[start, stop)` of a stream, in the order of positions.

    A video is decoded from the key frame at or before `start`; pictures before `start` cost their decoding and are not
    returned. Messages and pictures are matched by number, never by counting. Memory holds the few pictures that a
    decoder keeps or reorders.

    What comes of a picture depends on the stream alone, not on where reading began. Not every damage can be told from
    the bytes: an AV1 or VP9 message that never reached the recording leaves no trace, and where only the entropy-coded
    part of a payload is wrong, codecs read on and show something else.

    Yields:
        Each step of `[start, stop)` with its picture, or with the reason why there is none: its payload does not
        decode, or it follows damage and no key frame has come since.
    """
    decoder = _Decoder[StepT](range(start, stop))
    ready: list[tuple[int, int, Result[StepT]]] = []
    following = start
    for number, result in enumerate(decoder.results(stream.steps(start, stop))):
        position = result[0].position
        assert position is not None
        heapq.heappush(ready, (position, number, result))
        while ready and ready[0][0] == following:
            yield heapq.heappop(ready)[2]
            following += 1


class _Decoder(Generic[StepT]):
    """Decodes steps; results come as soon as they are certain, those of a video in the order of display."""

    def __init__(self, wanted: range) -> None:
        self._wanted = wanted
        self._format = ""
        self._context: Any = None
        self._numbers = FrameNumbers()
        self._waiting: dict[int, StepT] = {}
        self._sent = 0
        self._broken_by = ""

    def results(self, steps: Iterator[StepT]) -> Iterator[Result[StepT]]:
        """Yield a result for each wanted step."""
        for step in steps:
            yield from filter(self._is_wanted, self._take(step))
        yield from filter(self._is_wanted, self._drained())

    def _is_wanted(self, result: Result[StepT]) -> bool:
        return result[0].position in self._wanted

    def _take(self, step: StepT) -> Iterator[Result[StepT]]:
        message = step.message
        if isinstance(message, EpisodeAssetsError):
            yield from self._broken("a message before it does not decode")
            yield step, UndecodablePicture(message.what)
        elif message.format not in VIDEO_DECODERS:
            yield from self._broken("a still lies before it")
            yield step, _still(message)
        else:
            yield from self._take_video(step, message)

    def _take_video(self, step: StepT, message: EncodedPicture) -> Iterator[Result[StepT]]:
        if message.format != self._format:
            if self._format:
                yield from self._broken("the codec changes")
            self._format = message.format
        if step.is_after_hole:
            yield from self._broken("messages are missing before it")
        if step.stands_alone:
            # Nothing that a damaged group left behind may show in the next one.
            yield from self._broken("")
        if self._context is None and not step.starts_group:
            yield step, _no_key_frame(message, self._broken_by)
            return
        if self._context is None:
            self._context, self._numbers = _opened(message.format), FrameNumbers()
        if message.format == "h264" and not self._numbers.continues(message.data):
            yield from self._broken("a picture is missing before it")
            yield step, UndecodablePicture("a picture that it needs is missing")
            return
        yield from self._sent_on(step, message)

    def _sent_on(self, step: StepT, message: EncodedPicture) -> Iterator[Result[StepT]]:
        packet = av.Packet(message.data)
        packet.pts = self._sent
        try:
            frames = self._context.decode(packet)
        except av.FFmpegError as error:
            yield from self._broken("a picture before it does not decode")
            text = (
                f"a {message.format} picture of {len(message.data)} bytes does not decode ({error.strerror})"
            )
            yield step, UndecodablePicture(text)
            return
        number = self._sent
        self._waiting[number] = step
        self._sent += 1
        yield from self._pictures(frames)
        if message.format in _IMMEDIATE and number in self._waiting:
            yield from self._broken("a message before it gave no picture")
        late = self._waiting.pop(self._sent - _LONGEST_DELAY, None)
        if late is not None:
            yield late, _no_picture()

    def _decoded(self, packet: Any) -> list[Any]:
        size = packet.size if packet else 0
        what = f"a {self._format} picture of {size} bytes does not decode"
        with named_failures(what, where="", kind=UndecodablePicture):
            return list(self._context.decode(packet))

    def _pictures(self, frames: list[Any]) -> Iterator[Result[StepT]]:
        for frame in frames:
            step = self._waiting.pop(frame.pts, None)
            if step is None:
                continue
            if frame.is_corrupt:
                yield step, UndecodablePicture("the decoder had to guess parts of it")
                self._context = None
                yield from self._broken("a picture before it is damaged")
                return
            if step.position in self._wanted:
                yield step, _converted(frame)

    def _broken(self, reason: str) -> Iterator[Result[StepT]]:
        """Give what the decoder still holds, and begin anew with the next key frame."""
        yield from self._drained()
        self._context = None
        self._broken_by = reason

    def _drained(self) -> Iterator[Result[StepT]]:
        if self._context is not None:
            with suppress(UndecodablePicture):
                yield from self._pictures(self._decoded(None))
        for number in sorted(self._waiting):
            yield self._waiting.pop(number), _no_picture()


def _opened(format: str) -> Any:  # noqa: A002  # the word of image messages
    context: Any = av.CodecContext.create(VIDEO_DECODERS[format], "r")
    # More threads give the same pictures later; workers are processes.
    context.thread_count = 1
    context.options = dict(_OPTIONS)
    return context


def _no_key_frame(message: EncodedPicture, broken_by: str) -> UndecodablePicture:
    if message.format in _ANNEX_B and not bytes(message.data[:4]).startswith(_START_CODES):
        return UndecodablePicture(
            f"a {message.format} payload that begins with {bytes(message.data[:4]).hex(' ')} instead of a start code",
            remedy="record the stream in Annex B form, with parameter sets before each key frame",
        )
    detail = broken_by or "the stream begins inside a group"
    return UndecodablePicture(f"no key frame yet: {detail}")


def _no_picture() -> UndecodablePicture:
    return UndecodablePicture("the decoder gave no picture for it")


def _still(message: EncodedPicture) -> Picture | UndecodablePicture:
    try:
        return decode_picture(
            message.format,
            message.data,
            width=message.width,
            height=message.height,
            step=message.step,
            is_bigendian=message.is_bigendian,
        )
    except UndecodablePicture as error:
        return error


def _converted(frame: Any) -> Picture | UndecodablePicture:
    try:
        return picture_from(frame, unstated_range=LIMITED_RANGE)
    except UndecodablePicture as error:
        return error
