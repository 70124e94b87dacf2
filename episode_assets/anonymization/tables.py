"""The Parquet tables of `blurred_rgb`: their columns, and how rows are made of what was measured.

One row leads back to its message through `recording_id` and `message_number` in every table. Adding a column here
changes the artifact's schema for all readers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.anonymization.colour_counts import BINS
from episode_assets.anonymization.signals import PictureSignals

ROW_GROUP_ROWS = 16_384
_COLOUR_ROW_GROUP_ROWS = 512

_IDENTITY = [("recording_id", pa.string()), ("message_number", pa.int64())]
_FRAME = [*_IDENTITY, ("frame_index", pa.int64()), ("stamp_ns", pa.int64())]

FRAMES = pa.schema(
    [
        *_FRAME,
        ("log_time_ns", pa.int64()),
        ("pts_us", pa.int64()),
        ("is_key", pa.bool_()),
        ("gap_before", pa.bool_()),
        ("width", pa.int32()),
        ("height", pa.int32()),
    ]
)

DROPPED = pa.schema([*_IDENTITY, ("stamp_ns", pa.int64()), ("reason", pa.string()), ("detail", pa.string())])

FACES = pa.schema(
    [
        *_FRAME,
        *((name, pa.float32()) for name in ("x0", "y0", "x1", "y1")),
        *((f"redact_{name}", pa.int32()) for name in ("x0", "y0", "x1", "y1")),
        ("score", pa.float32()),
        ("track", pa.int64()),
        ("source", pa.string()),
        ("backend", pa.string()),
        ("label", pa.string()),
    ]
)

_PAYLOAD = "payload_sha256_8"
_MEASURED = tuple(item.name for item in fields(PictureSignals) if item.name != _PAYLOAD)
SIGNALS = pa.schema([*_FRAME, *((name, pa.float32()) for name in _MEASURED), (_PAYLOAD, pa.string())])

RGB_STATS = pa.schema(
    [
        *_IDENTITY,
        ("frame_index", pa.int64()),
        ("sampled_pixels", pa.int64()),
        *((f"hist_{channel}", pa.list_(pa.int32(), BINS)) for channel in "rgb"),
    ]
)


@dataclass(frozen=True, eq=False)
class SignalRows:
    """Signals of pictures in order, 76 bytes of each; a table of a few rows would take a hundred times that.

    Attributes:
        numbers: (K, 15) float32, the numbers of `PictureSignals` in their order, NaN where there is none.
        payload: (K,) `payload_sha256_8` as bytes.
    """

    numbers: NDArray[np.float32]
    payload: NDArray[np.bytes_]

    @classmethod
    def of(cls, signals: Sequence[PictureSignals]) -> SignalRows:
        """Return the rows of some pictures."""
        rows = [[getattr(row, name) for name in _MEASURED] for row in signals]
        numbers = np.array(rows, dtype=np.float64).astype(np.float32).reshape(-1, len(_MEASURED))
        return cls(numbers, np.array([row.payload_sha256_8 for row in signals], dtype="S16"))


def signal_columns(rows: Sequence[SignalRows]) -> dict[str, Any]:
    """Return the columns of `signals.parquet` that do not name the frame."""
    numbers = np.concatenate([part.numbers for part in rows])
    columns: dict[str, Any] = {
        name: pa.array(numbers[:, index].copy(), from_pandas=True) for index, name in enumerate(_MEASURED)
    }
    columns[_PAYLOAD] = pa.array(np.concatenate([part.payload for part in rows])).cast(pa.string())
    return columns


def colours_table(
    recording_id: str, message_number: NDArray[np.int64], first: int, counts: NDArray[np.int32]
) -> pa.Table:
    """Return histogram rows for consecutive frames.

    Args:
        recording_id: The recording.
        message_number: (n,) of the frames.
        first: Frame index of the first of them.
        counts: (n, 3, 256) int32, as `colour_counts` gives them.
    """
    histograms = {
        f"hist_{channel}": pa.FixedSizeListArray.from_arrays(pa.array(counts[:, index].ravel()), BINS)
        for index, channel in enumerate("rgb")
    }
    columns: dict[str, Any] = {
        "recording_id": [recording_id] * len(counts),
        "message_number": message_number,
        "frame_index": np.arange(first, first + len(counts), dtype=np.int64),
        "sampled_pixels": counts[:, 0].sum(axis=1, dtype=np.int64),
        **histograms,
    }
    return pa.table(columns, schema=RGB_STATS)


def write_table(path: Path, schema: pa.Schema, columns: dict[str, Any]) -> None:
    """Write one table whose bytes depend on its content alone."""
    pq.write_table(pa.table(columns, schema=schema), path, row_group_size=ROW_GROUP_ROWS, compression="zstd")


def write_colours(path: Path, parts: Iterable[pa.Table]) -> None:
    """Write `rgb_stats.parquet` from consecutive parts; about one row group is in memory at a time."""
    with pq.ParquetWriter(path, RGB_STATS, compression="zstd") as writer:
        waiting = RGB_STATS.empty_table()
        for part in parts:
            waiting = pa.concat_tables([waiting, part])
            while len(waiting) >= _COLOUR_ROW_GROUP_ROWS:
                writer.write_table(waiting.slice(0, _COLOUR_ROW_GROUP_ROWS))
                waiting = waiting.slice(_COLOUR_ROW_GROUP_ROWS)
        if len(waiting):
            writer.write_table(waiting)
