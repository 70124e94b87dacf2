"""Tables that are written a piece at a time are the tables that are written as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from episode_assets.long_tables import ROW_GROUP, Rows, write_rows


@pytest.mark.parametrize("count", [0, 1, ROW_GROUP, ROW_GROUP + 1, 2 * ROW_GROUP + 5])
def test_the_bytes_are_those_of_the_whole_table(count: int, tmp_path: Path) -> None:
    columns = {
        "number": np.arange(count),
        "measured": np.sin(np.arange(count)),
        "word": pa.array([("left", "right")[row % 2] for row in range(count)], pa.string()),
    }
    pq.write_table(
        pa.table(columns), tmp_path / "whole.parquet", compression="zstd", row_group_size=ROW_GROUP
    )

    write_rows(tmp_path / "pieces.parquet", Rows.of(columns))

    assert (tmp_path / "pieces.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_no_more_than_a_row_group_is_asked_for_at_once(tmp_path: Path) -> None:
    asked = []

    def part(rows: slice) -> dict[str, np.ndarray]:
        asked.append(rows.stop - rows.start)
        return {"number": np.arange(2 * ROW_GROUP + 5)[rows]}

    write_rows(tmp_path / "table.parquet", Rows(2 * ROW_GROUP + 5, part))

    assert asked == [ROW_GROUP] * 3
    assert pq.read_metadata(tmp_path / "table.parquet").num_rows == 2 * ROW_GROUP + 5
