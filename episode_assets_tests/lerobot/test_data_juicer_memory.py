"""What one sample costs in memory does not grow with its pictures (R14)."""

import subprocess
import sys

import pytest

from episode_assets.video import RGBEncoderConfig, VideoWriter
from episode_assets_tests.lerobot.archive import paint

SCRIPT = """
import resource, sys
from dataclasses import replace
from episode_assets_tests.lerobot.test_data_juicer import BLUR, hand, mapper, sample_of
count = int(sys.argv[2])
made = mapper(sys.argv[3], face_blur=replace(BLUR, min_face_px=60))
meta = made.process_single(sample_of(sys.argv[1], hand(count)))["__dj__meta__"]
assert meta["lerobot_left_out"] == [] and meta["lerobot_export"][0]["num_frames"] == count
made.finalize_dataset(sys.argv[3])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.long
def test_peak_memory_is_that_of_a_group_of_pictures(tmp_path):
    config = RGBEncoderConfig(vcodec="h264", g=15, crf=28, preset="ultrafast")
    with VideoWriter(tmp_path / "long.mp4", config, fps=30) as writer:
        for number in range(600):
            picture = paint(number)
            writer.add(picture)
        writer.finish()
    peaks = []
    for count in (60, 600):
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT, tmp_path / "long.mp4", str(count), tmp_path / str(count)],
            check=True,
            capture_output=True,
            text=True,
        )
        peaks.append(int(run.stdout.split()[-1]))

    assert peaks[1] - peaks[0] < 40, peaks
