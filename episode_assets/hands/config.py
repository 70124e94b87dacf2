"""The settings of hand estimation that change its bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from episode_assets.chunks import CHUNK_FRAMES
from episode_assets.errors import BadConfig
from episode_assets.hands.backends import (
    HELP,
    NO_MODEL,
    PRECOMPUTED,
    check_backend,
    errors_are_known,
    options_of,
)
from episode_assets.hands.mano_options import HaMeROptions, WiLoROptions
from episode_assets.hands.networks import Precision
from episode_assets.hands.precomputed import PrecomputedOptions
from episode_assets.outcome import ModelUse

Others = Literal["keep", "drop"]
SceneTurned = Literal["auto", "0", "90", "180", "270"]
Smoothing = Literal["none", "track"]


@dataclass(frozen=True)
class HandPoseConfig:
    """How hands are found, followed, told apart, and placed in space."""

    backend: str = field(
        default="mediapipe",
        metadata={"help": f"Who finds the hands: {HELP}."},
    )
    palm_model: str = field(
        default="palm_detection_lite",
        metadata={"help": "Weight file of the palm detector. The lite net proposes more than the full one."},
    )
    landmark_model: str = field(
        default="hand_landmark_full",
        metadata={"help": "Weight file of the 21 joints. The lite net is twice as fast and less exact."},
    )
    second_palm_model: str = field(
        default=NO_MODEL,
        metadata={
            "help": "Another palm detector whose proposals are added, or none. Finds more; searches take twice as long."
        },
    )
    second_landmark_model: str = field(
        default="hand_landmark_lite",
        metadata={
            "help": "Weight file that is asked too whether a new hand is one, or none. Faces rarely pass both nets."
        },
    )
    precision: Precision = field(
        default="bfloat16",
        metadata={
            "help": "bfloat16 (OpenVINO, half the time where the processor has it, joints move by 1 % of the region) "
            "or float32 (LiteRT)."
        },
    )
    palm_threshold: float = field(
        default=0.3,
        metadata={
            "help": "Lowest palm score that is looked at, 0 to 1. Lower finds more hands and costs time."
        },
    )
    palm_squares: int = field(
        default=3,
        metadata={
            "help": "Square crops beside the whole picture on key frames, 0 to 8. More finds smaller hands."
        },
    )
    wide_interval_s: float = field(
        default=2.0,
        metadata={
            "help": "Time between searches in tiles of half the picture's height, which find hands half as large, s, "
            "0 to 60; 0 is never. Up to four times as long while they find nobody."
        },
    )
    work_side_px: int = field(
        default=1280,
        metadata={
            "help": "Longer side of the picture that the nets see, px, 320 to 4096. Larger ones are scaled."
        },
    )
    key_interval_s: float = field(
        default=0.4,
        metadata={"help": "Time between searches for new hands, s, 0.05 to 5. Shorter finds hands sooner."},
    )
    key_interval_busy_s: float = field(
        default=1.6,
        metadata={
            "help": "The same while two or more hands are followed, s, key_interval_s to 60. Longer is faster."
        },
    )
    roi_rounds: int = field(
        default=3,
        metadata={
            "help": "How often a fresh region is read, each time moved onto its joints, unless it has settled, 1 to 4."
        },
    )
    start_presence: float = field(
        default=0.7,
        metadata={
            "help": "Presence that begins a track, the mean of all looks at a new hand, 0 to 1. Higher has fewer false "
            "hands."
        },
    )
    continue_presence: float = field(
        default=0.4,
        metadata={"help": "Presence that keeps a track alive, 0 to 1. Higher ends tracks sooner."},
    )
    end_presence: float = field(
        default=0.5,
        metadata={
            "help": "Presence of rows before the first or after the last sure one of a track, 0 to 1. Higher cuts "
            "more. Boxes of every picture are judged by their own threshold."
        },
    )
    backward_s: float = field(
        default=1.3,
        metadata={
            "help": "How far a new hand is followed back in time, s, 0 to 3. Longer needs more memory."
        },
    )
    max_hands: int = field(
        default=8, metadata={"help": "Most hands that are followed at once, 1 to 16; each costs time."}
    )
    chunk_frames: int = field(
        default=CHUNK_FRAMES,
        metadata={"help": "Frames that are worked on as one piece, 10 to 10000."},
    )
    margin_s: float = field(
        default=1.3,
        metadata={
            "help": "How far a piece looks beyond its own frames, s, 0 to 5. Joins tracks over the cuts."
        },
    )
    min_track_frames: int = field(
        default=5,
        metadata={"help": "Shortest track that is kept, frames, 1 to 100. Higher has fewer false hands."},
    )
    max_interpolated_frames: int = field(
        default=5,
        metadata={
            "help": "Longest hole in a track that is filled, frames, 0 to 30. Filled rows are never valid."
        },
    )
    roi_min_px: float = field(
        default=40.0,
        metadata={"help": "Smallest region side, px of a picture 1280 px long, at least 1."},
    )
    roi_max_px: float = field(
        default=900.0,
        metadata={"help": "Largest region side, px of a picture 1280 px long, above roi_min_px."},
    )
    scene_turned: SceneTurned = field(
        default="auto",
        metadata={
            "help": "How far the scene is turned clockwise in the recorded pictures, degrees: 0, 90, 180, 270, or "
            "auto, as poses or gravity say of most of them. It changes what is looked at, not what joints refer to."
        },
    )
    mirrored_input: bool = field(
        default=False,
        metadata={"help": "Whether the pictures are mirrored (selfie view); swaps left and right."},
    )
    others: Others = field(
        default="keep",
        metadata={
            "help": "Hands of other people: 'keep' writes them with wearer = false, 'drop' leaves them out."
        },
    )
    wearer_reach_m: float = field(
        default=1.2,
        metadata={"help": "Farthest distance of the wearer's own hand from the camera, m, 0.2 to 3."},
    )
    depth_tolerance_s: float = field(
        default=0.05,
        metadata={"help": "Largest distance in time between a picture and its depth frame, s, 0 to 1."},
    )
    depth_near_m: float = field(
        default=0.15, metadata={"help": "Nearest depth that can be a hand, m, at least 0."}
    )
    depth_far_m: float = field(
        default=1.5, metadata={"help": "Farthest depth that can be a hand, m, above depth_near_m."}
    )
    depth_quantile: float = field(
        default=0.3,
        metadata={
            "help": "Which depth of the patch around a joint is its own, 0 to 0.5; low: background is behind."
        },
    )
    skin_offset_m: float = field(
        default=0.008, metadata={"help": "From the skin that depth sees inward to the joint, m, 0 to 0.03."}
    )
    agree_m: float = field(
        default=0.03,
        metadata={"help": "How far palm joints may disagree on where the hand is, m, 0.005 to 0.2."},
    )
    min_agreeing: int = field(
        default=3,
        metadata={"help": "Palm joints that must agree before a hand has a place in space, 2 to 5."},
    )
    max_speed_m_s: float = field(
        default=2.0,
        metadata={"help": "Faster jumps in depth than this, against both neighbours, are rejected, m/s."},
    )
    hold_frames: int = field(
        default=3,
        metadata={
            "help": "How many frames a hand may keep the depth of its neighbours, 0 to 15; marked as held."
        },
    )
    smoothing: Smoothing = field(
        default="none",
        metadata={
            "help": "'none' writes joints as they were read; 'track' moves them towards their neighbours in time, "
            "each by no more than its uncertainty, and marks the rows; for backends that state one (mediapipe)."
        },
    )
    smoothing_s: float = field(
        default=0.15,
        metadata={"help": "How far smoothing looks to both sides, s, 0.02 to 1. Longer is smoother."},
    )
    upper_body: bool = field(
        default=False,
        metadata={
            "help": "Whether to estimate head, shoulders and elbows from camera and wrists, into a file of its own."
        },
    )
    wilor: WiLoROptions = field(default=WiLoROptions(), metadata={"help": "Settings of the backend wilor."})
    hamer: HaMeROptions = field(default=HaMeROptions(), metadata={"help": "Settings of the backend hamer."})
    precomputed: PrecomputedOptions = field(
        default=PrecomputedOptions(), metadata={"help": "Settings of the backend precomputed."}
    )

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not low <= value <= high:
                raise BadConfig(f"{name} must lie within {low} and {high}, got {value}")
        if self.others not in {"keep", "drop"}:
            raise BadConfig(f"others must be 'keep' or 'drop', got {self.others!r}")
        if self.scene_turned not in get_args(SceneTurned):
            raise BadConfig(f"scene_turned must be one of {get_args(SceneTurned)}, got {self.scene_turned!r}")
        if self.smoothing not in get_args(Smoothing):
            raise BadConfig(f"smoothing must be one of {get_args(Smoothing)}, got {self.smoothing!r}")
        if not isinstance(self.upper_body, bool):
            raise BadConfig(f"upper_body must be true or false, got {self.upper_body!r}")
        if self.precision not in get_args(Precision):
            raise BadConfig(f"precision must be one of {get_args(Precision)}, got {self.precision!r}")
        _ordered("continue_presence", self.continue_presence, "start_presence", self.start_presence)
        _ordered("key_interval_s", self.key_interval_s, "key_interval_busy_s", self.key_interval_busy_s)
        _ordered("roi_min_px", self.roi_min_px, "roi_max_px", self.roi_max_px)
        _ordered("depth_near_m", self.depth_near_m, "depth_far_m", self.depth_far_m)
        for name, section in _SECTIONS:
            if not isinstance(getattr(self, name), section):
                raise BadConfig(f"{name} must be a section of settings, got {getattr(self, name)!r}")
        check_backend(self)
        if self.smoothing == "track" and not errors_are_known(self):
            raise BadConfig(
                f"smoothing moves joints by no more than their uncertainty, and that of {self.backend} is not known",
                where="smoothing",
                remedy="set smoothing to none, or backend to mediapipe",
            )

    @property
    def takes_file_beside(self) -> bool:
        """Whether hands may come from a file beside the recording."""
        return self.backend == PRECOMPUTED and self.precomputed.takes_file_beside

    def models(self) -> tuple[ModelUse, ...]:
        """Return the files that the backend uses; reads and hashes those that are given by path."""
        return options_of(self).models()


_RANGES: dict[str, tuple[float, float]] = {
    "palm_threshold": (0.01, 0.99),
    "palm_squares": (0, 8),
    "work_side_px": (320, 4096),
    "key_interval_s": (0.05, 5.0),
    "key_interval_busy_s": (0.05, 60.0),
    "wide_interval_s": (0.0, 60.0),
    "roi_rounds": (1, 4),
    "start_presence": (0.0, 1.0),
    "continue_presence": (0.0, 1.0),
    "end_presence": (0.0, 1.0),
    "backward_s": (0.0, 3.0),
    "max_hands": (1, 16),
    "chunk_frames": (10, 10_000),
    "margin_s": (0.0, 5.0),
    "min_track_frames": (1, 100),
    "max_interpolated_frames": (0, 30),
    "roi_min_px": (1.0, 4096.0),
    "roi_max_px": (1.0, 8192.0),
    "wearer_reach_m": (0.2, 3.0),
    "depth_tolerance_s": (0.0, 1.0),
    "depth_near_m": (0.0, 5.0),
    "depth_far_m": (0.0, 10.0),
    "depth_quantile": (0.0, 0.5),
    "skin_offset_m": (0.0, 0.03),
    "agree_m": (0.005, 0.2),
    "min_agreeing": (2, 5),
    "max_speed_m_s": (0.1, 50.0),
    "hold_frames": (0, 15),
    "smoothing_s": (0.02, 1.0),
}

_SECTIONS = (("wilor", WiLoROptions), ("hamer", HaMeROptions), ("precomputed", PrecomputedOptions))


def _ordered(low_name: str, low: float, high_name: str, high: float) -> None:
    if low > high:
        raise BadConfig(f"{low_name} ({low}) must not exceed {high_name} ({high})")
