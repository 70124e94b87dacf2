"""Opening an encoder and turning frames into packets, one in the order of the other.

Groups are closed and frames never reordered, whatever the codec's own habit: a stream copy can then cut and join. What
the packets become belongs in `segments` (memory) and `writing` (an mp4).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

import av

from episode_assets.errors import BadConfig, BadVideo
from episode_assets.video.codecs import AUTO_ORDER
from episode_assets.video.encoder_config import Options, RGBEncoderConfig
from episode_assets.video.faults import named_failures
from episode_assets.video.picture import Picture, frame_of, tag

NOMINAL_FPS = 15
"""What the encoder believes. It sees evenly spaced frames, so the bytes do not depend on the stamps; the true
stamps are kept beside the packets and written by the container.

x264 spends fewer bits on frames that it takes for shorter: at crf 18, pictures of the phone app (15 Hz) come out 1.4 dB
worse and a third smaller when it believes in 30 Hz. One rate for all recordings keeps their parameter sets equal.
"""

_QUICK_SEARCH = {"motion-est": "dia", "partitions": "none"}
"""What x264's `veryfast` looks for besides is not worth its time; options of the configuration go before.

With whole macroblocks between frames and the diamond search, encoding takes 0.56 to 0.81 of the time, quality is 0.05
to 0.35 dB lower and files are 1 to 4 % smaller (crf 18, g 15; renderings at 720p, pans over a photograph with and
without noise, a robot's camera at 480p).
"""

_LOOK_AHEAD = {
    "faster": 20,
    "fast": 30,
    "medium": 40,
    "slow": 50,
    "slower": 60,
    "veryslow": 60,
    "placebo": 60,
}
"""Pictures that x264 holds to see what will be looked at again, by preset (`x264 --fullhelp`)."""

_LOOK_AHEAD_PIXELS = 15 * 1280 * 720
"""What it may hold at once unless told otherwise, but no fewer than the 10 pictures of `veryfast`.

A picture of 720p takes 3 MB there, and one of 4K 27 MB: an encoder of 4K with `medium` takes 0.5 GB instead of 1.2.
"""

_PAIRS = 2
"""A group of two pictures, LeRobot's usual length: its second can look back at one other, and at nothing ahead.

Encoders make room for more unless told so: at 720p, 5 MB in libx264 (preset medium) and 70 MB in libsvtav1. Quality
and sizes stay the same, but that a pair which is cut short, at the end or by a key frame that is asked for, takes more
from libsvtav1 with preset 12: files of 20 small pictures grew by 1 to 6 %.
"""

_KEY_FRAME = 1  # libav's AV_PICTURE_TYPE_I
_GLOBAL_HEADER = 1 << 22
_QSCALE = 1 << 1
_LAMBDA = 118  # libav's FF_QP2LAMBDA


class EncodedFrame(NamedTuple):
    """The packet of one frame, and whether it is a key frame."""

    data: bytes
    is_key: bool


class FrameEncoder:
    """Encodes frames of libav in order; holds the encoder's few frames of look-ahead and nothing else.

    Args:
        config: How to encode; `auto` becomes the first encoder that works here.
        width: Coded width, as the pixel format asks for.
        height: Coded height.
        threads: Encoder threads. The bytes of libx264 differ between one and two, those of libsvtav1 do not; for any
            one number they are the same each time.

    Raises:
        BadConfig: The encoder does not open with these options.
    """

    def __init__(self, config: RGBEncoderConfig, *, width: int, height: int, threads: int = 1) -> None:
        config.check_size(width, height)
        self._context: Any = _open_encoder(resolved(config), width, height, threads)
        self._sent = 0
        self._received = 0

    @property
    def codec(self) -> str:
        """Libav's name of the codec (`h264`), without the encoder's."""
        return str(self._context.codec.canonical_name)

    @property
    def extradata(self) -> bytes:
        """The parameter sets, as the encoder gave them."""
        return self._context.extradata or b""

    def encode(self, frame: Any, *, force_key: bool = False) -> list[EncodedFrame]:
        """Encode one frame and return what has come out by now.

        Args:
            frame: A new one of the encoder's size and pixel format; a decoded one still says when it was shown and
                as what it was encoded.
            force_key: Begin a new group here; the first frame does so anyway.

        Raises:
            BadVideo: The encoder failed.
            BadConfig: It reorders frames.
        """
        frame.pts = self._sent
        if force_key or not self._sent:
            frame.pict_type = _KEY_FRAME
        self._sent += 1
        return self._taken(frame)

    def flush(self) -> list[EncodedFrame]:
        """Return what the encoder still holds, and close it.

        Raises:
            BadVideo: It lost a frame, or the first is no key frame.
        """
        packets = self._taken(None)
        if self._received != self._sent:
            raise BadVideo(f"{self._sent} pictures went into the encoder, {self._received} packets came out")
        return packets

    def _taken(self, frame: Any) -> list[EncodedFrame]:
        with named_failures("the encoder failed", where=f"frame {self._sent - 1}", kind=BadVideo):
            packets = self._context.encode(frame)
        taken = []
        for packet in packets:
            if packet.pts != self._received:
                raise BadConfig(
                    f"the encoder reorders frames (packet {self._received} shows frame {packet.pts})",
                    remedy="switch B-frames off, for libx264 with the option bf=0",
                )
            if not self._received and not packet.is_keyframe:
                raise BadVideo("the encoder began with a frame that is no key frame")
            taken.append(EncodedFrame(bytes(packet), bool(packet.is_keyframe)))
            self._received += 1
        return taken


def resolved(config: RGBEncoderConfig) -> RGBEncoderConfig:
    """Return the configuration with `auto` replaced by the first encoder that really encodes a frame here.

    Being compiled in says little: wheels list hardware encoders on machines without the hardware.

    Raises:
        BadConfig: None of them works with these options.
    """
    if config.vcodec != "auto":
        return config
    refusals: list[str] = []
    for vcodec in AUTO_ORDER:
        try:
            candidate = replace(config, vcodec=vcodec)
            encoder = FrameEncoder(candidate, width=256, height=256)
            encoder.encode(frame_of(Picture.blank(256, 256)))
            encoder.flush()
        except (BadConfig, BadVideo) as error:
            refusals.append(f"{vcodec}: {error.what}")
            continue
        return candidate
    raise BadConfig(
        f"vcodec 'auto' found no encoder ({'; '.join(refusals)})", remedy="name a codec, such as h264"
    )


def _has_repeatable_tree(width: int) -> bool:
    """Whether x264's macroblock tree gives the same bytes each time for pictures of this width.

    Its vector code takes eight macroblocks at once and reads behind a row that is no multiple of them: what lies there
    in memory then moves a quantiser now and then (1 encode in 720 at 320x240; certain under MALLOC_PERTURB_=1).
    """
    return -(-width // 16) % 8 == 0


def _open_encoder(config: RGBEncoderConfig, width: int, height: int, threads: int) -> Any:
    options, flags = library_words(config.options(threads=threads))
    options["flags"] = "+cgop"
    if config.vcodec == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # errors only; the encoder has no option for it
    if config.vcodec in ("h264", "hevc"):
        options["forced-idr"] = "1"
        options.setdefault("bf", "0")
    if config.vcodec == "hevc":
        # Its log goes to the error stream past libav.
        options["x265-params"] = _with_parameter(options.get("x265-params", ""), "log-level", "none")
    if config.vcodec == "h264" and not _has_repeatable_tree(width):
        options.setdefault("mbtree", "0")
    if config.vcodec == "h264" and config.preset == "veryfast":
        options = _QUICK_SEARCH | options
    if config.vcodec == "h264":
        options |= _shorter_look_ahead(options, width, height)
    if config.g == _PAIRS and config.vcodec == "h264":
        options.setdefault("refs", "1")
    if config.g == _PAIRS and config.vcodec == "libsvtav1":
        options["svtav1-params"] = _with_parameter(options["svtav1-params"], "lookahead", "0")
    context: Any = av.CodecContext.create(config.encoder, "w")
    context.width, context.height = width, height
    context.pix_fmt = config.pix_fmt
    context.time_base = Fraction(1, NOMINAL_FPS)
    context.framerate = Fraction(NOMINAL_FPS)
    context.thread_count = threads
    context.flags |= _GLOBAL_HEADER | flags
    context.options = options
    tag(context)
    try:
        context.open()
    except (av.FFmpegError, ValueError) as error:
        raise BadConfig(f"the encoder {config.encoder} does not open with {options} ({error})") from error
    if context.options:
        raise BadConfig(f"the encoder {config.encoder} did not take the options {sorted(context.options)}")
    return context


def _shorter_look_ahead(options: Mapping[str, str], width: int, height: int) -> dict[str, str]:
    """Return the option that keeps x264's look-ahead within its memory, where it would hold more."""
    most = max(10, _LOOK_AHEAD_PIXELS // (width * height))
    own = min(_LOOK_AHEAD.get(options.get("preset", "medium"), 0), int(options.get("g", 250)))
    return {"rc-lookahead": str(most)} if own > most and "rc-lookahead" not in options else {}


def library_words(told: Options) -> tuple[dict[str, str], int]:
    """Return options as libav's library takes them, and its flags: `q:v` is a word of FFmpeg's command line only.

    The command line makes of `-q:v N` the flag for a fixed quality and a global quality of N times its lambda.
    """
    options = dict(told)
    quality = options.pop("q:v", None)
    if quality is None:
        return options, 0
    return {**options, "global_quality": str(round(float(quality) * _LAMBDA))}, _QSCALE


def _with_parameter(parameters: str, name: str, value: str) -> str:
    """Return an encoder's own parameters, a list with colons, with one more unless it has that one."""
    return parameters if name in parameters else f"{parameters}:{name}={value}".lstrip(":")
