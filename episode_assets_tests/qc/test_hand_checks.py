"""Checks of hands without ground truth, on hands of the recording's truth that a test spoils in one way."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from episode_assets.bundle import write_bundle
from episode_assets.footage import FaceBoxes
from episode_assets.geometry import rotation_exp
from episode_assets.qc import QualityConfig
from episode_assets.qc.hand_checks import HAND_ERRORS, hand_checks
from episode_assets.qc.hand_metrics import hand_metrics
from episode_assets_tests.qc.episodes import PASSED, judged

FAR, TWICE = slice(40, 60), slice(80, 86)
PLACES_M, PLACES_PX = ("joints_world", "joints_cam"), "joints_px"


def columns_of(hand):
    return {item.name: getattr(hand, item.name).copy() for item in fields(hand)}


def swapped(hands, where):
    """Exchange the names of the hands in some frames."""
    left, right = columns_of(hands.left), columns_of(hands.right)
    for name in left:
        left[name][where], right[name][where] = right[name][where].copy(), left[name][where].copy()
    return replace(hands, left=replace(hands.left, **left), right=replace(hands.right, **right))


def scaled(hands, side, where, factor):
    """Make a hand larger by moving it away, as a wrong depth does."""
    hand = getattr(hands, side)
    cam, world = hand.joints_cam.copy(), hand.joints_world.copy()
    cam[where] *= factor
    R, t = hands.e.camera_rotation[where], hands.e.camera_position_m[where]
    world[where] = np.einsum("fij,fkj->fki", R, cam[where]) + t[:, None]
    return replace(hands, **{side: replace(hand, joints_cam=cam, joints_world=world)})


def changed(hands, side, **columns):
    return replace(hands, **{side: replace(getattr(hands, side), **columns)})


def without(hands, *names):
    """Forget some columns of both hands."""
    for side in ("left", "right"):
        gone = {name: np.full_like(getattr(getattr(hands, side), name), np.nan) for name in names}
        hands = changed(hands, side, **gone)
    return hands


def found(hands, id_, config=QualityConfig()):  # noqa: B008
    check = next(check for check in hand_checks(hands.evidence, config) if check.id == id_)
    return check.status, [(item.first, item.last) for item in check.ranges]


def test_hands_of_the_truth_have_no_odd_frame(hands):
    checks = hand_checks(hands.evidence, QualityConfig())

    assert {check.status for check in checks} == {"pass"}
    assert not [check.id for check in checks if check.ranges]
    assert len({check.id for check in checks}) == len(checks) == 15


@pytest.mark.parametrize("seed", range(6))
def test_swapped_and_scaled_hands_are_found_where_they_are(hands, seed):
    """Both hands are in the scene until frame 96."""
    random = np.random.default_rng(seed)
    swap, scale = (int(place) for place in random.integers(1, 86, 2))
    side = str(random.choice(["left", "right"]))
    spoilt = swapped(scaled(hands, side, slice(scale, scale + 10), 1.5), slice(swap, swap + 10))
    is_spoilt = np.zeros(len(hands), np.bool_)
    is_spoilt[swap : swap + 10] = is_spoilt[scale : scale + 10] = True

    checks = {check.id: check for check in hand_checks(spoilt.evidence, QualityConfig())}

    for id_, first in (("hand_swap", swap), ("hand_bones", scale)):
        assert checks[id_].status == "warn"
        assert [(item.first, item.last) for item in checks[id_].ranges] == [(first, first + 9)]
    flagged = [item for id_ in HAND_ERRORS for item in checks[id_].ranges]
    outside = [item for item in flagged if not is_spoilt[item.first : item.last + 1].any()]
    assert sum(len(item) for item in outside) < 0.01 * len(hands)


@pytest.mark.parametrize("unknown", [("joints_world",), ("joints_world", "joints_cam")])
def test_swapped_sides_are_found_without_poses_and_without_depth(hands, unknown):
    assert found(without(swapped(hands, slice(50, 60)), *unknown), "hand_swap") == ("warn", [(50, 59)])


def test_a_swap_that_lasts_to_the_end_is_told_by_the_fingers(hands):
    last = len(hands) - 1

    assert found(swapped(hands, slice(30, None)), "hand_swap") == ("warn", [(30, last)])


def test_a_swap_is_seen_on_one_hand_alone(hands):
    alone = changed(
        hands,
        "right",
        valid=np.zeros(len(hands), np.bool_),
        **{name: np.full_like(getattr(hands.right, name), np.nan) for name in (*PLACES_M, PLACES_PX)},
    )

    assert found(swapped(alone, slice(50, 60)), "hand_swap") == ("warn", [(50, 59)])


def test_sides_that_are_wrong_throughout_show_by_how_fingers_bend(hands):
    wrong = swapped(hands, slice(None))

    assert found(wrong, "hand_chirality") == ("warn", [(0, len(hands) - 1)])
    assert found(wrong, "hand_swap") == ("pass", [])


@pytest.mark.parametrize(("degrees", "is_odd"), [(25.0, False), (-75.0, False), (75.0, True), (-140.0, True)])
def test_a_finger_bends_to_the_palm_and_hardly_back(hands, degrees, is_odd):
    """The truth's index finger is bent to the palm by 4 to 18 degrees; positive degrees turn it back."""
    cam = hands.right.joints_cam.astype(np.float64)
    across = cam[:, 17] - cam[:, 5]
    turn = rotation_exp(np.radians(degrees) * across / np.linalg.norm(across, axis=1, keepdims=True))
    bent = cam.copy()
    bent[:, 6:9] = np.einsum("fij,fkj->fki", turn, cam[:, 6:9] - cam[:, 5:6]) + cam[:, 5:6]
    bent[:20], bent[30:] = cam[:20], cam[30:]

    status, ranges = found(changed(hands, "right", joints_cam=bent), "hand_angles")

    assert (status, ranges) == (("warn", [(20, 29)]) if is_odd else ("pass", []))


