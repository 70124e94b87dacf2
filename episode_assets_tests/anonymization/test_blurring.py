"""The whole computation on small recordings with a face at a known place."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.anonymization import FaceBlurConfig, blur_recording, passes
from episode_assets.errors import BadConfig, BadRecording, ModelMissing
from episode_assets.outcome import Outcome
from episode_assets.recording import RecordingView
from episode_assets.video import decode_frames, decode_picture, probe
from episode_assets_tests.anonymization.material import START_NS, STEP_NS, Scene, encode, record
from episode_assets_tests.anonymization.measures import changed_share, lost_share
from episode_assets_tests.anonymization.stand_ins import BLIND, DOUBTFUL, FORGETFUL

FRAMES = 36
CONFIG = FaceBlurConfig(g=8)
PIXELS = {"rgb.mp4", "frames.parquet", "dropped.parquet", "signals.parquet", "rgb_stats.parquet"}
EVIDENCE = {"faces.parquet", "audit.json"}

pytestmark = pytest.mark.usefixtures("weights")


def passing_by() -> Scene:
    """A face crosses the picture in frames 6 to 29."""
    return Scene(faces={frame: (20 + 8.0 * (frame - 6), 70 + 2.0 * (frame - 6)) for frame in range(6, 30)})


def blurred(
    view: RecordingView, directory: Path, config: FaceBlurConfig = CONFIG, *, workers: int = 1
) -> Outcome:
    directory.mkdir(mode=0o700)
    return blur_recording(view, directory, config=config, workers=workers)


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def digests(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


@pytest.fixture(scope="module")
def scene() -> Scene:
    return passing_by()


@pytest.fixture(scope="module")
def view(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> RecordingView:
    return record(tmp_path_factory.mktemp("scene"), [scene.jpeg(frame) for frame in range(FRAMES)])


@pytest.fixture(scope="module")
def result(view: RecordingView, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    directory = tmp_path_factory.mktemp("blurred") / "artifact"
    return directory, blurred(view, directory)


def test_every_face_is_unreadable_in_the_published_video(scene: Scene, result: tuple[Path, Outcome]) -> None:
    directory, outcome = result

    for frame, picture in decode_frames(directory / "rgb.mp4", range(FRAMES)):
        source = decode_picture("jpeg", scene.jpeg(frame))
        boxes = [scene.face_box(frame)] if frame in scene.faces else []
        assert all(lost_share(source.y, picture.y, box) > 0.95 for box in boxes), frame
        assert changed_share(source.y, picture.y, boxes) < (0.02 if boxes else 0.15), frame
    assert outcome.audit_passed
    assert names(directory) == PIXELS | EVIDENCE == set(outcome.core)


def test_every_frame_leads_back_to_its_message(result: tuple[Path, Outcome]) -> None:
    directory, _ = result
    frames = pq.read_table(directory / "frames.parquet").to_pydict()
    video = probe(directory / "rgb.mp4")

    assert frames["message_number"] == frames["frame_index"] == list(range(FRAMES))
    assert frames["stamp_ns"] == [START_NS + index * STEP_NS for index in range(FRAMES)]
    assert frames["pts_us"] == video.pts.tolist()
    assert np.flatnonzero(frames["is_key"]).tolist() == video.key_frames.tolist()
    assert {0, 8, 16, 24, 32} <= set(video.key_frames.tolist())
    assert set(frames["width"]) == {320}


def test_tables_of_one_artifact_agree_on_their_frames(result: tuple[Path, Outcome]) -> None:
    directory, outcome = result
    tables = {
        name: pq.read_table(directory / f"{name}.parquet") for name in ("signals", "rgb_stats", "faces")
    }

    assert tables["signals"]["frame_index"].to_pylist() == list(range(FRAMES))
    assert tables["rgb_stats"]["frame_index"].to_pylist() == list(range(FRAMES))
    assert set(tables["rgb_stats"]["sampled_pixels"].to_pylist()) == {160 * 120}
    assert sum(tables["rgb_stats"]["hist_g"][5].as_py()) == 160 * 120
    assert tables["signals"]["diff_previous"].null_count == 1  # of the first frame
    faces = tables["faces"].to_pylist()
    assert len({row["track"] for row in faces if row["score"] and row["score"] > 0.5}) == 1
    assert all(row["redact_x0"] % 2 == 0 and row["redact_x1"] <= 320 for row in faces)
    assert outcome.privacy is not None
    assert outcome.privacy["boxes_total"] == len(faces)
    assert len({row["frame_index"] for row in faces}) == outcome.privacy["frames_with_faces"]


@pytest.mark.parametrize("workers", [2, pytest.param(3, marks=pytest.mark.long)])
def test_several_workers_write_the_same_bytes_as_one(
    workers: int, view: RecordingView, result: tuple[Path, Outcome], tmp_path: Path
) -> None:
    outcome = blurred(view, tmp_path / "artifact", workers=workers)

    assert digests(tmp_path / "artifact") == digests(result[0])
    assert outcome == result[1]


def test_the_length_of_the_units_of_work_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damaged pictures, a gap, and faces that only the audit sees, near and far from any cut."""
    scene = replace(passing_by(), black_corner=frozenset(range(6, 14)))
    jpegs = [scene.jpeg(frame) for frame in range(FRAMES)]
    for damaged in (8, 15, 16):
        jpegs[damaged] = jpegs[damaged][:300]
    stamps = [START_NS + STEP_NS * (frame + (20 if frame >= 27 else 0)) for frame in range(FRAMES)]
    view = record(tmp_path, jpegs, stamps_ns=stamps)
    config = FaceBlurConfig(g=4, detector=FORGETFUL, max_dropped_ratio=0.5)

    outcomes, bytes_of = [], []
    for length in (4, 8, 12, 60):
        monkeypatch.setattr(passes, "UNIT_FRAMES", length)
        outcomes.append(blurred(view, tmp_path / f"artifact_{length}", config))
        bytes_of.append(digests(tmp_path / f"artifact_{length}"))

    assert outcomes[0].audit_passed
    assert outcomes[0].privacy is not None
    assert outcomes[0].privacy["boxes_added"]
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert all(digest == bytes_of[0] for digest in bytes_of)
    frames = pq.read_table(tmp_path / "artifact_4" / "frames.parquet").to_pydict()
    keys = {n for n, key in zip(frames["message_number"], frames["is_key"], strict=True) if key}
    assert {0, 4, 9, 12, 17, 20, 24, 27, 31, 35} <= keys  # after damage the grid stays where it was


