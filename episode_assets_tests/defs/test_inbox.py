"""Which files of an inbox are handed on, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.defs.inbox import FULL_DIFF_EVERY, Cursor, Seen, decide
from episode_assets.errors import BadConfig


def finished(_seen: Seen) -> bool:
    return True


def growing(_seen: Seen) -> bool:
    return False


def test_a_finished_file_is_ready_at_once() -> None:
    decision = decide([Seen("a.mcap", 10, 5)], Cursor(), is_finished=finished)
    assert [seen.name for seen in decision.ready] == ["a.mcap"]


def test_a_file_without_an_end_is_ready_when_it_rests_for_one_tick() -> None:
    first = decide([Seen("a.mcap", 10, 5)], Cursor(), is_finished=growing)
    grown = decide([Seen("a.mcap", 20, 6)], first.cursor, is_finished=growing)
    at_rest = decide([Seen("a.mcap", 20, 6)], grown.cursor, is_finished=growing)

    assert first.ready == grown.ready == ()
    assert [seen.name for seen in at_rest.ready] == ["a.mcap"]


def test_a_file_that_still_grows_does_not_hold_up_a_later_one() -> None:
    listing = [Seen("slow.mcap", 10, 5), Seen("done.mcap", 10, 9)]
    first = decide(listing, Cursor(), is_finished=lambda seen: seen.name == "done.mcap")
    second = decide(listing, first.cursor, is_finished=growing)

    assert [seen.name for seen in first.ready] == ["done.mcap"]
    assert [seen.name for seen in second.ready] == ["slow.mcap"]


def test_nothing_is_opened_or_handed_on_twice() -> None:
    listing = [Seen(f"{n}.mcap", 10, n) for n in range(1, 50)]
    opened: list[str] = []

    def remember(seen: Seen) -> bool:
        opened.append(seen.name)
        return True

    first = decide(listing, Cursor(), is_finished=remember)
    second = decide([*listing, Seen("new.mcap", 1, 100)], first.cursor, is_finished=remember)

    assert len(first.ready) == 49
    assert [seen.name for seen in second.ready] == ["new.mcap"]
    assert opened[49:] == ["new.mcap"]


def test_a_file_below_the_mark_is_found_by_the_full_comparison() -> None:
    first = decide([Seen("a.mcap", 1, 100)], Cursor(), is_finished=finished)
    listing = [Seen("a.mcap", 1, 100), Seen("old-clock.mcap", 1, 7)]

    missed = decide(listing, first.cursor, is_finished=finished)
    found = decide(listing, first.cursor, is_finished=finished, known={"a.mcap"})

    assert missed.ready == ()
    assert [seen.name for seen in found.ready] == ["old-clock.mcap"]


def test_the_full_comparison_is_asked_for_every_twentieth_tick() -> None:
    ticks = [tick for tick in range(60) if Cursor(tick=tick).wants_full_diff]
    assert ticks == [0, FULL_DIFF_EVERY, 2 * FULL_DIFF_EVERY]


def test_a_mangled_cursor_is_a_named_error_with_the_remedy() -> None:
    with pytest.raises(BadConfig, match="reset the cursor"):
        Cursor.load('{"mark": 3}')


names = st.text("abc", min_size=1, max_size=3)
files = st.builds(Seen, names, st.integers(0, 5), st.integers(1, 30))


@given(
    st.lists(st.tuples(st.lists(files, unique_by=lambda seen: seen.name), st.integers(1, 3)), max_size=6),
    st.randoms(use_true_random=False),
)
def test_every_file_at_rest_is_handed_on_and_the_cursor_survives_text(ticks, random) -> None:
    cursor = Cursor()
    for listing, limit in ticks:
        decision = decide(listing, cursor, is_finished=lambda _: random.random() < 0.5, limit=limit)
        cursor = Cursor.load(decision.cursor.dump())
        assert cursor == decision.cursor
    last = listing if ticks else []
    known: set[str] = set()
    for _ in range(2 * len(last) + 3):
        decision = decide(last, cursor, is_finished=growing, known=known)
        known |= {seen.name for seen in decision.ready}
        cursor = decision.cursor
    assert known == {seen.name for seen in last}