def test_fingers_that_change_places_are_found(hands):
    crossed = hands.left.joints_cam.copy()
    crossed[20:30, 6:9], crossed[20:30, 10:13] = crossed[20:30, 10:13].copy(), crossed[20:30, 6:9].copy()

    assert found(changed(hands, "left", joints_cam=crossed), "hand_angles") == ("warn", [(20, 29)])


def test_a_hand_of_a_giant_is_no_hand(hands):
    giant = scaled(scaled(hands, "left", slice(None), 1.6), "right", slice(None), 1.6)

    status, _ = found(giant, "hand_size")

    assert status == "warn"
    assert found(giant, "hand_bones") == ("pass", [])


def test_wrists_that_tremble_while_the_camera_is_quiet_are_told(hands):
    noise = np.random.default_rng(1).normal(0, 0.004, (len(hands), 1, 3))
    quiet = replace(hands, e=replace(hands.e, gyro_rad_s=np.full(len(hands), 0.02)))
    trembling = changed(quiet, "left", joints_world=quiet.left.joints_world + noise)
    trembling = changed(trembling, "right", joints_world=quiet.right.joints_world + noise)
    turning = replace(hands, e=replace(hands.e, gyro_rad_s=np.ones(len(hands))))

    assert found(quiet, "hand_jitter") == ("pass", [])
    assert found(trembling, "hand_jitter") == ("warn", [])
    assert found(turning, "hand_jitter") == ("not_applicable", [])


def test_a_hand_out_of_reach_is_somebody_elses(hands):
    far = hands.right.joints_cam.copy()
    far[30:45] *= 1.0 / np.linalg.norm(far[30:45, :1], axis=2, keepdims=True)

    assert found(changed(hands, "right", joints_cam=far), "hand_other_person") == ("warn", [(30, 44)])


def test_a_hand_that_comes_from_above_is_somebody_elses(hands):
    px = hands.right.joints_px.copy()
    px[30:45, :, 1] = hands.e.picture_size[1] * 0.6 - px[30:45, :, 1]

    assert found(changed(hands, "right", joints_px=px), "hand_other_person") == ("warn", [(30, 44)])


def test_joints_in_metres_and_pixels_must_fit(hands):
    px = hands.left.joints_px.copy()
    px[10:20] += 0.05 * hands.e.picture_size[0]

    assert found(changed(hands, "left", joints_px=px), "hand_reprojection") == ("warn", [(10, 19)])


def test_uncertain_hands_are_told(hands):
    unsure = np.where(np.arange(len(hands)) % 4 == 0, 0.9, 0.3).astype(np.float32)
    both = changed(changed(hands, "left", confidence=unsure), "right", confidence=unsure)

    assert found(both, "hand_confidence") == ("warn", [])
    assert found(both, "hand_confidence", QualityConfig(hand_low_share_max=0.8)) == ("pass", [])


@pytest.mark.parametrize(("every", "length", "status"), [(10, 1, "warn"), (60, 2, "pass"), (20, 8, "pass")])
def test_hands_that_drop_out_often_are_told_and_absent_ones_are_not(hands, every, length, status):
    there = (np.arange(len(hands)) - 5) % every >= length
    lost = changed(changed(hands, "left", valid=there), "right", valid=there)

    assert found(lost, "hand_dropouts")[0] == status


