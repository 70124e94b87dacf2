"""The Parquet files of `raw_mcap`: their columns, how they are written, how they are read into streams.

Bytes are deterministic: fixed row groups, one compression, columns in one order, rows sorted by stamp.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.errors import ArtifactDamaged
from episode_assets.long_tables import Rows, write_rows

POSE_COLUMNS = ("tx", "ty", "tz", "qx", "qy", "qz", "qw")
IMU_COLUMNS = ("ax", "ay", "az", "gx", "gy", "gz", "qx", "qy", "qz", "qw")
K_COLUMNS = tuple(f"k{row}{column}" for row in range(3) for column in range(3))
POINT_COLUMNS = ("x", "y", "z")


def write_table(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns (numpy arrays or pyarrow arrays) as one Parquet file; creates the parent directory."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_rows(path, Rows.of(columns))


def read_table(path: Path) -> Any:
    """Return a Parquet file as a pyarrow table, without threads.

    `pq.read_table` would take three times the memory, and the import of another package.
    """
    with pq.ParquetFile(path, pre_buffer=False) as file:
        return file.read(use_threads=False)


def checked_table(path: Path) -> Any:
    """Return a Parquet file of a scan; raises ArtifactDamaged where it is missing or not readable."""
    with _named_trouble(path):
        return read_table(path)


class StoredColumns:
    """A Parquet file of a scan whose columns are read when they are asked for: memory holds one of them at a time.

    Raises:
        ArtifactDamaged: The file is missing or not readable.
    """

    def __init__(self, path: Path, *, group: int | None = None) -> None:
        """Open the whole file, or one of its row groups alone."""
        self._path = path
        self._groups = None if group is None else [group]
        with _named_trouble(path):
            metadata = pq.read_metadata(path)
            self.num_rows: int = (metadata if group is None else metadata.row_group(group)).num_rows

    def column(self, name: str) -> Any:
        """Return one column as pyarrow has it; raises ArtifactDamaged where it is not there or not readable."""
        with _named_trouble(self._path), pq.ParquetFile(self._path, pre_buffer=False) as file:
            groups = range(file.num_row_groups) if self._groups is None else self._groups
            return file.read_row_groups(groups, columns=[name], use_threads=False).column(name)

    def pieces(self) -> Iterator[StoredColumns]:
        """Yield the rows a row group at a time; of each, too, only the columns that are asked for are read."""
        with _named_trouble(self._path):
            metadata = pq.read_metadata(self._path)
        for group in range(metadata.num_row_groups):
            yield StoredColumns(self._path, group=group)

    def first_row(self) -> Any:
        """Return the first row of all columns as a pyarrow table; empty where there is none."""
        with _named_trouble(self._path), pq.ParquetFile(self._path, pre_buffer=False) as file:
            batch = next(file.iter_batches(1, use_threads=False), None)
            return file.schema_arrow.empty_table() if batch is None else pa.Table.from_batches([batch])


@contextmanager
def _named_trouble(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ArtifactDamaged(
            f"{path.name} cannot be read: {error}", where=str(path.parent), remedy="run raw_mcap again"
        ) from error


def split(names: tuple[str, ...], values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the columns of (N, len(names)) numbers by name."""
    return {name: np.ascontiguousarray(values[:, column]) for column, name in enumerate(names)}


def column(table: Any, name: str) -> NDArray[Any]:
    """Return one column without nulls as a read-only numpy array."""
    values = np.array(table.column(name).to_numpy(zero_copy_only=False))
    values.flags.writeable = False
    return values


def stack(table: Any, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Return several float columns as a read-only (N, len(names)) array."""
    values = np.empty((table.num_rows, len(names)))
    for index, name in enumerate(names):
        values[:, index] = table.column(name).to_numpy(zero_copy_only=False)
    values.flags.writeable = False
    return values


def texts(table: Any, name: str) -> tuple[str, ...]:
    """Return one column of text; rows that say the same share one text."""
    coded = table.column(name).combine_chunks().dictionary_encode(null_encoding="encode")
    words = coded.dictionary.to_pylist()
    return tuple(words[code] for code in coded.indices.to_pylist())


def number_lists(table: Any, name: str) -> tuple[tuple[float, ...], ...]:
    """Return one column of lists of float64; rows with the same numbers share one tuple."""
    lists = table.column(name).combine_chunks()
    values, lengths = lists.flatten().to_numpy(), lists.value_lengths().to_numpy()
    known: dict[bytes, tuple[float, ...]] = {}

    def shared() -> Iterator[tuple[float, ...]]:
        end = 0
        for length in map(int, lengths):
            start, end = end, end + length
            row = values[start:end]
            yield known.setdefault(row.tobytes(), tuple(row.tolist()))

    return tuple(shared())
