"""What looks like a fault and is none: bare walls, quick turns of the head, tripods."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from episode_assets.anonymization.signals import SignalMeter
from episode_assets.qc import QualityConfig
from episode_assets.qc.sync_checks import sync_checks
from episode_assets.video import decode_picture
from episode_assets_tests.qc.episodes import check_of, judged, repeated


def with_numbers(e, where, **numbers):
    columns = {name: getattr(e.signals, name).copy() for name in numbers}
    for name, value in numbers.items():
        columns[name][where] = value
    return replace(e, signals=replace(e.signals, **columns))


@pytest.mark.parametrize(
    ("contrast", "flat", "status"), [(0.25, 0.1, "pass"), (1.0, 0.6, "pass"), (1.0, 0.1, "warn")]
)
def test_a_bare_wall_lacks_contrast_or_structure_too_and_is_not_blurred(evidence, contrast, flat, status):
    s = evidence.signals
    usual, spread = float(np.median(s.laplacian_variance)), float(np.median(s.std))

    soft = with_numbers(
        evidence,
        slice(20, 40),
        laplacian_variance=min(0.1 * usual, 80.0),
        tiles_laplacian_median=5.0,
        std=contrast * spread,
        flat_tiles_ratio=flat,
    )

    assert check_of(judged(soft), "blurred").status == status


@pytest.mark.parametrize(("sharpness", "status"), [(120.0, "pass"), (80.0, "warn")])
def test_a_picture_stays_sharp_when_what_was_finest_in_it_leaves(evidence, sharpness, status):
    busy = with_numbers(evidence, slice(None), laplacian_variance=700.0, flat_tiles_ratio=0.2)

    left = with_numbers(busy, slice(20, 40), laplacian_variance=sharpness, tiles_laplacian_median=5.0)

    assert check_of(judged(left), "blurred").status == status


def coat_before_a_wall(shown):
    """Return 180x320 luma: stripes of a wallpaper, and before them a coat of the finest pattern there can be."""
    rows, columns = np.mgrid[:180, :320]
    luma = 110.0 + 40.0 * np.sin(rows / 40) + 12.0 * (columns // 6 % 2)
    if shown:
        coat = (slice(40, 120), slice(120, 180))
        luma[coat] += 60.0 * ((rows + columns) % 2)[coat]
    return luma


def sharpness_of(luma):
    rgb = np.repeat(luma.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    height, width = luma.shape
    picture = decode_picture("rgb8", rgb.tobytes(), width=width, height=height, step=3 * width)
    signals = SignalMeter().measure(picture, memoryview(b""))
    names = ("std", "laplacian_variance", "tiles_laplacian_median", "flat_tiles_ratio")
    return {name: getattr(signals, name) for name in names}


@pytest.mark.parametrize(("sigma_px", "status"), [(0.0, "pass"), (1.5, "warn"), (3.0, "warn")])
def test_a_coat_that_leaves_takes_its_own_detail_along_and_blur_takes_that_of_the_wall(
    evidence, sigma_px, status
):
    bare = coat_before_a_wall(shown=False)
    if sigma_px:
        bare = cv2.GaussianBlur(bare, (0, 0), sigma_px)
    usual, without = sharpness_of(coat_before_a_wall(shown=True)), sharpness_of(bare)

    left = with_numbers(with_numbers(evidence, slice(None), **usual), slice(20, 40), **without)

    assert without["laplacian_variance"] < 0.2 * usual["laplacian_variance"]
    assert check_of(judged(left), "blurred").status == status


@pytest.mark.parametrize(("turn_rad_s", "status"), [(2.0, "pass"), (0.1, "warn")])
def test_brightness_that_changes_while_the_head_turns_is_another_view(evidence, turn_rad_s, status):
    gyro = np.full(len(evidence), 0.1)
    gyro[50] = turn_rad_s
    flash = with_numbers(evidence, slice(50, None), median=250.0)

    judgement = judged(replace(flash, gyro_rad_s=gyro))

    assert check_of(judgement, "exposure_jump").status == status


@pytest.mark.parametrize(("gyro_rad_s", "status"), [(0.01, "pass"), (0.5, "warn"), (np.nan, "warn")])
def test_equal_poses_are_a_tripods_only_where_the_gyro_is_quiet(evidence, gyro_rad_s, status):
    pose = evidence.pose
    still = replace(
        pose,
        translation=np.repeat(pose.translation[:1], len(pose.translation), axis=0),
        quaternion_xyzw=np.repeat(pose.quaternion_xyzw[:1], len(pose.quaternion_xyzw), axis=0),
    )

    judgement = judged(replace(evidence, pose=still, gyro_rad_s=np.full(len(evidence), gyro_rad_s)))

    assert check_of(judgement, "pose_validity").status == status


def turning(e, *, gyro_clock):
    """Return 24 s of evidence in which pictures and gyro see the same turns, by clocks that `gyro_clock` relates."""
    e = repeated(e, 3)
    random = np.random.default_rng(3)
    seconds = np.arange(-1, 25, 0.01)
    rates = np.stack(
        [np.convolve(random.normal(size=len(seconds)), np.hanning(40), "same") for _ in "xyz"], 1
    )
    angles = np.cumsum(rates, axis=0) * 0.01
    since = (e.stamps_ns - e.stamps_ns[0]) / 1e9
    seen = np.stack([np.interp(since, seconds, column) for column in angles.T], axis=1)
    shift = np.diff(seen, axis=0, prepend=seen[:1]) @ random.normal(size=(3, 2)) * 240
    stamps = e.stamps_ns[0] + (gyro_clock(seconds) * 1e9).astype(np.int64)
    imu = replace(e.imu, stamp_ns=stamps, angular_velocity=rates, linear_acceleration=0 * rates)
    signals = replace(e.signals, shift_x_px=shift[:, 0], shift_y_px=shift[:, 1])
    return replace(e, imu=imu, signals=signals)


@pytest.mark.parametrize(
    ("gyro_clock", "status"),
    [
        (lambda t: t, "pass"),
        (lambda t: 1.004 * t, "warn"),
        (lambda t: t + 0.06 * (abs(t - 12) < 4), "pass"),
    ],
    ids=["one clock", "clocks that run apart", "an offset that comes and goes"],
)
def test_clocks_run_apart_in_one_direction(evidence, gyro_clock, status):
    checks = {
        check.id: check for check in sync_checks(turning(evidence, gyro_clock=gyro_clock), QualityConfig())
    }

    assert checks["sync_drift"].status == status, checks["sync_drift"].detail


@pytest.mark.parametrize(("sharpness", "status"), [(90.0, "pass"), (50.0, "warn")])
def test_a_turn_to_plainer_things_leaves_detail_enough_to_be_sharp(evidence, sharpness, status):
    """At 30 of contrast, 90 is a third of the detail of the rest; a blur of 2 pixels leaves a tenth."""
    busy = with_numbers(evidence, slice(None), laplacian_variance=535.0, flat_tiles_ratio=0.1, std=41.0)

    plain = with_numbers(
        busy,
        slice(20, 30),
        laplacian_variance=sharpness,
        tiles_laplacian_median=5.0,
        flat_tiles_ratio=0.33,
        std=30.5,
    )

    assert check_of(judged(plain), "blurred").status == status
