"""CPU milliseconds per 1280x720 picture of the steps that a picture goes through, in one process.

Run: python benchmarks/video.py [--frames N]. The pictures are a panned, slightly noisy texture as JPEG, quality 90,
4:2:0. CPU time is printed, not wall time, so that other load on the machine disturbs little.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from pan import Pan

from episode_assets.video import (
    RGBEncoderConfig,
    SegmentEncoder,
    VideoSpan,
    decode_frames,
    decode_picture,
    join_segments,
    picture_to_rgb,
    retime_copy,
)

WIDTH, HEIGHT, STEP_US = 1280, 720, 66_667


def jpegs(count: int) -> list[bytes]:
    pan = Pan(count, width=WIDTH, height=HEIGHT)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 90]
    return [cv2.imencode(".jpg", pan.picture(i), quality)[1].tobytes() for i in range(count)]


def timed(name: str, count: int, work: Callable[[], object]) -> None:
    start = time.process_time()
    work()
    print(f"{name:34s} {(time.process_time() - start) / count * 1000:7.2f} ms/frame")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=60)
    count = parser.parse_args().frames
    payloads = jpegs(count)
    print(f"{count} pictures, mean JPEG {sum(map(len, payloads)) / count / 1000:.0f} kB")
    pictures = []
    timed(
        "JPEG to limited-range planes",
        count,
        lambda: pictures.extend(decode_picture("jpeg", p) for p in payloads),
    )
    timed("planes to RGB 640x384", count, lambda: [picture_to_rgb(p, size=(640, 384)) for p in pictures])
    encoder = SegmentEncoder(RGBEncoderConfig(), true_width=WIDTH, true_height=HEIGHT)
    segments = []

    def encode() -> None:
        for index, picture in enumerate(pictures):
            encoder.encode(picture, pts_us=index * STEP_US)
        segments.append(encoder.finish())

    timed("encode (x264 veryfast, crf 18)", count, encode)
    segment = segments[0]
    decoded = []
    timed("decode segment from memory", count, lambda: decoded.extend(p.y for p in segment.decode()))
    error = np.mean(
        [np.mean((a.y.astype(np.float32) - b) ** 2) for a, b in zip(pictures, decoded, strict=True)]
    )
    print(f"{'luma PSNR':34s} {10 * np.log10(255**2 / error):7.2f} dB, {len(segment.data) / 1e6:.2f} MB")
    with tempfile.TemporaryDirectory() as scratch:
        part, joined, copied = (Path(scratch) / name for name in ("part", "joined.mp4", "copied.mp4"))
        segment.save(part)
        timed("join into an mp4", count, lambda: join_segments([part], joined))
        timed(
            "re-timed stream copy", count, lambda: retime_copy([VideoSpan(joined, 0, count)], copied, fps=15)
        )
        timed("decode frames of the mp4", count, lambda: [p.y[0, 0] for _, p in decode_frames(copied)])


if __name__ == "__main__":
    main()
