"""What Arrow columns of data files hold: as arrays, and as types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def column_values(column: Any) -> NDArray[Any]:
    """Return an Arrow column as (N,) or, for lists of fixed size, (N, D) array."""
    values = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    if hasattr(values.type, "list_size"):
        return np.asarray(values.flatten().to_numpy(zero_copy_only=False)).reshape(len(column), -1)
    return np.asarray(values.to_numpy(zero_copy_only=False))


def worth_a_dictionary(schema: Any) -> list[str]:
    """Return the columns of a Parquet file that hold few different values: whole numbers and texts, never floats.

    A dictionary of measured numbers is larger than they are, and takes three times as long to write.
    """
    leaves = [leaf for field in schema for leaf in _leaves(field.name, field.type)]
    return [path for path, kind in leaves if not pa.types.is_floating(kind) and not pa.types.is_binary(kind)]


def _leaves(path: str, kind: Any) -> Iterator[tuple[str, Any]]:
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _leaves(f"{path}.{field.name}", field.type)
    elif pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _leaves(f"{path}.list.element", kind.value_type)
    else:
        yield path, kind