def test_a_hand_under_a_blurred_rectangle_is_told(hands):
    frames = np.arange(30, 40)
    hand = hands.left.joints_px[30:40]
    boxes = np.concatenate([hand.min(axis=1) - 1, hand.max(axis=1) + 2], axis=1).astype(np.int32)
    none = np.zeros(10, np.uint8)
    faces = FaceBoxes(frames, boxes, np.ones(10, np.float32), np.zeros(10, np.int64), none, none)

    assert found(replace(hands, e=replace(hands.e, faces=faces)), "hand_hidden") == ("warn", [(30, 39)])


def test_a_single_odd_frame_is_noise_and_five_in_a_row_are_not(hands):
    assert found(scaled(hands, "left", slice(50, 51), 1.3), "hand_bones") == ("pass", [(50, 50)])
    assert found(scaled(hands, "left", slice(50, 55), 1.3), "hand_bones") == ("warn", [(50, 54)])
    lenient = QualityConfig(hand_odd_frames_min=6, hand_odd_share_max=0.1)
    assert found(scaled(hands, "left", slice(50, 55), 1.3), "hand_bones", lenient)[0] == "pass"


def test_what_checks_find_costs_points_by_its_share_of_time(hands):
    judgement = judged(swapped(hands, slice(50, 62)).evidence)

    deduction = next(item for item in judgement.deductions if item.reason == "hands")
    assert deduction.points == pytest.approx(20 * 12 / len(hands), abs=0.05)
    finding = next(item for item in judgement.findings if item.kind == "hand_swap")
    assert (finding.first, finding.last) == (50, 61)
    assert finding.advice


@pytest.fixture(scope="module")
def rewritten(clean, tmp_path_factory):
    """The clean episode with hands too far away in some frames, and with a second left hand in others."""
    base = tmp_path_factory.mktemp("rewritten")
    table = pq.read_table(clean.base / "hands" / "hands.parquet")
    rows = table.to_pylist()
    for row in rows:
        if FAR.start <= row["frame_index"] < FAR.stop:
            row["joints_cam"] = [1.15 * value for value in row["joints_cam"]]
    doubles = [
        row | {"confidence": 0.4, "track": 7}
        for row in rows
        if row["side"] == "left" and TWICE.start <= row["frame_index"] < TWICE.stop
    ]
    for name in ("hands", "bundle"):
        (base / name).mkdir()
    pq.write_table(
        pa.Table.from_pylist([*rows, *doubles], schema=table.schema), base / "hands" / "hands.parquet"
    )
    write_bundle(clean.view, clean.blurred, base / "hands", base / "bundle", privacy=PASSED)
    for name in ("raw", "blurred"):
        (base / name).symlink_to(clean.base / name)
    return replace(clean, base=base).joints()


@pytest.mark.filterwarnings("error")
def test_hands_whose_direction_nobody_knows_are_nobody_else_s(hands):
    checks = {check.id: check for check in hand_checks(without(hands, "joints_px").evidence, QualityConfig())}

    assert checks["hand_other_person"].status == "pass"


def test_hands_must_lie_where_depth_was_measured(rewritten, hands):
    assert found(rewritten, "hand_depth") == ("warn", [(FAR.start, FAR.stop - 1)])
    assert np.nanmax(np.abs(hands.e.depth.left_hand_m)) < 0.03


def test_two_hands_of_one_side_are_told(rewritten):
    assert found(rewritten, "hand_same_side") == ("warn", [(TWICE.start, TWICE.stop - 1)])


def test_the_metrics_say_how_hands_come_and_go(hands):
    there = np.ones(len(hands), np.bool_)
    there[20:50] = there[60] = False
    e = changed(changed(hands, "left", valid=there), "right", valid=there)

    block = hand_metrics(e.evidence, QualityConfig(), duration_s=8.0)

    assert block["longest_absence_s"] == pytest.approx(2.0, abs=0.01)
    assert block["dropout_frames"] == 2
    step = np.linalg.norm(np.diff(hands.left.joints_cam[:, 0], axis=0), axis=1)
    step = step[np.isfinite(step)]
    track = block["left_wrist_track"]
    assert track["length_m"] == pytest.approx(step.sum(), rel=1e-4)
    assert track["speed_max_mps"] == pytest.approx(step.max() * len(e) / 8.0, rel=1e-4)
