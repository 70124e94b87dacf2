"""One small recording that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from episode_assets.demo import DemoConfig, DemoTruth, write_demo
from episode_assets_tests.demo.independent_reader import Written, read_everything

SMALL = DemoConfig(seconds=2, width=320, height=180)
LONGER = DemoConfig(
    seconds=12, width=64, height=48, with_hands=False, imu_noise=0.0, lost_interval_s=(6.0, 7.5)
)


@pytest.fixture(scope="package")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoTruth, Written]:
    """Two seconds of 320x180 with everything in it."""
    return record(tmp_path_factory, SMALL)


@pytest.fixture(scope="package")
def longer(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoTruth, Written]:
    """Twelve tiny seconds with tracking lost from 6.0 to 7.5, and an exact IMU."""
    return record(tmp_path_factory, LONGER)


def record(factory: pytest.TempPathFactory, config: DemoConfig) -> tuple[DemoTruth, Written]:
    path: Path = factory.mktemp("demo") / "demo.mcap"
    return write_demo(path, config=config), read_everything(path)
