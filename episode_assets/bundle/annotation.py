"""An HDF5 file whose bytes depend on its content alone, and a list of what was put into it.

Only the mechanics of writing datasets and attributes belong here; what the groups mean is told where they are
filled (`streams`, `depth`, `hands`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from episode_assets.bundle.hdf5_index import keep_index_small
from episode_assets.outcome import Json

PACKED_ROWS = 1024
"""Rows in one chunk of a compressed table; about 250 kB of hand joints."""


class Rows:
    """A dataset of the file that is written some rows at a time."""

    def __init__(self, dataset: h5py.Dataset, entry: dict[str, Json]) -> None:
        self._dataset = dataset
        self._entry = entry
        self._found = 0

    def write(self, start: int, array: NDArray[np.generic], *, found: int | None = None) -> None:
        """Write rows from `start` on; `found` is how many of them hold a measurement, for the dataset list."""
        self._dataset[start : start + len(array)] = array
        if found is not None:
            self._found += found
            self._entry["valid_count"] = self._found


class AnnotationFile:
    """A new HDF5 file, open for writing; closes itself at the end of the `with` block.

    The file format is the oldest that holds the data, so that h5py 3.0 and older tools open it. No creation times are
    stored, objects are written in the order of the calls: the same calls give the same bytes.
    """

    def __init__(self, path: Path) -> None:
        self._file = h5py.File(path, "w", libver="earliest", track_order=False)
        keep_index_small(self._file)
        self._datasets: list[dict[str, Json]] = []

    def __enter__(self) -> AnnotationFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def root(self) -> h5py.File:
        """The h5py file itself, for datasets that are written piece by piece."""
        return self._file

    def put(
        self,
        path: str,
        array: NDArray[np.generic],
        *,
        units: str | None = None,
        valid_count: int | None = None,
        is_packed: bool = False,
    ) -> None:
        """Write one whole dataset.

        Args:
            path: Absolute path inside the file; missing groups are made.
            array: The values, written in their own dtype.
            units: Unit of the values, kept as attribute `units`.
            valid_count: How many rows hold a measurement, for the dataset list.
            is_packed: Compress with shuffle and deflate in chunks of rows; for tables that are mostly missing.
        """
        rows = self.rows(path, array.shape, array.dtype, units=units, is_packed=is_packed)
        rows.write(0, array, found=valid_count)

    def rows(
        self,
        path: str,
        shape: tuple[int, ...],
        dtype: DTypeLike,
        *,
        units: str | None = None,
        is_packed: bool = False,
    ) -> Rows:
        """Make a dataset that is written some rows at a time; the rest is as for `put`.

        Rows of a compressed one should come in whole chunks of `PACKED_ROWS`: those that come in parts are packed
        again for each.
        """
        options: dict[str, object] = {}
        if is_packed and 0 not in shape:
            options = {
                "chunks": (min(PACKED_ROWS, shape[0]), *shape[1:]),
                "compression": "gzip",
                "compression_opts": 1,
                "shuffle": True,
            }
        dataset = self._file.create_dataset(path, shape, dtype, track_times=False, **options)
        if units is not None:
            dataset.attrs["units"] = units
        return Rows(dataset, self._entered(path, shape, dataset.dtype, units=units))

    def listed(
        self,
        path: str,
        shape: tuple[int, ...],
        dtype: np.dtype[np.generic],
        *,
        units: str | None = None,
        valid_count: int | None = None,
    ) -> None:
        """Enter a dataset into the list without writing it; `put` does so by itself."""
        entry = self._entered(path, shape, dtype, units=units)
        if valid_count is not None:
            entry["valid_count"] = valid_count

    def _entered(
        self, path: str, shape: tuple[int, ...], dtype: np.dtype[np.generic], *, units: str | None
    ) -> dict[str, Json]:
        entry: dict[str, Json] = {"path": path, "shape": list(shape), "dtype": str(dtype)}
        if units is not None:
            entry["units"] = units
        self._datasets.append(entry)
        return entry

    def describe(self, path: str, attributes: Mapping[str, str | int | float | NDArray[np.generic]]) -> None:
        """Set attributes of a group (made when missing) or of the root `/`, in the order of their names."""
        group = self._file.require_group(path)
        for name in sorted(attributes):
            group.attrs[name] = attributes[name]

    @property
    def datasets(self) -> list[dict[str, Json]]:
        """Every dataset in the file: path, shape, dtype, and units and number of valid rows where they apply."""
        return sorted(self._datasets, key=lambda entry: str(entry["path"]))
