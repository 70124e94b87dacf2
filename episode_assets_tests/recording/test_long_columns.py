"""Columns that lie partly on disk give back what was put into them, in any order, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from episode_assets.recording import RecordingView, scan_recording
from episode_assets.recording.long_columns import BLOCK_NUMBERS, READ_ROWS, LongColumn, Spool
from episode_assets_tests.recording import rig as ros
from episode_assets_tests.recording.rig import EPOCH_NS, Rig

LENGTHS = st.one_of(st.integers(0, 50), st.integers(BLOCK_NUMBERS - 2, 3 * BLOCK_NUMBERS))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(LENGTHS, max_size=5), ways=st.lists(st.integers(0, 2), min_size=5, max_size=5))
def test_a_column_gives_back_what_came_one_by_one_in_lists_and_in_bytes(
    tmp_path: Path, lengths: list[int], ways: list[int]
) -> None:
    expected = np.arange(sum(lengths), dtype=np.int64) ** 2
    with Spool(tmp_path) as spool:
        column = LongColumn("q", spool)
        start = 0
        for length, way in zip(lengths, ways, strict=False):
            values = expected[start : start + length]
            start += length
            if way == 0:
                column.frombytes(values.tobytes())
            elif way == 1:
                column.extend(values.tolist())
            else:
                for value in values.tolist():
                    column.append(value)
        middle = start // 2

        assert len(column) == start
        assert np.array_equal(column.all(), expected)
        assert np.array_equal(column.read(middle, start), expected[middle:])


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(1, 3 * READ_ROWS),
    width=st.integers(1, 10),
    seed=st.integers(0, 99),
    spooled=st.booleans(),
)
def test_rows_are_picked_in_any_order_and_repeatedly(
    tmp_path: Path, count: int, width: int, seed: int, spooled: bool
) -> None:
    random = np.random.default_rng(seed)
    values, rows = random.normal(size=(count, width)), random.integers(0, count, 500)
    with Spool(tmp_path) as spool:
        column = LongColumn("d", spool if spooled else None)
        column.frombytes(values.tobytes())

        assert np.array_equal(column.take(rows, width), values[rows])
        assert np.array_equal(np.concatenate(list(column.pieces(width))), values)


def test_what_is_read_cannot_be_written_to_and_the_column_goes_on() -> None:
    column = LongColumn("q")
    column.extend([1, 2])

    found = column.all()
    column.append(3)

    assert found.tolist() == [1, 2]
    assert list(column) == [1, 2, 3]
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 7


def test_a_block_that_is_not_there_is_trouble_with_the_disk(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        start = spool.put(b"eight...")

        assert spool.get(start, 8) == b"eight..."
        with pytest.raises(OSError, match="9 bytes at 0"):
            spool.get(start, 9)


def test_a_scan_leaves_no_scratch_and_a_disordered_stream_is_sorted_across_blocks(tmp_path: Path) -> None:
    count = 2 * BLOCK_NUMBERS
    shuffled = np.random.default_rng(4).permutation(count)
    rig = Rig(tmp_path / "rig.mcap")
    for position in shuffled.tolist():
        rig.add("/imu", ros.imu(EPOCH_NS + position * 1_000_000, (position, 0, 9.81)))
    out = tmp_path / "raw"
    out.mkdir()

    scan_recording(str(rig.close()), out, recording_id="shuffled")

    imu = RecordingView.open(out, str(tmp_path / "rig.mcap")).imu
    assert imu is not None
    assert imu.linear_acceleration[:, 0].tolist() == list(range(count))
    assert {path.name for path in out.iterdir()} == {
        "inventory.json",
        "recording.json",
        "offsets.parquet",
        "chunks.parquet",
        "schemas.parquet",
        "streams",
    }
