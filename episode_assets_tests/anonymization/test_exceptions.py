"""What a person judged to be no face does not block: in that box, those pictures and that very video alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from episode_assets.anonymization import FaceBlurConfig, FindException, blur_recording
from episode_assets.outcome import Outcome
from episode_assets.recording import RecordingView
from episode_assets.video import decode_frames, decode_picture
from episode_assets_tests.anonymization.material import Scene, record
from episode_assets_tests.anonymization.measures import lost_share
from episode_assets_tests.anonymization.stand_ins import FORGETFUL
from episode_assets_tests.anonymization.test_blurring import EVIDENCE, digests, names

FRAMES = 20
SIZE = (256, 192)
EVERYWHERE = (0.0, 0.0, 256.0, 192.0)
PORTRAIT = (110.0, 60.0)
CONFIG = FaceBlurConfig(g=8, detector=FORGETFUL, audit_rounds=0)
"""The detector takes the portrait for none, the audit finds it in one group, and may not blur it."""

pytestmark = pytest.mark.usefixtures("weights")


@pytest.fixture(scope="module")
def scene() -> Scene:
    corner = frozenset(range(9, 12))
    return Scene(size=SIZE, faces=dict.fromkeys(corner, PORTRAIT), black_corner=corner)


@pytest.fixture(scope="module")
def view(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> RecordingView:
    return record(tmp_path_factory.mktemp("portrait"), [scene.jpeg(frame) for frame in range(FRAMES)])


def blurred(
    view: RecordingView,
    directory: Path,
    *exceptions: FindException,
    config: FaceBlurConfig = CONFIG,
    workers: int = 1,
) -> Outcome:
    directory.mkdir(mode=0o700)
    return blur_recording(view, directory, config=config, exceptions=exceptions, workers=workers)


@pytest.fixture(scope="module")
def judged(view: RecordingView, tmp_path_factory: pytest.TempPathFactory) -> FindException:
    """The exception that a person writes after reading the evidence of a refused run."""
    directory = tmp_path_factory.mktemp("refused") / "a"
    outcome = blurred(view, directory)
    audit = json.loads((directory / "audit.json").read_text())
    assert not outcome.audit_passed
    found = [find for find in audit["finds"] if find["state"] == "blocks"]
    assert {find["message_number"] for find in found} == {9, 10, 11}
    boxes = list(zip(*(find["box"] for find in found), strict=True))
    box = (min(boxes[0]), min(boxes[1]), max(boxes[2]), max(boxes[3]))
    return FindException("portrait", audit["privacy"]["video"], box, 9, 11)


def refused(outcome: Outcome, directory: Path) -> str:
    assert not outcome.audit_passed
    assert names(directory) - {"evidence"} == EVIDENCE
    assert outcome.privacy is not None
    return str(outcome.privacy["reasons"])


def test_a_judged_find_blocks_no_more_and_is_on_record(
    scene: Scene, view: RecordingView, judged: FindException, tmp_path: Path
) -> None:
    outcomes = [blurred(view, tmp_path / f"a{n}", judged, workers=n) for n in (1, 2)]

    assert outcomes[0].audit_passed
    assert outcomes[0].warnings == ()
    assert outcomes[0].privacy is not None
    assert outcomes[0].privacy["excepted"] == {"finds": 3, "video": judged.video}
    audit = json.loads((tmp_path / "a1" / "audit.json").read_text())
    assert {find["message_number"] for find in audit["finds"] if find["state"] == "excepted"} == {9, 10, 11}
    for frame, picture in decode_frames(tmp_path / "a1" / "rgb.mp4", range(9, 12)):
        source = decode_picture("jpeg", scene.jpeg(frame))
        assert lost_share(source.y, picture.y, scene.face_box(frame)) < 0.2
    assert outcomes[0] == outcomes[1]
    assert digests(tmp_path / "a1") == digests(tmp_path / "a2")


@pytest.mark.parametrize(
    "change",
    [
        {"box": (0.0, 0.0, 256.0, 80.0)},
        {"last_message": 10},
        pytest.param({"box": (110.0, 60.0, 130.0, 80.0)}, marks=pytest.mark.long),
        pytest.param({"first_message": 12, "last_message": 19}, marks=pytest.mark.long),
    ],
)
def test_a_find_beyond_the_box_or_the_pictures_of_an_exception_blocks(
    change: dict[str, object], view: RecordingView, judged: FindException, tmp_path: Path
) -> None:
    outcome = blurred(view, tmp_path / "a", replace(judged, **change))  # type: ignore[arg-type]

    assert "outside the blur" in refused(outcome, tmp_path / "a")


@pytest.mark.parametrize("why", ["another digest", "another video"])
def test_an_exception_lapses_with_the_video_that_was_judged(
    why: str, view: RecordingView, judged: FindException, tmp_path: Path
) -> None:
    is_video = why == "another video"
    exception = judged if is_video else replace(judged, video="0" * 64)
    config = replace(CONFIG, crf=20.0) if is_video else CONFIG

    outcome = blurred(view, tmp_path / "a", exception, config=config)

    assert "outside the blur" in refused(outcome, tmp_path / "a")
    assert [note.code for note in outcome.warnings] == ["exception_lapsed"]
    assert exception.video[:16] in outcome.warnings[0].detail


def test_an_exception_excuses_no_blur_that_kept_its_detail(tmp_path: Path) -> None:
    scene = Scene(
        size=SIZE,
        faces=dict.fromkeys(range(4), (60.0, 80.0)) | dict.fromkeys(range(8, 11), PORTRAIT),
        black_corner=frozenset(range(8, 11)),
    )
    view = record(tmp_path, [scene.jpeg(frame) for frame in range(12)])
    config = replace(CONFIG, cells=8, audit_max_detail=0.0, g=12)
    before = blurred(view, tmp_path / "before", config=config)
    assert before.privacy is not None
    everything = FindException("portrait", str(before.privacy["video"]), EVERYWHERE, 0, 11)

    outcome = blurred(view, tmp_path / "a", everything, config=config)

    reasons = refused(outcome, tmp_path / "a")
    assert "keep more than 0% of their detail" in reasons
    assert "outside the blur" not in reasons
