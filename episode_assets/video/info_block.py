"""The `info` block that LeRobot's datasets keep about a video, and the encoder configuration read back out of it.

What the file says itself wins; the configuration fills in what a file cannot tell. Rules for whole datasets belong in
`lerobot`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from episode_assets.video.encoder_config import DepthEncoderConfig, RGBEncoderConfig
from episode_assets.video.probing import AudioFacts, VideoProbe

ENCODER_FIELDS = ("g", "crf", "preset", "fast_decode", "video_backend", "extra_options")
"""Fields of a configuration that are kept as `video.<field>`; codec and pixel format come from the file."""

DEPTH_FIELDS = ("depth_min", "depth_max", "shift", "use_log")


def info_block(video: VideoProbe, config: RGBEncoderConfig | None = None) -> dict[str, Any]:
    """Return the block of a video.

    A rate that is no whole number stays one with decimals, where LeRobot cuts them off; a dataset cannot have it.

    Args:
        video: The facts of the file.
        config: How it was encoded; without it the encoder's keys are left out.
    """
    block: dict[str, Any] = {
        "video.height": video.height,
        "video.width": video.width,
        "video.codec": video.codec,
        "video.pix_fmt": video.pix_fmt,
        "video.fps": None if video.rate is None else _plain(float(video.rate)),
        "video.channels": video.channels,
        **_audio_block(video.audio),
    }
    if config is not None:
        block |= encoder_block(config)
    return block | {"is_depth_map": isinstance(config, DepthEncoderConfig)}


def encoder_block(config: RGBEncoderConfig) -> dict[str, Any]:
    """Return the keys that a configuration fills in, those of the depth steps included."""
    values = config.to_mapping()
    fields = ENCODER_FIELDS + (DEPTH_FIELDS if isinstance(config, DepthEncoderConfig) else ())
    block = {f"video.{name}": _plain(values[name]) for name in fields}
    block["video.extra_options"] = {name: _number_or_word(text) for name, text in config.extra_options}
    return block


def config_from_info(info: Mapping[str, Any]) -> RGBEncoderConfig | DepthEncoderConfig:
    """Return the configuration that a block describes, with LeRobot's defaults where it says nothing.

    Raises:
        BadConfig: The codec is not one that can be configured, or a value is not allowed.
    """
    is_depth = bool(info.get("is_depth_map") or info.get("video.is_depth_map"))
    config_class = DepthEncoderConfig if is_depth else RGBEncoderConfig
    known = {"vcodec": info.get("video.codec"), "pix_fmt": info.get("video.pix_fmt")}
    for name in ENCODER_FIELDS + (DEPTH_FIELDS if is_depth else ()):
        known[name] = info.get(f"video.{name}")
    said = {name: value for name, value in known.items() if value is not None and value != {}}
    defaults = config_class.lerobot().to_mapping()
    if said.get("vcodec", "av1") not in ("av1", "libsvtav1"):
        defaults["preset"] = None  # the default speed is one of libsvtav1
    return config_class.from_mapping({**defaults, **said}, where="info.json")


def _audio_block(audio: AudioFacts | None) -> dict[str, Any]:
    if audio is None:
        return {"has_audio": False}
    return {
        "audio.channels": audio.channels,
        "audio.codec": audio.codec,
        "audio.bit_rate": audio.bit_rate,
        "audio.sample_rate": audio.sample_rate,
        "audio.bit_depth": audio.bit_depth,
        "audio.channel_layout": audio.channel_layout,
        "has_audio": True,
    }


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _number_or_word(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text