def test_progress_grows_steadily_and_ends_with_the_last_frame(view: RecordingView, tmp_path: Path) -> None:
    (tmp_path / "artifact").mkdir()
    reports: list[tuple[str, int, int]] = []

    blur_recording(
        view, tmp_path / "artifact", config=CONFIG, progress=lambda *report: reports.append(report)
    )

    done = [report[1] for report in reports if report[0] == "faces"]
    assert {report[2] for report in reports if report[0] == "faces"} == {FRAMES}
    assert done == sorted(done)
    assert len(done) >= 4
    assert done[-1] == FRAMES


@pytest.mark.parametrize("blind", ["detector", "audit_detector"])
def test_a_model_that_finds_nothing_leaves_no_pixels(blind: str, view: RecordingView, tmp_path: Path) -> None:
    outcome = blurred(view, tmp_path / "artifact", replace(CONFIG, **{blind: BLIND}))

    assert not outcome.audit_passed
    assert outcome.privacy is not None
    assert outcome.privacy["known_answer"] == "failed"
    assert names(tmp_path / "artifact") == EVIDENCE == set(outcome.core)
    verdict = json.loads((tmp_path / "artifact" / "audit.json").read_text())
    assert "known-answer" in verdict["reasons"][0]


def test_a_face_that_the_detector_loses_for_some_frames_stays_covered(tmp_path: Path) -> None:
    """Neither the detector nor the audit sees frames 14 to 20: only the track can cover them."""
    scene = replace(passing_by(), black_corner=frozenset(range(14, 21)))
    view = record(tmp_path, [scene.jpeg(frame) for frame in range(FRAMES)])

    outcome = blurred(
        view, tmp_path / "artifact", replace(CONFIG, detector=FORGETFUL, audit_detector=FORGETFUL)
    )

    assert outcome.audit_passed
    for frame, picture in decode_frames(tmp_path / "artifact" / "rgb.mp4", range(14, 21)):
        source = decode_picture("jpeg", scene.jpeg(frame))
        assert lost_share(source.y, picture.y, scene.face_box(frame)) > 0.95, frame
    sources = pq.read_table(tmp_path / "artifact" / "faces.parquet").to_pylist()
    assert {row["source"] for row in sources if 14 <= row["frame_index"] < 21} == {"interpolated"}


