"""Whatever the size of picture and face: the face is whole in a tile of some level, found, and reported once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.anonymization.boxes import Boxes, no_boxes, overlap_ratios
from episode_assets.anonymization.centerface import CenterFace
from episode_assets.anonymization.detectors import RGB, Label, scaled_size
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.anonymization.tiles import plan_levels
from episode_assets.anonymization.turning import all_right_angles
from episode_assets.outcome import ModelUse
from episode_assets.video import Picture, decode_picture
from episode_assets_tests.anonymization.material import Scene

SMALLEST_PX = 16
TILE_PX = 384


class Bright:
    """Finds bright rectangles of at least `SMALLEST_PX`; what touches a border of its input is cut, and half seen.

    Attributes:
        seen: Sizes (width, height) of the pictures it was given.
    """

    label = Label.FACE
    models: tuple[ModelUse, ...] = ()

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def input_size(self, width: int, height: int, *, min_face_px: float) -> tuple[int, int]:
        return scaled_size(width, height, min_face_px=min_face_px, smallest_px=SMALLEST_PX, multiple=1)

    def detect(self, pictures: Sequence[RGB]) -> list[Boxes]:
        self.seen += [(picture.shape[1], picture.shape[0]) for picture in pictures]
        return [self._detect(picture) for picture in pictures]

    def _detect(self, picture: RGB) -> Boxes:
        bright = (picture[:, :, 0] > 128).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(bright)
        found = [[x, y, x + w, y + h, 0.9] for x, y, w, h, _ in stats[1:] if h >= SMALLEST_PX - 1]
        return np.array(found, np.float32).reshape(-1, 5) if found else no_boxes()


class NeverCut(Bright):
    """Does not see what touches a border of its input."""

    def _detect(self, picture: RGB) -> Boxes:
        boxes = super()._detect(picture)
        height, width = picture.shape[:2]
        whole = (boxes[:, :2] > 0).all(axis=1) & (boxes[:, 2:4] < [width, height]).all(axis=1)
        return boxes[whole]


def picture_with(size: tuple[int, int], face: tuple[int, int, int, int]) -> Picture:
    rgb = np.full((size[1], size[0], 3), 40, np.uint8)
    rgb[face[1] : face[3], face[0] : face[2]] = 230
    return decode_picture("rgb8", rgb.tobytes(), width=size[0], height=size[1], step=3 * size[0])


@st.composite
def scenes(draw: st.DrawFn) -> tuple[tuple[int, int], float, tuple[int, int, int, int]]:
    """Size of a picture, the smallest face, and a face of at least that size inside the picture, off its edges."""
    size = draw(st.integers(48, 1300)), draw(st.integers(48, 900))
    min_face_px = draw(st.floats(7, 30))
    # Whichever side is up, and however pixels fall, it is large enough.
    smallest = int(min_face_px * 1.2) + 2
    tallest = min(size[1] - 8, round((size[0] - 8) * 1.5))
    few_times = min(
        tallest, 4 * smallest
    )  # the sizes that a tile has to hold, as no smaller version shows them
    height = draw(st.integers(smallest, tallest) | st.integers(smallest, few_times))
    width = draw(st.integers(max(smallest, round(height / 1.5)), min(size[0] - 8, round(height * 1.5))))
    x, y = draw(st.integers(4, size[0] - width - 4)), draw(st.integers(4, size[1] - height - 4))
    return size, min_face_px, (x, y, x + width, y + height)


@settings(max_examples=80)
@given(scenes(), st.integers(0, 3), st.sampled_from([Bright, NeverCut]))
def test_a_face_of_any_size_at_any_place_is_found_once(
    scene: tuple[tuple[int, int], float, tuple[int, int, int, int]], quarters: int, kind: type[Bright]
) -> None:
    size, min_face_px, face = scene
    detector = kind()
    search = FaceSearch(
        detector,
        width=size[0],
        height=size[1],
        min_face_px=min_face_px,
        tile_px=TILE_PX,
        score_threshold=0.2,
    )

    found = search(picture_with(size, face), all_right_angles()[quarters : quarters + 1])

    assert len(found) == 1
    assert overlap_ratios(found, np.array([[*face, 1]], np.float32))[0, 0] > 0.4
    assert max(max(seen) for seen in detector.seen) <= TILE_PX
    if quarters % 2 == 0:
        assert len(detector.seen) == search.looks


@given(st.integers(20, 8000), st.integers(20, 5000), st.floats(8, 60), st.sampled_from([512, 1280]))
def test_every_place_lies_in_a_tile_with_room_around_the_largest_face_it_has_to_show(
    width: int, height: int, min_face_px: float, tile_px: int
) -> None:
    def input_size(face_px: float) -> tuple[int, int]:
        return scaled_size(width, height, min_face_px=face_px, smallest_px=16, multiple=32)

    levels = plan_levels(input_size, face_px=min_face_px, height=height, tile_px=tile_px)

    assert levels[0].face_px == min_face_px
    assert len(levels[-1].corners) == 1
    for level, coarser in pairwise(levels):
        largest = min(coarser.face_px / height, 1) * level.size[1]
        for axis in (0, 1):
            starts = np.array(sorted({corner[axis] for corner in level.corners}))[:, None]
            low = np.arange(0, max(level.size[axis] - largest, 1))
            begins = starts <= np.maximum(low - largest / 2, 0)
            ends = starts + level.tile[axis] >= np.minimum(low + 1.5 * largest, level.size[axis])
            assert (begins & ends).any(axis=0).all()
            assert starts[-1, 0] + level.tile[axis] == level.size[axis]
    assert all(max(level.tile) <= tile_px for level in levels)


def test_4k_is_searched_down_to_the_smallest_face_in_a_few_tiles(centerface: CenterFace) -> None:
    search = FaceSearch(
        centerface, width=3840, height=2160, min_face_px=20, tile_px=1280, score_threshold=0.2
    )

    assert search.input_size == (3072, 1728)
    assert search.looks == 7  # three by two, and all of it once
    assert search.reached_face_px == 20


@pytest.mark.parametrize("place", [(455.0, 300.0), (640.0, 345.0), (870.0, 20.0)])
def test_a_small_face_at_the_border_of_two_tiles_is_found(
    place: tuple[float, float], centerface: CenterFace
) -> None:
    scene = Scene(size=(1280, 720), faces={0: place}, face_px=36)
    picture = decode_picture("rgb8", scene.picture(0).tobytes(), width=1280, height=720, step=3 * 1280)
    search = FaceSearch(centerface, width=1280, height=720, min_face_px=24, tile_px=512, score_threshold=0.2)

    found = search(picture)

    face = np.array([[*scene.face_box(0), 1]], np.float32)
    on_face = overlap_ratios(found, face)[:, 0] > 0.3
    assert on_face.sum() == 1
    assert found[on_face, 4] > 0.5


@pytest.mark.parametrize("size", [(1, 1), (2, 700), (33, 5), (161, 121)])
def test_tiny_and_odd_pictures_are_searched(size: tuple[int, int], centerface: CenterFace) -> None:
    picture = picture_with(size, (0, 0, 0, 0))
    search = FaceSearch(
        centerface, width=size[0], height=size[1], min_face_px=20, tile_px=512, score_threshold=0.2
    )

    assert search(picture, all_right_angles()).shape == (0, 5)
