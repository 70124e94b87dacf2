"""What the report of a case must say: which check finds which fault, where, and what is kept of the rest."""

from __future__ import annotations

from collections.abc import Mapping

from episode_assets.qc import QualityConfig
from episode_assets_tests.qc.fault_suite.chain import Reported

RANGE_FRAMES = 1
OFFSET_MS = 10.0
CLEAN_SCORE = 95.0

_CHECKS = {
    "black": "black",
    "frozen": "frozen",
    "gap": "rgb_gap",
    "swapped hands": "hand_swap",
    "covered lens": "covered_lens",
}
_ALLOWED: Mapping[str, frozenset[str]] = {
    "black": frozenset({"black", "exposure_jump"}),
    "frozen": frozenset({"frozen"}),
    "shifted clock": frozenset(
        {
            "sync_pose_imu",
            "sync_rgb_imu",
            "sync_rgb_pose",
            "sync_rgb_depth",
            "hand_depth",
            "hand_reprojection",
        }
    ),
    "gap": frozenset({"rgb_gap", "depth_gap", "pose_gap"}),
    "swapped hands": frozenset({"hand_swap"}),
    "covered lens": frozenset(
        {"covered_lens", "exposure_jump", "colour_cast", "depth_valid", "depth_centre", "hand_depth"}
    ),
}
"""What may be found in a recording with a fault: the fault itself, and what it does besides.

Pictures of another time lie beside the hands and the depth of theirs; a finger has a colour, and is too near for depth.
"""
_CUT_OUT = ("black", "frozen", "covered lens")
_SYNC = ("sync_pose_imu", "sync_rgb_imu")


def complaints(reported: Reported) -> list[str]:
    """Return in words what is not as it must be; empty for a report as it should be."""
    fault = reported.case.fault
    if fault is None:
        return _of_clean(reported)
    found = [] if reported.is_flagged else ["not flagged"]
    found += _of_clock(reported) if fault.shift_ms else _of_place(reported, _CHECKS[fault.kind])
    beside = sorted(set(reported.findings) - _ALLOWED[fault.kind])
    found += [f"beside the fault: {id_} ({reported.check(id_)['detail']})" for id_ in beside]
    return [*found, *_of_rest(reported)]


def _of_clean(reported: Reported) -> list[str]:
    found = [f"false alarm: {id_} ({reported.check(id_)['detail']})" for id_ in reported.findings]
    if reported.is_flagged and not found:
        found.append(f"flagged: {reported.content['verdict']}")
    score = reported.content["score"]
    if score <= CLEAN_SCORE:
        found.append(f"score {score:g}")
    if reported.content["verdict"] == "pass" and _kept(reported) != [(0, reported.frames - 1)]:
        found.append(f"kept {_kept(reported)}")
    return found


def _of_place(reported: Reported, id_: str) -> list[str]:
    check = reported.check(id_)
    ranges = [(first, last) for first, last, *_ in check["ranges"]]
    wanted = (reported.faulty[0], reported.faulty[-1])
    if check["status"] not in ("warn", "fail"):
        return [f"{id_} says {check['status']}"]
    if len(ranges) != 1 or any(abs(a - b) > RANGE_FRAMES for a, b in zip(ranges[0], wanted, strict=True)):
        return [f"{id_} finds {ranges}, wanted {wanted}"]
    return []


def _of_clock(reported: Reported) -> list[str]:
    fault = reported.case.fault
    assert fault is not None
    moved = _SYNC if fault.clock == "camera" else ("sync_rgb_imu",)
    judged = [reported.check(id_) for id_ in moved]
    judged = [check for check in judged if check["status"] != "not_applicable"]
    found = [] if judged else ["no offset was estimated"]
    for check in judged:
        # The value says by how much the IMU lies after the camera, the option by how much the camera's clock is ahead.
        error = check["value"] + fault.shift_ms
        if check["status"] != "fail" or abs(error) > OFFSET_MS:
            found.append(f"{check['id']} {check['status']} is {error:+.1f} ms off")
    return found


def _of_rest(reported: Reported) -> list[str]:
    """Everything but the fault is kept, less the frames that are cut on either side of it."""
    fault, kept = reported.case.fault, _kept(reported)
    assert fault is not None
    last = reported.frames - 1
    if fault.kind in _CUT_OUT:
        cut = QualityConfig().cut_frames
        wanted = [(0, reported.faulty[0] - cut - 1), (reported.faulty[-1] + cut + 1, last)]
    elif fault.kind == "gap":
        wanted = [(0, reported.faulty[0]), (reported.faulty[1], last)]
    else:
        wanted = [(0, last)]
    shortest = QualityConfig().keep_min_s * reported.case.config.fps
    wanted = [(a, b) for a, b in wanted if b - a + 1 >= shortest]
    is_near = len(kept) == len(wanted) and all(
        abs(a - b) <= RANGE_FRAMES
        for pair in zip(kept, wanted, strict=True)
        for a, b in zip(*pair, strict=True)
    )
    return [] if is_near else [f"kept {kept}, wanted {wanted}"]


def _kept(reported: Reported) -> list[tuple[int, int]]:
    return [(item["frame_start"], item["frame_end"]) for item in reported.content["intervals"]]
