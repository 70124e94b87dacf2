"""Every threshold of the quality report, with its default and meaning.

The first part has the names and defaults of Stera's `EvaluateConfig` and feeds `score_stera` and the colours of the
figures; the second part is ours. Changing a value decodes nothing again: all verdicts are computed from stored
numbers. Formulas belong in the modules that use them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from episode_assets.errors import BadConfig

Pair = tuple[float, float]
STREAMS = ("rgb", "depth", "pose", "imu", "hands")


def _number(default: Any, low: float, high: float, help_text: str) -> Any:
    return field(
        default=default, metadata={"help": f"{help_text}; {low:g} to {high:g}", "range": (low, high)}
    )


@dataclass(frozen=True)
class QualityConfig:
    """Thresholds, weights and rules of the quality report. Pairs are (good, ok)."""

    # --- names and defaults of EvaluateConfig ---
    health_thresholds: Pair = field(
        default=(80.0, 60.0), metadata={"help": "score from which it is good, ok; 0 to 100, good >= ok"}
    )
    depth_valid_thresholds: Pair = field(
        default=(80.0, 50.0), metadata={"help": "percent of valid depth: good, ok; 0 to 100, good >= ok"}
    )
    sync_thresholds: Pair = field(
        default=(90.0, 70.0), metadata={"help": "percent within 50 ms: good, ok; 0 to 100, good >= ok"}
    )
    hand_any_thresholds: Pair = field(
        default=(70.0, 30.0), metadata={"help": "percent with a hand: good, ok; 0 to 100, good >= ok"}
    )
    hand_1plus_thresholds: Pair = field(
        default=(40.0, 15.0), metadata={"help": "percent with a hand: good, ok; 0 to 100, good >= ok"}
    )
    hand_2_thresholds: Pair = field(
        default=(30.0, 10.0), metadata={"help": "percent with two hands: good, ok; 0 to 100, good >= ok"}
    )
    imu_gravity_max_dev: float = _number(0.5, 0, 1_000_000, "m/s2 by which gravity may differ from 9.81")
    depth_required: bool = field(default=True, metadata={"help": "absent depth costs points"})
    imu_required: bool = field(default=True, metadata={"help": "an absent IMU costs points"})
    rgb_gap_max_penalty: float = _number(10.0, 0, 100, "score_stera: most points lost to gaps")
    depth_valid_target: float = _number(80.0, 0, 100, "score_stera: percent of valid depth wanted")
    depth_valid_weight: float = _number(0.3, 0, 100, "score_stera: points per missing percent")
    depth_missing_penalty: float = _number(10.0, 0, 100, "score_stera: points for absent depth")
    pose_missing_penalty: float = _number(15.0, 0, 100, "score_stera: points for absent poses")
    imu_missing_penalty: float = _number(5.0, 0, 100, "score_stera: points for an absent IMU")
    sync_target: float = _number(90.0, 0, 100, "score_stera: percent within 50 ms wanted")
    sync_weight: float = _number(0.1, 0, 100, "score_stera: points per missing percent")
    hand_any_target: float = _number(50.0, 0, 100, "score_stera: percent with any hand wanted")
    hand_any_weight: float = _number(0.15, 0, 100, "score_stera: points per missing percent")
    hand_1plus_target: float = _number(30.0, 0, 100, "score_stera: percent with a hand wanted")
    hand_1plus_weight: float = _number(0.05, 0, 100, "score_stera: points per missing percent")
    hand_2_target: float = _number(20.0, 0, 100, "score_stera: percent with two hands wanted")
    hand_2_weight: float = _number(0.1, 0, 100, "score_stera: points per missing percent")
    hand_missing_penalty: float = _number(0.0, 0, 100, "score_stera: points when hands were not run")

    # --- pictures: luma full range 0..255 at 320 pixels width ---
    black_mean_max: float = _number(20.0, 0, 255, "black: mean luma below this")
    black_dark_ratio_min: float = _number(0.9, 0, 1, "black: share of pixels at 16 or below")
    black_frames_min: int = _number(3, 1, 1000, "black: frames in a row")
    covered_flat_ratio_min: float = _number(0.6, 0, 1, "covered lens: share of flat tiles")
    covered_dim_flat_ratio_min: float = _number(
        0.35, 0, 1, "covered lens: share of flat tiles when contrast is low too"
    )
    covered_std_max: float = _number(20.0, 0, 1_000_000, "covered lens: contrast that counts as low")
    covered_s: float = _number(0.5, 0, 3600, "covered lens: shortest duration in seconds")
    covered_depth_max_m: float = _number(
        0.25, 0, 100, "covered lens: depth below this, or mostly invalid, confirms it; metres"
    )
    overexposed_bright_ratio_min: float = _number(0.4, 0, 1, "overexposed: share of pixels at 250 or above")
    underexposed_median_max: float = _number(30.0, 0, 255, "underexposed: median luma below this")
    exposure_jump_min: float = _number(40.0, 0, 255, "exposure jump: change of median luma within one frame")
    exposure_jump_turn_max_rad_s: float = _number(
        1.0, 0, 100, "exposure jump: not judged while the camera turns faster, rad/s"
    )
    colour_cast_min_ratio: float = _number(
        0.6, 0, 3, "colour cast: spread of the channel means relative to their mean above this"
    )
    colour_cast_s: float = _number(0.5, 0, 3600, "colour cast: shortest duration, seconds")
    blur_laplacian_min: float = _number(30.0, 0, 1_000_000, "blurred: Laplacian variance below this")
    blur_relative_min: float = _number(
        0.2, 0, 1, "blurred: Laplacian variance below this share of the recording's median"
    )
    blur_relative_max: float = _number(
        100.0,
        0,
        1_000_000,
        "blurred: Laplacian variance from which a picture is sharp, however much finer the rest of the recording is",
    )
    blur_detail_min: float = _number(
        0.02,
        0,
        1_000_000,
        "blurred: Laplacian variance over variance of luma also below this; a wall lacks both",
    )
    blur_detail_relative_min: float = _number(
        0.25, 0, 1, "blurred: or below this share of the recording's median of that ratio"
    )
    blur_tiles_relative_min: float = _number(
        0.4,
        0,
        1,
        "blurred: and the squared Laplacian of the median tile below this share of the recording's median",
    )
    blur_flat_max_ratio: float = _number(
        0.35, 0, 1, "blurred: pictures with a larger share of flat tiles are not judged"
    )
    blur_frames_min: int = _number(3, 1, 1000, "blurred: frames in a row")
    frozen_diff_max: float = _number(0.35, 0, 255, "frozen: mean luma difference to the frame before")
    frozen_frames_min: int = _number(3, 1, 1000, "frozen: frames in a row")
    moving_gyro_rad_s: float = _number(0.2, 0, 100, "gyro norm that proves motion, rad/s")
    moving_pose_m: float = _number(
        0.01, 0, 100, "pose displacement within a second that proves motion, metres"
    )

    # --- streams ---
    rolled_max_ratio: float = _number(
        0.5, 0, 1, "orientation: share of the time in which the scene may be rolled by more than 45 degrees"
    )
    rate_drift_max_ratio: float = _number(
        0.1, 0, 10, "rate: by how much medians of tenths of the recording may differ"
    )
    jitter_max_ratio: float = _number(
        0.5, 0, 10, "jitter: 95 % of the steps must be nearer to the median than this share of it"
    )
    clock_drift_max_ppm: float = _number(
        500.0, 0, 1_000_000, "drift of stamps against log times that is a warning, ppm"
    )
    sync_offset_warn_ms: float = _number(20.0, 0, 10_000, "constant offset that is a warning, ms")
    sync_offset_fail_ms: float = _number(50.0, 0, 10_000, "constant offset that is a failure, ms")
    sync_min_correlation: float = _number(0.75, 0, 1, "correlation from which an estimated offset is trusted")
    sync_min_motion_rad_s: float = _number(
        0.1, 0, 100, "spread of angular speed that an estimate needs, rad/s"
    )
    sync_error_max_ms: float = _number(
        5.0, 0, 10_000, "standard error up to which an estimated offset is trusted, ms"
    )
    sync_drift_max_ms: float = _number(
        20.0, 0, 10_000, "difference of the offsets of thirds that is a warning, ms"
    )
    pose_speed_max_m_s: float = _number(5.0, 0, 10_000, "pose jump: speed above this")
    pose_rotation_max_deg_s: float = _number(720.0, 0, 100_000, "pose jump: rotation above this")
    pose_step_max_s: float = _number(
        0.1, 0, 3600, "pose jump: samples farther apart than this are not judged"
    )
    pose_gyro_max_deg: float = _number(
        5.0, 0, 360, "difference of the turns of poses and gyro within a second that is a warning, degrees"
    )
    relocalisation_step_m: float = _number(
        0.3, 0, 100, "relocalisation: step above this right after tracking returns"
    )
    mesh_path_min_ratio: float = _number(
        0.9, 0, 1, "mesh: share of the camera's path that must lie within it"
    )
    gravity_angle_max_deg: float = _number(
        5.0, 0, 180, "angle of gravity as felt against the upright axis of the world, degrees"
    )
    jolts_per_min_max: float = _number(
        20.0, 0, 10_000, "jolts above 20 m/s2 per minute that are a warning above this"
    )
    head_motion_max_ratio: float = _number(
        0.3, 0, 1, "share of the time that the head may turn faster than 2 rad/s"
    )
    idle_max_ratio: float = _number(0.9, 0, 1, "share of the time in which neither camera nor hands may move")
    depth_low_ratio: float = _number(0.5, 0, 1, "share of valid depth below which a frame is poor")
    depth_frames_min: int = _number(3, 1, 1000, "poor depth: frames in a row")
    depth_centre_min_ratio: float = _number(
        0.4, 0, 1, "share of valid depth in the middle half of the images below which it is a warning"
    )
    depth_saturated_max_ratio: float = _number(
        0.05, 0, 1, "share of depth pixels at 65,535 that is a warning above this"
    )

    # --- hands ---
    hand_bone_deviation_max: float = _number(
        0.15, 0, 1_000_000, "median relative deviation of bone lengths from the recording's own"
    )
    hand_speed_max_m_s: float = _number(5.0, 0, 10_000, "wrist speed in the world above this is wrong")
    hand_confidence_low: float = _number(0.5, 0, 1, "confidence below this counts as low")
    hand_low_share_max: float = _number(
        0.5, 0, 1, "share of hands of low confidence, 0 to 1, above which it is a warning"
    )
    hand_odd_share_max: float = _number(
        0.02, 0, 1, "share of frames, 0 to 1, up to which odd hands in single frames are noise"
    )
    hand_odd_frames_min: int = _number(
        5, 1, 1000, "odd hands in this many frames in a row are no noise, whatever their share"
    )
    hand_scale_deviation_max: float = _number(
        0.15, 0, 1_000_000, "relative deviation of a whole hand's size from the recording's own"
    )
    hand_length_min_m: float = _number(0.06, 0, 100, "wrist to middle knuckle, shortest plausible, metres")
    hand_length_max_m: float = _number(0.12, 0, 100, "wrist to middle knuckle, longest plausible, metres")
    palm_width_min_m: float = _number(0.04, 0, 100, "first to last knuckle, narrowest plausible, metres")
    palm_width_max_m: float = _number(0.11, 0, 100, "first to last knuckle, widest plausible, metres")
    hand_bent_back_max_deg: float = _number(
        40.0, 0, 360, "finger joints bent back by more than this many degrees are wrong"
    )
    hand_bent_max_deg: float = _number(
        130.0, 0, 360, "finger joints bent to the palm by more than this many degrees are wrong"
    )
    hand_crossing_m: float = _number(
        0.01, 0, 100, "metres by which fingers have changed places that are wrong"
    )
    hand_joint_speed_max_m_s: float = _number(
        8.0, 0, 10_000, "speed of any joint in the world above this is wrong"
    )
    hand_acceleration_max_m_s2: float = _number(
        150.0, 0, 10_000, "acceleration of the wrist in the world above this is wrong"
    )
    hand_jitter_max_mm: float = _number(
        5.0, 0, 1000, "trembling of the wrist while the camera is quiet, median, millimetres"
    )
    hand_quiet_rad_s: float = _number(0.1, 0, 100, "gyro norm, rad/s, below which the camera is quiet")
    hand_swap_ratio: float = _number(
        2.0, 0, 10, "swapped sides: by what factor the wrists' ways get shorter, 1 or more"
    )
    hand_swap_least_m: float = _number(
        0.06, 0, 100, "swapped sides: metres by which the way of each wrist gets shorter"
    )
    hand_swap_least_width: float = _number(
        0.05, 0, 1, "the same as a share of the picture's width, where no metres are known"
    )
    hand_reach_max_m: float = _number(
        0.95, 0, 100, "a wrist farther from the camera than this is somebody else's, metres"
    )
    hand_other_s: float = _number(
        0.3, 0, 3600, "shortest time that somebody else's hand, or a wrong side, is seen, seconds"
    )
    hand_reprojection_max: float = _number(
        0.03, 0, 1, "median distance of projected joints from those seen, as a share of the picture's width"
    )
    hand_depth_offset_max_m: float = _number(
        0.04, 0, 100, "median distance of palm joints from the measured surface, metres"
    )
    hand_hidden_ratio_min: float = _number(
        0.5, 0, 1, "share of joints inside blurred rectangles from which a hand is hidden"
    )
    hand_dropout_frames: int = _number(
        2, 1, 1000, "a hand missing for up to this many frames has dropped out, and can be filled"
    )
    hand_dropout_share_max: float = _number(
        0.05, 0, 1, "share of such frames above which it is a warning, 0 to 1"
    )

    # --- score, verdict, kept intervals ---
    weight_bad_picture: float = _number(60.0, 0, 100, "points x share of black, covered, frozen")
    weight_gap: float = _number(40.0, 0, 100, "points x share of time lost in RGB gaps")
    weight_blur: float = _number(20.0, 0, 100, "points x share of blurred time")
    weight_exposure: float = _number(10.0, 0, 100, "points x share of over- or underexposed time")
    weight_tracking: float = _number(25.0, 0, 100, "points x share of time without tracking")
    weight_depth: float = _number(20.0, 0, 100, "points x (1 - valid / 0.8), and for absent depth")
    weight_hands: float = _number(20.0, 0, 100, "points x share of anatomically wrong hands")
    penalty_pose_missing: float = _number(25.0, 0, 100, "points for absent poses")
    penalty_imu_missing: float = _number(15.0, 0, 100, "points for an absent IMU")
    penalty_sync_fail: float = _number(15.0, 0, 100, "points for an offset that fails")
    penalty_sync_warn: float = _number(5.0, 0, 100, "points for an offset that warns")
    penalty_pose_jump: float = _number(2.0, 0, 100, "points per pose jump")
    penalty_pose_jump_max: float = _number(15.0, 0, 100, "most points lost to pose jumps")
    not_run_cap: float = _number(90.0, 0, 100, "highest score while a check was not run")
    review_score: float = _number(80.0, 0, 100, "a score below this asks for review")
    required_streams: tuple[str, ...] = field(
        default=("rgb",),
        metadata={"help": "streams without which the verdict is fail: rgb, depth, pose, imu, hands"},
    )
    hole_close_s: float = _number(
        0.2, 0, 3600, "bad stretches up to this long are kept if no frame is missing; seconds"
    )
    cut_frames: int = _number(2, 0, 1000, "frames cut on either side of a hard reason")
    keep_min_s: float = _number(2.0, 0, 3600, "shortest kept interval, seconds")

    # --- report ---
    contact_sheet_frames: int = _number(12, 0, 12, "pictures in the report, 0 to 12")

    def __post_init__(self) -> None:
        """Check every value against its range; raise `BadConfig` on the first that lies outside."""
        object.__setattr__(self, "required_streams", tuple(self.required_streams))
        for item in fields(self):
            _check(item.name, getattr(self, item.name), item.metadata.get("range"), item.default)
        unknown = sorted(set(self.required_streams) - set(STREAMS))
        if unknown:
            raise BadConfig(
                f"required_streams names unknown streams {unknown}; there are {', '.join(STREAMS)}"
            )
        if self.hand_length_min_m > self.hand_length_max_m:
            raise BadConfig("hand_length_min_m must not be above hand_length_max_m")


def _check(name: str, value: Any, limits: tuple[float, float] | None, default: Any) -> None:
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise BadConfig(f"{name} must be true or false, got {value!r}")
    elif name.endswith("thresholds"):
        _check_pair(name, value)
    elif limits is not None:
        kinds = int if isinstance(default, int) else (int, float)
        low, high = limits
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            what = "a whole number" if isinstance(default, int) else "a number"
            raise BadConfig(f"{name} must be {what} from {low:g} to {high:g}, got {value!r}")


def _check_pair(name: str, value: Any) -> None:
    is_pair = isinstance(value, tuple | list) and len(value) == 2
    if not is_pair or not all(isinstance(item, int | float) for item in value):
        raise BadConfig(f"{name} must be (good, ok), got {value!r}")
    if not 0 <= value[1] <= value[0] <= 100:
        raise BadConfig(f"{name} must be (good, ok) with 100 >= good >= ok >= 0, got {value!r}")
