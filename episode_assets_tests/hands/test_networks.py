"""The networks themselves, on pictures of the demo recording."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from episode_assets import models
from episode_assets.errors import BadConfig, ModelMissing
from episode_assets.hands import HandPoseConfig
from episode_assets.hands.backends import Backend, load_backend
from episode_assets.hands.networks import Precision, load_network
from episode_assets.hands.regions import warp_regions
from episode_assets.hands.tracking import Tracker
from episode_assets.models.litert import Network
from episode_assets.video import decode_picture, picture_to_rgb
from episode_assets_tests.hands.stand_in import BrightSpot


@pytest.fixture(scope="module")
def picture(whole_view):
    view, _ = whole_view
    message = next(view.rgb.read(12, 13))
    return picture_to_rgb(decode_picture(message.format, message.data))


@pytest.fixture(scope="module")
def backend(weights):
    del weights
    return load_backend(HandPoseConfig())


def hands_in(backend, rgb):
    readings = backend.estimator.estimate(rgb, backend.detector.detect(rgb))
    readings = backend.estimator.estimate(rgb, backend.estimator.next_regions(readings))
    sure = readings.take(readings.presence > 0.7)
    return sure.take(np.argsort(sure.joints_px[:, 0, 0]))


def test_both_hands_of_a_picture_lie_where_they_are(backend, picture, whole_view):
    _, truth = whole_view

    found = hands_in(backend, picture)

    assert len(found) == 2
    error = np.linalg.norm(found.joints_px[..., :2] - truth.hand_joints_px[12], axis=2)
    assert np.median(error) < 8


def test_the_mirror_of_a_picture_swaps_left_and_right(backend, picture):
    seen = hands_in(backend, picture)
    mirrored = hands_in(backend, np.ascontiguousarray(picture[:, ::-1]))

    np.testing.assert_array_equal(seen.right >= 0.5, [False, True])
    np.testing.assert_array_equal(mirrored.right >= 0.5, [False, True])
    width = picture.shape[1]
    np.testing.assert_allclose(width - 1 - mirrored.joints_px[::-1, 0, 0], seen.joints_px[:, 0, 0], atol=12)


def test_told_that_pictures_are_mirrored_the_answer_turns_round(weights, picture):
    del weights
    selfie = load_backend(HandPoseConfig(mirrored_input=True))

    np.testing.assert_array_equal(hands_in(selfie, picture).right >= 0.5, [True, False])


def test_a_hand_reads_the_same_alone_and_in_a_batch(backend, picture):
    regions = backend.detector.detect(picture)[:2]

    together = backend.estimator.estimate(picture, regions)
    alone = backend.estimator.estimate(picture, regions[1:])

    np.testing.assert_allclose(together.joints_px[1], alone.joints_px[0], atol=0.05)
    np.testing.assert_allclose(together.presence[1], alone.presence[0], atol=1e-4)


def test_no_regions_give_no_readings(backend, picture):
    readings = backend.estimator.estimate(picture, np.zeros((0, 4)))

    assert len(readings) == 0
    assert backend.estimator.next_regions(readings).shape == (0, 4)


def test_outputs_are_known_by_their_names(weights):
    del weights
    network = Network(models.find("hand_landmark_full"))

    outputs = network(warp_regions(np.zeros((50, 50, 3), np.uint8), np.array([[25.0, 25, 30, 0]])))

    assert {name: value.shape for name, value in outputs.items()} == {
        "Identity": (1, 63),
        "Identity_1": (1, 1),
        "Identity_2": (1, 1),
        "Identity_3": (1, 63),
    }


def test_a_file_that_is_no_network_is_named(tmp_path):
    path = tmp_path / "broken.tflite"
    path.write_bytes(b"not a network" * 100)

    with pytest.raises(ModelMissing, match=r"broken\.tflite"):
        Network(path)(np.zeros((1, 4, 4, 3), np.float32))


def test_weights_that_are_not_there_are_named_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("EPISODE_ASSETS_MODELS", str(tmp_path / "none"))
    monkeypatch.setenv("EPISODE_ASSETS_CACHE", str(tmp_path / "empty"))

    with pytest.raises(ModelMissing, match=r"palm_detection_lite.*models fetch"):
        load_backend(HandPoseConfig())


@pytest.mark.parametrize(
    "name", ["mediapip", "episode_assets.hands.backends:nothing", "no_such_module:make", ""]
)
def test_an_unknown_backend_is_refused(name):
    with pytest.raises(BadConfig, match="hand backend"):
        load_backend(HandPoseConfig(backend=name))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"palm_threshold": 0.0}, "palm_threshold"),
        ({"max_hands": 0}, "max_hands"),
        ({"max_hands": True}, "max_hands"),
        ({"others": "blur"}, "others"),
        ({"start_presence": 0.3}, "continue_presence"),
        ({"roi_min_px": 950.0}, "roi_min_px"),
        ({"depth_near_m": 2.0}, "depth_near_m"),
        ({"key_interval_s": 2.0}, "key_interval_s"),
    ],
)
def test_settings_out_of_range_are_named(options, message):
    with pytest.raises(BadConfig, match=message):
        HandPoseConfig(**options)


@pytest.mark.parametrize("name", ["palm_detection_lite", "hand_landmark_full"])
def test_bfloat16_says_nearly_what_float32_says(weights, picture, name):
    side = 192 if name.startswith("palm") else 224
    crops = picture[None, 90 : 90 + side, 90 : 90 + side].astype(np.float32) / 255

    exact, brief = (
        load_network(weights / f"{name}.tflite", precision)(crops) for precision in ("float32", "bfloat16")
    )

    assert exact.keys() == brief.keys()
    for key, values in exact.items():
        assert brief[key].shape == values.shape
        assert np.abs(brief[key] - values).mean() <= 0.05 * np.ptp(values) + 0.02


def test_a_file_that_is_no_network_is_named_by_both_runtimes(tmp_path):
    path = tmp_path / "broken.tflite"
    path.write_bytes(b"no network")

    for precision in get_args(Precision):
        with pytest.raises(ModelMissing, match="broken"):
            load_network(path, precision)(np.zeros((1, 224, 224, 3), np.float32))


class _Sees:
    """An estimator that sees the same in every region."""

    def __init__(self, presence: float) -> None:
        self._presence = presence

    def estimate(self, rgb, regions):
        return replace(BrightSpot().estimate(rgb, regions), presence=np.full(len(regions), self._presence))

    def next_regions(self, readings):
        return BrightSpot().next_regions(readings)


@pytest.mark.parametrize(("second", "tracks"), [(0.8, 1), (0.1, 0)])
def test_a_hand_that_the_second_network_does_not_see_is_not_followed(second, tracks):
    """The first sees it with 0.9, also in a wider region."""
    rgb = np.zeros((360, 640, 3), np.uint8)
    rgb[150:200, 300:350] = 255
    tracker = Tracker(Backend(BrightSpot(), BrightSpot(), second=_Sees(second)), HandPoseConfig())

    tracker.feed(0, 0, rgb)

    assert len(np.unique(tracker.sightings().track)) == tracks


class _Nobody:
    """A detector of small hands that finds none and counts how often it looks."""

    def __init__(self) -> None:
        self.looks = 0

    def detect_beside(self, rgb, known):
        self.looks += 1
        return np.zeros((0, 4))


@pytest.mark.parametrize(("wide_interval_s", "looks"), [(0.0, 0), (1.0, 4)])
def test_tiles_in_which_nobody_is_are_looked_at_ever_less_often(wide_interval_s, looks):
    """At 0 s the hand is found, so again at 1 s; then not before 3 s and 7 s."""
    rgb = np.zeros((360, 640, 3), np.uint8)
    rgb[150:200, 300:350] = 255
    wide = _Nobody()
    config = HandPoseConfig(wide_interval_s=wide_interval_s, key_interval_s=0.5, key_interval_busy_s=0.5)
    tracker = Tracker(Backend(BrightSpot(), BrightSpot(), wide), config)

    for position in range(17):
        tracker.feed(position, position * 500_000_000, rgb)

    assert wide.looks == looks
