"""Of a refused video people see where the finds lie, and never what they show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from episode_assets.anonymization import Boxes, FaceBlurConfig, blur_recording
from episode_assets.anonymization.boxes import no_boxes
from episode_assets.anonymization.detectors import RGB, Label
from episode_assets.anonymization.evidence import LONGEST_SIDE_PX, MOST_PICTURES, evidence_picture
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.outcome import ModelUse, Outcome
from episode_assets.recording import RecordingView
from episode_assets.video import decode_picture
from episode_assets_tests.anonymization.liars import KNOWN_ONLY
from episode_assets_tests.anonymization.material import Scene, record

FRAMES = 9
SCENE = Scene(
    size=(704, 400), faces={frame: (100.0 + 20 * frame, 120.0) for frame in range(FRAMES)}, face_px=160
)
REFUSED = FaceBlurConfig(g=1, detector=KNOWN_ONLY, audit_rounds=0)


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> RecordingView:
    return record(tmp_path_factory.mktemp("scene"), [SCENE.jpeg(frame) for frame in range(FRAMES)])


@pytest.fixture(scope="module")
def refused(
    weights: Path, view: RecordingView, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Outcome]:
    directory = tmp_path_factory.mktemp("refused")
    return directory, blur_recording(view, directory, config=REFUSED)


def pictures(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((directory / "evidence").iterdir())}


def test_the_worst_frames_are_shown_small_and_without_their_faces(refused: tuple[Path, Outcome]) -> None:
    directory, outcome = refused

    shown = {
        name: cv2.imdecode(np.frombuffer(data, np.uint8), 1) for name, data in pictures(directory).items()
    }

    assert len(shown) == MOST_PICTURES < FRAMES / REFUSED.g
    scale = LONGEST_SIDE_PX / 704
    for name, picture in shown.items():
        assert picture.shape == (364, 640, 3)
        frame = int(name.removeprefix("frame_").removesuffix(".jpg"))
        x0, y0, x1, y1 = (round(value * scale) for value in SCENE.face_box(frame))
        face = picture[y0:y1, x0:x1].astype(int)
        is_mark = (face[:, :, 2] - face[:, :, 1]) > 24
        is_mark = cv2.dilate(is_mark.astype(np.uint8), np.ones((9, 9))).astype(bool)
        assert 0.02 < is_mark.mean() < 0.6
        assert np.abs(face[~is_mark] - 128).max() < 24, name
    assert outcome.privacy is not None
    assert outcome.privacy["evidence"] == [f"evidence/{name}" for name in shown]
    assert {f"evidence/{name}" for name in shown} <= set(outcome.core)


def test_the_verdict_names_the_picture_of_each_frame_that_is_shown(refused: tuple[Path, Outcome]) -> None:
    directory, outcome = refused
    audit = json.loads((directory / "audit.json").read_text())

    blocking = [find for find in audit["finds"] if find["state"] == "blocks"]
    best = sorted(blocking, key=lambda find: -find["score"])[0]
    assert best["frame_index"] in [shown["frame_index"] for shown in audit["evidence"]]
    assert [shown["picture"] for shown in audit["evidence"]] == outcome.privacy["evidence"]
    assert all(shown["message_number"] == shown["frame_index"] for shown in audit["evidence"])


def test_evidence_has_the_same_bytes_for_any_number_of_workers(weights: Path, tmp_path: Path) -> None:
    scene = Scene(faces=dict.fromkeys(range(32), (100.0, 100.0)))
    view = record(tmp_path, [scene.jpeg(frame) for frame in range(32)])
    outcomes, digests = [], []

    for workers in (1, 2):
        directory = tmp_path / str(workers)
        directory.mkdir()
        config = FaceBlurConfig(detector=KNOWN_ONLY, audit_rounds=0)
        outcomes.append(blur_recording(view, directory, config=config, workers=workers))
        digests.append({name: hashlib.sha256(data).hexdigest() for name, data in pictures(directory).items()})

    assert len(digests[0]) == 3
    assert digests[0] == digests[1]
    assert outcomes[0] == outcomes[1]


def test_what_is_published_carries_no_evidence(weights: Path, view: RecordingView, tmp_path: Path) -> None:
    outcome = blur_recording(view, tmp_path, config=FaceBlurConfig(g=15, detector=KNOWN_ONLY))

    assert outcome.audit_passed
    assert not (tmp_path / "evidence").exists()
    assert "evidence" not in (outcome.privacy or {})


class Restless:
    """Sees a face in another place each time it looks, `times` times."""

    label = Label.FACE
    models: tuple[ModelUse, ...] = ()

    def __init__(self, times: int) -> None:
        self._left = times

    def input_size(self, width: int, height: int, *, min_face_px: float) -> tuple[int, int]:
        return width, height

    def detect(self, rgb: Sequence[RGB]) -> list[Boxes]:
        self._left -= 1
        if self._left < 0:
            return [no_boxes() for _ in rgb]
        x, y = 10 + 37 * self._left % 280, 10 + 53 * self._left % 200
        return [np.array([[x, y, x + 6, y + 8, 0.15]], np.float32) for _ in rgb]


@pytest.mark.parametrize(("times", "is_shown"), [(0, True), (4, True), (1000, False)])
def test_a_picture_in_which_anything_is_left_is_not_handed_out(times: int, is_shown: bool) -> None:
    """Four looks, one for each right angle, are one search; what it sees is filled and the picture searched again."""
    picture = decode_picture("jpeg", Scene().jpeg(0))
    search = FaceSearch(
        Restless(times), width=320, height=240, min_face_px=20, tile_px=4096, score_threshold=0.2
    )

    shown = evidence_picture(picture, no_boxes(), np.zeros((0, 4), np.int32), [search])

    assert (shown is not None) == is_shown
