from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from episode_assets.qc import QualityConfig
from episode_assets_tests.qc.episodes import check_of, judged


def with_signals(e, where, **numbers):
    """Return evidence whose picture numbers are changed in some frames."""
    changed = {}
    for name, value in numbers.items():
        column = getattr(e.signals, name).copy()
        column[where] = value
        changed[name] = column
    return replace(e, signals=replace(e.signals, **changed))


def moving(e, gyro=0.5):
    return replace(e, gyro_rad_s=np.full(len(e), gyro))


def ranges_of(judgement, id_):
    return [(item.first, item.last) for item in check_of(judgement, id_).ranges]


def test_a_clean_episode_passes_with_nothing_to_object_to(evidence):
    judgement = judged(evidence)

    assert [c.id for c in judgement.checks if c.status in ("warn", "fail")] == []
    assert judgement.verdict == "pass"
    assert judgement.score > 95
    assert [(item.first, item.last) for item in judgement.kept] == [(0, len(evidence) - 1)]
    assert not [c for c in judgement.checks if c.status == "not_run"]


def test_black_frames_are_cut_out_and_the_rest_is_kept(evidence):
    dark = with_signals(
        evidence, slice(40, 85), mean=4.0, dark_ratio=0.99, median=3.0, laplacian_variance=46.0
    )

    judgement = judged(dark)

    assert ranges_of(judgement, "black") == [(40, 84)]
    assert check_of(judgement, "black").status == "fail"
    assert [(k.first, k.last, k.reason_before, k.reason_after) for k in judgement.kept] == [
        (0, 37, "start", "black"),
        (87, len(evidence) - 1, "black", "end"),
    ]
    assert judgement.verdict == "review"
    assert judgement.score == pytest.approx(100 - 60 * 45 / len(evidence), abs=0.5)


def test_a_dark_room_is_underexposed_and_not_black(evidence):
    dim = with_signals(evidence, slice(None), mean=24.0, dark_ratio=0.5, median=20.0)

    judgement = judged(dim)

    assert not ranges_of(judgement, "black")
    assert check_of(judgement, "underexposed").status == "warn"
    assert len(judgement.kept) == 1


def test_repeated_pictures_are_frozen_only_while_the_camera_moves(evidence):
    same = with_signals(evidence, slice(40, 80), payload="0" * 16, diff_previous=0.0)
    still = replace(same, camera_position_m=np.zeros((len(evidence), 3)))

    frozen, tripod = judged(moving(same)), judged(replace(still, gyro_rad_s=np.full(len(evidence), 0.01)))

    assert ranges_of(frozen, "frozen") == [(40, 79)]
    assert len(frozen.kept) == 2
    assert ranges_of(tripod, "frozen") == []
    assert check_of(tripod, "still_picture").status == "warn"
    assert len(tripod.kept) == 1


def test_a_tripod_with_sensor_noise_is_no_finding(evidence):
    quiet = with_signals(evidence, slice(1, None), diff_previous=0.3)
    tripod = replace(
        quiet, camera_position_m=np.zeros((len(evidence), 3)), gyro_rad_s=np.full(len(evidence), 0.01)
    )

    judgement = judged(tripod)

    assert check_of(judgement, "frozen").status == check_of(judgement, "still_picture").status == "pass"


def test_a_finger_on_the_lens_is_told_from_a_white_wall_by_depth(evidence):
    plain = with_signals(evidence, slice(30, 60), flat_tiles_ratio=0.9, std=12.0)
    near = evidence.depth.median_m.copy()
    near[30:60] = 0.1
    covered = replace(plain, depth=replace(evidence.depth, median_m=near))

    assert ranges_of(judged(covered), "covered_lens") == [(30, 59)]
    assert ranges_of(judged(plain), "covered_lens") == []


def test_without_depth_a_covered_lens_shows_by_motion_that_the_picture_lacks(evidence):
    plain = with_signals(evidence, slice(30, 60), flat_tiles_ratio=0.9, std=12.0, diff_previous=0.8)
    blind = replace(plain, depth=None)

    assert ranges_of(judged(moving(blind)), "covered_lens") == [(30, 59)]


def test_blur_is_judged_against_the_recordings_own_sharpness(evidence):
    usual = np.nanmedian(evidence.signals.laplacian_variance)
    soft = with_signals(
        evidence, slice(20, 26), laplacian_variance=min(0.1 * usual, 80.0), tiles_laplacian_median=5.0
    )

    judgement = judged(soft)

    assert ranges_of(judgement, "blurred") == [(20, 25)]
    assert len(judgement.kept) == 1


def test_overexposure_and_a_jump_of_exposure_are_found(evidence):
    bright = with_signals(evidence, slice(50, 70), bright_ratio=0.6, median=255.0)

    judgement = judged(bright)

    assert ranges_of(judgement, "overexposed") == [(50, 69)]
    assert ranges_of(judgement, "exposure_jump") == [(50, 50), (70, 70)]


