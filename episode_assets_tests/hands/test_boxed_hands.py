"""What follows from boxes whose score is no presence, and from networks whose errors were never measured."""

from __future__ import annotations

import pytest

from episode_assets.errors import BadConfig
from episode_assets.hands import HandPoseConfig
from episode_assets_tests.hands import boxed
from episode_assets_tests.hands.conftest import Estimated, estimated

BACKEND = "episode_assets_tests.hands.boxed:make"


@pytest.fixture(scope="module")
def boxes(demo_view, tmp_path_factory) -> Estimated:
    """A second of boxes that score less than what a followed hand needs."""
    view, _ = demo_view(seconds=1.0)
    return estimated(view, tmp_path_factory.mktemp("boxes"), config=HandPoseConfig(backend=BACKEND))


def test_hands_whose_boxes_score_little_are_kept_in_every_frame(boxes):
    """The threshold of boxes has judged them; what presence must be is said of followed hands only."""
    assert boxes.hands["frame_index"].to_pylist() == list(range(boxes.outcome.summary["frames"]))
    assert boxes.hands["confidence"].to_pylist() == pytest.approx([boxed.SCORE] * boxes.hands.num_rows)


def test_how_far_off_joints_may_be_is_stated_only_where_it_was_measured(boxes):
    for name in ("uncertainty_px", "uncertainty_m"):
        assert boxes.hands[name].null_count == boxes.hands.num_rows
        assert boxes.outcome.summary[f"{name}_median"] is None


@pytest.mark.parametrize("backend", [BACKEND, "precomputed"])
def test_joints_without_an_uncertainty_are_not_smoothed(backend):
    with pytest.raises(BadConfig, match="uncertainty"):
        HandPoseConfig(backend=backend, smoothing="track")
