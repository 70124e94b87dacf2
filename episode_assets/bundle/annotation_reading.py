"""Reading annotation.hdf5: datasets and attributes by path, checked against the number of pictures.

What the groups mean is told where they are written; putting them together belongs to `reader`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle.hdf5_index import keep_index_small
from episode_assets.bundle.layout import ANNOTATION, REMEDY
from episode_assets.errors import ArtifactDamaged

ALL = slice(None)

Value = TypeVar("Value")
Scalar = TypeVar("Scalar", bound=np.generic)


class AnnotationReader:
    """The annotation file of a bundle; opened when it is first asked for something.

    Every method raises ArtifactDamaged where the file does not hold what is asked for.

    Attributes:
        F: Number of pictures of the bundle.
    """

    def __init__(self, path: Path, F: int) -> None:
        self.F = F
        self._path = path
        self._file: h5py.File | None = None
        self._last: tuple[str, h5py.Dataset] | None = None

    def close(self) -> None:
        """Close the file; arrays that were read stay usable."""
        if self._file is not None:
            self._last = None
            self._file.close()
            self._file = None

    def has(self, path: str) -> bool:
        """Return whether there is this group or dataset."""
        return path in self._opened()

    def groups(self) -> tuple[str, ...]:
        """Return the names of the groups right below the root."""
        return tuple(sorted(self._opened()))

    def dataset(self, path: str) -> h5py.Dataset:
        """Return a dataset whose values have not been read yet.

        The last one stays open: finding it again takes longer than a depth image does.
        """
        if self._last is not None and self._last[0] == path:
            return self._last[1]
        try:
            item = self._opened()[path]
        except (KeyError, RuntimeError) as error:
            raise damaged("the dataset is missing", path) from error
        if not isinstance(item, h5py.Dataset):
            raise damaged("a dataset was expected, found a group", path)
        self._last = path, item
        return item

    def read(self, path: str, take: Callable[[h5py.Dataset], Value]) -> Value:
        """Return what `take` reads of a dataset."""
        try:
            return take(self.dataset(path))
        except (OSError, RuntimeError, ValueError) as error:
            raise damaged(f"the values cannot be read: {error}", path) from error

    def array(self, path: str, dtype: type[Scalar], rows: slice = ALL) -> NDArray[Scalar]:
        """Return rows of a dataset, read-only."""
        array: NDArray[Scalar] = self.read(path, lambda dataset: np.asarray(dataset[rows], dtype=dtype))
        array.flags.writeable = False
        return array

    def per_picture(self, path: str, dtype: type[Scalar], rows: slice = ALL) -> NDArray[Scalar]:
        """Return rows of a dataset that has one row per picture."""
        shape = self.dataset(path).shape
        if shape[:1] != (self.F,):
            raise damaged(f"shape {shape} does not fit {self.F} pictures", path)
        return self.array(path, dtype, rows)

    def intrinsics(self, path: str) -> NDArray[np.float64] | None:
        """Return matrices (F, 3, 3) that are stored once where all are equal; None where there are none."""
        if not self.has(path):
            return None
        stored = self.array(path, np.float64)
        if stored.shape not in {(1, 3, 3), (self.F, 3, 3)}:
            raise damaged(f"shape {stored.shape} does not fit {self.F} pictures", path)
        return np.broadcast_to(stored, (self.F, 3, 3))

    def attributes(self, path: str) -> Mapping[str, Any]:
        """Return all attributes of a group, a dataset, or the root `/`."""
        try:
            return dict(self._opened()[path].attrs)
        except (OSError, KeyError, RuntimeError) as error:
            raise damaged("the attributes cannot be read", path) from error

    def text(self, path: str, name: str) -> str:
        """Return one attribute as text, empty where it is not there."""
        return str(self.attributes(path).get(name, ""))

    def _opened(self) -> h5py.File:
        if self._file is None:
            try:
                self._file = h5py.File(self._path, "r", rdcc_nbytes=0)
                keep_index_small(self._file)
            except OSError as error:
                raise damaged(f"it cannot be opened: {error}") from error
        return self._file


def damaged(what: str, dataset: str = "") -> ArtifactDamaged:
    """Return the error for something in the file that is not as it has to be."""
    return ArtifactDamaged(what, where=f"{ANNOTATION}:{dataset}" if dataset else ANNOTATION, remedy=REMEDY)
