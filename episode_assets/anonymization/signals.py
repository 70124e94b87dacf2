"""Numbers about each picture, taken before any blur: exposure, sharpness, motion.

Painted-over faces must not look like a blurred lens, and nobody downstream may see the unblurred picture; so quality
checks read these numbers. Only numbers leave, never pixels.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.video import Picture
from episode_assets.video.picture import NEUTRAL_CHROMA
from episode_assets.video.picture_motion import MotionMeter

REDUCED_WIDTH_PX = 320
_TILE_ROWS, _TILE_COLUMNS = 6, 8
_FLAT_TILE_STD = 3.0
_DARK_LUMA, _BRIGHT_LUMA = 16, 250
_TO_FULL_RANGE = np.clip(np.rint((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class PictureSignals:
    """Signals of one picture; luma is full range (0..255) at 320 pixels width, area averaged.

    Attributes:
        mean, std, median: Of luma.
        laplacian_variance: Variance of the 3x3 Laplacian; lower is less sharp, and noise raises it.
        tiles_laplacian_median: Median over 6x8 tiles of the mean squared 3x3 Laplacian: how much detail most of the
            picture has, whatever one finely patterned thing in it adds to the variance.
        dark_ratio: Share of pixels with luma of at most 16.
        bright_ratio: Share of pixels with luma of at least 250.
        flat_tiles_ratio: Share of 6x8 tiles with a standard deviation below 3.
        diff_previous: Mean absolute difference to the previous picture; None after a gap or a picture left out.
        shift_x_px, shift_y_px: Motion against the previous picture in reduced pixels, positive where the scene moved
            right or down; None likewise, and where there is no structure to follow.
        shift_agreement: Share of the points asked that moved like that, 0 to 1; None likewise.
        red_mean, green_mean, blue_mean: Means of the channels, full range 0 to 255, from the means of luma and chroma.
        payload_sha256_8: First 8 bytes of the payload's SHA-256 in hex; equal payloads are frozen pictures.
    """

    mean: float
    std: float
    median: float
    laplacian_variance: float
    tiles_laplacian_median: float
    dark_ratio: float
    bright_ratio: float
    flat_tiles_ratio: float
    diff_previous: float | None
    shift_x_px: float | None
    shift_y_px: float | None
    shift_agreement: float | None
    red_mean: float
    green_mean: float
    blue_mean: float
    payload_sha256_8: str


class SignalMeter:
    """Measures pictures one after the other and remembers the last one."""

    def __init__(self) -> None:
        self._previous: NDArray[np.uint8] | None = None
        self._motion = MotionMeter()

    def see(self, picture: Picture) -> None:
        """Take a picture as the previous one without measuring it."""
        self._previous = reduced_luma(picture)
        self._motion.see(self._previous)

    def forget(self) -> None:
        """Take the next picture for one whose predecessor was not seen."""
        self._previous = None
        self._motion.forget()

    def measure(self, picture: Picture, payload: memoryview) -> PictureSignals:
        """Return the signals of a picture and make it the previous one."""
        luma = reduced_luma(picture)
        difference, shift = self._difference(luma), self._motion.measure(luma)
        self._previous = luma
        # A histogram holds mean, deviation and median exactly and is quicker than sorting pixels.
        counts = np.bincount(luma.ravel(), minlength=256)
        levels = np.arange(256)
        mean = float(counts @ levels) / luma.size
        red, green, blue = _channel_means(mean, picture)
        laplacian = np.asarray(cv2.Laplacian(luma, cv2.CV_16S), dtype=np.int16)
        return PictureSignals(
            mean=mean,
            std=float(np.sqrt(max(float(counts @ (levels**2)) / luma.size - mean**2, 0.0))),
            median=float(np.searchsorted(np.cumsum(counts), luma.size / 2)),
            laplacian_variance=float(cv2.meanStdDev(laplacian)[1][0, 0] ** 2),
            tiles_laplacian_median=_tiles_laplacian_median(laplacian),
            dark_ratio=float(counts[: _DARK_LUMA + 1].sum()) / luma.size,
            bright_ratio=float(counts[_BRIGHT_LUMA:].sum()) / luma.size,
            flat_tiles_ratio=_flat_tiles_ratio(luma),
            diff_previous=difference,
            shift_x_px=None if shift is None else shift.x_px,
            shift_y_px=None if shift is None else shift.y_px,
            shift_agreement=None if shift is None else shift.agreement,
            red_mean=red,
            green_mean=green,
            blue_mean=blue,
            payload_sha256_8=hashlib.sha256(payload).digest()[:8].hex(),
        )

    def _difference(self, luma: NDArray[np.uint8]) -> float | None:
        previous = self._previous
        if previous is None or previous.shape != luma.shape:
            return None
        return float(cv2.absdiff(luma, previous).mean())


def _channel_means(luma_mean: float, picture: Picture) -> tuple[float, float, float]:
    """Return the means of red, green and blue: BT.601 is linear, so that means of planes are enough."""
    height, width = (picture.true_height + 1) // 2, (picture.true_width + 1) // 2
    blue_difference, red_difference = (
        (cv2.mean(plane[:height, :width])[0] - NEUTRAL_CHROMA) * (255 / 224)
        for plane in (picture.u, picture.v)
    )
    red = luma_mean + 1.402 * red_difference
    green = luma_mean - 0.344136 * blue_difference - 0.714136 * red_difference
    return red, green, luma_mean + 1.772 * blue_difference


def reduced_luma(picture: Picture) -> NDArray[np.uint8]:
    """Return full-range luma at 320 pixels width (or the true width, if smaller), aspect kept."""
    luma = picture.y[: picture.true_height, : picture.true_width]
    width = min(REDUCED_WIDTH_PX, picture.true_width)
    height = max(1, round(picture.true_height * width / picture.true_width))
    # Halving is vector code, other factors are not: 1280 pixels take a tenth of the time in two steps.
    while luma.shape[0] % (2 * height) == luma.shape[1] % (2 * width) == 0:
        luma = _resized(luma, luma.shape[1] // 2, luma.shape[0] // 2)
    return np.asarray(cv2.LUT(_resized(luma, width, height), _TO_FULL_RANGE), dtype=np.uint8)


def _resized(luma: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _tiles_laplacian_median(laplacian: NDArray[np.int16]) -> float:
    squares = laplacian.astype(np.float32) ** 2
    # Averages over areas, also where tiles are no whole number of pixels.
    tiles = cv2.resize(squares, (_TILE_COLUMNS, _TILE_ROWS), interpolation=cv2.INTER_AREA)
    return float(np.median(tiles))


def _flat_tiles_ratio(luma: NDArray[np.uint8]) -> float:
    rows, columns = luma.shape[0] // _TILE_ROWS, luma.shape[1] // _TILE_COLUMNS
    if rows == 0 or columns == 0:
        return 0.0
    tiles = luma[: rows * _TILE_ROWS, : columns * _TILE_COLUMNS].astype(np.float32)
    spread = tiles.reshape(_TILE_ROWS, rows, _TILE_COLUMNS, columns).std(axis=(1, 3))
    return float((spread < _FLAT_TILE_STD).mean())
