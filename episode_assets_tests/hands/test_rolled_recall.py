"""Hands are found as well in recordings of a camera worn sideways or upside down as in upright ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from episode_assets.demo import DemoConfig, write_demo
from episode_assets.recording import RecordingView
from episode_assets_tests.hands.conftest import Estimated, estimated

OFF_PX_AT_1280 = 25
JOINTS = 21
LESS = 0.05


class Recall(NamedTuple):
    """Shares over the true hands that lie wholly in view.

    Attributes:
        hands: Of the hands, those for which a row of their side has most joints in place.
        joints: Of their joints, those in place; a hand without a row has none.
    """

    hands: float
    joints: float


def recall(run: Estimated) -> Recall:
    truth = run.truth
    assert truth is not None
    reach = OFF_PX_AT_1280 * truth.size_px.max() / 1280
    in_place = np.zeros((*truth.hand_in_view.shape, JOINTS), bool)
    frame_of = {int(number): frame for frame, number in enumerate(truth.message_number)}
    joints = run.numbers("joints_px").reshape(-1, JOINTS, 2)
    for number, side, pixels in zip(
        run.hands["message_number"].to_pylist(), run.hands["side"].to_pylist(), joints, strict=True
    ):
        frame, hand = frame_of[number], ("left", "right").index(side)
        off = np.linalg.norm(pixels - truth.hand_joints_px[frame, hand], axis=1)
        in_place[frame, hand] |= off <= reach
    seen = in_place[truth.hand_in_view]
    assert len(seen) >= 50
    return Recall(float((seen.sum(axis=1) > JOINTS / 2).mean()), float(seen.mean()))


@pytest.fixture(scope="module")
def recall_at(
    tmp_path_factory: pytest.TempPathFactory, scanned: Callable[[Path], RecordingView], weights: Path
) -> Callable[[int, int, int], Recall]:
    known: dict[tuple[int, int, int], Recall] = {}

    def measure(roll_deg: int, width: int, height: int) -> Recall:
        key = (roll_deg, width, height)
        if key not in known:
            folder = tmp_path_factory.mktemp("rolled")
            config = DemoConfig(seconds=2, width=width, height=height, roll_deg=roll_deg, with_mesh=False)
            truth = write_demo(folder / "demo.mcap", config=config)
            known[key] = recall(estimated(scanned(folder / "demo.mcap"), folder / "artifact", truth=truth))
        return known[key]

    return measure


SIZES = [(640, 360), pytest.param((1280, 720), marks=pytest.mark.long)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("roll_deg", [90, 180, 270])
def test_recall_of_hands_stays_within_five_points_of_upright(
    recall_at: Callable[[int, int, int], Recall], roll_deg: int, size: tuple[int, int]
) -> None:
    upright, rolled = recall_at(0, *size), recall_at(roll_deg, *size)

    assert upright.hands >= 0.95
    assert rolled.hands >= upright.hands - LESS


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("roll_deg", [90, 270])
def test_joints_of_a_sideways_recording_lie_as_well_as_those_of_its_upright_twin(
    recall_at: Callable[[int, int, int], Recall], roll_deg: int, size: tuple[int, int]
) -> None:
    """A sideways view is narrow and hides thumbs behind the other hand: a portrait one shows the same upright."""
    twin, rolled = recall_at(0, *size[::-1]), recall_at(roll_deg, *size)

    assert twin.joints >= 0.85
    assert abs(rolled.joints - twin.joints) <= LESS
