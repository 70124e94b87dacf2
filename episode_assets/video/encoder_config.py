"""How frames are encoded: one frozen record for colour, one for depth, and what each codec is told.

The fields, the codec names and the mapping from `crf`, `preset` and `fast_decode` to a codec's own options
follow LeRobot's encoder configuration, so that a configuration can travel between both; the defaults are ours
(short closed GOPs without B-frames, which a stream copy can cut and join). Checks happen when a record is
made; whether an encoder really opens on this machine is only known in `segments`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import av

from episode_assets.errors import BadConfig

Options = tuple[tuple[str, str], ...]

ALIASES: Mapping[str, str] = {"av1": "libsvtav1"}
"""Other names that users write for a codec."""

ENCODERS: Mapping[str, str] = {
    "h264": "libx264",
    "hevc": "libx265",
    "libsvtav1": "libsvtav1",
    "libaom-av1": "libaom-av1",
    "h264_videotoolbox": "h264_videotoolbox",
    "hevc_videotoolbox": "hevc_videotoolbox",
    "h264_nvenc": "h264_nvenc",
    "hevc_nvenc": "hevc_nvenc",
    "h264_vaapi": "h264_vaapi",
    "h264_qsv": "h264_qsv",
}
"""Configured name -> name of the encoder in FFmpeg."""

AUTO_ORDER = (
    "h264_videotoolbox",
    "hevc_videotoolbox",
    "h264_nvenc",
    "hevc_nvenc",
    "h264_vaapi",
    "h264_qsv",
    "libsvtav1",
)
"""What `auto` tries, first that opens wins."""

_CRF_RANGES = {
    "libx264": (0.0, 51.0),
    "libx265": (0.0, 51.0),
    "libsvtav1": (0.0, 63.0),
    "libaom-av1": (0.0, 63.0),
}
"""FFmpeg publishes no upper bound for x264 and x265, which clip silently."""

X26X_PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
"""FFmpeg passes preset names on unchecked; an unknown one fails only when the encoder opens."""

_BUNDLED_OPTIONS = ("x264-params", "x264opts", "x265-params", "svtav1-params")


def _check_integer(name: str, value: object, *, lowest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
        raise BadConfig(f"{name} must be a whole number of at least {lowest}, got {value!r}")


@dataclass(frozen=True)
class RGBEncoderConfig:
    """How colour frames are encoded. Everything here changes the bytes of the video."""

    vcodec: str = field(
        default="h264",
        metadata={
            "help": "encoder: h264, hevc, libsvtav1 (alias av1), libaom-av1, a hardware encoder, or auto"
        },
    )
    pix_fmt: str = field(default="yuv420p", metadata={"help": "pixel format of the encoded video"})
    g: int | None = field(
        default=15,
        metadata={
            "help": "largest distance of key frames in frames, >= 1; larger is smaller and seeks slower"
        },
    )
    crf: float | None = field(
        default=18.0,
        metadata={"help": "quality, lower is better and larger; mapped to each codec's own option"},
    )
    preset: str | int | None = field(
        default="veryfast",
        metadata={"help": "speed preset of the codec; faster costs bytes at equal quality"},
    )
    fast_decode: int = field(default=0, metadata={"help": "0, 1 or 2: tune for quick decoding"})
    video_backend: str = field(default="pyav", metadata={"help": "only pyav exists"})
    extra_options: Options = field(
        default=(("bf", "0"),),
        metadata={"help": "further codec options as pairs; an option that is set above is never overridden"},
    )

    channels = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "vcodec", ALIASES.get(self.vcodec, self.vcodec))
        object.__setattr__(self, "extra_options", tuple((str(k), str(v)) for k, v in self.extra_options))
        if self.video_backend != "pyav":
            raise BadConfig(f"video_backend must be 'pyav', got {self.video_backend!r}")
        if self.g is not None:
            _check_integer("g", self.g, lowest=1)
        _check_integer("fast_decode", self.fast_decode, lowest=0)
        _check_codec(self.vcodec)
        if self.vcodec != "auto":
            _check_pix_fmt(self.encoder, self.pix_fmt, channels=self.channels)
            for name, value in self.options():
                _check_option(self.encoder, name, value)

    @property
    def encoder(self) -> str:
        """FFmpeg's name of the encoder; `auto` has to be resolved first."""
        return ENCODERS[self.vcodec]

    def options(self, *, threads: int | None = None) -> Options:
        """Return what the encoder is told, in FFmpeg's own option names, sorted.

        Args:
            threads: Encoder threads; the codec's default if None.
        """
        told = {"g": None if self.g is None else str(self.g)}
        told |= _quality_options(self, threads=threads)
        merged = {name: value for name, value in told.items() if value is not None}
        return tuple(sorted((dict(self.extra_options) | merged).items()))

    def check_size(self, width: int, height: int) -> None:
        """Refuse odd sizes for a pixel format with halved chroma.

        Raises:
            BadConfig: Width or height is odd, or not positive.
        """
        if width < 1 or height < 1:
            raise BadConfig(f"a video needs a positive size, got {width} x {height}")
        if ("420" in self.pix_fmt and height % 2) or (
            ("420" in self.pix_fmt or "422" in self.pix_fmt) and width % 2
        ):
            raise BadConfig(
                f"{width} x {height} is odd and {self.pix_fmt} needs even sizes",
                remedy="pad or crop by one pixel",
            )


