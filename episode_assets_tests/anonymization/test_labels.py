"""What a box shows travels from the detector to `faces.parquet`, and no track mixes faces with licence plates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.anonymization import FaceBlurConfig, Label, blur_recording
from episode_assets.anonymization.backends import finders_of
from episode_assets.anonymization.detectors import LABELS
from episode_assets.anonymization.egoblur import EgoBlurOptions
from episode_assets.anonymization.linking import link
from episode_assets.anonymization.tracks import Detections
from episode_assets_tests.anonymization.material import Scene, encode, record
from episode_assets_tests.anonymization.plates import NO_PLATES, PLATES, RED

STEP_NS = 66_666_667
FACE, PLATE = LABELS.index(Label.FACE), LABELS.index(Label.PLATE)


def rows_of(folder: Path, *, detector: str, audit_detector: str, frames: int = 8) -> list[dict[str, Any]]:
    """Blur a recording in which a face and a red plate move, and return its boxes."""
    scene = Scene(faces={frame: (60.0, 60.0 + 4 * frame) for frame in range(frames)})
    jpegs = []
    for frame in range(frames):
        picture = scene.picture(frame)
        picture[60 + 4 * frame : 100 + 4 * frame, 200:280] = RED
        jpegs.append(encode(picture))
    config = FaceBlurConfig(detector=detector, audit_detector=audit_detector, min_face_px=32)
    (folder / "artifact").mkdir()

    outcome = blur_recording(record(folder, jpegs), folder / "artifact", config=config)

    assert outcome.audit_passed, outcome.privacy
    return pq.read_table(folder / "artifact" / "faces.parquet").to_pylist()


@pytest.mark.usefixtures("weights")
def test_faces_and_plates_are_told_apart_in_the_table(tmp_path: Path) -> None:
    both = f"centerface+{PLATES}"

    rows = rows_of(tmp_path, detector=both, audit_detector=both)

    found = [row for row in rows if row["source"] == "detected"]
    assert {(row["frame_index"], row["label"]) for row in found} == {
        (frame, label) for frame in range(8) for label in ("face", "plate")
    }
    for row in found:
        assert (row["x0"] > 150) == (row["label"] == "plate"), row


@pytest.mark.usefixtures("weights")
def test_a_plate_that_only_the_audit_finds_is_called_one(tmp_path: Path) -> None:
    rows = rows_of(
        tmp_path, detector=f"centerface+{NO_PLATES}", audit_detector=f"centerface+{PLATES}", frames=4
    )

    # The net of faces may doubt something beside them, but is as sure of nothing as the plates' detector is.
    sure = [row for row in rows if row["source"] == "audit" and row["score"] > 0.85]
    assert {row["frame_index"] for row in sure} == {0, 1, 2, 3}
    assert {row["label"] for row in sure} == {"plate"}
    assert {row["label"] for row in rows if row["source"] == "detected"} == {"face"}


def boxes_of(*rows: tuple[int, float, int]) -> Detections:
    """Detections of a frame, at an x, with a label."""
    frame, x, label = (np.array(column) for column in zip(*rows, strict=True))
    box = np.stack([x, x * 0 + 100, x + 60, x * 0 + 140], axis=1).astype(np.float32)
    count = len(frame)
    return Detections(
        frame=frame.astype(np.int64),
        box=box,
        score=np.full(count, 0.8, np.float32),
        source=np.zeros(count, np.uint8),
        label=label.astype(np.uint8),
    )


def test_a_plate_is_never_linked_with_a_face_beside_it_in_time() -> None:
    detections = boxes_of((0, 50.0, FACE), (1, 50.0, PLATE), (2, 50.0, FACE), (6, 52.0, PLATE))

    links = link(detections, STEP_NS * np.arange(8), fill_s=1.0, strong_score=0.5)

    assert links.following.tolist() == [2, 3, -1, -1]


def test_the_backend_of_a_plate_is_the_member_that_looks_for_plates() -> None:
    config = FaceBlurConfig(
        detector="centerface+egoblur",
        audit_detector="centerface+egoblur",
        egoblur=EgoBlurOptions(plates="plates.jit"),
    )

    assert finders_of(config, config.detector, Label.PLATE) == "egoblur"
    assert finders_of(config, config.detector, Label.FACE) == "centerface"
    assert finders_of(config, f"centerface+{PLATES}", Label.PLATE) == f"centerface+{PLATES}"
