"""What the tests of hands share: scanned recordings, weights or a clear skip, and one run over each recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from episode_assets import models
from episode_assets.demo import DemoConfig, DemoTruth, write_demo
from episode_assets.errors import ModelMissing
from episode_assets.hands import FRAMES_FILE, HANDS_FILE, HandPoseConfig, estimate_hands
from episode_assets.outcome import Outcome
from episode_assets.recording import RecordingView, scan_recording

SIZE = (640, 360)


@dataclass(frozen=True)
class Estimated:
    """A finished run: its outcome, its tables, and what is true."""

    outcome: Outcome
    hands: pa.Table
    frames: pa.Table
    truth: DemoTruth | None

    def numbers(self, name: str) -> np.ndarray:
        """A column as an array, lists as rows; NaN rows where null."""
        column = self.hands[name].combine_chunks()
        width = column.type.list_size
        values = np.full((len(column), width), np.nan)
        present = np.array(column.is_valid())
        values[present] = np.array(column.drop_null().flatten()).reshape(-1, width)
        return values

    def notes(self) -> dict[tuple[str, str | None], int]:
        return {(note.code, note.stream): note.count for note in self.outcome.warnings}


@pytest.fixture(scope="session")
def weights() -> Path:
    """The folder of the weight files, or a skip that says how to get them."""
    try:
        paths = [models.find(name) for name in ("palm_detection_lite", "hand_landmark_full")]
    except ModelMissing as error:
        pytest.skip(str(error))
    return paths[0].parent


@pytest.fixture(scope="session")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], RecordingView]:
    def scan(path: Path) -> RecordingView:
        directory = tmp_path_factory.mktemp("raw")
        scan_recording(str(path), directory, recording_id="demo-12345678")
        return RecordingView.open(directory, str(path))

    return scan


@pytest.fixture(scope="session")
def demo_view(
    tmp_path_factory: pytest.TempPathFactory, scanned: Callable[[Path], RecordingView]
) -> Callable[..., tuple[RecordingView, DemoTruth]]:
    def make(**options: Any) -> tuple[RecordingView, DemoTruth]:
        path = tmp_path_factory.mktemp("demo") / "demo.mcap"
        config = DemoConfig(width=SIZE[0], height=SIZE[1], with_mesh=False, with_imu=False, **options)
        truth = write_demo(path, config=config)
        return scanned(path), truth

    return make


def estimated(
    view: RecordingView,
    directory: Path,
    *,
    config: HandPoseConfig | None = None,
    workers: int = 1,
    truth: DemoTruth | None = None,
) -> Estimated:
    directory.mkdir(parents=True, exist_ok=True)
    outcome = estimate_hands(view, directory, config=config or HandPoseConfig(), workers=workers)
    return Estimated(
        outcome, pq.read_table(directory / HANDS_FILE), pq.read_table(directory / FRAMES_FILE), truth
    )


@pytest.fixture(scope="session")
def whole_view(demo_view: Callable[..., tuple[RecordingView, DemoTruth]]) -> tuple[RecordingView, DemoTruth]:
    """Three seconds with everything."""
    return demo_view(seconds=3.0)


@pytest.fixture(scope="session")
def whole(
    whole_view: tuple[RecordingView, DemoTruth], weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Estimated:
    del weights
    view, truth = whole_view
    return estimated(view, tmp_path_factory.mktemp("hands"), truth=truth)


@pytest.fixture(scope="session")
def difficult(
    demo_view: Callable[..., tuple[RecordingView, DemoTruth]],
    weights: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Estimated:
    """Four seconds with two damaged pictures side by side and a second of lost tracking."""
    del weights
    view, truth = demo_view(seconds=4.0, corrupt_frames=(8, 9), lost_interval_s=(1.5, 2.5))
    return estimated(view, tmp_path_factory.mktemp("hands"), truth=truth)


@pytest.fixture(scope="session")
def bare(
    demo_view: Callable[..., tuple[RecordingView, DemoTruth]],
    weights: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Estimated:
    """A second without depth, pose and calibration."""
    del weights
    view, truth = demo_view(seconds=1.0, with_depth=False, with_pose=False, with_camera_info=False)
    return estimated(view, tmp_path_factory.mktemp("hands"), truth=truth)
