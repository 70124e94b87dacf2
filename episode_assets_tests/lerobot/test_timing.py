import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.lerobot.timing import LeftOut, choose_fps, grid_breaks, step_fits
from episode_assets_tests.lerobot.archive import stamps


@pytest.mark.parametrize(("rate", "fps"), [(15.0, 15), (29.97, 30), (14.8, 15), (30.4, 30)])
def test_a_rate_within_two_percent_of_a_whole_number_is_taken(rate, fps):
    assert choose_fps(stamps(100, fps=rate), asked=0) == fps


@pytest.mark.parametrize(
    ("rate", "asked", "words"), [(12.5, 0, "a whole number"), (15, 10, "the 10 Hz of the recipe")]
)
def test_a_rate_far_from_the_grid_would_need_resampling(rate, asked, words):
    refused = choose_fps(stamps(100, fps=rate), asked=asked)

    assert isinstance(refused, LeftOut)
    assert refused.code == "resampling_needed"
    assert f"{rate:.3f} Hz" in refused.detail and words in refused.detail


def test_a_rate_that_the_recipe_names_is_taken_if_it_fits():
    assert choose_fps(stamps(100, fps=29.97), asked=30) == 30


def test_one_frame_has_no_rate():
    assert choose_fps(stamps(1), asked=0).code == "too_few_frames"


def test_a_slow_clock_drift_is_no_reason_to_cut():
    assert grid_breaks(stamps(15 * 600, fps=15 * 1.005), fps=15) == []


def test_a_single_missing_frame_begins_a_new_episode():
    assert grid_breaks(stamps(60, holes=[31], hole_frames=1), fps=15) == [31]


def breaks_by_definition(stamps_ns, fps):
    breaks, start = [], 0
    for here in range(len(stamps_ns)):
        for i in range(start, here):
            apart = int(stamps_ns[here] - stamps_ns[i])
            if apart <= 2_000_000_000 and 2 * abs(apart * fps - (here - i) * 10**9) > 10**9:
                breaks.append(here)
                start = here
                break
    return breaks


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=80), st.sampled_from([10, 15, 30]))
def test_breaks_are_those_of_the_definition(steps_ms, fps):
    stamps_ns = 10**15 + np.cumsum(np.array(steps_ms, dtype=np.int64)) * 1_000_000

    assert grid_breaks(stamps_ns, fps=fps) == breaks_by_definition(stamps_ns, fps)


def test_a_step_fits_within_half_a_period():
    assert step_fits(99_999_999, fps=15)
    assert step_fits(100_000_000, fps=15)
    assert not step_fits(100_000_001, fps=15)
