"""What a person drew is gone from the published video, in the pictures that were named and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.anonymization import FaceBlurConfig, area_of, blur_recording, filling
from episode_assets.outcome import Outcome
from episode_assets.recording import RecordingView
from episode_assets.video import Picture, decode_frames, decode_picture
from episode_assets_tests.anonymization.material import START_NS, STEP_NS, Scene, encode, record
from episode_assets_tests.anonymization.measures import changed_share
from episode_assets_tests.anonymization.stand_ins import FORGETFUL
from episode_assets_tests.anonymization.test_blurring import digests

FRAMES = 24
CONFIG = FaceBlurConfig(g=8)
SCREEN = (40, 60, 160, 160)

pytestmark = pytest.mark.usefixtures("weights")


def with_screen(picture: np.ndarray) -> np.ndarray:
    """Put a bright screen full of text into a picture."""
    x0, y0, x1, y1 = SCREEN
    picture[y0:y1, x0:x1] = (235, 240, 250)
    for row, words in enumerate(("PIN 4711", "call Ann", "4 pm X-ray", "top secret")):
        place = (x0 + 4, y0 + 22 + 24 * row)
        cv2.putText(picture, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (20, 10, 90), 2)
    return picture


def pictures(scene: Scene, frames: int = FRAMES) -> list[bytes]:
    return [encode(with_screen(scene.picture(frame))) for frame in range(frames)]


@pytest.fixture(scope="module")
def jpegs() -> list[bytes]:
    return pictures(Scene())


@pytest.fixture(scope="module")
def view(jpegs: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> RecordingView:
    return record(tmp_path_factory.mktemp("screen"), jpegs)


def redacted(
    view: RecordingView,
    directory: Path,
    *entries: dict[str, object],
    config: FaceBlurConfig = CONFIG,
    workers: int = 1,
) -> Outcome:
    directory.mkdir(mode=0o700)
    drawn = [area_of(entry, where="test") for entry in entries]
    return blur_recording(view, directory, config=config, redactions=drawn, workers=workers)


def likeness(source: Picture, result: Picture, inside: np.ndarray) -> float:
    """Correlation of source and result over some pixels; 0 where the result is plain."""
    a, b = (picture.y.astype(float)[inside] for picture in (source, result))
    a, b = a - a.mean(), b - b.mean()
    return float(np.abs((a * b).mean()) / (a.std() * max(b.std(), 3.0)))


def mask_of(box: Sequence[int]) -> np.ndarray:
    inside = np.zeros((240, 320), bool)
    inside[box[1] : box[3], box[0] : box[2]] = True
    return inside


def hidden_frames(directory: Path, jpegs: list[bytes], box: Sequence[int] = SCREEN) -> list[int]:
    """Frames in which the text cannot be read; in all others it must be as sharp as it was."""
    hidden = []
    for frame, picture in decode_frames(directory / "rgb.mp4", range(len(jpegs))):
        alike = likeness(decode_picture("jpeg", jpegs[frame]), picture, mask_of(box))
        assert alike < 0.1 or alike > 0.97, (frame, alike)
        if alike < 0.1:
            hidden.append(frame)
    return hidden


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"messages": [5, 12]}, range(5, 13)),
        ({"seconds": [0.62, 1.0]}, range(9, 16)),
        ({"stamps_ns": [START_NS + 3 * STEP_NS, START_NS + 4 * STEP_NS]}, range(3, 5)),
        ({"recording": "whole"}, range(FRAMES)),
    ],
)
def test_a_screen_cannot_be_read_in_exactly_the_pictures_that_were_named(
    when: dict[str, object], expected: range, view: RecordingView, jpegs: list[bytes], tmp_path: Path
) -> None:
    outcome = redacted(view, tmp_path / "a", {"reason": "screen", "box": list(SCREEN), **when})

    assert outcome.audit_passed
    assert outcome.warnings == ()
    assert hidden_frames(tmp_path / "a", jpegs) == list(expected)
    for frame, picture in decode_frames(tmp_path / "a" / "rgb.mp4", range(FRAMES)):
        source = decode_picture("jpeg", jpegs[frame])
        around = cv2.blur(cv2.absdiff(source.y, picture.y).astype(np.float32), (4, 4))
        outside = ~mask_of((SCREEN[0] - 4, SCREEN[1] - 4, SCREEN[2] + 4, SCREEN[3] + 4))
        assert (around[outside] > 8).mean() < 0.002, frame


def test_the_tables_and_the_record_name_what_was_painted_over(view: RecordingView, tmp_path: Path) -> None:
    outcome = redacted(
        view,
        tmp_path / "a",
        {"reason": "screen", "box": [41, 61, 159.5, 159], "messages": [5, 12]},
        {"reason": "person", "picture": "whole", "messages": [20, 21]},
    )

    rows = [
        row for row in pq.read_table(tmp_path / "a/faces.parquet").to_pylist() if row["source"] == "redaction"
    ]
    corners = ("redact_x0", "redact_y0", "redact_x1", "redact_y1")
    assert [row["message_number"] for row in rows] == [*range(5, 13), 20, 21]
    assert {tuple(row[name] for name in corners) for row in rows[:8]} == {(40, 60, 160, 160)}
    assert tuple(rows[-1][name] for name in corners) == (0, 0, 320, 240)
    assert {(row["score"], row["backend"]) for row in rows} == {(None, "person")}
    assert outcome.privacy is not None
    assert outcome.privacy["redactions"] == [
        {"reason": "screen", "shape": "box", "track": rows[0]["track"], "frames": 8},
        {"reason": "person", "shape": "picture", "track": rows[0]["track"] + 1, "frames": 2},
    ]
    assert outcome.privacy["boxes"]["redaction"] == 10  # type: ignore[call-overload,index]
    assert outcome.privacy["frames_with_faces"] == len(
        {
            row["frame_index"]
            for row in pq.read_table(tmp_path / "a/faces.parquet").to_pylist()
            if row["source"] != "redaction"
        }
    )
    assert outcome.summary["redactions"] == 2
    assert json.loads((tmp_path / "a/audit.json").read_text())["privacy"] == outcome.privacy


def test_a_polygon_hides_what_lies_in_it_and_nothing_beside_it(
    view: RecordingView, jpegs: list[bytes], tmp_path: Path
) -> None:
    """The triangle over the upper left half of the screen."""
    x0, y0, x1, y1 = SCREEN
    triangle = [[x0 / 320, y0 / 240], [x1 / 320, y0 / 240], [x0 / 320, y1 / 240]]

    outcome = redacted(
        view,
        tmp_path / "a",
        {"reason": "screen", "polygon": triangle, "relative": True, "messages": [0, 9]},
    )

    rows, columns = np.mgrid[:240, :320]
    depth = (columns - x0) / (x1 - x0) + (rows - y0) / (y1 - y0)
    assert outcome.audit_passed
    for frame, picture in decode_frames(tmp_path / "a" / "rgb.mp4", range(FRAMES)):
        source = decode_picture("jpeg", jpegs[frame])
        inside, beside = mask_of(SCREEN) & (depth < 0.95), mask_of(SCREEN) & (depth > 1.08)
        assert likeness(source, picture, beside) > 0.97, frame
        alike = likeness(source, picture, inside)
        assert alike < 0.1 if frame <= 9 else alike > 0.97, (frame, alike)


def test_faces_beside_in_and_across_an_area_are_covered_all_the_same(tmp_path: Path) -> None:
    """A face walks into the screen and out of it; the area covers a half of it on the way."""
    scene = Scene(faces={frame: (20 + 10.0 * frame, 80.0) for frame in range(FRAMES)})
    jpegs = [scene.jpeg(frame) for frame in range(FRAMES)]
    view = record(tmp_path, jpegs)

    outcome = redacted(
        view, tmp_path / "a", {"reason": "mirror", "box": [120, 40, 200, 220], "recording": "whole"}
    )

    assert outcome.audit_passed, outcome.privacy
    for frame, picture in decode_frames(tmp_path / "a" / "rgb.mp4", range(FRAMES)):
        source = decode_picture("jpeg", jpegs[frame])
        assert likeness(source, picture, mask_of(scene.face_box(frame))) < 0.6, frame
        assert changed_share(source.y, picture.y, [scene.face_box(frame), (100, 0, 220, 240)]) < 0.02


def test_a_face_that_only_the_audit_sees_is_covered_by_an_area(tmp_path: Path) -> None:
    scene = Scene(faces=dict.fromkeys(range(8), (150.0, 80.0)), black_corner=frozenset(range(8)))
    view = record(tmp_path, [scene.jpeg(frame) for frame in range(8)])
    config = replace(CONFIG, detector=FORGETFUL, audit_rounds=0)

    bare = redacted(view, tmp_path / "bare", config=config)
    outcome = redacted(
        view,
        tmp_path / "covered",
        {"reason": "person", "box": [120, 40, 240, 200], "recording": "whole"},
        config=config,
    )

    assert not bare.audit_passed
    assert outcome.audit_passed
    assert outcome.privacy is not None
    assert outcome.privacy["rounds"] == 0


def test_any_number_of_workers_writes_the_same_bytes(tmp_path: Path) -> None:
    view = record(tmp_path, pictures(Scene(size=(256, 192))))
    entries: list[dict[str, object]] = [
        {"reason": "screen", "polygon": [[40, 60], [160, 60], [100, 170]], "seconds": [0.3, 0.9]},
        {"reason": "person", "picture": "whole", "messages": [16, 17]},
    ]

    outcomes = [redacted(view, tmp_path / f"a{n}", *entries, workers=n) for n in (1, 2)]

    assert outcomes[0] == outcomes[1]
    assert digests(tmp_path / "a1") == digests(tmp_path / "a2")


def test_an_area_that_hides_nothing_is_named(view: RecordingView, tmp_path: Path) -> None:
    outcome = redacted(
        view,
        tmp_path / "a",
        {"reason": "screen", "box": [400, 10, 500, 90], "recording": "whole"},
        {"reason": "mirror", "box": [10, 10, 50, 90], "seconds": [60, 70]},
        {"reason": "document", "box": [200, 100, 2000, 180], "messages": [0, 3]},
    )

    assert [(note.code, note.detail) for note in outcome.warnings] == [
        ("redaction_outside", "redaction 1 (screen) lies outside of the picture and hides nothing"),
        ("redaction_outside", "redaction 2 (mirror): no picture lies in its span; it hides nothing"),
        ("redaction_cut", "a part of redaction 3 (document) lies outside of the picture"),
    ]
    assert outcome.audit_passed


def test_seconds_count_from_the_first_picture_that_decodes(jpegs: list[bytes], tmp_path: Path) -> None:
    """The video begins with the third message; what a player shows at 0.0 is that one."""
    damaged = [jpeg[:200] if index < 2 else jpeg for index, jpeg in enumerate(jpegs)]
    view = record(tmp_path, damaged)

    redacted(
        view,
        tmp_path / "a",
        {"reason": "screen", "box": list(SCREEN), "seconds": [0.0, 0.07]},
        config=replace(CONFIG, max_dropped_ratio=0.5),
    )

    rows = pq.read_table(tmp_path / "a/faces.parquet").to_pylist()
    hidden = [row for row in rows if row["source"] == "redaction"]
    assert [(row["message_number"], row["frame_index"]) for row in hidden] == [(2, 0), (3, 1)]
    assert hidden_frames(tmp_path / "a", jpegs[2:]) == [0, 1]


def test_an_area_that_shows_through_after_encoding_blocks(
    view: RecordingView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coarsest encoder settings leave blotches; with the bar at nothing they must not pass."""
    monkeypatch.setattr("episode_assets.anonymization.groups.MAX_LEFT", 0.0)
    monkeypatch.setattr("episode_assets.anonymization.verdict.MAX_LEFT", 0.0)

    outcome = redacted(
        view,
        tmp_path / "a",
        {"reason": "screen", "box": list(SCREEN), "messages": [3, 9]},
        config=replace(CONFIG, crf=45.0),
    )

    assert not outcome.audit_passed
    assert "painted areas are not plain" in str(outcome.privacy)
    assert not (tmp_path / "a" / "rgb.mp4").exists()


@pytest.mark.parametrize("area", [SCREEN, (0, 0, 320, 240), (300, 0, 320, 240), (10, 10, 18, 18)])
def test_what_is_left_in_an_area_is_measured_on_real_pictures(area: tuple[int, int, int, int]) -> None:
    rectangles = np.array([area], np.int32)
    none = np.zeros((0, 4), np.int32)
    picture = decode_picture("jpeg", encode(with_screen(Scene().picture(0))))

    assert filling.left_in(picture, rectangles, none) > filling.MAX_LEFT
    filling.fill(picture, [rectangles])
    assert filling.left_in(picture, rectangles, none) == 0.0
    inner = picture.y[area[1] : area[3], area[0] : area[2]]
    inner[inner.shape[0] // 2, inner.shape[1] // 2 - 3 : inner.shape[1] // 2 + 3] += 120
    assert filling.left_in(picture, rectangles, none) > filling.MAX_LEFT
    assert filling.left_in(picture, rectangles, rectangles) == 0.0
