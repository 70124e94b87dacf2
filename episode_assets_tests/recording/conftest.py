from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from episode_assets.recording import RecordingConfig, RecordingView, scan_recording

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

SALVAGED = {
    "recordings/table_scene_truncated.mcap": {
        "/camera/tracking_state": 4,
        "/arkit/imu": 4,
        "/device/imu": 7,
        "/device/metrics": 4,
        "/camera/camera_info": 1,
        "/camera/pose": 1,
        "/tf": 1,
        "/trajectory": 1,
        "/map/point_cloud": 1,
        "/camera/depth": 1,
    }
}
"""What a thorough reader saves from the chunk at a cut, by the README; `expected.json` counts whole chunks."""


@pytest.fixture(scope="session")
def data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"sample recordings are not at {DATA}")
    return DATA


@pytest.fixture(scope="session")
def expected(data: Path) -> dict[str, Any]:
    return json.loads((data / "expected.json").read_text())


@pytest.fixture(scope="session")
def table_scene(data: Path, tmp_path_factory: pytest.TempPathFactory) -> RecordingView:
    return _view(data / "recordings" / "table_scene.mcap", tmp_path_factory.mktemp("table_scene"))


@pytest.fixture
def view_of(tmp_path: Path) -> Callable[..., RecordingView]:
    """Scan a file and open the view on it."""

    def view(file: Path, **options: Any) -> RecordingView:
        directory = tmp_path / f"scan_{file.stem}_{len(list(tmp_path.iterdir()))}"
        directory.mkdir()
        return _view(file, directory, **options)

    return view


def _view(file: Path, directory: Path, **options: Any) -> RecordingView:
    scan_recording(str(file), directory, recording_id="rec-00000000", config=RecordingConfig(**options))
    return RecordingView.open(directory, str(file))
