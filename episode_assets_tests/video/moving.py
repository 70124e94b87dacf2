"""Video streams as recorders write them: one payload for each picture, encoded and decoded by PyAV alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np

from episode_assets_tests.video.builders import smooth_bgr

os.environ.setdefault("SVT_LOG", "1")  # errors only; the encoder has no option for it

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Codec:
    """An encoder with its options, and the decoder that PyAV pairs with it."""

    name: str
    encoder: str
    decoder: str
    options: tuple[tuple[str, str], ...]


_X265 = "log-level=none:keyint=10:repeat-headers=1:"
CODECS: Mapping[str, Codec] = {
    "h264": Codec("h264", "libx264", "h264", (("g", "10"), ("bf", "0"), ("preset", "veryfast"))),
    "h264 with B-frames": Codec(
        "h264", "libx264", "h264", (("g", "10"), ("bf", "3"), ("preset", "veryfast"))
    ),
    "h265": Codec(
        "h265", "libx265", "hevc", (("preset", "ultrafast"), ("x265-params", _X265 + "bframes=0:open-gop=0"))
    ),
    "h265 with open groups": Codec(
        "h265", "libx265", "hevc", (("preset", "ultrafast"), ("x265-params", _X265 + "bframes=3:open-gop=1"))
    ),
    "av1": Codec("av1", "libsvtav1", "libdav1d", (("g", "10"), ("preset", "10"))),
    "vp9": Codec("vp9", "libvpx-vp9", "vp9", (("g", "10"), ("deadline", "realtime"), ("lag-in-frames", "0"))),
}


@dataclass(frozen=True)
class Payload:
    """One encoded picture: the number of the frame it shows, whether it is a key frame, its bytes."""

    frame: int
    is_key: bool
    data: bytes


def payloads(kind: str, pictures: Iterable[np.ndarray]) -> tuple[Payload, ...]:
    """Encode RGB pictures with an encoder of `CODECS`, in the order of decoding."""
    codec, context = CODECS[kind], None
    packets: list[Any] = []
    for number, picture in enumerate(pictures):
        context = context or _opened(codec, picture.shape[1], picture.shape[0])
        frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
        frame.pts = number
        packets += context.encode(frame)
    assert context is not None
    packets += context.encode(None)
    return tuple(Payload(packet.pts, packet.is_keyframe, bytes(packet)) for packet in packets)


@cache
def moving(kind: str, frames: int = 40) -> tuple[Payload, ...]:
    """A gradient that drifts, under a grain that stays."""
    grain = np.random.default_rng(5).integers(0, 60, (64, 96, 1), np.uint8)
    return payloads(kind, (smooth_bgr(96, 64, shift=4 * n) // 2 + grain for n in range(frames)))


def _opened(codec: Codec, width: int, height: int) -> Any:
    context: Any = av.CodecContext.create(codec.encoder, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 15), Fraction(15)
    context.options = dict(codec.options)
    return context


def decoded(kind: str, stream: Iterable[Payload]) -> dict[int, Planes]:
    """Decode a whole stream from its beginning as PyAV does by default: the planes of each frame."""
    context: Any = av.CodecContext.create(CODECS[kind].decoder, "r")
    shown: list[Any] = []
    for payload in stream:
        packet = av.Packet(payload.data)
        packet.pts = payload.frame
        shown += context.decode(packet)
    shown += context.decode(None)
    return {frame.pts: planes_of(frame) for frame in shown}


def planes_of(frame: Any) -> Planes:
    """Cut the three planes out of PyAV's own array of a 4:2:0 frame."""
    image = frame.to_ndarray(format="yuv420p")
    height, width = frame.height, frame.width
    u, v = image[height:].reshape(2, height // 2, width // 2)
    return image[:height], u, v
