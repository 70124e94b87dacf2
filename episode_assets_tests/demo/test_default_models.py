"""The default models really see the hands and the face of a demo recording."""

from __future__ import annotations

import numpy as np
import pytest

from episode_assets.demo import DemoConfig, write_demo
from episode_assets.errors import ModelMissing
from episode_assets_tests.demo.default_models import FaceModel, HandModel, overlap
from episode_assets_tests.demo.independent_reader import read_everything

EVERY = 5


@pytest.fixture(scope="module")
def full_size(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "demo.mcap"
    truth = write_demo(path, config=DemoConfig(seconds=4, with_imu=False, face_marker=(255, 0, 255)))
    return truth, read_everything(path)


def test_the_hand_models_find_the_hands_where_they_are(full_size):
    truth, written = full_size
    try:
        model = HandModel()
    except ModelMissing as missing:
        pytest.skip(str(missing))

    visible, errors, sides_right = 0, [], []
    for number in range(0, len(truth.stamp_ns), EVERY):
        found = model.hands(written.picture(number))
        for side in np.flatnonzero(truth.hand_in_view[number]):
            visible += 1
            distances = [
                np.linalg.norm(hand.joints_px - truth.hand_joints_px[number, side], axis=1) for hand in found
            ]
            best = min(range(len(found)), key=lambda i: np.median(distances[i]), default=None)
            if best is not None and np.median(distances[best]) < 25:
                errors.append(distances[best])
                sides_right.append((found[best].right_handedness >= 0.5) == (side == 1))

    assert visible >= 20
    assert len(errors) >= 0.9 * visible
    assert np.mean(np.array(errors) <= 25) > 0.95
    assert np.mean(sides_right) >= 0.95


def test_the_face_model_finds_the_marked_face_wherever_it_is_whole(full_size):
    truth, written = full_size
    try:
        model = FaceModel()
    except ModelMissing as missing:
        pytest.skip(str(missing))

    whole = np.flatnonzero(truth.face_visible_ratio == 1)[::EVERY]
    hit = [
        any(overlap(box, truth.face_box_px[n]) > 0.5 for box in model.boxes(written.picture(n)))
        for n in whole
    ]

    assert len(whole) >= 5
    assert all(hit)
