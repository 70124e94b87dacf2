"""Pictures inside the data files instead of videos: one PNG or TIFF per row, a struct of bytes and a name.

They lie in a table of their own beside the rows of a fragment, in groups of few rows that never cross an episode, so
that neither writing nor packing holds more than a group of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.errors import BadVideo

FILE = "images.parquet"
GROUP_ROWS = 64

IMAGE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
"""How LeRobot stores an image in a data file."""


def image_schema(keys: Sequence[str]) -> Any:
    """Return the Arrow schema of image columns."""
    return pa.schema([pa.field(key, IMAGE) for key in keys])


class ImageWriter:
    """Writes the image columns of a fragment, a row at a time; use it in a `with` block.

    Args:
        path: The table to write.
        keys: Names of the features.
        suffixes: Endings of the images' names, such as `png`, one per feature.
    """

    def __init__(self, path: Path, keys: Sequence[str], suffixes: Sequence[str]) -> None:
        self._schema = image_schema(keys)
        self._suffixes = dict(zip(keys, suffixes, strict=True))
        # The bytes are compressed already.
        self._writer = pq.ParquetWriter(path, self._schema, compression="none", use_dictionary=False)
        self._row = 0
        self._waiting: list[dict[str, Any]] = []

    def __enter__(self) -> ImageWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def add(self, images: dict[str, bytes]) -> None:
        """Write the next row of the episode."""
        named = {
            key: {"bytes": data, "path": f"frame-{self._row:06d}.{self._suffixes[key]}"}
            for key, data in images.items()
        }
        self._waiting.append(named)
        self._row += 1
        if len(self._waiting) == GROUP_ROWS:
            self._flush()

    def end_episode(self) -> None:
        """Close the episode; the next row is the first of another one."""
        self._flush()
        self._row = 0

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_pylist(self._waiting, schema=self._schema))
        self._waiting = []


def read_images(path: Path, *, first: int, rows: int) -> Iterator[Any]:
    """Yield the image columns of rows [first, first + rows) of a fragment as small Arrow tables.

    Args:
        path: The table.
        first: First row of an episode, counted over the fragment.
        rows: Rows of the episode.
    """
    with pq.ParquetFile(path) as file:
        start = 0
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            if first <= start < first + rows:
                yield file.read_row_group(group)
            start += count


def sizes_of_images(path: Path, lengths: Sequence[int]) -> list[int]:
    """Return the bytes of each episode's images, from the table's own account of its groups."""
    sizes, starts = [0] * len(lengths), np.cumsum(lengths)
    with pq.ParquetFile(path) as file:
        row = 0
        for group in range(file.num_row_groups):
            found = file.metadata.row_group(group)
            sizes[int(np.searchsorted(starts, row, side="right"))] += found.total_byte_size
            row += found.num_rows
    return sizes


def png_bytes(rgb: NDArray[np.uint8]) -> bytes:
    """Return a picture (H, W, 3) uint8 RGB as PNG."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(rgb[:, :, ::-1]))
    if not done:
        raise BadVideo(f"a picture of shape {rgb.shape} cannot be written as PNG")
    return data.tobytes()
