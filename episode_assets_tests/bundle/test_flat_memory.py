"""Writing a bundle takes no more memory for an hour than for a minute."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.bundle.clouds import VoxelGrid
from episode_assets.recording import scan_recording
from episode_assets_tests.bundle.recordings import (
    RECORDING_ID,
    Hand,
    Scene,
    write_blurred,
    write_hands,
    write_recording,
)

SHORT, LONG = 4_000, 12_000
"""Pictures; the shorter one has more hands than are unpacked at once."""

MOST_PER_PICTURE = 3_000
"""Bytes. Its stamps, pose, intrinsics and pairing are 800; the indices of HDF5 and of the depth video, buffers that
fill up and gaps between what is freed make it 2,400. Streams and place tables that are kept, with what Arrow keeps of
them, make it 3,800; arrays of hands over all pictures would be 2,000 more for each side."""

MOST_PER_VOXEL = 110
"""Bytes. Its key, sums and count are 40, as much again while voxels are merged, and slices of points."""

SCRIPT = """
import sys
from pathlib import Path
from episode_assets.bundle import BundleConfig, write_bundle
from episode_assets.recording import RecordingView

base, voxel_m = Path(sys.argv[1]), float(sys.argv[2])
bundle = base / f"bundle-{voxel_m}"
bundle.mkdir()
write_bundle(
    RecordingView.open(base / "raw", str(base / "recording.mcap")),
    base / "blurred",
    base / "hands",
    bundle,
    config=BundleConfig(visualization=False, depth_video=True, cloud_voxel_m=voxel_m),
    privacy={"audit": "passed"},
)
lines = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""


def write_inputs(base: Path, frames: int) -> Path:
    base.mkdir()
    (base / "raw").mkdir()
    scene = Scene(frames=frames, depth_width=48, depth_height=36)
    source = write_recording(base / "recording.mcap", scene)
    scan_recording(str(source), base / "raw", recording_id=RECORDING_ID)
    write_blurred(base / "blurred", scene)
    both = [Hand(frame, side=side) for frame in range(frames) for side in ("left", "right")]
    table = write_hands(base / "hands", scene, tuple(both)) / "hands.parquet"
    pq.write_table(pq.read_table(table), table, row_group_size=4_096)  # in groups, as hand_poses writes it
    return base


def peak_bytes(base: Path, *, voxel_m: float) -> int:
    command = [sys.executable, "-c", SCRIPT, str(base), str(voxel_m)]
    return 1024 * int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory_hardly_grows_with_the_number_of_pictures(tmp_path: Path) -> None:
    short, long = write_inputs(tmp_path / "short", SHORT), write_inputs(tmp_path / "long", LONG)

    growth = peak_bytes(long, voxel_m=0.0) - peak_bytes(short, voxel_m=0.0)
    with_clouds = peak_bytes(long, voxel_m=0.02)

    assert growth / (LONG - SHORT) < MOST_PER_PICTURE
    assert with_clouds < 300e6


def test_voxels_take_little_beside_their_own_numbers() -> None:
    rng = np.random.default_rng(0)
    grid = VoxelGrid(0.01, most=100_000)
    tracemalloc.start()
    try:
        for _ in range(4):
            grid.add(rng.uniform(0, 10, (50_000, 3)).astype(np.float32))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert grid.size_m > 0.01  # some were merged
    assert peak < MOST_PER_VOXEL * (100_000 + 50_000)
