"""What is drawn over a face: boxes or ellipses that hold what was found, averaged or in a colour, in all planes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.anonymization.blur import Method, blur_rectangles, kept_detail
from episode_assets.anonymization.colours import NAMES, colour_of
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.redaction import drawn_rectangles, hiding_rectangles
from episode_assets.errors import BadConfig
from episode_assets.video import Picture

WIDTH, HEIGHT = 320, 240

boxes = st.tuples(st.floats(-40, 330), st.floats(-40, 250), st.floats(3, 150), st.floats(3, 150)).map(
    lambda box: np.array([[box[0], box[1], box[0] + box[2], box[1] + box[3]]], np.float32)
)


def mask_of(tiles: np.ndarray) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x0, y0, x1, y1 in tiles:
        mask[y0:y1, x0:x1] += 1
    assert mask.max(initial=0) <= 1  # tiles share no pixel
    return mask > 0


def noisy_picture() -> Picture:
    picture = Picture.blank(WIDTH, HEIGHT)
    random = np.random.default_rng(3)
    for plane in (picture.y, picture.u, picture.v):
        plane[...] = random.integers(16, 235, plane.shape, dtype=np.uint8)
    return picture


@settings(max_examples=150, deadline=None)
@given(boxes, st.sampled_from([1.0, 1.2, 1.5, 3.0]), st.booleans())
def test_an_ellipse_holds_the_box_of_the_detector_whatever_the_scale(
    box: np.ndarray, scale: float, is_hull: bool
) -> None:
    side = box[:, 2:] - box[:, :2]
    rectangles = hiding_rectangles(
        box, side / (2 if is_hull else 1), scale=scale, shape="ellipse", width=WIDTH, height=HEIGHT
    )

    (tiles,) = drawn_rectangles(rectangles, shape="ellipse", width=WIDTH, height=HEIGHT)

    x0, y0, x1, y1 = (*np.floor(box[0, :2]), *np.ceil(box[0, 2:]))
    assert (tiles[:, :2] >= rectangles[0, :2]).all()
    assert (tiles[:, 2:] <= rectangles[0, 2:]).all()
    inside = mask_of(tiles)[max(int(y0), 0) : max(int(y1), 0), max(int(x0), 0) : max(int(x1), 0)]
    assert inside.all()


def test_an_ellipse_leaves_the_corners_of_its_rectangle() -> None:
    rectangle = np.array([[20, 10, 120, 150]], np.int32)

    (tiles,) = drawn_rectangles(rectangle, shape="ellipse", width=WIDTH, height=HEIGHT)

    mask = mask_of(tiles)
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(drawn, (70, 80), (49, 69), 0, 0, 360, 1, -1)  # another drawing of it, a pixel smaller
    assert mask[drawn > 0].all()
    assert mask.sum() == pytest.approx(np.pi * 50 * 70, rel=0.05)
    assert not mask[10:20, 20:30].any()
    assert not mask[:10].any()


def test_a_rectangle_at_the_edge_of_the_picture_stays_one() -> None:
    """What an edge has cut away of it is not known, and the ellipse in the rest would not hold the face."""
    rectangle = np.array([[0, 10, 60, 90], [250, 100, WIDTH, 200]], np.int32)

    drawn = drawn_rectangles(rectangle, shape="ellipse", width=WIDTH, height=HEIGHT)

    assert [tiles.tolist() for tiles in drawn] == [[row] for row in rectangle.tolist()]


@pytest.mark.parametrize("method", ["cells", "fill"])
def test_only_the_ellipse_changes_in_every_plane(method: Method) -> None:
    before, after = noisy_picture(), noisy_picture()
    rectangles = np.array([[16, 8, 116, 128], [80, 60, 200, 220]], np.int32)

    blur_rectangles(after, rectangles, method=method, cells=1, shape="ellipse")

    drawn = drawn_rectangles(rectangles, shape="ellipse", width=WIDTH, height=HEIGHT)
    mask = mask_of(drawn[0]) | mask_of(drawn[1])
    for name, shrink in (("y", 1), ("u", 2), ("v", 2)):
        old, new, inside = getattr(before, name), getattr(after, name), mask[::shrink, ::shrink]
        assert np.array_equal(old[~inside], new[~inside])
        assert new[inside].std() < 0.05 * old[inside].std()


def test_an_ellipse_of_one_cell_shows_the_mean_of_its_rectangle_and_nothing_else() -> None:
    picture, shuffled = noisy_picture(), noisy_picture()
    x0, y0, x1, y1 = 40, 40, 140, 160
    for plane, shrink in ((shuffled.y, 1), (shuffled.u, 2), (shuffled.v, 2)):
        region = plane[y0 // shrink : y1 // shrink, x0 // shrink : x1 // shrink]
        region[...] = np.sort(region.ravel()).reshape(region.shape)  # another picture of the same mean
    rectangles = np.array([[x0, y0, x1, y1]], np.int32)

    for one in (picture, shuffled):
        blur_rectangles(one, rectangles, method="cells", cells=1, shape="ellipse")

    mask = mask_of(drawn_rectangles(rectangles, shape="ellipse", width=WIDTH, height=HEIGHT)[0])
    assert np.array_equal(picture.y[mask], shuffled.y[mask])
    assert len(np.unique(picture.y[mask])) == 1


def test_detail_is_sought_in_the_pixels_of_the_ellipse_alone() -> None:
    sharp, blurred, bare = noisy_picture(), noisy_picture(), noisy_picture()
    rectangle = np.array([[20, 20, 140, 180]], np.int32)
    blur_rectangles(blurred, rectangle, method="cells", cells=1, shape="ellipse")
    blur_rectangles(bare, rectangle, method="cells", cells=1, shape="ellipse")
    bare.y[90:110, 70:90] = sharp.y[90:110, 70:90]  # a hole in its middle
    (tiles,) = drawn_rectangles(rectangle, shape="ellipse", width=WIDTH, height=HEIGHT)
    tiles = tiles - np.tile(rectangle[0, :2], 2)
    crop = slice(20, 180), slice(20, 140)

    assert kept_detail(sharp.y[crop], blurred.y[crop]) > 0.25  # the corners are sharp
    assert kept_detail(sharp.y[crop], blurred.y[crop], tiles) < 0.01
    assert kept_detail(sharp.y[crop], bare.y[crop], tiles) > 0.15
    assert kept_detail(sharp.y[crop], sharp.y[crop], tiles) == pytest.approx(1.0)


@pytest.mark.parametrize("word", [*NAMES, "#20a0F0", "#000001"])
def test_a_fill_colour_is_the_one_that_decoders_show(word: str) -> None:
    picture = Picture.blank(32, 32)

    blur_rectangles(
        picture, np.array([[0, 0, 32, 32]], np.int32), method="fill", cells=1, colour=colour_of(word)
    )

    number = NAMES.get(word, word)
    expected = np.array([int(number[at : at + 2], 16) for at in (1, 3, 5)], float)
    y, u, v = (float(plane[0, 0]) for plane in (picture.y, picture.u, picture.v))
    # The inverse of ITU-R BT.601 as its tables give it, limited range.
    shown = 1.164 * (y - 16) + np.array(
        [1.596 * (v - 128), -0.813 * (v - 128) - 0.391 * (u - 128), 2.018 * (u - 128)]
    )
    assert shown == pytest.approx(expected, abs=2.5)
    for plane in (picture.y, picture.u, picture.v):
        assert len(np.unique(plane)) == 1


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("fill_colour", "mauve", "#RRGGBB"),
        ("fill_colour", "#12345", "#RRGGBB"),
        ("fill_colour", 7, "#RRGGBB"),
        ("shape", "circle", "box or ellipse"),
        ("method", "pixelate", "cells or fill"),
        ("smooth_s", 3.0, "0.0..2.0"),
        ("smooth_s", float("nan"), "0.0..2.0"),
    ],
)
def test_a_shape_or_colour_that_does_not_exist_is_refused(name: str, value: object, words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        FaceBlurConfig(**{name: value})
