"""A detector that lies or dies publishes no face: another net looks at the result, and the test comes first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from episode_assets.anonymization import FaceBlurConfig, blur_recording
from episode_assets.errors import StorageTrouble
from episode_assets.recording import RecordingView
from episode_assets.video import decode_frames, decode_picture
from episode_assets_tests.anonymization.liars import (
    BLIND,
    DYING,
    KNOWN_ONLY,
    RAISING,
    RANDOM,
    SHIFTED,
    SHORT_SIGHTED,
)
from episode_assets_tests.anonymization.material import Scene, record
from episode_assets_tests.anonymization.measures import lost_share

FRAMES = 16
SCENE = Scene(faces={frame: (20.0 + 12 * frame, 70.0 + 2 * frame) for frame in range(2, 14)}, face_px=52)

pytestmark = pytest.mark.usefixtures("weights")


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> RecordingView:
    return record(tmp_path_factory.mktemp("scene"), [SCENE.jpeg(frame) for frame in range(FRAMES)])


def assert_no_face_is_readable(directory: Path) -> None:
    for frame, picture in decode_frames(directory / "rgb.mp4", sorted(SCENE.faces)):
        source = decode_picture("jpeg", SCENE.jpeg(frame))
        assert lost_share(source.y, picture.y, SCENE.face_box(frame)) > 0.95, frame


@pytest.mark.parametrize("detector", [KNOWN_ONLY, SHORT_SIGHTED])
def test_what_a_liar_hides_another_net_finds_in_the_result(
    detector: str, view: RecordingView, tmp_path: Path
) -> None:
    outcome = blur_recording(view, tmp_path, config=FaceBlurConfig(g=8, detector=detector))

    assert outcome.audit_passed
    assert outcome.privacy is not None
    assert outcome.privacy["boxes_added"] >= len(SCENE.faces) - 2
    assert_no_face_is_readable(tmp_path)


@pytest.mark.parametrize("detector", [BLIND, RANDOM, SHIFTED])
@pytest.mark.parametrize("is_auditor_too", [False, True])
def test_who_cannot_place_the_known_face_publishes_nothing(
    detector: str, is_auditor_too: bool, view: RecordingView, tmp_path: Path
) -> None:
    auditor = {"audit_detector": detector} if is_auditor_too else {}

    outcome = blur_recording(view, tmp_path, config=FaceBlurConfig(g=8, detector=detector, **auditor))

    assert not outcome.audit_passed
    assert outcome.privacy is not None
    assert outcome.privacy["known_answer"] == "failed"
    assert {path.name for path in tmp_path.iterdir()} == {"audit.json", "faces.parquet"}
    assert json.loads((tmp_path / "audit.json").read_text())["evidence"] == []


@pytest.mark.parametrize(("detector", "error"), [(RAISING, RuntimeError), (DYING, StorageTrouble)])
def test_a_detector_that_fails_midway_leaves_no_picture(
    detector: str, error: type[Exception], tmp_path: Path
) -> None:
    several_units = record(tmp_path, [SCENE.jpeg(frame) for frame in range(2 * FRAMES)])
    directory = tmp_path / "artifact"
    directory.mkdir()

    with pytest.raises(error):
        blur_recording(several_units, directory, config=FaceBlurConfig(g=8, detector=detector), workers=2)

    assert [path for path in directory.rglob("*") if path.is_file()] == []
