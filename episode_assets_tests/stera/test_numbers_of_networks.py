"""Hands of MANO networks, drawn at random, through both exports: every number under the same name.

Needs the environment of `make verify-stera`.
"""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from episode_assets.bundle import BundleConfig, write_bundle
from episode_assets.recording import RecordingView, scan_recording
from episode_assets_tests.bundle.mano_rows import mano_table
from episode_assets_tests.bundle.recordings import (
    RECORDING_ID,
    Hand,
    Scene,
    write_blurred,
    write_hands,
    write_recording,
)
from episode_assets_tests.stera.comparison import annotation_differences
from episode_assets_tests.stera.conftest import Twins, export_with_stera, stera_python
from episode_assets_tests.stera.deliberate import DELIBERATE, dataset

pytestmark = pytest.mark.long

SCENE = Scene(frames=9, gap_after=5, depth_missing=frozenset({4}))
HANDS = (
    Hand(1),
    Hand(2, side="left"),
    Hand(3, valid_joints=12),
    Hand(5, metres=False),
    Hand(6, kind=2),
    Hand(7, side="left", confidence=0.4),
    Hand(7, side="left", confidence=0.8, wearer=False),
)
NUMBERS = {
    f"/hand-pose/{side}_{name}"
    for side in ("left", "right")
    for name in (
        "joints",
        "valid",
        "confidence",
        "kpts_2d_rgb",
        "mano_global_orient",
        "mano_hand_pose",
        "mano_betas",
        "pred_cam",
        "pred_cam_t",
        "cam_t",
        "focal_length",
    )
}


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    python, folder = stera_python(), tmp_path_factory.mktemp("networks")
    recording = write_recording(folder / "recording.mcap", SCENE)
    for name in ("raw", "bundle"):
        (folder / name).mkdir()
    scan_recording(str(recording), folder / "raw", recording_id=RECORDING_ID)
    view = RecordingView.open(folder / "raw", str(recording))
    blurred, hands = write_blurred(folder / "blurred", SCENE), write_hands(folder / "hands", SCENE, HANDS)
    pq.write_table(mano_table(SCENE, HANDS), hands / "mano.parquet")
    config = BundleConfig(visualization=False)
    write_bundle(view, blurred, hands, folder / "bundle", config=config, privacy={"audit": "passed"})
    return export_with_stera(python, recording, hands, folder / "bundle", folder)


def test_every_number_is_there_and_equal(twins: Twins) -> None:
    name = "annotation.hdf5"
    found = list(annotation_differences(name, twins.theirs / name, twins.ours / name))

    unexplained = [item for item in found if (item.where, item.what) not in DELIBERATE]
    wrong = [
        item
        for item in found
        if item not in unexplained and not DELIBERATE[item.where, item.what].holds(twins)
    ]

    assert {path for path in NUMBERS if dataset(twins.theirs, path).size} == NUMBERS
    assert unexplained == []
    assert wrong == []


def test_depth_keeps_its_own_stamps_where_the_sdk_repeats_those_of_pictures(twins: Twins) -> None:
    """The stamps differ by design here, so that the reason is put to the test at all."""
    name = "annotation.hdf5"
    found = annotation_differences(name, twins.theirs / name, twins.ours / name)

    assert ("/depth/timestamps", "values") in {(item.where, item.what) for item in found}
