"""Which finds become hands beside those that are followed, and when they are looked for."""

from __future__ import annotations

import numpy as np
import pytest

from episode_assets.hands import Backend, HandPoseConfig, Readings
from episode_assets.hands.regions import Regions, crop_to_picture
from episode_assets.hands.tracking import Tracker
from episode_assets_tests.hands.stand_in import SHAPE

PICTURE = np.zeros((360, 640, 3), np.uint8)
LARGE = [200.0, 180.0, 150.0, 0.0]
ON_ITS_KNUCKLES = [230.0, 170.0, 30.0, 0.0]
BESIDE = [400.0, 180.0, 30.0, 0.0]
ONE_THAT_TOUCHES = [230.0, 170.0, 80.0, 0.0]


class Seer:
    """Sees a hand in every region that it is told to look at, as long as its eyes are open; finds what is set."""

    def __init__(self, *regions: list[float]) -> None:
        self.finds = list(regions)
        self.is_open = True
        self.looks: list[float] = []
        self.now_s = 0.0

    def detect(self, rgb: np.ndarray) -> Regions:
        return np.array(self.finds).reshape(-1, 4)

    def detect_beside(self, rgb: np.ndarray, known: Regions) -> Regions:
        self.looks.append(self.now_s)
        return np.zeros((0, 4))

    def estimate(self, rgb: np.ndarray, regions: Regions) -> Readings:
        count = len(regions)
        joints = crop_to_picture(np.tile(SHAPE * 900 + [112, 170, 0], (count, 1, 1)), regions)
        presence = np.full(count, 0.9 if self.is_open else 0.0)
        return Readings(regions, joints, np.tile(SHAPE, (count, 1, 1)), presence, np.ones(count))

    def next_regions(self, readings: Readings) -> Regions:
        return readings.regions


def fed(tracker: Tracker, seer: Seer, seconds: np.ndarray) -> None:
    for second in seconds:
        seer.now_s = float(second)
        tracker.feed(round(second * 10), round(second * 1e9), PICTURE)


@pytest.mark.parametrize("first", [[], [LARGE]], ids=["found together", "known before"])
@pytest.mark.parametrize(
    ("other", "hands"), [(ON_ITS_KNUCKLES, 1), (BESIDE, 2), (ONE_THAT_TOUCHES, 2)], ids=["on", "by", "large"]
)
def test_a_small_hand_on_a_much_larger_one_is_a_part_of_it(first, other, hands):
    seer = Seer(*first)
    tracker = Tracker(Backend(seer, seer), HandPoseConfig(key_interval_s=0.1))
    fed(tracker, seer, np.array([0.0]))
    seer.finds = [other, LARGE]

    fed(tracker, seer, np.array([0.2, 0.4]))

    assert len(np.unique(tracker.sightings().track)) == hands


def test_tiles_that_there_was_no_room_to_look_at_make_nobody_more_patient():
    seer = Seer(LARGE)
    config = HandPoseConfig(max_hands=1, wide_interval_s=1.0, key_interval_s=0.2, key_interval_busy_s=0.2)
    tracker = Tracker(Backend(seer, seer, seer), config)
    fed(tracker, seer, np.arange(0.0, 10.0, 0.1))
    seer.finds, seer.is_open = [], False

    fed(tracker, seer, np.arange(10.0, 10.5, 0.1))

    assert seer.looks == [0.0, 10.0]
    assert tracker.key_positions[:2] == [0, 100]
