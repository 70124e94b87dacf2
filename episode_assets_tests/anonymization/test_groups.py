"""Groups of pictures lie on a grid over the stream, whatever pictures are left out."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.anonymization.groups import group_spans

STEP_NS = 66_666_667


def groups_of(positions: list[int], *, start: int = 0, length: int = 5) -> list[list[int]]:
    column = np.array(positions, np.int64)
    spans = group_spans(column, column * STEP_NS, start=start, length=length, gap_ns=2 * STEP_NS)
    return [positions[first:last] for first, last in spans]


def test_groups_begin_on_the_grid() -> None:
    assert groups_of(list(range(12))) == [list(range(5)), list(range(5, 10)), [10, 11]]
    assert groups_of([]) == []


def test_pictures_that_are_left_out_move_no_later_group() -> None:
    assert groups_of([0, 1, 3, 4, 6, 7, 8, 9, 11]) == [[0, 1, 3, 4], [6, 7, 8, 9], [11]]


def test_a_hole_that_left_out_pictures_make_begins_a_group() -> None:
    assert groups_of([0, 1, 4, 5]) == [[0, 1], [4], [5]]


@given(st.sets(st.integers(0, 59)), st.integers(1, 4))
def test_groups_do_not_depend_on_where_units_begin(kept: set[int], unit_groups: int) -> None:
    unit = 5 * unit_groups
    in_parts = [
        group
        for start in range(0, 60, unit)
        for group in groups_of(sorted(p for p in kept if start <= p < start + unit), start=start)
    ]

    assert in_parts == groups_of(sorted(kept))
