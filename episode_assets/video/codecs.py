"""What each codec is called, which words it takes for quality and speed, and which of its options exist.

The tables follow LeRobot's, so that a configuration can travel between both. The records that users fill are in
`encoder_config`; opening an encoder belongs in `encoding`.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import av

from episode_assets.errors import BadConfig

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

SVT_PRESET = 12
"""Preset of libsvtav1 where none is named, as LeRobot has it; the encoder's own is several times slower."""

X26X_PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
"""FFmpeg passes preset names on unchecked; an unknown one fails only when the encoder opens."""

_CRF_RANGES = {
    "libx264": (0.0, 51.0),
    "libx265": (0.0, 51.0),
    "libsvtav1": (0.0, 63.0),
    "libaom-av1": (0.0, 63.0),
}
"""FFmpeg publishes no upper bound for x264 and x265, which clip silently."""

_BUNDLED_OPTIONS = ("x264-params", "x264opts", "x265-params", "svtav1-params")

_TRUTHS = ("0", "1", "true", "false", "auto", "-1")


def quality_options(
    vcodec: str,
    *,
    crf: float | None,
    preset: str | int | None,
    fast_decode: int,
    threads: int | None,
) -> dict[str, str]:
    """Return quality and speed in the codec's own words (LeRobot's table, release 0.6.1).

    Where LeRobot sends libaom-av1 a `preset`, which that encoder does not have, ours is its speed option `cpu-used`.

    Args:
        vcodec: Configured name, neither an alias nor `auto`.
        crf: Quality, lower is better; left to the encoder if None.
        preset: Speed; left to the encoder if None.
        fast_decode: 0 is off.
        threads: Encoder threads; left to the encoder if None. Hardware encoders have none.
    """
    quality = None if crf is None else format(crf, "g")
    speed = None if preset is None else str(preset)
    count = None if threads is None else str(threads)
    words: dict[str, str | None]
    if vcodec in ("h264", "hevc"):
        words = {"crf": quality, "preset": speed, "threads": count}
        words["tune"] = "fastdecode" if fast_decode > 0 else None
    elif vcodec == "libsvtav1":
        parameters = f"fast-decode={min(fast_decode, 2)}" + (f":lp={count}" if count else "")
        words = {"crf": quality, "preset": speed, "svtav1-params": parameters}
    elif vcodec == "libaom-av1":
        words = {"crf": quality, "cpu-used": speed, "threads": count, "row-mt": "1" if count else None}
    elif vcodec.endswith("_videotoolbox"):
        words = {"q:v": None if crf is None else format(min(max(100 - 2 * crf, 1), 100), "g")}
    elif vcodec.endswith("_nvenc"):
        words = {"rc": "0", "qp": quality, "preset": speed}
    elif vcodec == "h264_vaapi":
        words = {"qp": quality}
    else:
        words = {"global_quality": quality, "preset": speed}
    return {name: value for name, value in words.items() if value is not None}


def available_codecs() -> tuple[str, ...]:
    """Return the configurable names whose encoders are compiled into this FFmpeg, hardware ones included.

    Whether one of those opens here is only known by trying: see `resolved`.
    """
    return tuple(name for name, encoder in ENCODERS.items() if encoder in av.codecs_available)


def check_codec(vcodec: str) -> None:
    """Refuse a name that is no codec, or one that is not compiled in.

    Raises:
        BadConfig: With the nearest known name, or with those that are there.
    """
    allowed = [*ENCODERS, *ALIASES, "auto"]
    if vcodec not in allowed:
        raise BadConfig(
            f"unknown vcodec {vcodec!r}{_nearest(vcodec, allowed)}", remedy=f"use one of {', '.join(allowed)}"
        )
    if vcodec != "auto" and vcodec not in available_codecs():
        raise BadConfig(
            f"vcodec {vcodec!r} is not built into this FFmpeg",
            remedy=f"use one of {', '.join(available_codecs())}",
        )


def check_pix_fmt(encoder: str, pix_fmt: str, *, channels: int) -> None:
    """Refuse a pixel format that the encoder does not take, or that holds fewer components than the data.

    Raises:
        BadConfig: With the nearest known name.
    """
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


def check_option(encoder: str, name: str, value: str) -> None:
    """Hold one option against what FFmpeg publishes about the encoder.

    Raises:
        BadConfig: There is no such option, or the value is not in its range or among its words.
    """
    known = _known_options(encoder)
    if name == "q:v":  # a spelling of the command line for the generic option
        return
    if name not in known:
        raise BadConfig(f"{encoder} has no option {name!r}{_nearest(name, known)}")
    option = known[name]
    if name == "preset" and encoder in ("libx264", "libx265") and value not in X26X_PRESETS:
        raise BadConfig(f"{encoder} has no preset {value!r}{_nearest(value, X26X_PRESETS)}")
    if name == "crf" and encoder in _CRF_RANGES:
        option = replace(option, lowest=_CRF_RANGES[encoder][0], highest=_CRF_RANGES[encoder][1])
    if name in _BUNDLED_OPTIONS:
        _check_bundle(name, value)
    else:
        _check_value(f"option {name} of {encoder}", value, option)


@dataclass(frozen=True)
class _Option:
    lowest: float
    highest: float
    kind: str
    choices: tuple[str, ...]

    @property
    def is_integer(self) -> bool:
        return self.kind in ("INT", "INT64", "UINT", "UINT64")

    @property
    def is_number(self) -> bool:
        return self.is_integer or self.kind in ("FLOAT", "DOUBLE")


@cache
def _known_options(encoder: str) -> dict[str, _Option]:
    """Return the options that FFmpeg publishes for an encoder; allocates a context, opens nothing."""
    published = av.CodecContext.create(encoder, "w").supported_options
    return {
        option.name: _Option(
            lowest=float(option.min),
            highest=float(option.max),
            kind=getattr(option.type, "name", str(option.type)).upper(),
            choices=tuple(choice.name for choice in option.choices),
        )
        for option in [*published.generic, *published.private]
    }


def _check_value(what: str, value: str, option: _Option) -> None:
    if value in option.choices:
        return
    if option.is_number:
        _check_number(what, value, option)
    elif option.kind == "BOOL" and value.lower() not in _TRUTHS:
        raise BadConfig(f"{what} must be one of {', '.join(_TRUTHS)}, got {value!r}")
    elif option.kind == "STRING" and option.choices:
        raise BadConfig(
            f"{what} must be one of {', '.join(option.choices)}, got {value!r}{_nearest(value, option.choices)}"
        )


def _check_number(what: str, value: str, option: _Option) -> None:
    try:
        number = float(value)
    except ValueError:
        names = f" or one of {', '.join(option.choices)}" if option.choices else ""
        raise BadConfig(f"{what} must be a number{names}, got {value!r}") from None
    if math.isnan(number):
        raise BadConfig(f"{what} must be a number, got {value}")
    if option.is_integer and not number.is_integer():
        raise BadConfig(f"{what} must be a whole number, got {value}")
    if not option.lowest <= number <= option.highest:
        raise BadConfig(f"{what} must lie between {option.lowest:g} and {option.highest:g}, got {value}")


def _check_bundle(name: str, value: str) -> None:
    for part in value.split(":"):
        if not re.fullmatch(r"[A-Za-z0-9_-]+(=[^=:]*)?", part):
            raise BadConfig(f"{name} must read key=value:key=value, and {part!r} does not")


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {near[0]!r}?" if near else ""
