"""Rows of a table laid out over the pictures a block at a time, so that memory does not grow with their number.

What the columns mean belongs to the tables that use this (`hands`, `mano`, `upper_body`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.bundle.annotation import PACKED_ROWS
from episode_assets.errors import ArtifactDamaged

BLOCK_PICTURES = 4 * PACKED_ROWS
"""Pictures of a block, a whole number of chunks of the annotation file; about 4 MB of one hand."""


@dataclass(frozen=True)
class Piece:
    """Rows of a table and, for each, where in its block the picture is that it belongs to, (n,) int64."""

    rows: pa.Table
    at: NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """Pictures `[start, start + count)` and the rows that belong to them."""

    start: int
    count: int
    pieces: tuple[Piece, ...]


def picture_blocks(
    batches: Iterable[tuple[pa.Table, NDArray[np.int64]]], F: int, *, where: str, remedy: str
) -> Iterator[Block]:
    """Yield blocks that cover F pictures, in order; each is let go of before the next is put together.

    Args:
        batches: Rows, and the picture of each; pictures never decrease, or a block could never be closed.
        F: Number of pictures.
        where: Name of the table.
        remedy: What helps where its rows are out of order.

    Raises:
        ArtifactDamaged: Rows are not in the order of the pictures.
    """
    start, pieces = 0, list[Piece]()
    for table, pictures in batches:
        if len(pictures) and (pictures[0] < start or (np.diff(pictures) < 0).any()):
            raise ArtifactDamaged("the rows are not in the order of the pictures", where=where, remedy=remedy)
        done = 0
        while done < len(pictures):
            stop = int(np.searchsorted(pictures, start + BLOCK_PICTURES))
            if stop > done:
                pieces.append(Piece(table.slice(done, stop - done), pictures[done:stop] - start))
                done = stop
            if done < len(pictures):
                yield Block(start, BLOCK_PICTURES, tuple(pieces))
                start, pieces = start + BLOCK_PICTURES, []
    while start < F:
        yield Block(start, min(BLOCK_PICTURES, F - start), tuple(pieces))
        start, pieces = start + BLOCK_PICTURES, []
