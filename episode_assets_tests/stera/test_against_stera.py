"""The same recording from the real Stera SDK and from us: all it writes is there, and each difference is meant.

Needs the environment of `make verify-stera`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from episode_assets.demo import DemoConfig, write_demo
from episode_assets_tests.stera.conftest import Twins, export_with_stera, published, stera_python
from episode_assets_tests.stera.deliberate import DELIBERATE

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

RECORDINGS = ("sharp", "phone", "footage")
EXPORTED = {
    "sharp": {"rgb.mp4", "mesh.ply", "annotation.hdf5:/hand-pose", "annotation.hdf5:/depth"},
    "phone": {"rgb.mp4", "mesh.ply", "annotation.hdf5:/hand-pose", "annotation.hdf5:/depth"},
    "footage": {"rgb.mp4", "mesh.ply", "annotation.hdf5:/imu", "annotation.hdf5:/cam-pose"},
}
"""What at least both have to have written, so that the comparison is one."""


def sharp(folder: Path) -> Path:
    config = DemoConfig(seconds=3.0, width=640, height=360, capture_scale=1.0)
    write_demo(folder / "demo.mcap", config=config)
    return folder / "demo.mcap"


def phone(folder: Path) -> Path:
    write_demo(folder / "demo.mcap", config=DemoConfig(seconds=3.0, width=640, height=360, seed=3))
    return folder / "demo.mcap"


@pytest.fixture(scope="module", params=RECORDINGS)
def twins(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    python, folder = stera_python(), tmp_path_factory.mktemp(request.param)
    makers: dict[str, Callable[[Path], Path]] = {"sharp": sharp, "phone": phone}
    if request.param == "footage":
        recording = request.getfixturevalue("shared_data") / "recordings" / "table_scene.mcap"
    else:
        recording = makers[request.param](folder)
    made = published(recording, folder)
    ours, hands = made["episode_bundle"].directory(), made["hand_poses"].directory()
    found = export_with_stera(python, recording, hands, ours, folder)
    assert EXPORTED[request.param] <= set(found.theirs_said["saved"])
    return found


def test_every_difference_is_deliberate(twins: Twins) -> None:
    unexplained = [item for item in twins.differences if (item.where, item.what) not in DELIBERATE]

    assert unexplained == []


def test_every_deliberate_difference_is_what_its_reason_says(twins: Twins) -> None:
    wrong = [
        (item, DELIBERATE[item.where, item.what].reason)
        for item in twins.differences
        if (item.where, item.what) in DELIBERATE and not DELIBERATE[item.where, item.what].holds(twins)
    ]

    assert wrong == []


def test_what_the_sdk_saves_we_save_under_the_same_name(twins: Twins) -> None:
    assert set(twins.theirs_said["saved"]) <= set(twins.ours_said["saved"])
