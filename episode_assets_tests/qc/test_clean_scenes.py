"""What looks like a fault and is none: bare walls, quick turns of the head, tripods."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from episode_assets_tests.qc.episodes import check_of, judged


def with_numbers(e, where, **numbers):
    columns = {name: getattr(e.signals, name).copy() for name in numbers}
    for name, value in numbers.items():
        columns[name][where] = value
    return replace(e, signals=replace(e.signals, **columns))


@pytest.mark.parametrize(("contrast", "status"), [(0.25, "pass"), (1.0, "warn")])
def test_a_bare_wall_lacks_contrast_too_and_is_not_blurred(evidence, contrast, status):
    s = evidence.signals
    usual, spread = float(np.median(s.laplacian_variance)), float(np.median(s.std))

    soft = with_numbers(evidence, slice(20, 40), laplacian_variance=0.1 * usual, std=contrast * spread)

    assert check_of(judged(soft), "blurred").status == status


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
