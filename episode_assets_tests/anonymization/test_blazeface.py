"""BlazeFace in tiles: its anchors and decoding, and what its two networks find in real pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut  # noqa: TID253  # the face of these tests

from episode_assets import models
from episode_assets.anonymization import FaceBlurConfig, blur_recording
from episode_assets.anonymization.backends import make_detector
from episode_assets.anonymization.blazeface import (
    NETS,
    BlazeFaceOptions,
    Range,
    anchor_centres,
    decode,
    merge,
    tile_corners,
    tile_input,
)
from episode_assets.anonymization.boxes import covered_share, overlap_ratios
from episode_assets.anonymization.redaction import redaction_rectangles
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.errors import ModelMissing
from episode_assets.video import decode_frames, decode_picture
from episode_assets_tests.anonymization.material import Scene, record
from episode_assets_tests.anonymization.measures import lost_share
from episode_assets_tests.anonymization.test_centerface import CITY

ASTRONAUT = (177, 63, 269, 183)
FRAMES = 8


@pytest.fixture(autouse=True, scope="module")
def all_weights() -> None:
    try:
        for weight in ("centerface", *(net.weight for net in NETS.values())):
            models.find(weight)
    except ModelMissing as missing:
        pytest.skip(str(missing))


def search(which: Range, rgb: np.ndarray, *, min_face_px: float) -> FaceSearch:
    config = FaceBlurConfig(detector="blazeface", blazeface=BlazeFaceOptions(range=which))
    detector = make_detector("blazeface", config, score_threshold=0.1)
    return FaceSearch(
        detector,
        width=rgb.shape[1],
        height=rgb.shape[0],
        min_face_px=min_face_px,
        tile_px=4096,
        score_threshold=0.2,
    )


def planes(rgb: np.ndarray):
    height, width = rgb.shape[:2]
    return decode_picture("rgb8", rgb.tobytes(), width=width, height=height, step=width * 3)


def faces_in(which: Range, rgb: np.ndarray, *, min_face_px: float) -> np.ndarray:
    return search(which, rgb, min_face_px=min_face_px)(planes(rgb))


def read(file: Path) -> np.ndarray:
    return np.ascontiguousarray(cv2.imread(str(file))[:, :, ::-1])


def test_anchors_are_as_many_as_the_networks_answer() -> None:
    short, full = anchor_centres(NETS["short"].layers), anchor_centres(NETS["full"].layers)

    assert (len(short), len(full)) == (896, 2304)
    assert short[:3].tolist() == [[0.03125, 0.03125], [0.03125, 0.03125], [0.09375, 0.03125]]
    assert short[-1].tolist() == [0.9375, 0.9375]
    assert full[48].tolist() == pytest.approx([0.5 / 48, 1.5 / 48])


def test_raw_outputs_decode_relative_to_their_anchor() -> None:
    regressors, logits = np.zeros((2304, 16), np.float32), np.full(2304, -20.0, np.float32)
    index = 10 * 48 + 20  # its anchor lies at (82, 42) of 192 pixels
    regressors[index, :4] = (3, -2, 40, 60)
    logits[index] = 2.0

    (box,) = decode(regressors, logits, net=NETS["full"], threshold=0.5)

    assert box == pytest.approx([65, 10, 105, 70, 1 / (1 + np.exp(-2.0))])


def test_overlapping_answers_become_their_weighted_mean() -> None:
    boxes = np.array([[0, 0, 10, 10, 0.9], [2, 0, 12, 10, 0.3], [50, 50, 60, 60, 0.5]], np.float32)

    assert merge(boxes) == pytest.approx(np.array([[0.5, 0, 10.5, 10, 0.9], [50, 50, 60, 60, 0.5]]))


@pytest.mark.parametrize("size", [(100, 60), (128, 128), (129, 400), (960, 540)])
def test_a_face_of_up_to_the_overlap_lies_whole_in_some_tile(size: tuple[int, int]) -> None:
    corners = tile_corners(*size, side=128, overlap=48)

    for x in range(0, max(size[0] - 48, 1), 7):
        for y in range(0, max(size[1] - 48, 1), 7):
            right, bottom = min(x + 48, size[0]), min(y + 48, size[1])
            assert any(cx <= x and cy <= y and right <= cx + 128 and bottom <= cy + 128 for cx, cy in corners)


def test_what_lies_outside_of_a_picture_is_black_and_white_is_one() -> None:
    tile = tile_input(np.full((20, 64, 3), 255, np.uint8), -32, -54, side=128)

    assert tile[54:74, 32:96].min() == pytest.approx(1.0)
    tile[54:74, 32:96] = -1
    assert tile.max() == -1


@pytest.mark.parametrize("which", ["full", "short"])
@pytest.mark.parametrize("face_px", [40, 90, 220, 400])
def test_a_face_of_any_size_is_found_where_it_is(which: Range, face_px: int) -> None:
    """Off centre in a wide picture; sizes served by tiles and by the whole picture."""
    factor = face_px / 120
    portrait = cv2.resize(astronaut()[10:250, 110:340], None, fx=factor, fy=factor)
    canvas = np.full((1000, 1600, 3), 128, np.uint8)
    canvas[100 : 100 + portrait.shape[0], 700 : 700 + portrait.shape[1]] = portrait
    x0, y0, x1, y1 = np.array(ASTRONAUT) - [110, 10, 110, 10]
    face = np.array([[x0, y0, x1, y1]]) * factor + [700, 100, 700, 100]

    boxes = faces_in(which, canvas, min_face_px=36)

    certain = boxes[boxes[:, 4] >= 0.5]
    assert overlap_ratios(certain, face.astype(np.float32)).max() > 0.5


@pytest.mark.parametrize(("which", "least"), [("full", 12), ("short", 14)])
def test_most_faces_of_a_street_are_covered(which: Range, least: int, data: Path) -> None:
    """Measured: full range 14 of 15, short range 15 of 15, beside false ones; CenterFace finds all 15."""
    rgb = read(data / "faces" / "city.jpg")
    boxes = faces_in(which, rgb, min_face_px=20)

    blurred = redaction_rectangles(boxes[:, :4], scale=1.5, width=800, height=564)
    faces = np.array([[*map(float, row.split(",")), 1.0] for row in CITY.split(";")], np.float32)
    covered = covered_share(faces, blurred, width=800, height=564) > 0.95
    assert covered.sum() >= least


@pytest.mark.parametrize("which", ["full", "short"])
def test_a_portrait_is_found_and_an_empty_room_is_not(which: Range, data: Path) -> None:
    portrait = faces_in(which, read(data / "faces" / "ivan.jpg"), min_face_px=48)
    empty = faces_in(which, read(data / "faces" / "no_faces.jpg"), min_face_px=48)

    certain = portrait[portrait[:, 4] >= 0.5]
    assert overlap_ratios(certain, np.array([[277, 90, 325, 153]], np.float32)).max() > 0.4
    assert (empty[:, 4] < 0.5).all()


def test_channel_order_matters_and_red_comes_first(data: Path) -> None:
    rgb = read(data / "faces" / "city.jpg")

    as_rgb, as_bgr = (faces_in("full", picture, min_face_px=20) for picture in (rgb, rgb[:, :, ::-1].copy()))

    assert (as_rgb[:, 4] >= 0.5).sum() > (as_bgr[:, 4] >= 0.5).sum()


@pytest.mark.parametrize(("which", "auditor"), [("full", "centerface"), ("short", "blazeface")])
def test_faces_are_unreadable_in_the_published_video(which: Range, auditor: str, tmp_path: Path) -> None:
    scene = Scene(faces={frame: (60 + 6.0 * frame, 50 + 1.0 * frame) for frame in range(FRAMES)})
    config = FaceBlurConfig(
        detector="blazeface", audit_detector=auditor, blazeface=BlazeFaceOptions(range=which), g=4
    )
    view = record(tmp_path, [scene.jpeg(frame) for frame in range(FRAMES)])
    (tmp_path / "artifact").mkdir()

    outcome = blur_recording(view, tmp_path / "artifact", config=config)

    assert outcome.audit_passed
    assert NETS[which].weight in {use.name for use in outcome.models}
    for frame, picture in decode_frames(tmp_path / "artifact" / "rgb.mp4", range(FRAMES)):
        source = decode_picture("jpeg", scene.jpeg(frame))
        assert lost_share(source.y, picture.y, scene.face_box(frame)) > 0.95, frame