def test_what_only_the_detector_can_see_is_not_refuted_by_another_auditor(tmp_path: Path) -> None:
    scene = replace(passing_by(), black_corner=frozenset(range(FRAMES)))
    view = record(tmp_path, [scene.jpeg(frame) for frame in range(FRAMES)])

    # Faces of 64 px are then large enough for the second look as well.
    config = replace(CONFIG, detector=DOUBTFUL, audit_detector=FORGETFUL, min_face_px=20)
    blurred(view, tmp_path / "artifact", config)

    for frame, picture in decode_frames(tmp_path / "artifact" / "rgb.mp4", sorted(scene.faces)):
        source = decode_picture("jpeg", scene.jpeg(frame))
        assert lost_share(source.y, picture.y, scene.face_box(frame)) > 0.95, frame


def test_a_detector_that_looks_at_every_third_picture_covers_those_between(
    scene: Scene, view: RecordingView, tmp_path: Path
) -> None:
    outcome = blurred(view, tmp_path / "artifact", replace(CONFIG, detector_stride=3))

    assert outcome.audit_passed
    for frame, picture in decode_frames(tmp_path / "artifact" / "rgb.mp4", sorted(scene.faces)):
        source = decode_picture("jpeg", scene.jpeg(frame))
        assert lost_share(source.y, picture.y, scene.face_box(frame)) > 0.95, frame


def test_the_audit_blurs_what_the_detector_missed(tmp_path: Path) -> None:
    """The detector is blind in all frames with the face; the audit finds it, and the groups are made anew."""
    scene = replace(passing_by(), black_corner=frozenset(range(6, 30)))
    view = record(tmp_path, [scene.jpeg(frame) for frame in range(FRAMES)])

    outcome = blurred(view, tmp_path / "artifact", replace(CONFIG, detector=FORGETFUL))

    assert outcome.privacy is not None
    assert (outcome.privacy["audit"], outcome.privacy["rounds"]) == ("passed", 1)
    for frame, picture in decode_frames(tmp_path / "artifact" / "rgb.mp4", range(6, 30)):
        source = decode_picture("jpeg", scene.jpeg(frame))
        assert lost_share(source.y, picture.y, scene.face_box(frame)) > 0.95, frame


def test_a_face_found_near_a_cut_is_held_into_the_next_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the audit sees the face, in the last frames of a unit; the neighbour holds it, with any workers."""
    monkeypatch.setattr(passes, "UNIT_FRAMES", 8)
    scene = Scene(faces=dict.fromkeys(range(12, 16), (150.0, 80.0)), black_corner=frozenset(range(12, 16)))
    view = record(tmp_path, [scene.jpeg(frame) for frame in range(FRAMES)])
    config = replace(CONFIG, detector=FORGETFUL)

    outcomes = [blurred(view, tmp_path / f"artifact_{n}", config, workers=n) for n in (1, 2)]

    rows = pq.read_table(tmp_path / "artifact_1" / "faces.parquet").to_pylist()
    assert {row["frame_index"] for row in rows if row["source"] == "held"} == {8, 9, 10, 11, 16, 17, 18, 19}
    assert len({row["track"] for row in rows}) == 1
    assert outcomes[0] == outcomes[1]
    assert digests(tmp_path / "artifact_1") == digests(tmp_path / "artifact_2")


def test_an_audit_without_rounds_blocks_and_leaves_only_evidence(tmp_path: Path) -> None:
    scene = replace(passing_by(), black_corner=frozenset(range(6, 30)))
    view = record(tmp_path, [scene.jpeg(frame) for frame in range(FRAMES)])

    outcome = blurred(view, tmp_path / "artifact", replace(CONFIG, detector=FORGETFUL, audit_rounds=0))

    assert not outcome.audit_passed
    assert names(tmp_path / "artifact") == EVIDENCE | {"evidence"}
    verdict = json.loads((tmp_path / "artifact" / "audit.json").read_text())
    assert "outside the blur" in verdict["reasons"][0]
    assert {find["state"] for find in verdict["finds"] if find["score"] >= 0.5} == {"blocks"}


def test_a_blur_that_keeps_its_detail_blocks_with_a_reason(view: RecordingView, tmp_path: Path) -> None:
    outcome = blurred(view, tmp_path / "artifact", replace(CONFIG, cells=8, audit_max_detail=0.0))

    assert not outcome.audit_passed
    assert outcome.privacy is not None
    assert "keep more than 0% of their detail" in str(outcome.privacy["reasons"])
    assert names(tmp_path / "artifact") == EVIDENCE | {"evidence"}


def test_no_group_touches_the_disk_before_its_own_audit_has_passed(tmp_path: Path) -> None:
    """The detector is blind to the face in every frame, so no group passes before the audit's round."""
    everywhere = range(FRAMES)
    scene = Scene(faces=dict.fromkeys(everywhere, (120.0, 80.0)), black_corner=frozenset(everywhere))
    view = record(tmp_path, [scene.jpeg(frame) for frame in everywhere])
    directory = tmp_path / "artifact"
    directory.mkdir()
    seen: dict[str, set[str]] = {}

    def look(stage: str, done: int, total: int) -> None:
        seen.setdefault(stage, set()).update(str(p.relative_to(directory)) for p in directory.rglob("*"))

    outcome = blur_recording(
        view, directory, config=replace(CONFIG, detector=FORGETFUL, audit_rounds=1), progress=look
    )

    assert outcome.audit_passed
    assert seen["faces"] == {"groups"}
    assert len(seen["faces that the audit found"]) == 1 + 2 * 5  # five groups, each with its colour counts


