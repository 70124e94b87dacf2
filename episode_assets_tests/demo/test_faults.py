"""Faults and scenes that a demo recording can be asked for, seen by readers that know nothing of us."""

from __future__ import annotations

import numpy as np
import pytest

from episode_assets.demo import DemoConfig, DemoTruth, write_demo
from episode_assets.errors import BadConfig
from episode_assets_tests.demo.independent_reader import Written, read_everything, stamp_ns

SMALL = {"seconds": 3.0, "width": 96, "height": 54, "depth_width": 32, "fps": 10, "with_face": False}
FRAMES = {"fault": range(10, 20), "others": (*range(10), *range(20, 30))}


@pytest.fixture
def recorded(tmp_path):
    def record(**options) -> tuple[DemoTruth, Written]:
        path = tmp_path / "demo.mcap"
        return write_demo(path, config=DemoConfig(**{**SMALL, **options})), read_everything(path)

    return record


def jpegs(written: Written) -> list[bytes]:
    return [bytes(message.data) for message in written.topics["/camera/rgb/compressed"]]


def test_black_pictures_are_black_and_no_others(recorded):
    _, written = recorded(black_interval_s=(0.95, 1.95), sensor_noise=1.5)

    brightness = np.array([written.picture(number).mean() for number in range(30)])
    assert brightness[10:20].max() < 8
    assert brightness[list(FRAMES["others"])].min() > 40


def test_a_frozen_picture_is_the_one_before_and_all_else_goes_on(recorded):
    truth, written = recorded(frozen_interval_s=(0.95, 1.95))

    pictures = jpegs(written)
    assert set(pictures[9:20]) == {pictures[9]}
    assert pictures[20] != pictures[9] != pictures[8]
    assert len(set(truth.stamp_ns.tolist())) == 30
    assert not np.array_equal(written.depth_m(12), written.depth_m(15))


def test_a_covered_lens_sees_skin_and_measures_no_depth(recorded):
    _, written = recorded(covered_interval_s=(0.95, 1.95))

    for number in FRAMES["fault"]:
        picture = written.picture(number)
        assert picture.std(axis=(0, 1)).max() < 12
        assert picture[..., 0].mean() > picture[..., 2].mean() > 20
        assert not written.depth_m(number).any()
    assert all(written.depth_m(number).any() for number in FRAMES["others"])


def test_a_gap_leaves_out_what_the_camera_gives_while_tracking_stays_normal(recorded):
    truth, written = recorded(gap_interval_s=(0.95, 1.95))

    assert len(jpegs(written)) == len(truth.stamp_ns) == 20
    assert np.flatnonzero(truth.gap_before).tolist() == [10]
    for topic in ("/camera/depth", "/camera/pose"):
        assert len(written.topics[topic]) == 20
    assert {message.state for message in written.topics["/camera/tracking_state"]} == {2}
    assert np.diff(np.sort(written.stamps("/device/imu"))).max() < 20_000_000


@pytest.mark.parametrize(("clock", "is_moved"), [("camera", True), ("rgb", False)])
def test_a_shifted_clock_moves_stamps_and_no_log_times(recorded, clock, is_moved):
    before, plain = recorded()
    after, written = recorded(clock_shift_ms=200.0, shifted_clock=clock)

    shift_ns = 200_000_000
    for topic in ("/camera/rgb/compressed", "/camera/camera_info"):
        assert set(written.stamps(topic) - plain.stamps(topic)) == {shift_ns}
    for topic in ("/camera/pose", "/camera/depth", "/camera/tracking_state"):
        assert set(written.stamps(topic) - plain.stamps(topic)) == {shift_ns * is_moved}
    assert np.array_equal(written.stamps("/device/imu"), plain.stamps("/device/imu"))
    assert written.order == plain.order
    assert jpegs(written) == jpegs(plain)
    assert set(after.stamp_ns - before.stamp_ns) == {shift_ns}


def test_turns_of_the_head_are_quick_and_come_back(recorded):
    truth, written = recorded(seconds=8.0, motion=0.0, turns_per_min=8.0, turn_deg=60.0)

    speed = [np.linalg.norm([getattr(m.angular_velocity, axis) for axis in "xyz"]) for m in imu_of(written)]
    assert 1.5 < max(speed) < 6
    quaternions = truth.world_from_link_quaternion_xyzw
    turned = 2 * np.degrees(np.arccos(np.clip(np.abs(quaternions @ quaternions[0]), 0, 1)))
    assert 40 < turned.max() < 80
    assert turned[-1] < 1


def imu_of(written: Written) -> list:
    return sorted(written.topics["/device/imu"], key=stamp_ns)


def test_a_dark_room_and_a_white_wall_look_like_it(recorded):
    _, bright = recorded(seconds=0.3)
    _, dark = recorded(seconds=0.3, light=0.4)
    _, wall = recorded(seconds=0.3, place="wall", with_hands=False)

    assert dark.picture(0).mean() == pytest.approx(0.4 * bright.picture(0).mean(), rel=0.05)
    assert wall.picture(0).mean() > 190
    assert wall.picture(0).std() < 12 < bright.picture(0).std()
    assert np.median(wall.depth_m(0)) > 2


@pytest.mark.parametrize(("shown", "there"), [("left", [True, False]), ("right", [False, True])])
def test_one_hand_can_be_asked_for(recorded, shown, there):
    truth, _ = recorded(seconds=0.5, hands_shown=shown)

    assert np.isfinite(truth.hand_joints_cam).all(axis=(0, 2, 3)).tolist() == there


def test_noise_is_other_noise_in_each_picture_and_the_same_again(recorded):
    _, first = recorded(seconds=0.3, sensor_noise=3.0, motion=0.0, with_hands=False)
    _, again = recorded(seconds=0.3, sensor_noise=3.0, motion=0.0, with_hands=False)

    assert jpegs(first) == jpegs(again)
    assert len(set(jpegs(first))) == 3


@pytest.mark.parametrize(
    "option",
    [
        {"black_interval_s": (2.0, 1.0)},
        {"gap_interval_s": (-1.0, 1.0)},
        {"light": 0.0},
        {"place": "moon"},
        {"hands_shown": "three"},
        {"shifted_clock": "imu"},
        {"clock_shift_ms": 401.0},
        {"turns_per_min": 21.0},
        {"sensor_noise": -1.0},
    ],
    ids=lambda option: next(iter(option)),
)
def test_an_option_out_of_range_is_refused(option):
    with pytest.raises(BadConfig, match=next(iter(option))):
        DemoConfig(**option)
