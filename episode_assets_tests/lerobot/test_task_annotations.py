import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.lerobot.task_annotations import read_annotations
from episode_assets.recording import TextStream


def stream(*rows):
    return TextStream(
        np.array([row[0] for row in rows], dtype=np.int64),
        np.arange(len(rows), dtype=np.int64),
        tuple(row[1] for row in rows),
        tuple(row[2] for row in rows),
    )


def spans(*rows, topics=(), end_ns=100):
    found = read_annotations(stream(*rows), topics=topics, end_ns=end_ns)
    return [(one.start_ns, one.end_ns, one.task, one.subtask) for one in found.said]


def test_a_text_holds_until_the_next_one_and_an_empty_one_ends_it():
    assert spans((10, "/task", "pour"), (30, "/task", "drink"), (50, "/task", "")) == [
        (10, 30, "pour", ""),
        (30, 50, "drink", ""),
    ]


def test_the_last_text_holds_to_the_end():
    assert spans((10, "/instruction", " pour ")) == [(10, 100, "pour", "")]


def test_subtasks_divide_a_task_and_end_with_it():
    rows = [(0, "/task", "tea"), (10, "/subtask", "reach"), (20, "/subtask", "pour"), (30, "/task", "drink")]

    assert spans(*rows) == [
        (0, 10, "tea", ""),
        (10, 20, "tea", "reach"),
        (20, 30, "tea", "pour"),
        (30, 100, "drink", ""),
    ]


def test_an_object_may_say_how_long_it_lasts():
    rows = [
        (10, "/annotations", '{"task": "pour", "subtask": "tilt", "duration_s": 2e-8}'),
        (60, "/annotations", '{"label": "rest"}'),
    ]

    assert spans(*rows) == [(10, 30, "pour", "tilt"), (60, 100, "rest", "")]


def test_only_topics_about_tasks_count_unless_others_are_named():
    rows = [(0, "/events", "door bell"), (10, "/task", "pour")]

    assert spans(*rows) == [(10, 100, "pour", "")]
    assert spans(*rows, topics=("/events",)) == [(0, 100, "door bell", "")]


@pytest.mark.parametrize(
    "text", ['{"speed": 3}', "{", '{"task": 7}', '{"task": "a", "duration_s": -1}', "x" * 2001]
)
def test_what_says_no_task_is_counted_and_changes_nothing(text):
    found = read_annotations(stream((0, "/task", "pour"), (10, "/task", text)), topics=(), end_ns=50)

    assert found.unread == 1
    assert [(one.start_ns, one.end_ns) for one in found.said] == [(0, 50)]


words = st.one_of(
    st.sampled_from(["", "a", "b", '{"subtask": "s"}', '{"task": "t", "duration_s": 1e-8}', "{}"]),
    st.text(max_size=8),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 120), st.sampled_from(["/task", "/subtask"]), words), max_size=12))
def test_spans_are_sorted_disjoint_and_inside(rows):
    found = spans(*sorted(rows, key=lambda row: row[0]))

    edges = [edge for start, end, *_ in found for edge in (start, end)]
    assert edges == sorted(edges) and all(0 <= edge <= 100 for edge in edges)
    assert all(start < end and (task or subtask) for start, end, task, subtask in found)
