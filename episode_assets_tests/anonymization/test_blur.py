"""The blur throws detail away in all planes, and nothing outside its rectangles."""

from __future__ import annotations

import numpy as np
import pytest

from episode_assets.anonymization.blur import Method, blur_rectangles, cell_grid, kept_detail
from episode_assets.video import Picture


def noisy_picture(width: int = 96, height: int = 64) -> Picture:
    picture = Picture.blank(width, height)
    random = np.random.default_rng(3)
    for plane in (picture.y, picture.u, picture.v):
        plane[...] = random.integers(16, 235, plane.shape, dtype=np.uint8)
    return picture


@pytest.mark.parametrize("method", ["cells", "fill"])
def test_only_the_rectangle_changes_in_every_plane(method: Method) -> None:
    before, after = noisy_picture(), noisy_picture()

    blur_rectangles(after, np.array([[16, 8, 64, 48]], np.int32), method=method, cells=4)

    for name, shrink in (("y", 1), ("u", 2), ("v", 2)):
        old, new = getattr(before, name), getattr(after, name)
        inside = np.zeros(old.shape, bool)
        inside[8 // shrink : 48 // shrink, 16 // shrink : 64 // shrink] = True
        assert np.array_equal(old[~inside], new[~inside])
        assert new[inside].std() < 0.2 * old[inside].std()


@pytest.mark.parametrize("size", [8, 16, 24, 60, 200])
def test_a_rectangle_keeps_at_most_the_cells_that_were_asked_for(size: int) -> None:
    """Whatever has the same cell means gives the same picture: the rest cannot come back."""
    columns, rows = cell_grid(size, size, cells=4)
    assert max(columns, rows) <= min(4, max(1, size // 8))
    random = np.random.default_rng(1)
    pictures = [Picture.blank(size, size) for _ in range(2)]
    pictures[0].y[...] = random.integers(60, 180, (size, size), dtype=np.uint8)
    pictures[1].y[...] = pictures[0].y
    cell = size // rows
    for top in range(0, cell * rows, cell):
        block = pictures[1].y[top : top + cell, :cell]
        block[...] = np.sort(block.ravel()).reshape(block.shape)  # another picture with the same means

    for picture in pictures:
        blur_rectangles(picture, np.array([[0, 0, size, size]], np.int32), method="cells", cells=4)

    assert np.abs(pictures[0].y.astype(int) - pictures[1].y).max() <= 1


def test_overlapping_rectangles_leave_no_edge_inside_the_blur() -> None:
    picture = Picture.blank(128, 96)
    picture.y[:, :64], picture.y[:, 64:] = 60, 200
    rectangles = np.array([[8, 8, 80, 88], [40, 16, 120, 80]], np.int32)

    blur_rectangles(picture, rectangles, method="cells", cells=2)

    inside = picture.y[17:79, 9:119].astype(int)
    assert np.abs(np.diff(inside, axis=1)).max() <= 10


def test_kept_detail_tells_blurred_from_sharp() -> None:
    sharp, blurred = noisy_picture(), noisy_picture()
    blur_rectangles(blurred, np.array([[0, 0, 96, 64]], np.int32), method="cells", cells=4)

    assert kept_detail(sharp.y, blurred.y) < 0.1
    assert kept_detail(sharp.y, sharp.y) == pytest.approx(1.0)
    assert kept_detail(np.full((32, 32), 90, np.uint8), sharp.y[:32, :32]) == 0.0  # there was nothing to keep


def rounded_slope(*, levels: float, contrast: float) -> np.ndarray:
    """A slope of `levels` grey levels with a weak pattern on it, in whole grey levels."""
    random = np.random.default_rng(2)
    pattern = random.normal(0, 1, (42, 26))
    return np.rint(120 + np.linspace(0, levels, 26)[None, :] + contrast * pattern).astype(np.uint8)


def test_rounding_on_a_plain_wall_is_no_detail_and_a_faint_pattern_is() -> None:
    source = rounded_slope(levels=4, contrast=1.2)

    assert kept_detail(source, rounded_slope(levels=7, contrast=0)) < 0.15
    assert kept_detail(source, rounded_slope(levels=7, contrast=0.4)) > 0.25
    assert kept_detail(source, rounded_slope(levels=7, contrast=0.6)) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("size", [(20, 18), (16, 28), (30, 31)])
def test_in_a_small_region_only_detail_of_the_source_counts(size: tuple[int, int]) -> None:
    """What the encoder carries in from beside it has all the strength of the source's detail, and nothing of it."""
    random = np.random.default_rng(4)
    pattern, other = (random.normal(0, 12, size) for _ in range(2))
    source = np.rint(120 + pattern).astype(np.uint8)

    assert kept_detail(source, np.rint(120 + 0.8 * other).astype(np.uint8)) < 0.25
    for share in (0.4, 1.0, -0.4):
        kept = kept_detail(source, np.rint(120 + share * pattern + 0.4 * other).astype(np.uint8))
        assert kept == pytest.approx(abs(share), abs=0.13)


def test_in_a_large_region_any_detail_counts() -> None:
    random = np.random.default_rng(4)
    source, other = (np.rint(120 + random.normal(0, 12, (60, 60))).astype(np.uint8) for _ in range(2))

    assert kept_detail(source, other) == pytest.approx(1.0, abs=0.1)
