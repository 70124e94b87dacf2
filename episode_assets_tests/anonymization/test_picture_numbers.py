"""Signals before the blur and colour counts after it, against plain numpy and another conversion."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.anonymization import tables
from episode_assets.anonymization.colour_counts import colour_counts, sampling_step
from episode_assets.anonymization.signals import SignalMeter, reduced_luma
from episode_assets.video import Picture, decode_picture
from episode_assets_tests.anonymization.material import Scene


def picture_of(rgb: np.ndarray) -> Picture:
    height, width = rgb.shape[:2]
    return decode_picture("rgb8", rgb.tobytes(), width=width, height=height, step=3 * width)


def test_signals_are_those_of_full_range_luma() -> None:
    picture = picture_of(Scene(faces={0: (100, 60)}).picture(0))

    signals = SignalMeter().measure(picture, memoryview(b"payload"))

    luma = reduced_luma(picture).astype(float)
    assert signals.mean == pytest.approx(luma.mean())
    assert signals.std == pytest.approx(luma.std(), abs=1e-6)
    assert signals.median == pytest.approx(np.median(luma), abs=1)
    assert signals.laplacian_variance == pytest.approx(cv2.Laplacian(luma, cv2.CV_64F).var(), rel=1e-6)
    squares = cv2.Laplacian(luma, cv2.CV_64F) ** 2
    rows, columns = luma.shape[0] // 6, luma.shape[1] // 8
    tiles = squares.reshape(6, rows, 8, columns).mean(axis=(1, 3))
    assert signals.tiles_laplacian_median == pytest.approx(np.median(tiles), rel=1e-5)
    assert signals.diff_previous is None
    assert (signals.red_mean, signals.green_mean, signals.blue_mean) == pytest.approx(
        Scene(faces={0: (100, 60)}).picture(0).mean(axis=(0, 1)), abs=1.5
    )
    assert signals.payload_sha256_8 == hashlib.sha256(b"payload").hexdigest()[:16]


def test_a_black_and_a_white_picture_are_told_by_their_ratios() -> None:
    meter = SignalMeter()

    black = meter.measure(picture_of(np.zeros((240, 320, 3), np.uint8)), memoryview(b""))
    white = meter.measure(picture_of(np.full((240, 320, 3), 255, np.uint8)), memoryview(b""))

    assert (black.dark_ratio, black.bright_ratio, black.flat_tiles_ratio) == (1.0, 0.0, 1.0)
    assert (white.dark_ratio, white.bright_ratio) == (0.0, 1.0)
    assert white.diff_previous == pytest.approx(255, abs=1)


def test_a_moved_picture_shows_its_shift_in_reduced_pixels() -> None:
    random = np.random.default_rng(5)
    ground = cv2.GaussianBlur(random.integers(0, 255, (400, 700, 3), dtype=np.uint8), (0, 0), 4)
    meter = SignalMeter()
    meter.see(picture_of(np.ascontiguousarray(ground[20:380, 20:660])))

    signals = meter.measure(picture_of(np.ascontiguousarray(ground[12:372, 30:670])), memoryview(b""))

    assert signals.shift_x_px == pytest.approx(-5, abs=0.3)
    assert signals.shift_y_px == pytest.approx(4, abs=0.3)
    assert 0.9 < signals.shift_agreement <= 1


def test_a_picture_without_structure_shows_no_shift() -> None:
    meter = SignalMeter()
    grey = picture_of(np.full((180, 320, 3), 90, np.uint8))
    meter.see(grey)

    assert meter.measure(grey, memoryview(b"")).shift_x_px is None


@pytest.mark.parametrize(
    ("size", "step"), [((64, 48), 1), ((299, 200), 1), ((301, 200), 2), ((1280, 720), 8)]
)
def test_colours_are_counted_on_every_kth_pixel(size: tuple[int, int], step: int) -> None:
    rgb = Scene(size=size).picture(0)
    picture = picture_of(rgb)

    counts = colour_counts(picture)

    assert sampling_step(*size) == step
    assert counts.sum(axis=1).tolist() == [rgb[::step, ::step, 0].size] * 3
    means = counts @ np.arange(256) / counts[0].sum()
    assert means == pytest.approx(rgb[::step, ::step].mean(axis=(0, 1)), abs=1.5)


@pytest.mark.parametrize("part", [7, 1100])
def test_row_groups_of_the_colour_table_do_not_depend_on_how_it_arrives(part: int, tmp_path: Path) -> None:
    frames = 1100
    parts = (
        tables.colours_table(
            "r",
            np.arange(first, min(first + part, frames)),
            first,
            np.ones((min(part, frames - first), 3, 256), np.int32),
        )
        for first in range(0, frames, part)
    )

    tables.write_colours(tmp_path / "rgb_stats.parquet", parts)

    written = pq.ParquetFile(tmp_path / "rgb_stats.parquet")
    sizes = [written.metadata.row_group(index).num_rows for index in range(written.num_row_groups)]
    assert sizes == [512, 512, 76]
    assert written.read(["frame_index"])["frame_index"].to_pylist() == list(range(frames))
