"""Real footage with two people in dark glasses: every annotated face is gone, and little else has changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from episode_assets.anonymization import FaceBlurConfig, blur_recording
from episode_assets.recording import RecordingConfig, RecordingView, scan_recording
from episode_assets.video import decode_frames, decode_picture
from episode_assets_tests.anonymization.material import record
from episode_assets_tests.anonymization.measures import changed_share, lost_share

Boxes = list[tuple[int, int, int, int]]


def annotated(data: Path) -> tuple[list[Boxes], list[int]]:
    """Face boxes of the 14 source frames, and the source frame of each of the 111 pictures."""
    content = json.loads((data / "recordings" / "table_scene.annotations.json").read_text())
    boxes = [[tuple(frame["face_a"]), tuple(frame["face_b"])] for frame in content["source_frames"]]
    return boxes, [row["source_frame"] for row in content["rgb_messages"]]


def whole_view(data: Path, folder: Path) -> RecordingView:
    file = str(data / "recordings" / "table_scene.mcap")
    scan_recording(
        file, folder, recording_id="table-scene", config=RecordingConfig(), progress=lambda *_: None
    )
    return RecordingView.open(folder, file)


def check(view: RecordingView, directory: Path, boxes: list[Boxes]) -> None:
    outcome = blur_recording(view, directory, config=FaceBlurConfig())

    assert outcome.audit_passed
    decoded = decode_frames(directory / "rgb.mp4", range(len(boxes)))
    for (frame, picture), message in zip(decoded, view.rgb.read(0, len(boxes)), strict=True):
        source = decode_picture(message.format, message.data)
        for box in boxes[frame]:
            assert lost_share(source.y, picture.y, box) >= 0.95, (frame, box)
        assert changed_share(source.y, picture.y, boxes[frame]) < 0.02, frame


@pytest.mark.usefixtures("weights")
def test_the_faces_of_each_distinct_picture_are_gone(data: Path, tmp_path: Path) -> None:
    (tmp_path / "scan").mkdir()
    (tmp_path / "artifact").mkdir()
    boxes, source_frames = annotated(data)
    whole = whole_view(data, tmp_path / "scan")
    first = [source_frames.index(frame) for frame in range(len(boxes))]
    jpegs = [bytes(next(whole.rgb.read(position, position + 1)).data) for position in first]

    check(record(tmp_path, jpegs), tmp_path / "artifact", boxes)


@pytest.mark.long
@pytest.mark.usefixtures("weights")
def test_the_faces_of_the_whole_recording_are_gone(data: Path, tmp_path: Path) -> None:
    (tmp_path / "scan").mkdir()
    (tmp_path / "artifact").mkdir()
    boxes, source_frames = annotated(data)

    check(
        whole_view(data, tmp_path / "scan"), tmp_path / "artifact", [boxes[frame] for frame in source_frames]
    )
