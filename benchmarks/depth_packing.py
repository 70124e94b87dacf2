"""How fast depth goes into the annotation file on one core, and how small it gets.

Compares the package's packing with HDF5's own gzip on depth with sensor-like noise and dropouts. Prints MB of raw
depth per CPU second and the ratio of the sizes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle.depth import packed_depth

SIZES = ((192, 256), (480, 640))
FRAMES = 120


def noisy_depth(rows: int, columns: int) -> list[NDArray[np.uint16]]:
    """Return waves of 4 mm noise with blobs of missing values."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:rows, :columns]
    waves = 900 + 400 * np.sin(x / 40) + 300 * np.cos(y / 30)
    images = []
    for _ in range(FRAMES):
        image = waves + rng.normal(0, 4, waves.shape)
        image[cv2.GaussianBlur(rng.random(waves.shape), (0, 0), 4) > 0.55] = 0
        images.append(image.astype(np.uint16))
    return images


def direct(path: Path, images: list[NDArray[np.uint16]]) -> None:
    with h5py.File(path, "w") as file:
        shape = images[0].shape
        dataset = file.create_dataset(
            "frames",
            (len(images), *shape),
            "<u2",
            chunks=(1, *shape),
            shuffle=True,
            compression="gzip",
            compression_opts=1,
        )
        for frame, image in enumerate(images):
            dataset.id.write_direct_chunk((frame, 0, 0), packed_depth(image, 1))


def gzip_4(path: Path, images: list[NDArray[np.uint16]]) -> None:
    with h5py.File(path, "w") as file:
        shape = images[0].shape
        dataset = file.create_dataset(
            "frames", (len(images), *shape), "<u2", chunks=(1, *shape), compression="gzip", compression_opts=4
        )
        for frame, image in enumerate(images):
            dataset[frame] = image


def measured(
    write: Callable[[Path, list[NDArray[np.uint16]]], None], images: list[NDArray[np.uint16]]
) -> str:
    raw = sum(image.nbytes for image in images)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "depth.hdf5"
        start = time.process_time()
        write(path, images)
        seconds = time.process_time() - start
        with h5py.File(path, "r") as file:
            assert all(np.array_equal(file["frames"][i], image) for i, image in enumerate(images))
        return f"{raw / seconds / 1e6:7.0f} MB/s   ratio {raw / path.stat().st_size:.2f}"


def main() -> None:
    for rows, columns in SIZES:
        images = noisy_depth(rows, columns)
        for name, write in (("direct", direct), ("gzip 4", gzip_4)):
            print(f"{columns}x{rows}  {name}  {measured(write, images)}")


if __name__ == "__main__":
    main()
