import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.lerobot.time_grid import every_frame, nearest_frames
from episode_assets_tests.lerobot.archive import START_NS, make_scene


def source_with(stamps, gaps):
    """Return frames with stamps, and gaps before the frames named."""
    flags = np.zeros(len(stamps), bool)
    flags[gaps] = True
    return make_scene(stamp_ns=np.asarray(stamps)).source(gap_before=flags)


@st.composite
def recordings(draw):
    steps = draw(st.lists(st.integers(1_000_000, 160_000_000), min_size=1, max_size=60))
    stamps = START_NS + np.cumsum([0, *steps])
    gaps = draw(st.sets(st.integers(1, len(steps)), max_size=3))
    return source_with(stamps, sorted(gaps))


@settings(max_examples=150, deadline=None)
@given(source=recordings(), fps=st.integers(1, 60))
def test_every_row_shows_a_nearest_frame_of_its_own_run(source, fps):
    grid = nearest_frames(source, fps=fps)

    run = np.cumsum(source.gap_before)
    assert (np.diff(grid.frame) >= 0).all()
    for number in np.unique(run):
        frames = np.flatnonzero(run == number)
        rows = np.flatnonzero(run[grid.frame] == number)
        assert grid.frame[rows[0]] == frames[0]
        first = int(source.stamp_ns[frames[0]])
        exact = np.arange(len(rows)) * 1e9 / fps
        np.testing.assert_allclose(grid.grid_ns[rows] - first, exact, atol=1)
        distance = np.abs((source.stamp_ns[frames][None, :] - first) - exact[:, None])
        shown = distance[np.arange(len(rows)), grid.frame[rows] - frames[0]]
        np.testing.assert_allclose(shown, distance.min(axis=1), atol=2)
        # The grid reaches the last frame, and ends with it.
        beyond = int(source.stamp_ns[frames[-1]]) - first - exact[-1]
        assert -5e8 / fps - 1 <= beyond < 5e8 / fps + 1


@settings(max_examples=100, deadline=None)
@given(source=recordings(), fps=st.integers(1, 60), data=st.data())
def test_held_and_dropped_frames_account_for_every_row(source, fps, data):
    grid = nearest_frames(source, fps=fps)
    start = data.draw(st.integers(0, len(grid.frame) - 1))
    stop = data.draw(st.integers(start + 1, len(grid.frame)))

    report = grid.report(start, stop)

    frames = grid.frame[start:stop]
    assert stop - start - len(report.held_rows) == len(np.unique(frames))
    assert len(np.unique(frames)) + len(report.dropped_frames) == frames[-1] - frames[0] + 1
    assert all(frames[row] == frames[row - 1] for row in report.held_rows)


@settings(max_examples=100, deadline=None)
@given(source=recordings(), fps=st.integers(1, 60), data=st.data())
def test_a_range_of_frames_is_the_rows_that_show_them(source, fps, data):
    grid = nearest_frames(source, fps=fps)
    start = data.draw(st.integers(0, len(source)))
    stop = data.draw(st.integers(start, len(source)))

    first, last = grid.rows_of(start, stop)

    inside = (grid.frame >= start) & (grid.frame < stop)
    np.testing.assert_array_equal(np.flatnonzero(inside), np.arange(first, last))


def test_rows_after_a_gap_begin_a_new_run():
    stamps = START_NS + np.array([0, 100, 200, 1200, 1300, 1400]) * 1_000_000
    source = source_with(stamps, [3])

    rows = nearest_frames(source, fps=20).for_cuts(source)

    assert rows.gap_before.tolist() == [False] * 5 + [True] + [False] * 4
    assert np.diff(rows.stamp_ns)[:4].tolist() == [50_000_000] * 4


def test_retiming_shows_every_frame_once():
    source = make_scene(12).source()

    grid = every_frame(source)

    assert grid.frame.tolist() == list(range(12))
    assert len(grid.report(0, 12).held_rows) == len(grid.report(0, 12).dropped_frames) == 0
