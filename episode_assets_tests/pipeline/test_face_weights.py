"""What the graph makes of face weights that are given by path: they count, and a missing one stops it early."""

from __future__ import annotations

from pathlib import Path

import pytest

from episode_assets import models
from episode_assets.anonymization import FaceBlurConfig
from episode_assets.anonymization.egoblur import EgoBlurOptions
from episode_assets.errors import ModelMissing
from episode_assets.pipeline import bring_up_to_date, standing_of
from episode_assets.pipeline.settings import Settings, load_settings
from episode_assets.pipeline.steps import BLURRED_RGB, RAW_MCAP
from episode_assets.recording import RecordingConfig
from episode_assets.storage import ArtifactKey, RecordingEntry, Store
from episode_assets_tests.anonymization.material import START_NS, STEP_NS, TOPIC
from episode_assets_tests.recording.rig import Rig, compressed_image


@pytest.fixture
def face_weights() -> None:
    try:
        models.find("centerface")
    except ModelMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def entry(tmp_path: Path) -> tuple[Store, RecordingEntry]:
    """A recording whose pictures do not decode: whoever tries says so."""
    rig = Rig(tmp_path / "recording.mcap")
    for index in range(3):
        rig.add(TOPIC, compressed_image(START_NS + index * STEP_NS, b"\xff\xd8 no picture"))
    store = Store.open(str(tmp_path / "store"))
    entry = store.recordings.register(str(rig.close()))
    bring_up_to_date(store, RAW_MCAP, entry.recording_id, RecordingConfig())
    return store, entry


def with_plates(file: Path) -> FaceBlurConfig:
    both = "centerface+egoblur"
    return FaceBlurConfig(detector=both, audit_detector=both, egoblur=EgoBlurOptions(plates=str(file)))


def settings_with(config: FaceBlurConfig) -> Settings:
    settings = load_settings()
    return Settings({**settings.configs, "blurred_rgb": config}, settings.recipes)


@pytest.mark.usefixtures("face_weights")
def test_a_missing_file_is_named_before_any_picture_is_decoded(
    entry: tuple[Store, RecordingEntry], tmp_path: Path
) -> None:
    store, recording = entry

    with pytest.raises(ModelMissing, match=r"egoblur\.plates is not there"):
        bring_up_to_date(store, BLURRED_RGB, recording.recording_id, with_plates(tmp_path / "gone.jit"))

    assert store.versions(ArtifactKey("blurred_rgb", recording.recording_id)) == ()


def test_who_only_plans_is_not_stopped_by_a_missing_file(
    entry: tuple[Store, RecordingEntry], tmp_path: Path
) -> None:
    store, recording = entry

    standings = standing_of(store, recording, settings_with(with_plates(tmp_path / "gone.jit")))

    assert {item.asset: item.state for item in standings}["blurred_rgb"] == "missing"
