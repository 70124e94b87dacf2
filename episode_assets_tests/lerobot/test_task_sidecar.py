import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.errors import BadConfig
from episode_assets.lerobot.segments import NOT_APPLICABLE, Said, Subtask, as_segments
from episode_assets.lerobot.task_sidecar import read_task_sidecar
from episode_assets_tests.lerobot.archive import stamps

FIRST_NS = 151_283_417_203_125


def read(*entries):
    return read_task_sidecar(json.dumps(entries).encode(), first_stamp_ns=FIRST_NS, where="a.tasks.json")


def entry(start_s, end_s, **words):
    return {"start_s": start_s, "end_s": end_s, **words}


def test_seconds_count_from_the_first_picture():
    said = read(entry(0, 1.5, task="pour tea"), entry(2, 3, task="drink", subtask="lift the cup"))

    assert said == (
        Said(FIRST_NS, FIRST_NS + 1_500_000_000, "pour tea", ""),
        Said(FIRST_NS + 2_000_000_000, FIRST_NS + 3_000_000_000, "drink", "lift the cup"),
    )


def test_entries_may_come_in_any_order_and_touch():
    assert [one.task for one in read(entry(2, 3, task="b"), entry(0, 2, task="a"))] == ["a", "b"]


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([entry(3, 2, task="a")], "entry 1 ends at 2.0 s and begins at 3.0 s"),
        ([entry(1, 1)], "entry 1 ends at 1.0 s"),
        ([entry(4, 6), entry(0, 5)], "entry 1 begins at 4 s, before entry 2 ends at 5 s"),
        ([entry(0, 1), entry(-1, 2)], "entry 2 has start_s -1"),
        ([entry(0, "2")], "entry 1 has end_s '2'"),
        ([entry(0, True)], "entry 1 has end_s True"),
        ([{"start_s": 0}], "entry 1 has end_s None"),
        ([entry(0, 1, tsk="a")], "entry 1 has an unknown key 'tsk', did you mean 'task'?"),
        ([entry(0, 1, task=5)], "entry 1 has task 5"),
        ([entry(0, 1, subtask="x" * 2001)], "entry 1 has a subtask of 2001 characters"),
        (["pour"], "entry 1 is 'pour'"),
    ],
)
def test_a_wrong_entry_is_named(entries, words):
    with pytest.raises(BadConfig, match=r"a\.tasks\.json") as caught:
        read(*entries)

    assert words in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"{", b"{}", b"\xff\xfe", b"[" * 100_000, b'[{"start_s": NaN, "end_s": 1}]']
)
def test_what_is_no_list_of_entries_is_refused(content):
    with pytest.raises(BadConfig):
        read_task_sidecar(content, first_stamp_ns=0, where="a.tasks.json")


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60), st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps)
    )
)
def test_any_content_gives_statements_or_a_bad_config(content):
    try:
        said = read_task_sidecar(
            content if isinstance(content, bytes) else content.encode(), first_stamp_ns=0, where="x"
        )
    except BadConfig:
        return
    assert all(one.start_ns < one.end_ns for one in said)


def test_touching_entries_of_one_task_are_one_segment_with_subtasks():
    at = stamps(45)
    said = read_task_sidecar(
        json.dumps(
            [
                entry(0, 1, task="pour  tea", subtask="reach"),
                entry(1, 2, task="pour tea", subtask="pour"),
                entry(2, 3, task="drink", subtask="N/A"),
            ]
        ).encode(),
        first_stamp_ns=int(at[0]),
        where="x",
    )

    first, second = as_segments(said, at)

    assert (first.start, first.stop, first.task) == (0, 30, "pour tea")
    assert first.subtasks == (Subtask(0, 15, "reach"), Subtask(15, 30, "pour"))
    assert (second.start, second.stop, second.subtasks) == (30, 45, ())


@pytest.mark.parametrize(("start_s", "frame"), [(0.467, 7), (0.4667, 7), (0.466, 7), (0.49, 7), (0.51, 8)])
def test_a_border_lies_at_the_nearest_frame(start_s, frame):
    at = stamps(45)
    said = read_task_sidecar(json.dumps([entry(start_s, 2)]).encode(), first_stamp_ns=int(at[0]), where="x")

    assert as_segments(said, at)[0].start == frame


def test_repetitions_of_a_task_without_subtasks_stay_apart():
    at = stamps(45)
    said = read_task_sidecar(
        json.dumps([entry(0, 1, task="knock"), entry(1, 2, task="knock")]).encode(),
        first_stamp_ns=int(at[0]),
        where="x",
    )

    assert [(one.start, one.stop) for one in as_segments(said, at)] == [(0, 15), (15, 30)]


@pytest.mark.parametrize("word", ["N/A", "n/a", " N/A\n"])
def test_not_applicable_is_told_by_its_word(word):
    (segment,) = as_segments([Said(0, 10**9, word)], stamps(5) - stamps(5)[0])

    assert not segment.is_applicable and segment.task.upper() == NOT_APPLICABLE
