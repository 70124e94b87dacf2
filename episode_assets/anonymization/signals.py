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
        dark_ratio: Share of pixels with luma of at most 16.
        bright_ratio: Share of pixels with luma of at least 250.
        flat_tiles_ratio: Share of 6x8 tiles with a standard deviation below 3.
        diff_previous: Mean absolute difference to the previous picture; None after a gap or a picture left out.
        shift_x_px, shift_y_px: Shift against the previous picture by phase correlation, in reduced pixels, positive
            where the scene moved right or down; None likewise.
        payload_sha256_8: First 8 bytes of the payload's SHA-256 in hex; equal payloads are frozen pictures.
    """

    mean: float
    std: float
    median: float
    laplacian_variance: float
    dark_ratio: float
    bright_ratio: float
    flat_tiles_ratio: float
    diff_previous: float | None
    shift_x_px: float | None
    shift_y_px: float | None
    payload_sha256_8: str


class SignalMeter:
    """Measures pictures one after the other and remembers the last one."""

    def __init__(self) -> None:
        self._previous: NDArray[np.uint8] | None = None
        self._window: NDArray[np.float32] | None = None

    def see(self, picture: Picture) -> None:
        """Take a picture as the previous one without measuring it."""
        self._previous = reduced_luma(picture)

    def forget(self) -> None:
        """Take the next picture for one whose predecessor was not seen."""
        self._previous = None

    def measure(self, picture: Picture, payload: memoryview) -> PictureSignals:
        """Return the signals of a picture and make it the previous one."""
        luma = reduced_luma(picture)
        difference, shift_x, shift_y = self._against_previous(luma)
        self._previous = luma
        # A histogram holds mean, deviation and median exactly and is quicker than sorting pixels.
        counts = np.bincount(luma.ravel(), minlength=256)
        levels = np.arange(256)
        mean = float(counts @ levels) / luma.size
        return PictureSignals(
            mean=mean,
            std=float(np.sqrt(max(float(counts @ (levels**2)) / luma.size - mean**2, 0.0))),
            median=float(np.searchsorted(np.cumsum(counts), luma.size / 2)),
            laplacian_variance=float(cv2.meanStdDev(cv2.Laplacian(luma, cv2.CV_16S))[1][0, 0] ** 2),
            dark_ratio=float(counts[: _DARK_LUMA + 1].sum()) / luma.size,
            bright_ratio=float(counts[_BRIGHT_LUMA:].sum()) / luma.size,
            flat_tiles_ratio=_flat_tiles_ratio(luma),
            diff_previous=difference,
            shift_x_px=shift_x,
            shift_y_px=shift_y,
            payload_sha256_8=hashlib.sha256(payload).digest()[:8].hex(),
        )

    def _against_previous(self, luma: NDArray[np.uint8]) -> tuple[float | None, float | None, float | None]:
        previous = self._previous
        if previous is None or previous.shape != luma.shape:
            return None, None, None
        if self._window is None or self._window.shape != luma.shape:
            self._window = _hanning(luma.shape)
        (shift_x, shift_y), _ = cv2.phaseCorrelate(
            previous.astype(np.float32), luma.astype(np.float32), self._window
        )
        return float(cv2.absdiff(luma, previous).mean()), float(shift_x), float(shift_y)


def _hanning(shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    # OpenCV refuses windows with a side of 1.
    if min(shape) < 2:
        return None
    return np.asarray(cv2.createHanningWindow((shape[1], shape[0]), cv2.CV_32F), dtype=np.float32)


def reduced_luma(picture: Picture) -> NDArray[np.uint8]:
    """Return full-range luma at 320 pixels width (or the true width, if smaller), aspect kept."""
    luma = picture.y[: picture.true_height, : picture.true_width]
    width = min(REDUCED_WIDTH_PX, picture.true_width)
    height = max(1, round(picture.true_height * width / picture.true_width))
    reduced = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.LUT(reduced, _TO_FULL_RANGE), dtype=np.uint8)


def _flat_tiles_ratio(luma: NDArray[np.uint8]) -> float:
    rows, columns = luma.shape[0] // _TILE_ROWS, luma.shape[1] // _TILE_COLUMNS
    if rows == 0 or columns == 0:
        return 0.0
    tiles = luma[: rows * _TILE_ROWS, : columns * _TILE_COLUMNS].astype(np.float32)
    spread = tiles.reshape(_TILE_ROWS, rows, _TILE_COLUMNS, columns).std(axis=(1, 3))
    return float((spread < _FLAT_TILE_STD).mean())
