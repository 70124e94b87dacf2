"""Small pictures and videos whose content names the frame: the tests read frame numbers back from pixels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from episode_assets.video import Picture, RGBEncoderConfig, Segment, SegmentEncoder, VideoProbe, join_segments

WIDTH, HEIGHT = 64, 48
STEP_US = 66_667


def numbered_picture(number: int, *, width: int = WIDTH, height: int = HEIGHT) -> Picture:
    """A smooth picture with six black or white bars that spell `number` in binary."""
    picture = Picture.blank(width, height)
    rows, columns = np.mgrid[0 : picture.height, 0 : picture.width]
    picture.y[:] = 60 + (rows + columns) // 2 % 100
    for bit in range(6):
        picture.y[: height // 2, bit * 10 : bit * 10 + 10] = 220 if number >> bit & 1 else 30
    picture.u[:] = 110
    picture.v[:] = 140
    return picture


def number_in(luma: np.ndarray) -> int:
    """Read the bars back."""
    return sum(
        1 << bit for bit in range(6) if luma[4 : HEIGHT // 2 - 4, bit * 10 + 3 : bit * 10 + 7].mean() > 125
    )


def segment(
    numbers: Iterable[int],
    *,
    config: RGBEncoderConfig | None = None,
    keys: frozenset[int] = frozenset(),
    start_us: int = 0,
    step_us: int = STEP_US,
) -> Segment:
    """Encode numbered pictures; picture n is shown at start_us + n * step_us."""
    with SegmentEncoder(config or RGBEncoderConfig(), true_width=WIDTH, true_height=HEIGHT) as encoder:
        for number in numbers:
            encoder.encode(
                numbered_picture(number), pts_us=start_us + number * step_us, force_key=number in keys
            )
        return encoder.finish()


def video(path: Path, *segments: Segment) -> VideoProbe:
    """Join segments into `path`."""
    files = []
    for index, item in enumerate(segments):
        files.append(path.parent / f"{path.stem}.{index}.segment")
        item.save(files[-1])
    return join_segments(files, path)


def smooth_bgr(width: int = 320, height: int = 180, *, shift: int = 0) -> np.ndarray:
    """A colourful gradient, 8 bit."""
    x = np.linspace(0, 4, width)[None, :] + shift / 20
    y = np.linspace(0, 3, height)[:, None]
    planes = [127 + 100 * np.sin(x + y * k + k) for k in (0.5, 1.0, 2.0)]
    return np.dstack(planes).round().clip(0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, *options: int) -> bytes:
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92, *options])
    assert done
    return data.tobytes()
