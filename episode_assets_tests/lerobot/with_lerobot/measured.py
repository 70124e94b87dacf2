"""Depth as LeRobot's reader returns it, in both units, compared with the millimetres that were recorded."""
# ruff: noqa: T201

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from episode_assets_tests.lerobot.with_lerobot.opened import depth_cameras, open_dataset

HOLE_MM = 10.0
"""Code 0, which is what nothing was measured becomes, reads as the smallest depth."""
ROUNDING_MM = 0.01
"""What float32 takes from ten metres, with room to spare."""
CODES, SHIFT_M, MIN_M, MAX_M = 4095, 3.5, 0.01, 10.0


def check_measured(root: Path, truth: Path) -> list[str]:
    """Compare every depth pixel of every row.

    Args:
        root: A dataset with depth in the default range, log steps if it is a video.
        truth: A .npy file of (messages, H, W) uint16, millimetres by message number; 0 is a hole.
    """
    recorded = np.load(truth).astype(float)
    failures = []
    for unit, per_metre in (("mm", 1000.0), ("m", 1.0)):
        dataset = open_dataset(root, depth_output_unit=unit)
        if not depth_cameras(dataset):
            return [f"{root.name} has no depth camera"]
        errors = [
            _error(dataset[row], key, recorded, 1000.0 / per_metre, is_image=key in dataset.meta.image_keys)
            for row in range(len(dataset))
            for key in depth_cameras(dataset)
        ]
        worst, beyond, holes = (max(column) for column in zip(*errors, strict=True))
        print(
            f"{root.name}: depth in {unit} off by {worst:.2f} mm at most, {beyond:+.2f} mm against what is stated"
        )
        failures += [f"depth in {unit} is {beyond:.3f} mm beyond the stated error"] * (beyond > 0)
        failures += [f"holes in {unit} are off by {holes:.3f} mm"] * (holes > 1e-3)
    return failures


def _error(
    item: Any, key: str, recorded: np.ndarray, to_mm: float, *, is_image: bool
) -> tuple[float, float, float]:
    """Return the largest error, that beyond the stated one, and that of holes, all in mm."""
    seen = item[key].numpy().astype(float).squeeze() * to_mm
    true = recorded[int(item["source.message_number"])]
    error = np.abs(seen - true)
    if bool(item["valid.depth"]) != bool(true.any()):
        return np.inf, np.inf, np.inf
    if is_image:
        # Images hold the recorded millimetres, whatever their range; a hole is a zero.
        return error.max(), error.max() - ROUNDING_MM, error[true == 0].max(initial=0.0)
    inside = (true > MIN_M * 1000) & (true <= MAX_M * 1000)
    hole = np.abs(seen[~inside] - HOLE_MM).max(initial=0.0)
    beyond = error[inside] - _stated_mm(true[inside])
    return error[inside].max(initial=0.0), beyond.max(initial=-np.inf), hole


def _stated_mm(depth_mm: np.ndarray) -> np.ndarray:
    """Return half a logarithmic step, and half a millimetre for the reader's rounding."""
    step_m = (depth_mm / 1000 + SHIFT_M) * np.log((MAX_M + SHIFT_M) / (MIN_M + SHIFT_M)) / CODES
    return 500 * step_m + 0.5 + ROUNDING_MM
