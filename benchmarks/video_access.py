"""CPU milliseconds and memory of asking a 1280x720 video for single pictures by time, as training does.

Run: python benchmarks/video_access.py [--frames N] [--questions N]. Random questions for one picture each, with the
file opened for every question and with a `DecoderCache`, in groups of 2 and of 15 frames; then one question for
pictures that lie far apart. CPU time is printed, not wall time.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

from pan import Pan
from process_cost import WorkCosts

from episode_assets.video import DecoderCache, RGBEncoderConfig, decode_at, encode_frames, iterate_at

WIDTH, HEIGHT, FPS = 1280, 720, 15


def ask(path: Path, numbers: list[int], cache: DecoderCache | None) -> float:
    """Return the CPU milliseconds of a question for one picture."""
    start = time.process_time()
    for number in numbers:
        decode_at(path, [number / FPS], cache=cache)
    return (time.process_time() - start) / len(numbers) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--questions", type=int, default=40)
    asked = parser.parse_args()
    chance, pan = random.Random(1), Pan(asked.frames, width=WIDTH, height=HEIGHT)
    numbers = [chance.randrange(asked.frames) for _ in range(asked.questions)]
    with tempfile.TemporaryDirectory() as folder:
        for group in (2, 15):
            path = Path(folder) / f"{group}.mp4"
            pictures = map(pan.picture, range(asked.frames))
            found = encode_frames(pictures, path, RGBEncoderConfig(g=group), fps=FPS)
            opened, kept = ask(path, numbers, None), ask(path, numbers, DecoderCache())
            megabytes = found.encoded_bytes / 1e6
            print(
                f"groups of {group:2d}, {megabytes:5.1f} MB: opened each time {opened:6.1f} ms, kept {kept:6.1f} ms"
            )
        times = [number / FPS for number in range(0, asked.frames, 10)]
        costs = WorkCosts()
        for _ in iterate_at(path, times):
            pass
        added = costs.told()["added_mb"]
        print(f"{len(times)} pictures from {asked.frames} frames, one at a time: {added:.0f} MB added")


if __name__ == "__main__":
    main()