def test_damaged_and_odd_pictures_are_left_out_and_counted(tmp_path: Path) -> None:
    scene = Scene(size=(161, 121))
    jpegs = [scene.jpeg(frame) for frame in range(12)]
    jpegs[3] = jpegs[3][:400]
    jpegs[7] = encode(Scene(size=(160, 120)).picture(7))
    view = record(tmp_path, jpegs)

    outcome = blurred(view, tmp_path / "artifact", replace(CONFIG, max_dropped_ratio=0.5))

    dropped = pq.read_table(tmp_path / "artifact" / "dropped.parquet").to_pylist()
    assert [(row["message_number"], row["reason"]) for row in dropped] == [
        (3, "undecodable"),
        (7, "size_change"),
    ]
    assert {note.code: note.count for note in outcome.warnings} == {"undecodable": 1, "size_change": 1}
    frames = pq.read_table(tmp_path / "artifact" / "frames.parquet").to_pydict()
    assert frames["message_number"] == [0, 1, 2, 4, 5, 6, 8, 9, 10, 11]
    assert frames["frame_index"] == list(range(10))
    assert (frames["width"][0], frames["height"][0]) == (161, 121)
    video = probe(tmp_path / "artifact" / "rgb.mp4")
    assert (video.width, video.height, video.frames) == (162, 122, 10)


def test_too_many_damaged_pictures_fail_by_name(tmp_path: Path) -> None:
    scene = Scene(size=(96, 64))
    jpegs = [scene.jpeg(frame) for frame in range(10)]
    view = record(tmp_path, [jpeg if index % 2 else jpeg[:100] for index, jpeg in enumerate(jpegs)])

    with pytest.raises(BadRecording, match=r"5 of 10 colour pictures.*undecodable"):
        blurred(view, tmp_path / "artifact")


def test_a_recording_whose_pictures_all_fail_names_the_topic(tmp_path: Path) -> None:
    view = record(tmp_path, [b"\xff\xd8 no picture"] * 3)

    with pytest.raises(BadRecording, match="none of the 3"):
        blurred(view, tmp_path / "artifact")


def test_a_missing_model_is_named_from_any_worker(
    view: RecordingView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPISODE_ASSETS_MODELS", str(tmp_path))
    monkeypatch.setenv("EPISODE_ASSETS_CACHE", str(tmp_path))

    for workers in (1, 2):
        with pytest.raises(ModelMissing, match="models fetch"):
            blurred(view, tmp_path / f"artifact_{workers}", workers=workers)


def test_pictures_before_and_after_a_gap_share_no_track_and_no_group(tmp_path: Path) -> None:
    scene = Scene(faces=dict.fromkeys(range(20), (120.0, 80.0)))
    stamps = [START_NS + STEP_NS * (frame + (8 if frame >= 10 else 0)) for frame in range(20)]
    view = record(tmp_path, [scene.jpeg(frame) for frame in range(20)], stamps_ns=stamps)

    blurred(view, tmp_path / "artifact")

    frames = pq.read_table(tmp_path / "artifact" / "frames.parquet").to_pydict()
    assert np.flatnonzero(frames["gap_before"]).tolist() == [10]
    assert frames["is_key"][10]
    faces = pq.read_table(tmp_path / "artifact" / "faces.parquet").to_pylist()
    tracks = [
        {row["track"] for row in faces if (row["frame_index"] < 10) == early} for early in (True, False)
    ]
    assert not tracks[0] & tracks[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"score_threshold": 1.5},
        {"box_scale": 0.5},
        {"audit_scale": 1.0},
        {"audit_key_scale": 1.01},
        {"score_threshold": 0.6},
        {"far_stride": 1.5},
        {"audit_key_scale": 9.0},
        {"cells": 0},
        {"method": "pixelate"},
        {"preset": "warp"},
        {"fill_s": float("nan")},
    ],
)
def test_settings_out_of_range_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(BadConfig, match=next(iter(wrong))):
        FaceBlurConfig(**wrong)  # type: ignore[arg-type]
