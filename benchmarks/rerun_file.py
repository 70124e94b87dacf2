"""What writing the Rerun file costs: CPU time per picture, bytes, and whether memory grows with the length.

Usage: python benchmarks/rerun_file.py [SECONDS ...]

Writes episodes of each length (default 60, 900 and 3600 s) at 15 pictures a second, each in a process of its own: the
packets of a noisy 720p clip again and again, depth of 256 x 192 with noise for every third picture, two hands, poses,
intrinsics, a face box and an IMU of 100 Hz. Reading all that from a bundle is not part of it.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import av
import numpy as np

from episode_assets.bundle.rerun_columns import Moments
from episode_assets.bundle.rerun_file import RerunFile
from episode_assets.video import encoded_pictures

RATE_HZ, DEPTH_EVERY, CLIP_PICTURES, BLOCK = 15, 3, 60, 256


def main() -> None:
    lengths = [float(word) for word in sys.argv[1:] if word != "--one"] or [60.0, 900.0, 3600.0]
    if "--one" in sys.argv:
        measure(lengths[0])
        return
    print("length s | CPU s | ms per picture | file MB | of it video MB | peak RSS MB, before writing")
    for seconds in lengths:
        subprocess.run([sys.executable, __file__, "--one", str(seconds)], check=True)


def measure(seconds: float) -> None:
    count = int(seconds * RATE_HZ)
    stamps = (np.arange(count) * (1_000_000_000 // RATE_HZ)).astype(np.int64)
    moments = Moments.of_pictures(stamps)
    with tempfile.TemporaryDirectory() as folder:
        clip, out = Path(folder, "clip.mp4"), Path(folder, "out.rrd")
        write_clip(clip)
        depths = list(islice(noisy_depth(), 50))
        video = list(encoded_pictures(clip))
        with RerunFile(Path(folder, "warm.rrd"), recording_id="warm") as file:
            file.log_scene(np.eye(4))
        before_mb, start = peak_mb(), time.process_time()
        with RerunFile(out, recording_id="measured") as file:
            file.log_scene(np.eye(4))
            file.log_video(moments, islice(cycle(video), count), "h264")
            for first in range(0, count, BLOCK):
                log_block(file, moments.rows(slice(first, min(first + BLOCK, count))))
            rows = np.arange(0, count, DEPTH_EVERY)
            for first in range(0, len(rows), 16):
                some = rows[first : first + 16]
                file.log_depth(moments.rows(some), [depths[row % len(depths)] for row in some.tolist()])
            log_imu(file, int(seconds * 100))
        spent = time.process_time() - start
        video_mb = sum(len(video[i % len(video)].data) for i in range(count)) / 1e6
        size_mb = out.stat().st_size / 1e6
    print(
        f"{seconds:8.0f} | {spent:5.1f} | {1000 * spent / count:14.2f} | {size_mb:7.0f} | {video_mb:14.0f} | "
        f"{peak_mb():.0f}, {before_mb:.0f}"
    )


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def log_block(file: RerunFile, now: Moments) -> None:
    count = len(now)
    file.log_cameras(now, np.tile(np.eye(4), (count, 1, 1)))
    file.log_picture_intrinsics(now, np.tile(np.eye(3), (count, 1, 1)), width=1280, height=720)
    file.log_faces(now, np.ones(count, np.int64), np.tile(np.array([10, 10, 50, 50]), (count, 1)))
    rng = np.random.default_rng(0)
    for side in ("left", "right"):
        file.log_hand_in_world(side, now, rng.normal(size=(count, 21, 3)).astype(np.float32))
        file.log_hand_in_picture(side, now, rng.normal(size=(count, 21, 2)).astype(np.float32))


def log_imu(file: RerunFile, samples: int) -> None:
    for first in range(0, samples, 8192):
        time_ns = (np.arange(first, min(first + 8192, samples)) * 10_000_000).astype(np.int64)
        values = np.random.default_rng(0).normal(size=(len(time_ns), 3))
        file.log_imu(time_ns, values, values)


def write_clip(path: Path) -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:720, :1280]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE_HZ)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.options = {"bf": "0", "g": "15", "preset": "veryfast", "crf": "18"}
        for picture in range(CLIP_PICTURES):
            grey = 128 + 60 * np.sin((columns + 9 * picture) / 40) + rng.normal(0, 3, rows.shape)
            image = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def noisy_depth() -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:192, :256]
    while True:
        image = 800 + 7 * rows + 3 * columns + rng.normal(0, 4, rows.shape)
        image[rng.random(rows.shape) < 0.05] = 0
        yield image.astype(np.uint16)


if __name__ == "__main__":
    main()
