"""What every test may ask for: small demo recordings with their truth, and a place to run in that is its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import settings

from episode_assets.demo import DemoConfig, DemoTruth, write_demo
from episode_assets.instance import HOME_VARIABLE, INBOX_VARIABLE, STORE_VARIABLE
from episode_assets.storage import Store
from episode_assets_tests.object_store import s3_bucket

__all__ = ["s3_bucket"]

# How long one example takes says something about the machine, which may be busy, and nothing about the code.
settings.register_profile("any_machine", deadline=None)
# The same examples each time, so that a change is judged by itself; HYPOTHESIS_PROFILE=any_machine draws others.
settings.register_profile("same_examples", deadline=None, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same_examples"))

SHARED_DATA = Path(__file__).parent.parent.parent / "shared" / "data"


@dataclass(frozen=True)
class Workplace:
    """A Dagster instance, a store and an inbox below one folder, named by the environment."""

    folder: Path
    home: Path
    store_path: Path
    inbox: Path

    @property
    def store(self) -> Store:
        return Store.open(str(self.store_path))

    @property
    def environment(self) -> dict[str, str]:
        return {
            HOME_VARIABLE: str(self.home),
            STORE_VARIABLE: str(self.store_path),
            INBOX_VARIABLE: str(self.inbox),
        }


def make_workplace(folder: Path) -> Workplace:
    place = Workplace(folder, folder / "dagster", folder / "store", folder / "inbox")
    place.home.mkdir()
    place.inbox.mkdir()
    (place.home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    return place


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    place = make_workplace(tmp_path)
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return place


@pytest.fixture
def instance(workplace: Workplace) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(workplace.home)) as opened:
        yield opened


@dataclass(frozen=True)
class Demo:
    """A demo recording on disk, and its truth from geometry."""

    path: Path
    truth: DemoTruth
    config: DemoConfig


def make_demo(path: Path, config: DemoConfig) -> Demo:
    return Demo(path, write_demo(path, config=config), config)


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Four seconds of 640x360 with a barcode: the smallest size at which both models find what is in view."""
    path = tmp_path_factory.mktemp("demo") / "small demo.mcap"
    return make_demo(path, DemoConfig(seconds=4.0, width=640, height=360, barcode=True))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the sample recordings are not at {SHARED_DATA}")
    return SHARED_DATA
