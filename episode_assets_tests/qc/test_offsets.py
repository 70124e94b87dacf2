"""Constant offsets told from motion: on made-up motion, and on pictures of a demo recording with a shifted clock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from episode_assets.anonymization.signals import SignalMeter
from episode_assets.demo import DemoConfig, write_demo
from episode_assets.geometry import matrix_to_quaternion, rotation_exp
from episode_assets.qc.offsets import (
    Course,
    Displacements,
    course_of_imu,
    course_of_poses,
    displacements_of_pictures,
    displacements_of_poses,
    estimate_offset,
)
from episode_assets.recording import RecordingView, scan_recording
from episode_assets.video import decode_picture
from episode_assets_tests.qc.episodes import check_of, judged

CLOCK_NS = 3_600_000_000_000


def made_up(delay_ms: int, *, seconds: float = 20.0, seed: int = 4) -> tuple[Displacements, Course]:
    """Return pictures of a camera that turns at random, and a gyro whose stamps lie late by so much."""
    random = np.random.default_rng(seed)
    time = np.arange(-1, seconds + 1, 0.01)
    rates = np.stack(
        [np.convolve(random.normal(size=len(time)), np.hanning(40), "same") for _ in range(3)], 1
    )
    angles = np.cumsum(rates, axis=0) * 0.01
    frames = np.arange(0, seconds, 1 / 15)
    seen = np.stack([np.interp(frames, time, column) for column in angles.T], axis=1)
    shift = np.diff(seen, axis=0, prepend=seen[:1]) @ random.normal(size=(3, 2)) * 240
    shift += random.normal(size=shift.shape)
    shift[random.random(len(shift)) < 0.1] = 0  # now and then the picture followed a hand
    stamps = (frames * 1e9).astype(np.int64) + CLOCK_NS
    gyro = (time * 1e9).astype(np.int64) + CLOCK_NS + delay_ms * 1_000_000
    return displacements_of_pictures(stamps, shift), Course(gyro, angles)


@pytest.mark.parametrize("delay_ms", [-200, -37, 0, 12, 200])
def test_a_constant_offset_is_estimated_to_three_milliseconds(delay_ms):
    found = estimate_offset(*made_up(delay_ms))

    assert found.offset_ms == pytest.approx(delay_ms, abs=3)
    assert found.correlation > 0.8 > found.elsewhere + 0.1
    assert found.error_ms < 3


def test_motion_of_somebody_else_is_not_taken_for_an_offset():
    pictures, _ = made_up(0, seed=4)
    _, gyro = made_up(0, seed=5)

    found = estimate_offset(pictures, gyro)

    assert found.correlation < 0.6


def test_streams_that_barely_overlap_give_no_offset():
    pictures, gyro = made_up(0, seconds=2.5)

    assert estimate_offset(pictures, gyro) is None
    assert estimate_offset(pictures, Course(gyro.stamp_ns + 10**12, gyro.at)) is None
    assert estimate_offset(pictures.part(0, 30), gyro) is None


@pytest.fixture(scope="module")
def shifted(tmp_path_factory) -> tuple[RecordingView, np.ndarray]:
    """A recording of 20 s at 320x180 whose pictures are stamped 200 ms late, and the motion in its pictures."""
    base = tmp_path_factory.mktemp("shifted")
    config = DemoConfig(
        seconds=20.0,
        width=320,
        height=180,
        depth_width=32,
        seed=10,
        turns_per_min=6.0,
        clock_shift_ms=200.0,
        shifted_clock="rgb",
    )
    write_demo(base / "demo.mcap", config=config)
    (base / "raw").mkdir()
    scan_recording(str(base / "demo.mcap"), base / "raw", recording_id="demo-0123abcd")
    view = RecordingView.open(base / "raw", str(base / "demo.mcap"))
    meter = SignalMeter()
    seen = [
        meter.measure(decode_picture(message.format, message.data), memoryview(message.data))
        for message in view.rgb.read(0, len(view.rgb.stamp_ns))
    ]
    shift = [(item.shift_x_px, item.shift_y_px) for item in seen]
    return view, np.array(shift, dtype=np.float64)


def test_a_shift_of_the_pictures_is_found_by_their_motion(shifted):
    view, shift = shifted
    pictures = displacements_of_pictures(view.rgb.stamp_ns, shift)

    by_gyro = estimate_offset(pictures, course_of_imu(view.imu))
    by_poses = estimate_offset(pictures, course_of_poses(view.pose))
    poses = estimate_offset(displacements_of_poses(view.pose), course_of_imu(view.imu))

    assert by_gyro.offset_ms == pytest.approx(-200, abs=10)
    assert by_poses.offset_ms == pytest.approx(-200, abs=10)
    assert poses.offset_ms == pytest.approx(0, abs=2)


def test_an_offset_costs_points_once_however_many_pairs_show_it(evidence):
    (pictures, gyro), moving = made_up(200, seconds=7.9), np.full((len(evidence), 2), np.nan)
    moving[1 : len(pictures.moved) + 1] = pictures.moved
    signals = replace(evidence.signals, shift_x_px=moving[:, 0], shift_y_px=moving[:, 1])
    stamps = evidence.stamps_ns[0] + np.arange(len(gyro.stamp_ns), dtype=np.int64) * 10_000_000 - 800_000_000
    rates = np.gradient(gyro.at, 0.01, axis=0)
    imu = replace(evidence.imu, stamp_ns=stamps, angular_velocity=rates, linear_acceleration=0 * rates)
    poses = replace(evidence.pose, stamp_ns=stamps, quaternion_xyzw=_turned(gyro.at), translation=0 * rates)

    judgement = judged(replace(evidence, signals=signals, imu=imu, pose=poses))

    for id_ in ("sync_rgb_imu", "sync_rgb_pose"):
        assert check_of(judgement, id_).status == "fail"
        assert check_of(judgement, id_).value == pytest.approx(200, abs=10)
    assert check_of(judgement, "sync_pose_imu").status == "pass"
    assert [part.points for part in judgement.deductions if part.reason == "sync"] == [15.0]
    assert sum(item.points_lost for item in judgement.findings if item.stream == "sync") == 15.0


def _turned(angles: np.ndarray) -> np.ndarray:
    """Return quaternions that turn from sample to sample by the differences of the angles, in the axes of the link."""
    rotations = [np.eye(3)]
    for step in rotation_exp(np.diff(angles, axis=0)):
        rotations.append(rotations[-1] @ step)
    return matrix_to_quaternion(np.stack(rotations))


def test_without_motion_no_offset_is_claimed(evidence):
    judgement = judged(evidence)

    for id_ in ("sync_pose_imu", "sync_rgb_imu", "sync_rgb_pose", "sync_rgb_depth", "sync_drift"):
        assert check_of(judgement, id_).status == "not_applicable"
