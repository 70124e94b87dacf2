"""How often each value occurs in the pictures of a whole dataset, kept beside its statistics.

Quantiles of a joined dataset cannot be taken from quantiles of its parts; from counts they are exact, and no picture
is decoded. Counting by decoding, for datasets of others, is in `picture_counting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

PICTURE_COUNTS = "meta/episode_assets_pictures.parquet"

_SCHEMA = pa.schema(
    [
        pa.field("feature", pa.string()),
        pa.field("pictures", pa.int64()),
        pa.field("counts", pa.list_(pa.int64())),
    ]
)


@dataclass(frozen=True)
class PictureCounts:
    """The pictures of one camera.

    Attributes:
        pictures: How many were counted; of depth those that a row really has.
        counts: (C,) int64 occurrences: 256 values of red, green and blue one after another, or codes or millimetres of
            depth, of which the first is a hole.
    """

    pictures: int
    counts: NDArray[np.int64]

    def __add__(self, other: PictureCounts) -> PictureCounts:
        return PictureCounts(self.pictures + other.pictures, self.counts + other.counts)


def write_picture_counts(root: Path, found: Mapping[str, PictureCounts]) -> None:
    """Write the counts of all cameras of a dataset, if it has any."""
    if not found:
        return
    table: dict[str, list[Any]] = {
        "feature": list(found),
        "pictures": [item.pictures for item in found.values()],
        "counts": [item.counts.reshape(-1) for item in found.values()],
    }
    pq.write_table(pa.table(table, schema=_SCHEMA), root / PICTURE_COUNTS, compression="zstd")


def read_picture_counts(root: Path) -> dict[str, PictureCounts]:
    """Return the counts by camera; none where the dataset does not carry them."""
    path = root / PICTURE_COUNTS
    if not path.exists():
        return {}
    rows = pq.read_table(path, use_threads=False).to_pylist()
    return {
        row["feature"]: PictureCounts(row["pictures"], np.asarray(row["counts"], dtype=np.int64))
        for row in rows
    }
