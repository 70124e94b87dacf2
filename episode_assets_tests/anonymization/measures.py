"""How much of a picture's local detail is gone, measured apart from the code under test."""

from __future__ import annotations

import cv2
import numpy as np

BLOCK = 8


def detail_energy(luma: np.ndarray) -> np.ndarray:
    """Mean square of what a 5x5 mean takes away, for each 8x8 block of the whole picture."""
    values = luma.astype(np.float64)
    fine = (values - cv2.blur(values, (5, 5))) ** 2
    rows, columns = luma.shape[0] // BLOCK, luma.shape[1] // BLOCK
    cut = fine[: rows * BLOCK, : columns * BLOCK]
    return cut.reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3))


def lost_share(source: np.ndarray, result: np.ndarray, box: tuple[int, int, int, int]) -> float:
    """Share of a box whose blocks keep less than 25 % of the source's detail."""
    x0, y0, x1, y1 = box
    before, after = detail_energy(source[y0:y1, x0:x1]), detail_energy(result[y0:y1, x0:x1])
    return float((after < 0.25 * before).mean())


def changed_share(source: np.ndarray, result: np.ndarray, boxes: list[tuple[int, int, int, int]]) -> float:
    """Share of the picture outside the boxes grown 1.6 times that differs by more than compression does."""
    outside = np.ones(source.shape, bool)
    for x0, y0, x1, y1 in boxes:
        centre_x, centre_y, half_x, half_y = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) * 0.8, (y1 - y0) * 0.8
        rows = slice(max(int(centre_y - half_y), 0), int(centre_y + half_y) + 1)
        columns = slice(max(int(centre_x - half_x), 0), int(centre_x + half_x) + 1)
        outside[rows, columns] = False
    difference = cv2.blur(cv2.absdiff(source, result).astype(np.float32), (BLOCK, BLOCK))
    return float(((difference > 6.0) & outside).mean())
