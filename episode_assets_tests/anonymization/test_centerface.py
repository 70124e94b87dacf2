"""CenterFace loads in its cleaned form, wants RGB, and covers the faces of real pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from episode_assets.anonymization.boxes import covered_share
from episode_assets.anonymization.centerface import CenterFace, cleaned_graph, decode_maps
from episode_assets.anonymization.redaction import redaction_rectangles
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.video import decode_picture

CITY = """222,108,255,148; 55,131,88,173; 762,114,795,157; 182,114,210,151; 428,140,443,158; 604,154,638,199;
325,128,348,160; 584,109,608,137; 534,133,553,157; 477,159,501,189; 653,134,670,155; 674,146,687,162;
100,131,117,158; 630,156,657,191; 566,169,596,203"""


def found_faces(centerface: CenterFace, file: Path, *, min_face_px: float) -> tuple[np.ndarray, int, int]:
    picture = decode_picture("jpeg", file.read_bytes())
    size = (picture.true_width, picture.true_height)
    search = FaceSearch(
        centerface,
        width=size[0],
        height=size[1],
        min_face_px=min_face_px,
        tile_px=4096,
        score_threshold=0.2,
    )
    return search(picture), *size


def test_the_cleaned_graph_has_one_input_of_any_size(weights: Path, centerface: CenterFace) -> None:
    import onnx

    graph = onnx.load_from_string(cleaned_graph(weights)).graph

    assert [entry.name for entry in graph.input] == ["input.1"]
    for size in ((64, 96), (160, 32)):
        assert centerface.detect([np.zeros((*size, 3), np.uint8)])[0].shape == (0, 5)


def test_every_visible_face_of_a_street_is_covered(data: Path, centerface: CenterFace) -> None:
    boxes, width, height = found_faces(centerface, data / "faces" / "city.jpg", min_face_px=14)

    blurred = redaction_rectangles(boxes[:, :4], scale=1.5, width=width, height=height)
    faces = np.array([[*map(float, row.split(",")), 1.0] for row in CITY.split(";")], np.float32)
    assert covered_share(faces, blurred, width=width, height=height).min() > 0.95


def test_a_portrait_is_found_where_it_is(data: Path, centerface: CenterFace) -> None:
    boxes, _, _ = found_faces(centerface, data / "faces" / "ivan.jpg", min_face_px=32)

    assert (boxes[:, 4] > 0.5).tolist() == [True] + [False] * (len(boxes) - 1)
    assert boxes[0, :4] == pytest.approx([277, 90, 325, 153], abs=12)


def test_a_picture_without_faces_has_none(data: Path, centerface: CenterFace) -> None:
    assert len(found_faces(centerface, data / "faces" / "no_faces.jpg", min_face_px=32)[0]) == 0


def test_channel_order_matters_and_red_comes_first(data: Path, centerface: CenterFace) -> None:
    picture = cv2.imread(str(data / "faces" / "city.jpg"))
    scaled = cv2.resize(picture, (1152, 832), interpolation=cv2.INTER_AREA)

    as_rgb, as_bgr = centerface.detect([np.ascontiguousarray(scaled[:, :, ::-1]), scaled])

    assert as_rgb[:, 4].sum() > as_bgr[:, 4].sum()


def test_maps_decode_to_boxes_with_the_vertical_channel_first() -> None:
    heat = np.zeros((8, 12), np.float32)
    heat[3, 5] = 0.9
    scale = np.stack([np.full((8, 12), np.log(5.0)), np.full((8, 12), np.log(2.0))]).astype(np.float32)
    offset = np.stack([np.full((8, 12), 0.25), np.full((8, 12), -0.25)]).astype(np.float32)

    (box,) = decode_maps(heat, scale, offset, score_threshold=0.5)

    # centre y = 4 (3 + 0.25 + 0.5) = 15, x = 4 (5 - 0.25 + 0.5) = 21; height 20, width 8
    assert box == pytest.approx([17, 5, 25, 25, 0.9])


@pytest.mark.parametrize(
    ("size", "min_face_px", "expected"),
    [((1280, 720), 32, (640, 384)), ((1280, 720), 32 / 0.75, (480, 288)), ((3840, 2160), 32, (1920, 1088))],
)
def test_the_input_scale_follows_from_the_smallest_face(
    centerface: CenterFace, size: tuple[int, int], min_face_px: float, expected: tuple[int, int]
) -> None:
    assert centerface.input_size(*size, min_face_px=min_face_px) == expected


def test_a_picture_too_large_for_one_look_is_cut_and_its_reach_kept(centerface: CenterFace) -> None:
    search = FaceSearch(
        centerface, width=3840, height=2160, min_face_px=32, tile_px=1280, score_threshold=0.2
    )

    assert search.input_size == (1920, 1088)
    assert search.looks == 3  # two tiles side by side, and all of it once
    assert search.levels_face_px == pytest.approx((32, 48))