def test_a_pose_jump_is_cut_out(evidence):
    moved = evidence.pose.translation.copy()
    moved[60:] += [3.0, 0.0, 0.0]

    judgement = judged(replace(evidence, pose=replace(evidence.pose, translation=moved)))

    assert check_of(judgement, "pose_jump").value == 1
    assert [(k.first, k.last, k.reason_after) for k in judgement.kept] == [
        (0, 56, "pose_jump"),
        (63, 119, "end"),
    ]
    assert {part.reason for part in judgement.deductions} == {"pose_jump"}


def test_poses_that_are_no_rotations_are_counted(evidence):
    wrong = evidence.pose.quaternion_xyzw.copy()
    wrong[:7] = [0, 0, 0, 1.2]

    judgement = judged(replace(evidence, pose=replace(evidence.pose, quaternion_xyzw=wrong)))

    assert check_of(judgement, "pose_validity").value == 7


def test_gravity_is_judged_only_when_it_is_in_the_signal(evidence):
    included = replace(evidence.imu, gravity="included")
    assert check_of(judged(evidence), "imu_gravity").status == "not_applicable"
    assert check_of(judged(replace(evidence, imu=included)), "imu_gravity").status == "warn"


def test_poor_depth_costs_points_and_names_its_frames(evidence):
    ratio = np.full(len(evidence), 0.4)
    ratio[:10] = 0.9

    judgement = judged(replace(evidence, depth=replace(evidence.depth, valid_ratio=ratio)))

    assert ranges_of(judgement, "depth_valid") == [(10, len(evidence) - 1)]
    assert next(p.points for p in judgement.deductions if p.reason == "depth_valid") == pytest.approx(
        9.5, abs=1
    )


def test_a_hand_scaled_by_half_for_ten_frames_is_found(hands):
    joints = hands.left.joints_cam.copy()
    joints[30:40] *= 1.5

    judgement = judged(replace(hands, left=replace(hands.left, joints_cam=joints)).evidence)

    assert ranges_of(judgement, "hand_bones") == [(30, 39)]


def test_hands_with_joints_that_are_never_seen_are_judged_by_the_others(hands):
    joints = hands.left.joints_cam.copy()
    joints[:, 17:] = np.nan
    joints[30:40] *= 1.5

    judgement = judged(replace(hands, left=replace(hands.left, joints_cam=joints)).evidence)

    assert ranges_of(judgement, "hand_bones") == [(30, 39)]


def test_an_impossible_wrist_speed_is_found_but_never_across_a_gap(hands):
    world = hands.right.joints_world.copy()
    world[60:] += 2.0
    jumped = replace(hands, right=replace(hands.right, joints_world=world)).evidence
    gap = jumped.gap_before.copy()
    gap[60] = True

    assert ranges_of(judged(jumped), "hand_speed") == [(60, 60)]
    assert ranges_of(judged(replace(jumped, gap_before=gap)), "hand_speed") == []


def test_hands_that_were_not_looked_for_are_not_a_pass_and_cap_the_score(evidence):
    judgement = judged(replace(evidence, hands=None))

    assert check_of(judgement, "hand_presence").status == "not_run"
    assert judgement.score == 90


def test_an_absent_stream_costs_at_least_what_the_worst_bad_one_costs(evidence):
    worst = replace(evidence.depth, valid_ratio=np.zeros(len(evidence)))

    bad = judged(replace(evidence, depth=worst))
    absent = judged(replace(evidence, depth=None, depth_stamps_ns=None))

    assert absent.score <= bad.score
    assert check_of(absent, "depth_valid").status == "not_applicable"


def test_a_required_stream_that_is_absent_fails(evidence):
    judgement = judged(replace(evidence, imu=None), QualityConfig(required_streams=("rgb", "imu")))

    assert judgement.verdict == "fail"
    assert "the required stream imu is absent" in judgement.doubts
    assert not judgement.publishable


def test_an_episode_with_nothing_to_keep_fails(evidence):
    judgement = judged(with_signals(evidence, slice(None), mean=2.0, dark_ratio=1.0))

    assert judgement.verdict == "fail"
    assert "no interval is worth keeping" in judgement.doubts


def test_a_new_threshold_cuts_anew_from_the_same_numbers(evidence):
    grey = with_signals(evidence, slice(40, 85), mean=30.0, dark_ratio=0.99)

    assert len(judged(grey).kept) == 1
    assert len(judged(grey, QualityConfig(black_mean_max=40.0)).kept) == 2


def test_missing_stamps_in_a_side_stream_are_its_own_gap(evidence):
    stamps = np.delete(evidence.imu.stamp_ns, slice(200, 400))
    imu = replace(
        evidence.imu,
        stamp_ns=stamps,
        **{
            name: np.delete(getattr(evidence.imu, name), slice(200, 400), axis=0)
            for name in ("linear_acceleration", "angular_velocity", "orientation_xyzw")
        },
    )

    check = check_of(judged(replace(evidence, imu=imu)), "imu_gap")

    assert check.status == "warn"
    assert check.value == pytest.approx(2.01, abs=0.05)
