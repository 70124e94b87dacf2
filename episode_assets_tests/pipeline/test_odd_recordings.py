"""Whatever a recording lacks or has odd, its bundle and its quality report exist, and both say what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from episode_assets import models
from episode_assets.anonymization import FaceBlurConfig
from episode_assets.bundle import BundleConfig, EpisodeBundle
from episode_assets.demo import DemoConfig, write_demo
from episode_assets.errors import ModelMissing
from episode_assets.pipeline import STEPS, bring_up_to_date
from episode_assets.storage import Manifest, Store

PLAIN = DemoConfig(seconds=0.4, width=320, height=180, capture_scale=1.0, with_face=False)
CONFIGS: dict[str, Any] = {
    "blurred_rgb": FaceBlurConfig(max_dropped_ratio=0.5),
    "episode_bundle": BundleConfig(visualization=False),
}


@dataclass(frozen=True)
class Case:
    """A recording that is not as it should be.

    Attributes:
        config: How it is made.
        name: What the bundle has to name, and with which code; None where nothing is missing.
        code: That code.
        note: Code of the warning, None where there has to be none.
        told: Words that a check of `qc.json` has to use for it.
    """

    config: DemoConfig
    name: str | None = None
    code: str | None = None
    note: str | None = None
    told: str | None = None


HDF5 = "annotation.hdf5:/"
NOTHING_BUT_PICTURES = replace(
    PLAIN,
    with_depth=False,
    with_mesh=False,
    with_imu=False,
    with_pose=False,
    with_camera_info=False,
    with_tracking_state=False,
    with_hands=False,
)
CASES = {
    "corrupt picture": Case(
        replace(PLAIN, corrupt_frames=(3,)),
        note="picture_dropped",
        told="1 of 6 pictures are not in the video (messages 3",
    ),
    "odd size": Case(replace(PLAIN, width=321, height=181)),
    "intrinsics of another size": Case(replace(PLAIN, capture_scale=2.0)),
    "no depth": Case(replace(PLAIN, with_depth=False), f"{HDF5}depth", "no_depth_messages", told="no depth"),
    "no mesh": Case(replace(PLAIN, with_mesh=False, with_depth=False), "mesh.ply", told="no mesh"),
    "no imu": Case(replace(PLAIN, with_imu=False), f"{HDF5}imu", "no_imu_messages", told="no IMU"),
    "no pose": Case(replace(PLAIN, with_pose=False), f"{HDF5}cam-pose", "no_pose_messages", told="no poses"),
    "no camera info": Case(
        replace(PLAIN, with_camera_info=False, with_depth=False),
        f"{HDF5}rgb/K",
        "no_camera_info",
        told="no calibration of the pictures",
    ),
    "no hands": Case(
        replace(PLAIN, with_hands=False),
        f"{HDF5}hand-pose",
        "no_hands_found",
        told="no hand of the wearer is seen",
    ),
    "one picture": Case(replace(PLAIN, seconds=0.05)),
    "pictures alone": Case(
        NOTHING_BUT_PICTURES, f"{HDF5}tracking", "no_tracking_messages", told="no tracking state"
    ),
}
QUICK = {"corrupt picture", "odd size", "pictures alone"}
"""Recordings of the default suite; the others take a model each as well."""


@dataclass(frozen=True)
class Made:
    case: Case
    bundle: Path
    manifest: Manifest
    report: dict[str, Any]
    page: str


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=() if name in QUICK else pytest.mark.long, id=name) for name in CASES],
)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    try:
        models.find("centerface")
    except ModelMissing as missing:
        pytest.skip(str(missing))
    case, folder = CASES[request.param], tmp_path_factory.mktemp("odd")
    write_demo(folder / "odd.mcap", config=case.config)
    store = Store.open(str(folder / "store"))
    name = store.recordings.register(str(folder / "odd.mcap")).recording_id
    artifacts = {
        step.asset: bring_up_to_date(store, step, name, CONFIGS.get(step.asset, step.config_type())).artifact
        for step in STEPS
    }
    bundle, report = artifacts["episode_bundle"], artifacts["qc_report"].directory()
    yield Made(
        case,
        bundle.directory(),
        bundle.manifest,
        json.loads((report / "qc.json").read_text()),
        (report / "report.html").read_text(),
    )


def test_bundle_and_report_exist_and_each_names_what_is_odd(made: Made) -> None:
    skipped = {item.name: item.code for item in made.manifest.skipped}
    notes = {item.code for item in made.manifest.warnings}

    with EpisodeBundle.open(made.bundle) as bundle:
        assert bundle.F >= 1
        assert bundle.skipped == made.manifest.skipped[: len(bundle.skipped)]
    if made.case.name is not None:
        assert made.case.name in skipped
        assert made.case.code in {None, skipped[made.case.name]}
        assert made.case.name not in made.manifest.saved
    if made.case.note is not None:
        assert made.case.note in notes
    said = [check["detail"] for check in made.report["checks"]]
    assert made.case.told is None or any(made.case.told in detail for detail in said)
    assert made.report["frames"] == made.manifest.summary["frames"]
    assert "</html>" in made.page


def test_pictures_keep_their_true_size_and_their_own_intrinsics(made: Made) -> None:
    config = made.case.config

    with EpisodeBundle.open(made.bundle) as bundle, av.open(str(bundle.video_path)) as video:
        stream = video.streams.video[0]
        assert bundle.picture_size == (config.width, config.height)
        assert (stream.width, stream.height) == (
            config.width + config.width % 2,
            config.height + config.height % 2,
        )
        assert stream.frames == bundle.F
        if config.with_camera_info:
            # The demo's lens sees 67 degrees: its focal length is 0.755 of the width, whatever size is calibrated.
            assert bundle.K is not None
            assert bundle.K[:, 0, 0] / config.width == pytest.approx(0.755, abs=0.01)
            assert np.abs(bundle.K[:, 0, 2] - config.width / 2).max() < 0.02 * config.width
