"""Encoded bytes depend on pictures and settings only, not on what happens to lie in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENCODE = """
import hashlib, sys
import numpy as np
from episode_assets.video import RGBEncoderConfig, SegmentEncoder, decode_picture

width, height = int(sys.argv[1]), int(sys.argv[2])
blocks = np.random.default_rng(0).integers(0, 255, (height // 8, width // 8, 3))
texture = np.kron(blocks, np.ones((8, 8, 1))).astype(np.uint8)
with SegmentEncoder(RGBEncoderConfig(vcodec="h264", crf=18, g=15), true_width=width, true_height=height) as encoder:
    for number in range(45):
        moved = np.ascontiguousarray(np.roll(texture, number, axis=1))
        picture = decode_picture("rgb8", moved.tobytes(), width=width, height=height)
        encoder.encode(picture, pts_us=66_667 * number)
    print(hashlib.sha256(encoder.finish().data).hexdigest())
"""


STREAM = """
import hashlib, sys
from pathlib import Path
import numpy as np
from episode_assets.video import CameraOutput, RGBEncoderConfig, StreamingEncoder

width, height, out = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
blocks = np.random.default_rng(0).integers(0, 255, (height // 8, width // 8, 3))
texture = np.kron(blocks, np.ones((8, 8, 1))).astype(np.uint8)
with StreamingEncoder({"ego": CameraOutput(out, RGBEncoderConfig())}, fps=15) as encoder:
    for number in range(40):
        encoder.feed({"ego": np.ascontiguousarray(np.roll(texture, number, axis=1))}, is_owned=True)
    encoder.finish()
print(hashlib.sha256(out.read_bytes()).hexdigest())
"""


linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is filled by the C library of Linux")


def digests(script: str, *arguments: object) -> set[str]:
    """Run a script with fresh memory left as it comes, and filled; return what it printed."""
    return {
        subprocess.run(
            [sys.executable, "-c", script, *map(str, arguments)],
            env={**os.environ, "MALLOC_PERTURB_": filling},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for filling in ("0", "1")
    }


@linux
@pytest.mark.parametrize("size", [(320, 240), (480, 272), (1280, 720)], ids=str)
def test_fresh_memory_with_other_content_changes_no_byte_of_the_video(size: tuple[int, int]) -> None:
    assert len(digests(ENCODE, *size)) == 1


@linux
def test_threads_and_fresh_memory_change_no_byte_of_a_stream(tmp_path: Path) -> None:
    assert len(digests(STREAM, 320, 240, tmp_path / "out.mp4")) == 1
