"""A detector that misses a moving face for a while: the face is covered in every frame of the published video.

Detector and audit miss it alike, so nothing but the tracks can have covered it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.anonymization import FaceBlurConfig, blur_recording
from episode_assets.anonymization.redaction import Shape, drawn_rectangles
from episode_assets.video import decode_frames, decode_picture
from episode_assets_tests.anonymization.material import Scene, record
from episode_assets_tests.anonymization.measures import lost_share
from episode_assets_tests.anonymization.stand_ins import FORGETFUL

FRAMES = 60
PRESENT = range(2, 58)
HOLES = [range(2, 6), range(14, 15), range(20, 25), range(32, 44), range(54, 58)]
"""From its first picture on and up to its last for 0.3 s; between others for 1, 5 and 12 pictures."""


def moving_scene(missed: set[int]) -> Scene:
    """A face that goes to one side and back, up to a quarter of its width from picture to picture."""
    scene = Scene(size=(480, 272), face_px=64, black_corner=frozenset(missed))
    for frame in PRESENT:
        scene.faces[frame] = (250 + 130 * np.sin(frame / 11), 110 + 25 * np.cos(frame / 9))
    return scene


def published(scene: Scene, folder: Path, config: FaceBlurConfig) -> Path:
    folder.mkdir()
    directory = folder / "artifact"
    directory.mkdir()
    view = record(folder, [scene.jpeg(frame) for frame in range(FRAMES)])
    outcome = blur_recording(view, directory, config=config)
    assert outcome.audit_passed, outcome.privacy
    return directory


def is_hidden(directory: Path, scene: Scene, shape: Shape) -> dict[int, bool]:
    """Say for each frame with a face whether all of its box, or of the ellipse in it, lies under what was drawn."""
    table = pq.read_table(directory / "faces.parquet")
    result = {}
    for frame in PRESENT:
        rows = table.filter(np.asarray(table["frame_index"]) == frame)
        rectangles = np.stack([rows[f"redact_{name}"] for name in ("x0", "y0", "x1", "y1")], axis=1)
        face = np.array([scene.face_box(frame)])
        result[frame] = bool((mask_of(rectangles, scene, shape) | ~mask_of(face, scene, shape)).all())
    return result


def mask_of(rectangles: np.ndarray, scene: Scene, shape: Shape) -> np.ndarray:
    width, height = scene.size
    mask = np.zeros((height, width), bool)
    for tiles in drawn_rectangles(rectangles.astype(np.int32), shape=shape, width=width, height=height):
        for x0, y0, x1, y1 in tiles:
            mask[y0:y1, x0:x1] = True
    return mask


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("shape", ["box", "ellipse"])
def test_a_moving_face_that_is_missed_is_covered_in_every_frame_of_the_video(
    shape: Shape, tmp_path: Path
) -> None:
    scene = moving_scene({frame for hole in HOLES for frame in hole})
    config = FaceBlurConfig(
        detector=FORGETFUL, audit_detector=FORGETFUL, min_face_px=40, shape=shape, audit_key_scale=0
    )

    directory = published(scene, tmp_path / "run", config)

    assert all(is_hidden(directory, scene, shape).values())
    for frame, picture in decode_frames(directory / "rgb.mp4", list(PRESENT)):
        source = decode_picture("jpeg", scene.jpeg(frame))
        assert lost_share(source.y, picture.y, scene.face_box(frame)) >= (0.95 if shape == "box" else 0.85), (
            frame
        )


@pytest.mark.usefixtures("weights")
def test_one_picture_more_than_the_settings_allow_for_is_not_promised(tmp_path: Path) -> None:
    missed = {*range(20, 25), *range(50, 58)}
    scene = moving_scene(missed)
    config = FaceBlurConfig(
        detector=FORGETFUL,
        audit_detector=FORGETFUL,
        min_face_px=40,
        audit_key_scale=0,
        fill_s=0.3,
        hold_s=0.1,
        smooth_s=0,
    )

    directory = published(scene, tmp_path / "run", config)

    bare = {frame for frame, hidden in is_hidden(directory, scene, "box").items() if not hidden}
    assert bare
    assert bare <= missed
    assert {52, 53, 54, 55, 56, 57} <= bare
