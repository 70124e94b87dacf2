"""Every threshold of the quality report, with its default and meaning.

The first part has the names and defaults of Stera's `EvaluateConfig` and feeds `score_stera` and the colours of the
figures; the second part is ours. Changing a value decodes nothing again: all verdicts are computed from stored
numbers. Formulas belong in the modules that use them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from episode_assets.errors import BadConfig

Pair = tuple[float, float]


@dataclass(frozen=True)
class QualityConfig:
    """Thresholds, weights and rules of the quality report. Pairs are (good, ok)."""

    # --- names and defaults of EvaluateConfig ---
    health_thresholds: Pair = field(
        default=(80.0, 60.0), metadata={"help": "score from which it is good, ok"}
    )
    depth_valid_thresholds: Pair = field(
        default=(80.0, 50.0), metadata={"help": "percent of valid depth: good, ok"}
    )
    sync_thresholds: Pair = field(default=(90.0, 70.0), metadata={"help": "percent within 50 ms: good, ok"})
    hand_any_thresholds: Pair = field(
        default=(70.0, 30.0), metadata={"help": "percent with a hand: good, ok"}
    )
    hand_1plus_thresholds: Pair = field(
        default=(40.0, 15.0), metadata={"help": "percent with a hand: good, ok"}
    )
    hand_2_thresholds: Pair = field(
        default=(30.0, 10.0), metadata={"help": "percent with two hands: good, ok"}
    )
    imu_gravity_max_dev: float = field(
        default=0.5, metadata={"help": "m/s2 by which gravity may differ from 9.81"}
    )
    depth_required: bool = field(default=True, metadata={"help": "absent depth costs points"})
    imu_required: bool = field(default=True, metadata={"help": "an absent IMU costs points"})
    rgb_gap_max_penalty: float = field(
        default=10.0, metadata={"help": "score_stera: most points lost to gaps"}
    )
    depth_valid_target: float = field(
        default=80.0, metadata={"help": "score_stera: percent of valid depth wanted"}
    )
    depth_valid_weight: float = field(
        default=0.3, metadata={"help": "score_stera: points per missing percent"}
    )
    depth_missing_penalty: float = field(
        default=10.0, metadata={"help": "score_stera: points for absent depth"}
    )
    pose_missing_penalty: float = field(
        default=15.0, metadata={"help": "score_stera: points for absent poses"}
    )
    imu_missing_penalty: float = field(
        default=5.0, metadata={"help": "score_stera: points for an absent IMU"}
    )
    sync_target: float = field(default=90.0, metadata={"help": "score_stera: percent within 50 ms wanted"})
    sync_weight: float = field(default=0.1, metadata={"help": "score_stera: points per missing percent"})
    hand_any_target: float = field(
        default=50.0, metadata={"help": "score_stera: percent with any hand wanted"}
    )
    hand_any_weight: float = field(default=0.15, metadata={"help": "score_stera: points per missing percent"})
    hand_1plus_target: float = field(
        default=30.0, metadata={"help": "score_stera: percent with a hand wanted"}
    )
    hand_1plus_weight: float = field(
        default=0.05, metadata={"help": "score_stera: points per missing percent"}
    )
    hand_2_target: float = field(
        default=20.0, metadata={"help": "score_stera: percent with two hands wanted"}
    )
    hand_2_weight: float = field(default=0.10, metadata={"help": "score_stera: points per missing percent"})
    hand_missing_penalty: float = field(
        default=0.0, metadata={"help": "score_stera: points when hands were not run"}
    )

    # --- pictures: luma full range 0..255 at 320 pixels width ---
    black_mean_max: float = field(default=20.0, metadata={"help": "black: mean luma below this"})
    black_dark_ratio_min: float = field(
        default=0.9, metadata={"help": "black: share of pixels at 16 or below"}
    )
    black_frames_min: int = field(default=3, metadata={"help": "black: frames in a row"})
    covered_flat_ratio_min: float = field(default=0.6, metadata={"help": "covered lens: share of flat tiles"})
    covered_dim_flat_ratio_min: float = field(
        default=0.35, metadata={"help": "covered lens: share of flat tiles when contrast is low too"}
    )
    covered_std_max: float = field(
        default=20.0, metadata={"help": "covered lens: contrast that counts as low"}
    )
    covered_s: float = field(default=0.5, metadata={"help": "covered lens: shortest duration in seconds"})
    covered_depth_max_m: float = field(
        default=0.25,
        metadata={"help": "covered lens: depth below this, or mostly invalid, confirms it; metres"},
    )
    overexposed_bright_ratio_min: float = field(
        default=0.4, metadata={"help": "overexposed: share of pixels at 250 or above"}
    )
    underexposed_median_max: float = field(
        default=30.0, metadata={"help": "underexposed: median luma below this"}
    )
    exposure_jump_min: float = field(
        default=40.0, metadata={"help": "exposure jump: change of median luma within one frame"}
    )
    exposure_jump_turn_max_rad_s: float = field(
        default=1.0, metadata={"help": "exposure jump: not judged while the camera turns faster, rad/s"}
    )
    blur_laplacian_min: float = field(
        default=30.0, metadata={"help": "blurred: Laplacian variance below this"}
    )
    blur_relative_min: float = field(
        default=0.2,
        metadata={"help": "blurred: Laplacian variance below this share of the recording's median"},
    )
    blur_detail_min: float = field(
        default=0.02,
        metadata={
            "help": "blurred: Laplacian variance over variance of luma also below this; a wall lacks both"
        },
    )
    blur_detail_relative_min: float = field(
        default=0.35,
        metadata={"help": "blurred: or below this share of the recording's median of that ratio"},
    )
    blur_frames_min: int = field(default=3, metadata={"help": "blurred: frames in a row"})
    frozen_diff_max: float = field(
        default=0.35, metadata={"help": "frozen: mean luma difference to the frame before"}
    )
    frozen_frames_min: int = field(default=3, metadata={"help": "frozen: frames in a row"})
    moving_gyro_rad_s: float = field(default=0.2, metadata={"help": "gyro norm that proves motion, rad/s"})
    moving_pose_m: float = field(
        default=0.01, metadata={"help": "pose displacement that proves motion, metres"}
    )

    # --- streams ---
    sync_offset_warn_ms: float = field(
        default=20.0, metadata={"help": "constant offset that is a warning, ms"}
    )
    sync_offset_fail_ms: float = field(
        default=50.0, metadata={"help": "constant offset that is a failure, ms"}
    )
    sync_min_correlation: float = field(
        default=0.6, metadata={"help": "correlation from which an estimated offset is trusted"}
    )
    sync_min_motion_rad_s: float = field(
        default=0.1, metadata={"help": "spread of angular speed that an estimate needs, rad/s"}
    )
    sync_error_max_ms: float = field(
        default=5.0, metadata={"help": "standard error up to which an estimated offset is trusted, ms"}
    )
    sync_drift_max_ms: float = field(
        default=20.0, metadata={"help": "difference of the offsets of thirds that is a warning, ms"}
    )
    pose_speed_max_m_s: float = field(default=5.0, metadata={"help": "pose jump: speed above this"})
    pose_rotation_max_deg_s: float = field(default=720.0, metadata={"help": "pose jump: rotation above this"})
    pose_step_max_s: float = field(
        default=0.1, metadata={"help": "pose jump: samples farther apart than this are not judged"}
    )
    relocalisation_step_m: float = field(
        default=0.3, metadata={"help": "relocalisation: step above this right after tracking returns"}
    )
    depth_low_ratio: float = field(
        default=0.5, metadata={"help": "share of valid depth below which a frame is poor"}
    )
    hand_bone_deviation_max: float = field(
        default=0.15, metadata={"help": "median relative deviation of bone lengths from the recording's own"}
    )
    hand_speed_max_m_s: float = field(
        default=5.0, metadata={"help": "wrist speed in the world above this is wrong"}
    )
    hand_confidence_low: float = field(default=0.5, metadata={"help": "confidence below this counts as low"})
    hand_low_share_max: float = field(
        default=0.5,
        metadata={"help": "share of hands of low confidence, 0 to 1, above which it is a warning"},
    )
    hand_odd_share_max: float = field(
        default=0.02,
        metadata={"help": "share of frames, 0 to 1, up to which odd hands in single frames are noise"},
    )
    hand_odd_frames_min: int = field(
        default=5,
        metadata={"help": "odd hands in this many frames in a row are no noise, whatever their share"},
    )
    hand_scale_deviation_max: float = field(
        default=0.15, metadata={"help": "relative deviation of a whole hand's size from the recording's own"}
    )
    hand_length_min_m: float = field(
        default=0.06, metadata={"help": "wrist to middle knuckle, shortest plausible, metres"}
    )
    hand_length_max_m: float = field(
        default=0.12, metadata={"help": "wrist to middle knuckle, longest plausible, metres"}
    )
    palm_width_min_m: float = field(
        default=0.04, metadata={"help": "first to last knuckle, narrowest plausible, metres"}
    )
    palm_width_max_m: float = field(
        default=0.11, metadata={"help": "first to last knuckle, widest plausible, metres"}
    )
    hand_bent_back_max_deg: float = field(
        default=40.0, metadata={"help": "finger joints bent back by more than this many degrees are wrong"}
    )
    hand_bent_max_deg: float = field(
        default=130.0,
        metadata={"help": "finger joints bent to the palm by more than this many degrees are wrong"},
    )
    hand_crossing_m: float = field(
        default=0.01, metadata={"help": "metres by which fingers have changed places that are wrong"}
    )
    hand_joint_speed_max_m_s: float = field(
        default=8.0, metadata={"help": "speed of any joint in the world above this is wrong"}
    )
    hand_acceleration_max_m_s2: float = field(
        default=150.0, metadata={"help": "acceleration of the wrist in the world above this is wrong"}
    )
    hand_jitter_max_mm: float = field(
        default=5.0,
        metadata={"help": "trembling of the wrist while the camera is quiet, median, millimetres"},
    )
    hand_quiet_rad_s: float = field(
        default=0.1, metadata={"help": "gyro norm, rad/s, below which the camera is quiet"}
    )
    hand_swap_ratio: float = field(
        default=2.0,
        metadata={"help": "swapped sides: by what factor the wrists' ways get shorter, 1 or more"},
    )
    hand_swap_least_m: float = field(
        default=0.06, metadata={"help": "swapped sides: metres by which the way of each wrist gets shorter"}
    )
    hand_swap_least_width: float = field(
        default=0.05,
        metadata={"help": "the same as a share of the picture's width, where no metres are known"},
    )
    hand_reach_max_m: float = field(
        default=0.95,
        metadata={"help": "a wrist farther from the camera than this is somebody else's, metres"},
    )
    hand_other_s: float = field(
        default=0.3,
        metadata={"help": "shortest time that somebody else's hand, or a wrong side, is seen, seconds"},
    )
    hand_reprojection_max: float = field(
        default=0.03,
        metadata={
            "help": "median distance of projected joints from those seen, as a share of the picture's width"
        },
    )
    hand_depth_offset_max_m: float = field(
        default=0.04, metadata={"help": "median distance of palm joints from the measured surface, metres"}
    )
    hand_hidden_ratio_min: float = field(
        default=0.5,
        metadata={"help": "share of joints inside blurred rectangles from which a hand is hidden"},
    )
    hand_dropout_frames: int = field(
        default=2,
        metadata={"help": "a hand missing for up to this many frames has dropped out, and can be filled"},
    )
    hand_dropout_share_max: float = field(
        default=0.05, metadata={"help": "share of such frames above which it is a warning, 0 to 1"}
    )

    # --- score, verdict, kept intervals ---
    weight_bad_picture: float = field(
        default=60.0, metadata={"help": "points x share of black, covered, frozen"}
    )
    weight_gap: float = field(default=40.0, metadata={"help": "points x share of time lost in RGB gaps"})
    weight_blur: float = field(default=20.0, metadata={"help": "points x share of blurred time"})
    weight_exposure: float = field(
        default=10.0, metadata={"help": "points x share of over- or underexposed time"}
    )
    weight_tracking: float = field(default=25.0, metadata={"help": "points x share of time without tracking"})
    weight_depth: float = field(
        default=20.0, metadata={"help": "points x (1 - valid / 0.8), and for absent depth"}
    )
    weight_hands: float = field(default=20.0, metadata={"help": "points x share of anatomically wrong hands"})
    penalty_pose_missing: float = field(default=25.0, metadata={"help": "points for absent poses"})
    penalty_imu_missing: float = field(default=15.0, metadata={"help": "points for an absent IMU"})
    penalty_sync_fail: float = field(default=15.0, metadata={"help": "points for an offset that fails"})
    penalty_sync_warn: float = field(default=5.0, metadata={"help": "points for an offset that warns"})
    penalty_pose_jump: float = field(default=2.0, metadata={"help": "points per pose jump"})
    penalty_pose_jump_max: float = field(default=15.0, metadata={"help": "most points lost to pose jumps"})
    not_run_cap: float = field(default=90.0, metadata={"help": "highest score while a check was not run"})
    review_score: float = field(default=80.0, metadata={"help": "a score below this asks for review"})
    required_streams: tuple[str, ...] = field(
        default=("rgb",),
        metadata={"help": "streams without which the verdict is fail: rgb, depth, pose, imu, hands"},
    )
    hole_close_s: float = field(
        default=0.2,
        metadata={"help": "bad stretches up to this long are kept if no frame is missing; seconds"},
    )
    cut_frames: int = field(default=2, metadata={"help": "frames cut on either side of a hard reason"})
    keep_min_s: float = field(default=2.0, metadata={"help": "shortest kept interval, seconds"})

    # --- report ---
    contact_sheet_frames: int = field(default=12, metadata={"help": "pictures in the report, 0 to 12"})

    def __post_init__(self) -> None:
        object.__setattr__(self, "required_streams", tuple(self.required_streams))
        for item in fields(self):
            _check(item.name, getattr(self, item.name))
        unknown = sorted(set(self.required_streams) - {"rgb", "depth", "pose", "imu", "hands"})
        if unknown:
            raise BadConfig(f"required_streams names unknown streams {unknown}")
        if not 0 <= self.contact_sheet_frames <= 12:
            raise BadConfig(
                f"contact_sheet_frames must lie between 0 and 12, got {self.contact_sheet_frames}"
            )


def _check(name: str, value: object) -> None:
    if isinstance(value, tuple) and name.endswith("thresholds"):
        pair = tuple(float(item) for item in value)
        if len(pair) != 2 or pair[0] < pair[1]:
            raise BadConfig(f"{name} must be (good, ok) with good >= ok, got {value}")
    elif isinstance(value, int | float) and not 0 <= value < float("inf"):
        raise BadConfig(f"{name} must be zero or more, got {value}")
