"""The palm network's side of things: anchors, decoding, merging, and the crops it sees."""

from __future__ import annotations

import numpy as np
import pytest

from episode_assets.hands.palms import (
    INPUT_PX,
    Crop,
    PalmDetector,
    Palms,
    anchor_centres,
    cut_crop,
    decode_palms,
    first_of_each,
    merge_palms,
    plan_crops,
    plan_tiles,
)


def raw_outputs() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((2016, 18), np.float32), np.full(2016, -20, np.float32)


def test_anchors_run_row_by_row_with_all_of_a_cell_together():
    anchors = anchor_centres()

    assert anchors.shape == (2016, 2)
    np.testing.assert_allclose(anchors[[0, 1]], [[0.5 / 24, 0.5 / 24]] * 2)
    np.testing.assert_allclose(anchors[2], [1.5 / 24, 0.5 / 24])
    np.testing.assert_allclose(anchors[48], [0.5 / 24, 1.5 / 24])
    np.testing.assert_allclose(anchors[1152:1158], [[0.5 / 12, 0.5 / 12]] * 6)
    np.testing.assert_allclose(anchors[-1], [11.5 / 12, 11.5 / 12])


def test_a_palm_is_decoded_relative_to_its_anchor():
    regressors, logits = raw_outputs()
    regressors[600, :4] = 19.2, -9.6, 38.4, 57.6
    regressors[600, 4:6] = 1.92, 3.84
    logits[600] = 2.0
    x, y = anchor_centres()[600]

    palms = decode_palms(regressors, logits, threshold=0.5)

    np.testing.assert_allclose(palms.boxes, [[x, y - 0.2, x + 0.2, y + 0.1]], atol=1e-7)
    np.testing.assert_allclose(palms.keypoints[0, 0], [x + 0.01, y + 0.02], atol=1e-7)
    np.testing.assert_allclose(palms.keypoints[0, 1], [x, y], atol=1e-7)
    np.testing.assert_allclose(palms.scores, 1 / (1 + np.exp(-2)))


@pytest.mark.parametrize(("threshold", "found"), [(0.3, 1), (0.32, 0)])
def test_the_threshold_is_a_score_and_not_a_logit(threshold, found):
    regressors, logits = raw_outputs()
    regressors[:, 2:4] = 20
    logits[100] = np.log(0.31 / 0.69)

    assert len(decode_palms(regressors, logits, threshold=threshold).scores) == found


def test_overlapping_palms_become_their_weighted_average_with_the_best_score():
    boxes = np.array([[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]])
    keypoints = np.arange(42, dtype=float).reshape(3, 7, 2)
    palms = Palms(boxes, keypoints, np.array([0.25, 0.75, 0.5]))

    merged = merge_palms(palms)

    np.testing.assert_allclose(merged.boxes, [[0.75, 0, 10.75, 10], [50, 50, 60, 60]])
    np.testing.assert_allclose(merged.keypoints[0], 0.25 * keypoints[0] + 0.75 * keypoints[1])
    np.testing.assert_allclose(merged.scores, [0.75, 0.5])


def test_no_palms_merge_into_no_palms():
    merged = merge_palms(Palms(np.zeros((0, 4)), np.zeros((0, 7, 2)), np.zeros(0)))

    assert merged.boxes.shape == (0, 4)
    assert merged.keypoints.shape == (0, 7, 2)


def test_a_wide_picture_is_seen_whole_and_in_three_squares():
    crops = plan_crops(1280, 720, squares=3)

    assert crops == (Crop(0, -280, 1280), Crop(0, 0, 720), Crop(280, 0, 720), Crop(560, 0, 720))


def test_a_tall_picture_has_its_squares_one_below_the_other():
    assert plan_crops(720, 1280, squares=2) == (Crop(-280, 0, 1280), Crop(0, 0, 720), Crop(0, 560, 720))


def test_a_square_picture_is_looked_at_once():
    assert plan_crops(500, 500, squares=3) == (Crop(0, 0, 500),)


def test_a_crop_beyond_the_picture_is_padded_with_zeros_around_the_middle():
    picture = np.full((96, 192, 3), 255, np.uint8)

    crop = cut_crop(picture, Crop(0, -48, 192))

    assert crop.shape == (INPUT_PX, INPUT_PX, 3)
    assert crop[:48].max() == 0
    assert crop[48:144].min() == 1
    assert crop[144:].max() == 0


def test_of_regions_on_one_hand_the_first_is_kept():
    regions = np.array([[10.0, 10, 20, 0], [11, 10, 20, 0], [60, 10, 20, 0]])

    np.testing.assert_array_equal(first_of_each(regions), [0, 2])


@pytest.mark.parametrize("size", [(1280, 720), (1280, 960), (720, 1280), (500, 500)])
def test_every_hand_as_long_as_a_sixth_of_the_picture_is_whole_in_some_tile(size):
    width, height = size
    hand = min(size) / 6 - 1
    tiles = plan_tiles(width, height)

    assert all(tile.left >= 0 and tile.left + tile.side <= width for tile in tiles)
    for x in np.linspace(0, width - hand, 60):
        for y in np.linspace(0, height - hand, 60):
            assert any(
                tile.left <= x
                and x + hand <= tile.left + tile.side
                and tile.top <= y
                and y + hand <= tile.top + tile.side
                for tile in tiles
            )


class _Reddest:
    """Sees one palm at the reddest pixel of the crop, and counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, pictures):
        self.calls += 1
        regressors, logits = raw_outputs()
        y, x = np.unravel_index(pictures[0, ..., 0].argmax(), (INPUT_PX, INPUT_PX))
        if pictures[0, y, x, 0] > 0.5:
            centre = np.array([x, y]) + 0.5 - anchor_centres()[0] * INPUT_PX
            regressors[0] = [*centre, 30, 30, *np.tile(centre, 7)]
            regressors[0, 5] += 10
            logits[0] = 3
        return {"Identity": regressors[None], "Identity_1": logits[None, :, None]}


def test_a_palm_in_a_tile_is_proposed_once_where_it_is_in_the_picture():
    rgb = np.zeros((720, 1280, 3), np.uint8)
    rgb[500:504, 900:904, 0] = 255
    detector = PalmDetector([_Reddest()], threshold=0.5, plan=plan_tiles)

    regions = detector.detect(rgb)

    assert len(regions) == 1
    # The region lies half a palm, 30 px of the tile, from the palm towards the fingers.
    assert abs(regions[0, 0] - 901.5) < 2
    assert abs(regions[0, 1] - (501.5 - 15 * 360 / INPUT_PX)) < 2


def test_tiles_that_a_known_hand_fills_are_not_searched():
    rgb = np.zeros((720, 1280, 3), np.uint8)
    everywhere, beside = _Reddest(), _Reddest()

    PalmDetector([everywhere], threshold=0.5, plan=plan_tiles).detect(rgb)
    PalmDetector([beside], threshold=0.5, plan=plan_tiles).detect_beside(
        rgb, np.array([[180.0, 180.0, 360.0, 0.5]])
    )

    assert everywhere.calls - beside.calls == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (4000, 2), (1280, 60)])
def test_a_picture_too_slim_for_tiles_is_not_searched_in_any(size):
    asked = []

    def network(pixels):
        asked.append(pixels)
        return {"Identity": raw_outputs()[0][None], "Identity_1": raw_outputs()[1][None, :, None]}

    detector = PalmDetector([network], threshold=0.5, plan=plan_tiles)

    assert detector.detect(np.zeros((size[1], size[0], 3), np.uint8)).shape == (0, 4)
    assert not asked
