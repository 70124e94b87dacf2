"""Asks the real LeRobot about the files and tables that our side put into a folder; prints what differs.

Runs in an environment of its own, like `verify_with_lerobot`; nothing of `episode_assets` is imported.

    python -m episode_assets_tests.video.with_lerobot FOLDER
"""
# ruff: noqa: T201 - a script: its report is its purpose

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from lerobot.configs.video import (
    VideoEncoderConfig,
    depth_encoder_defaults,
    encoder_config_from_video_info,
    rgb_encoder_defaults,
)
from lerobot.datasets.depth_utils import dequantize_depth, quantize_depth
from lerobot.datasets.video_utils import (
    concatenate_video_files,
    decode_video_frames,
    encode_video_frames,
    get_video_duration_in_s,
    get_video_info,
    reencode_video,
)
from PIL import Image


def options(folder: Path) -> None:
    """Compare what every codec is told; values as numbers where they are some."""
    for case in json.loads((folder / "options.json").read_text()):
        theirs = object.__new__(VideoEncoderConfig)  # the table alone: most hardware is not here
        theirs.__dict__.update(case["fields"], extra_options={}, g=None)
        told = {key: str(value) for key, value in theirs.get_codec_options(case["threads"]).items()}
        if plain(told) != plain(case["options"]):
            print(f"options {case['fields']}: {told} and ours {case['options']}")


def plain(options: dict[str, str]) -> dict[str, Any]:
    return {
        key: float(value) if value.replace(".", "", 1).isdigit() else value for key, value in options.items()
    }


def defaults(folder: Path) -> None:
    ours = json.loads((folder / "defaults.json").read_text())
    for name, theirs in (("rgb", rgb_encoder_defaults()), ("depth", depth_encoder_defaults())):
        for field, value in ours[name].items():
            if getattr(theirs, field) != value:
                print(f"{name} default {field}: {getattr(theirs, field)!r} and ours {value!r}")


def files(folder: Path) -> None:
    """Compare pictures, facts and duration of files that we wrote."""
    for name, info in json.loads((folder / "info.json").read_text()).items():
        path, times = folder / f"{name}.mp4", [number / 10 for number in info["numbers"]]
        ours = np.load(folder / f"{name}.npy")
        if get_video_duration_in_s(path) != info["duration"]:
            print(f"{name}: duration {get_video_duration_in_s(path)} and ours {info['duration']}")
        if info["block"]["is_depth_map"]:
            shown = dequantize_depth(decode_video_frames(path, times, 1e-4, is_depth=True)).numpy()[:, 0]
            # LeRobot knows no holes.
            differs = np.abs(shown - np.where(ours, ours, 10)).max()
            if differs > 0:
                print(f"{name}: depth differs by {differs} mm")
            continue
        for backend in ("pyav", "torchcodec"):
            shown = decode_video_frames(path, times, 1e-4, backend=backend, return_uint8=True).numpy()
            if not np.array_equal(shown, ours.transpose(0, 3, 1, 2)):
                print(f"{name} with {backend}: other pictures")
        config = encoder_config_from_video_info(info["block"])
        if (theirs := get_video_info(path, config)) != info["block"]:
            print(f"{name}: info {theirs} and ours {info['block']}")


def codes(folder: Path) -> None:
    """Compare the codes of every millimetre; theirs are computed in float32."""
    ours = np.load(folder / "codes.npy")
    theirs = quantize_depth(np.arange(11, 10_001, dtype=np.uint16)[None], video_backend=None)[0]
    if np.abs(theirs.astype(int) - ours).max() > 1 or np.count_nonzero(theirs != ours) > 10:
        print(f"codes: {np.count_nonzero(theirs != ours)} differ")


def write(folder: Path) -> None:
    """Let LeRobot write what our side then reads."""
    images = folder / "images"
    images.mkdir()
    for number, picture in enumerate(np.load(folder / "pictures.npy")):
        Image.fromarray(picture).save(images / f"frame-{number:06d}.png")
    encode_video_frames(images, folder / "lerobot.mp4", 10)
    encode_video_frames(images, folder / "lerobot_h264.mp4", 10, VideoEncoderConfig(vcodec="h264", g=10))
    reencode_video(folder / "lerobot_h264.mp4", folder / "lerobot_cut.mp4", start_time_s=0.5, end_time_s=1.0)
    concatenate_video_files([folder / "lerobot.mp4"] * 2, folder / "lerobot_twice.mp4")
    depth = folder / "depth_images"
    depth.mkdir()
    for number in range(5):
        Image.fromarray(np.full((48, 64), 500 + 700 * number, np.uint16)).save(
            depth / f"frame-{number:06d}.tiff"
        )
    encode_video_frames(depth, folder / "lerobot_depth.mp4", 10, depth_encoder_defaults())


if __name__ == "__main__":
    for check in (options, defaults, files, codes, write):
        check(Path(sys.argv[1]))
