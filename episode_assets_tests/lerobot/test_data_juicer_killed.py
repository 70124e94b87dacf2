"""Whenever finalizing is killed, a reader sees the version before or the new one, and the next run finishes it (R8)."""

import subprocess
import sys

import pytest

from episode_assets.lerobot import verify_dataset
from episode_assets_tests.lerobot.archive import make_scene, write_artifacts
from episode_assets_tests.lerobot.test_data_juicer import document, exported, hand, mapper, sample_of

POINTS = (1, 2, 3, 5, 8, 12, 17, 22, 26, 30, 33, 36, 39)


@pytest.mark.long
def test_a_killed_run_leaves_a_whole_version(tmp_path):
    samples = []
    for first in (0, 100):
        write_artifacts(tmp_path / str(first), make_scene(20, first_message=first))
        samples.append(sample_of(str(tmp_path / str(first) / "bundle/rgb.mp4"), hand()))
    out = tmp_path / "out"
    exported(out, samples[0])
    mapper(out).process_single(samples[1])

    done = subprocess.run(
        [sys.executable, "-m", "episode_assets_tests.lerobot.killed_finalizer", out, *map(str, POINTS)],
        capture_output=True,
        text=True,
        check=True,
    )

    lines = done.stdout.splitlines()
    killed = [line for line in lines if line.endswith("killed")]
    assert len(killed) >= 10, done.stdout
    assert {line for line in lines if line.startswith("whole")} <= {"whole 1", "whole 2"}
    mapper(out).finalize_dataset(str(out))
    assert document(out, "info.json")["total_episodes"] == 2 and verify_dataset(out) == []
    assert len(list((out / "versions").iterdir())) == 2
