"""Recordings that the demo makes pass the audit with default settings, plain walls and small faces included."""

from __future__ import annotations

from pathlib import Path

import pytest

from episode_assets.anonymization import FaceBlurConfig, blur_recording
from episode_assets.demo import DemoConfig, write_demo
from episode_assets.progress import silent
from episode_assets.recording import RecordingConfig, RecordingView, scan_recording

SMALL = [
    pytest.param(640, 360, seed, marks=() if seed == 5 else pytest.mark.long)  # 5 has a box on a plain wall
    for seed in range(1, 7)
]
LARGE = [pytest.param(1280, 720, seed, marks=pytest.mark.long) for seed in (7, 8)]


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize(("width", "height", "seed"), [*SMALL, *LARGE])
def test_a_demo_recording_passes(width: int, height: int, seed: int, tmp_path: Path) -> None:
    file, raw, directory = tmp_path / "demo.mcap", tmp_path / "raw", tmp_path / "artifact"
    write_demo(file, config=DemoConfig(seconds=4, width=width, height=height, seed=seed))
    raw.mkdir()
    directory.mkdir()
    scan_recording(str(file), raw, recording_id="demo", config=RecordingConfig(), progress=silent)

    outcome = blur_recording(RecordingView.open(raw, str(file)), directory, config=FaceBlurConfig())

    assert outcome.privacy is not None
    assert outcome.audit_passed, outcome.privacy["reasons"]