@dataclass(frozen=True)
class DepthEncoderConfig(RGBEncoderConfig):
    """How 12-bit depth codes are encoded, and how metres become codes."""

    vcodec: str = field(default="hevc", metadata={"help": "encoder of the depth codes"})
    pix_fmt: str = field(
        default="gray12le", metadata={"help": "pixel format; 12-bit grey holds the codes exactly"}
    )
    g: int | None = field(default=15, metadata={"help": "largest distance of key frames in frames, >= 1"})
    crf: float | None = field(default=None, metadata={"help": "quality; without meaning while lossless"})
    preset: str | int | None = field(default="ultrafast", metadata={"help": "speed preset of the codec"})
    extra_options: Options = field(
        default=(("x265-params", "lossless=1:bframes=0:log-level=none"),),
        metadata={"help": "further codec options as pairs"},
    )
    depth_min: float = field(default=0.01, metadata={"help": "nearest depth that has a code, metres"})
    depth_max: float = field(default=10.0, metadata={"help": "farthest depth that has a code, metres"})
    shift: float = field(
        default=3.5, metadata={"help": "shift of the logarithm, metres; larger is more linear"}
    )
    use_log: bool = field(
        default=True, metadata={"help": "logarithmic steps, finer near the camera; else linear"}
    )

    channels = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.depth_min < self.depth_max:
            raise BadConfig(f"depth_min {self.depth_min} m must lie below depth_max {self.depth_max} m")
        if self.use_log and self.depth_min + self.shift <= 0:
            raise BadConfig(
                f"depth_min {self.depth_min} m + shift {self.shift} m must be positive for a logarithm"
            )


def _quality_options(  # noqa: PLR0911  # one return per row of the table
    config: RGBEncoderConfig, *, threads: int | None
) -> dict[str, str | None]:
    """Map crf, preset, fast_decode and threads to the codec's own names (LeRobot's table)."""
    crf = None if config.crf is None else format(config.crf, "g")
    preset = None if config.preset is None else str(config.preset)
    count = None if threads is None else str(threads)
    codec = config.vcodec
    if codec in ("h264", "hevc"):
        tune = "fastdecode" if config.fast_decode > 0 else None
        return {"crf": crf, "preset": preset, "tune": tune, "threads": count}
    if codec == "libsvtav1":
        parameters = f"fast-decode={min(config.fast_decode, 2)}" + (f":lp={count}" if count else "")
        return {"crf": crf, "preset": preset, "svtav1-params": parameters}
    if codec == "libaom-av1":
        return {"crf": crf, "threads": count, "row-mt": "1" if count else None}
    if codec.endswith("_videotoolbox"):
        quality = None if config.crf is None else str(int(min(max(100 - 2 * config.crf, 1), 100)))
        return {"q:v": quality}
    if codec.endswith("_nvenc"):
        return {"rc": "0", "qp": crf, "preset": preset}
    if codec == "h264_vaapi":
        return {"qp": crf}
    return {"global_quality": crf, "preset": preset}


