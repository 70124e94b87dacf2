"""Peak memory of writing and reading does not grow with the length of a video."""

from __future__ import annotations

import subprocess
import sys

import pytest

WORK = """
import sys
from pathlib import Path
import numpy as np
from episode_assets.video import CameraOutput, RGBEncoderConfig, StreamingEncoder, concatenate, iterate_at, reencode

frames, folder = int(sys.argv[1]), Path(sys.argv[2])
config = RGBEncoderConfig(preset="ultrafast")
blocks = np.random.default_rng(0).integers(0, 255, (30, 40, 3))
texture = np.kron(blocks, np.ones((8, 8, 1))).astype(np.uint8)
with StreamingEncoder({"ego": CameraOutput(folder / "a.mp4", config)}, fps=10) as encoder:
    for number in range(frames):
        encoder.feed({"ego": np.roll(texture, number, axis=1)}, is_owned=True)
    encoder.finish()
concatenate([folder / "a.mp4"] * 2, folder / "b.mp4", overwrite=True)
reencode(folder / "a.mp4", folder / "c.mp4", config, overwrite=True)
for _ in iterate_at(folder / "c.mp4", [number / 10 for number in range(0, frames, 5)]):
    pass
line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(line.split()[1]) / 1024)
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is told by /proc")
def test_ten_times_the_frames_take_no_more_memory(tmp_path):
    def peak_mib(frames: int) -> float:
        command = [sys.executable, "-c", WORK, str(frames), str(tmp_path)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    # Stamps, sizes and positions of 9,000 more packets are 1 MiB at most; a single picture held back is 0.1.
    assert peak_mib(3000) < peak_mib(300) + 6
