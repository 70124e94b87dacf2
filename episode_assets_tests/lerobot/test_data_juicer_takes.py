"""Whatever a sample holds, it becomes takes or reasons, and never an accident."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.lerobot.data_juicer.rows import COLUMNS, rows_of
from episode_assets.lerobot.data_juicer.takes import NoEpisode, Take, take_of_video, takes_of_segments

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 9),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.integers(-2, 30), max_size=4),
    st.lists(st.lists(st.floats(-9, 9, width=32), min_size=7, max_size=8), max_size=4),
    st.dictionaries(st.sampled_from(["action", "states"]), st.text(max_size=4), max_size=1),
)
KEYS = (
    "states",
    "actions",
    "valid_frame_ids",
    "joints_world",
    "hand_type",
    "start_frame",
    "end_frame",
    "caption",
    "right",
    "left",
)


@st.composite
def hands(draw):
    """Return a hand as it should be, with a few values replaced by anything."""
    frames = sorted(draw(st.sets(st.integers(0, 30), min_size=2, max_size=10)))
    count = len(frames)
    rows = np.arange(8 * count, dtype=float).reshape(count, 8) / 50
    found = {
        "states": rows.tolist(),
        "actions": rows[:, :7].tolist(),
        "valid_frame_ids": frames,
        "hand_type": draw(st.sampled_from(["left", "right"])),
        "start_frame": draw(st.integers(0, frames[0])),
        "end_frame": frames[-1] + draw(st.integers(0, 3)),
        "caption": "pour",
    }
    return found | draw(st.dictionaries(st.sampled_from(KEYS), ODD, max_size=2))


def check(take):
    rows = rows_of(take, fps=10)
    assert set(rows) == {column.key for column in COLUMNS}
    assert {len(values) for values in rows.values()} == {len(take)}
    for column in COLUMNS:
        assert rows[column.key].reshape(len(take), -1).shape[1] == column.width
        assert rows[column.key].dtype == column.dtype
    assert np.isfinite(rows["observation.state"]).all()
    assert not rows["action"][~rows["valid.action"], :6].any()
    assert not (rows["valid.action"] & ~rows["valid.hand"]).any()
    assert rows["source.frame_index"].tolist() == take.frames.tolist()
    assert len(set(np.diff(take.frames))) <= 1


@settings(max_examples=150, deadline=None)
@given(st.one_of(hands(), st.fixed_dictionaries({"right": hands(), "left": st.one_of(hands(), ODD)}), ODD))
def test_any_hands_of_a_video_are_a_take_or_a_reason(found):
    try:
        take = take_of_video(found, text="pour")
    except NoEpisode as reason:
        assert reason.code and reason.detail
    else:
        check(take)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(hands(), ODD), max_size=4))
def test_any_segments_are_takes_or_reasons(segments):
    found = list(takes_of_segments(segments, frames=40))

    assert len(found) == len(segments)
    for one in found:
        if isinstance(one, Take):
            check(one)
