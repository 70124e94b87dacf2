"""Videos as other programs write them: B-frames, sound, rotation, fractional rates, no faststart."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from episode_assets_tests.video.builders import HEIGHT, WIDTH, numbered_picture


def foreign_video(
    path: Path,
    frames: int = 20,
    *,
    rate: Fraction = Fraction(15),
    options: dict[str, str] | None = None,
    has_audio: bool = False,
    rotation: int = 0,
) -> Path:
    """Write numbered pictures with FFmpeg's own defaults; `rotation` in degrees counter-clockwise, as FFmpeg has it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options=options or {})
        stream.width, stream.height = WIDTH, HEIGHT
        if rotation:
            stream.set_display_rotation(rotation)
        sound = container.add_stream("aac", rate=44100, layout="stereo") if has_audio else None
        for number in range(frames):
            grey = cv2.merge([numbered_picture(number).y] * 3)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode(None))
        if sound is not None:
            noise = av.AudioFrame.from_ndarray(
                np.zeros((2, 4096), np.float32), format="fltp", layout="stereo"
            )
            noise.sample_rate = 44100
            container.mux(sound.encode(noise))
            container.mux(sound.encode(None))
    return path
