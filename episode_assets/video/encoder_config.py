"""How frames are encoded: one frozen record for colour, one for depth.

The fields and names follow LeRobot's encoder configuration, so that a configuration can travel between both; the
defaults are ours (short closed GOPs without B-frames, which a stream copy can cut and join), and `lerobot()` gives
theirs. Checks happen when a record is made; whether an encoder really opens on this machine is only known in
`encoding`. What each codec is told is in `codecs`, the flags of a command line in `encoder_arguments`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from episode_assets.errors import BadConfig
from episode_assets.video.codecs import (
    ALIASES,
    ENCODERS,
    SVT_PRESET,
    check_codec,
    check_option,
    check_pix_fmt,
    quality_options,
)

Options = tuple[tuple[str, str], ...]

_X26X = frozenset({"h264", "hevc"})
_AV1 = ("av1", "libsvtav1", "libaom-av1")
_SVT_BUNDLE = "svtav1-params"


def _check_integer(name: str, value: object, *, lowest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
        raise BadConfig(f"{name} must be a whole number of at least {lowest}, got {value!r}")


def _check_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadConfig(f"{name} must be a number, got {value!r}")


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
        metadata={
            "help": "quality, 0..51 (AV1: 0..63), lower is better and larger; mapped to each codec's own option"
        },
    )
    preset: str | int | None = field(
        default="veryfast",
        metadata={
            "help": "speed preset of the codec, a word (h264, hevc, nvenc, qsv) or a number (AV1: 0..13, 12 where "
            "none is given to libsvtav1); faster costs bytes at equal quality"
        },
    )
    fast_decode: int = field(default=0, metadata={"help": "0, 1 or 2: tune for quick decoding"})
    video_backend: str = field(default="pyav", metadata={"help": "only pyav exists"})
    extra_options: Options = field(
        default=(("bf", "0"),),
        metadata={
            "help": "further options of the encoder by FFmpeg's names; what a field above sets is never overridden"
        },
    )

    channels = 3

    def __post_init__(self) -> None:
        _check_words(self)
        object.__setattr__(self, "vcodec", ALIASES.get(self.vcodec, self.vcodec))
        object.__setattr__(self, "extra_options", _pairs(self.extra_options))
        if self.vcodec == "libsvtav1" and self.preset is None:
            object.__setattr__(self, "preset", SVT_PRESET)
        if self.g is not None:
            _check_integer("g", self.g, lowest=1)
        _check_integer("fast_decode", self.fast_decode, lowest=0)
        if self.crf is not None:
            _check_number("crf", self.crf)
        check_codec(self.vcodec)
        if self.vcodec != "auto":
            check_pix_fmt(self.encoder, self.pix_fmt, channels=self.channels)
            for name, value in self.options():
                check_option(self.encoder, name, value)

    @classmethod
    def lerobot(cls) -> Self:
        """Return LeRobot's own defaults (0.6.1): AV1 in groups of two frames.

        B-frames, which its h264 and hevc use, stay off all the same; see `encoding`.
        """
        return cls(vcodec="libsvtav1", g=2, crf=30.0, preset=SVT_PRESET, extra_options=())

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, where: str = "encoder") -> Self:
        """Build a configuration from plain values, such as a section of a YAML file; what is missing has its default.

        Where another codec is named than the default one, a speed, options and a quality that are meant for the default
        codec do not come with it: they are the new codec's own, and the quality of AV1 is 30.

        Args:
            values: Field names to values; `extra_options` is a mapping or a list of pairs.
            where: What is read, for the message.

        Raises:
            BadConfig: A key is not a field (the nearest one is named), or a value is not allowed.
        """
        known = [item.name for item in fields(cls)]
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
                raise BadConfig(f"unknown encoder key {key!r}", where=where, remedy=hint)
        return cls(**cls.completed(values))

    @classmethod
    def completed(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return fields that somebody named, with what takes the place of the other defaults beside their codec."""
        usual = next(item.default for item in fields(cls) if item.name == "vcodec")
        vcodec = values.get("vcodec", usual)
        if not isinstance(vcodec, str) or vcodec == usual or {vcodec, usual} == _X26X:
            return dict(values)
        quality = {"crf": 30.0} if vcodec in _AV1 else {}
        return {"preset": None, "extra_options": (), **quality, **values}

    def to_mapping(self) -> dict[str, Any]:
        """Return all fields as plain JSON values, `extra_options` as a mapping; `from_mapping` takes them back."""
        return {**asdict(self), "extra_options": dict(self.extra_options)}

    @property
    def encoder(self) -> str:
        """FFmpeg's name of the encoder; `auto` has to be resolved first."""
        return ENCODERS[self.vcodec]

    def options(self, *, threads: int | None = None) -> Options:
        """Return what the encoder is told, in FFmpeg's own option names, sorted.

        Args:
            threads: Encoder threads; the codec's default if None.
        """
        told = {} if self.g is None else {"g": str(self.g)}
        told |= quality_options(
            self.vcodec, crf=self.crf, preset=self.preset, fast_decode=self.fast_decode, threads=threads
        )
        extra = dict(self.extra_options)
        if _SVT_BUNDLE in told and _SVT_BUNDLE in extra:
            told[_SVT_BUNDLE] = _joined_bundles(told[_SVT_BUNDLE], extra[_SVT_BUNDLE])
        return tuple(sorted((extra | told).items()))

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
        for name in ("depth_min", "depth_max", "shift"):
            _check_number(name, getattr(self, name))
        if not isinstance(self.use_log, bool):
            raise BadConfig(f"use_log must be true or false, got {self.use_log!r}")
        if not self.depth_min < self.depth_max:
            raise BadConfig(f"depth_min {self.depth_min} m must lie below depth_max {self.depth_max} m")
        if self.use_log and self.depth_min + self.shift <= 0:
            raise BadConfig(
                f"depth_min {self.depth_min} m + shift {self.shift} m must be positive for a logarithm"
            )

    @classmethod
    def lerobot(cls) -> Self:
        """Return LeRobot's own defaults (0.6.1): lossless HEVC in groups of two frames; B-frames stay off."""
        return cls(g=2, crf=30.0, preset=None, extra_options=(("x265-params", "lossless=1"),))


def _check_words(config: RGBEncoderConfig) -> None:
    for name in ("vcodec", "pix_fmt"):
        if not isinstance(getattr(config, name), str):
            raise BadConfig(f"{name} must be a word, got {getattr(config, name)!r}")
    if isinstance(config.preset, bool) or not isinstance(config.preset, str | int | None):
        raise BadConfig(f"preset must be a word or a whole number, got {config.preset!r}")
    if config.video_backend != "pyav":
        raise BadConfig(f"video_backend must be 'pyav', got {config.video_backend!r}")


def _pairs(given: object) -> Options:
    pairs = list(given.items()) if isinstance(given, Mapping) else given
    if not isinstance(pairs, list | tuple) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs
    ):
        raise BadConfig(f"extra_options must be pairs of name and value, got {given!r}")
    for name, value in pairs:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise BadConfig(f"extra option {name!r} must be a number or a word, got {value!r}")
    return tuple((str(name), str(value)) for name, value in pairs)


def _joined_bundles(ours: str, theirs: str) -> str:
    """Return both lists of `key=value`; a key that ours has already is left out of theirs."""
    taken = {part.split("=")[0] for part in ours.split(":")}
    return ":".join([ours, *(part for part in theirs.split(":") if part.split("=")[0] not in taken)])