@dataclass(frozen=True)
class _Option:
    lowest: float
    highest: float
    is_integer: bool
    is_number: bool
    choices: tuple[str, ...]


@cache
def _known_options(encoder: str) -> dict[str, _Option]:
    """Return the options that FFmpeg publishes for an encoder; allocates a context, opens nothing."""
    published = av.CodecContext.create(encoder, "w").supported_options
    known: dict[str, _Option] = {}
    for option in [*published.generic, *published.private]:
        kind = getattr(option.type, "name", str(option.type)).upper()
        is_integer = kind in ("INT", "INT64", "UINT", "UINT64")
        known[option.name] = _Option(
            lowest=float(option.min),
            highest=float(option.max),
            is_integer=is_integer,
            is_number=is_integer or kind in ("FLOAT", "DOUBLE"),
            choices=tuple(choice.name for choice in option.choices),
        )
    return known


def _check_codec(vcodec: str) -> None:
    if vcodec == "auto":
        return
    allowed = [*ENCODERS, *ALIASES, "auto"]
    if vcodec not in ENCODERS:
        raise BadConfig(
            f"unknown vcodec {vcodec!r}{_nearest(vcodec, allowed)}", remedy=f"use one of {', '.join(allowed)}"
        )
    if ENCODERS[vcodec] not in av.codecs_available:
        present = [name for name, encoder in ENCODERS.items() if encoder in av.codecs_available]
        raise BadConfig(
            f"vcodec {vcodec!r} is not built into this FFmpeg", remedy=f"use one of {', '.join(present)}"
        )


def _check_pix_fmt(encoder: str, pix_fmt: str, *, channels: int) -> None:
    formats = av.codec.Codec(encoder, "w").video_formats
    names = [item.name for item in formats or ()]
    if names and pix_fmt not in names:
        raise BadConfig(
            f"pix_fmt {pix_fmt!r} is not one that {encoder} takes{_nearest(pix_fmt, names)}",
            remedy=f"use one of {', '.join(sorted(names))}",
        )
    components = len(av.VideoFormat(pix_fmt).components)
    if components < channels:
        raise BadConfig(f"pix_fmt {pix_fmt!r} has {components} component(s) and the data have {channels}")


def _check_option(encoder: str, name: str, value: str) -> None:
    known = _known_options(encoder)
    if name == "q:v":  # a spelling of the command line for the generic option
        return
    if name not in known:
        raise BadConfig(f"{encoder} has no option {name!r}{_nearest(name, list(known))}")
    option = known[name]
    if name == "preset" and encoder in ("libx264", "libx265") and value not in X26X_PRESETS:
        raise BadConfig(f"{encoder} has no preset {value!r}{_nearest(value, list(X26X_PRESETS))}")
    if name == "crf" and encoder in _CRF_RANGES:
        option = replace(option, lowest=_CRF_RANGES[encoder][0], highest=_CRF_RANGES[encoder][1])
    if name in _BUNDLED_OPTIONS:
        _check_bundle(name, value)
    elif option.is_number and value not in option.choices:
        _check_number(f"option {name} of {encoder}", value, option)


def _check_number(what: str, value: str, option: _Option) -> None:
    try:
        number = float(value)
    except ValueError:
        names = f" or one of {', '.join(option.choices)}" if option.choices else ""
        raise BadConfig(f"{what} must be a number{names}, got {value!r}") from None
    if option.is_integer and not number.is_integer():
        raise BadConfig(f"{what} must be a whole number, got {value}")
    if not option.lowest <= number <= option.highest:
        raise BadConfig(f"{what} must lie between {option.lowest:g} and {option.highest:g}, got {value}")


def _check_bundle(name: str, value: str) -> None:
    for part in value.split(":"):
        if not re.fullmatch(r"[A-Za-z0-9_-]+(=[^=:]*)?", part):
            raise BadConfig(f"{name} must read key=value:key=value, and {part!r} does not")


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f", did you mean {near[0]!r}?" if near else ""
