"""Parquet tables that are made and written a piece at a time, since all of an hour may be more than memory should hold.

Bytes are deterministic: fixed row groups, one compression. What the columns of a table are is told where it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP = 65_536


@dataclass(frozen=True)
class Rows:
    """A table that is made a piece at a time, since all of it may be more than memory should hold.

    Attributes:
        count: How many rows it has.
        part: Returns the columns (numpy arrays or pyarrow arrays) of some of the rows.
    """

    count: int
    part: Callable[[slice], Mapping[str, Any]]

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> Rows:
        """Return the rows of columns that are there as a whole."""
        count = len(next(iter(columns.values())))
        return cls(count, lambda rows: {name: values[rows] for name, values in columns.items()})


def write_rows(path: Path, rows: Rows, *, metadata: Mapping[bytes, bytes] | None = None) -> None:
    """Write rows as one Parquet file, a row group at a time; `metadata` goes into its schema."""
    first = pa.table(dict(rows.part(slice(0, ROW_GROUP)))).replace_schema_metadata(metadata)
    with pq.ParquetWriter(path, first.schema, compression="zstd", write_statistics=True) as writer:
        writer.write_table(first)
        for start in range(ROW_GROUP, rows.count, ROW_GROUP):
            part = pa.table(dict(rows.part(slice(start, start + ROW_GROUP))))
            writer.write_table(part.replace_schema_metadata(metadata))
