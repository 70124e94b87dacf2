"""Turns Arrow columns of data files into arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def column_values(column: Any) -> NDArray[Any]:
    """Return an Arrow column as (N,) or, for lists of fixed size, (N, D) array."""
    values = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    if hasattr(values.type, "list_size"):
        return np.asarray(values.flatten().to_numpy(zero_copy_only=False)).reshape(len(column), -1)
    return np.asarray(values.to_numpy(zero_copy_only=False))
