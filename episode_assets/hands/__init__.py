"""Hand poses: where hands are in the picture and in space, whose they are, and how sure that is.

Detectors and estimators behind one protocol (`backends`), following them through time (`tracking`, `joining`), telling
them apart (`sides`), and anchoring them in depth (`anchoring`, `placing`). Faces and blur belong in `anonymization`;
drawing hands and writing them into episodes belongs to the rooms above.
"""

from episode_assets.hands.backends import BACKENDS, Backend, HandDetector, HandEstimator
from episode_assets.hands.config import HandPoseConfig
from episode_assets.hands.estimate import estimate_hands
from episode_assets.hands.given_file import HandsFile
from episode_assets.hands.landmarks import Readings
from episode_assets.hands.mano_options import HaMeROptions, WiLoROptions
from episode_assets.hands.precomputed import PrecomputedOptions
from episode_assets.hands.tables import (
    BODY_EDGES,
    BODY_ESTIMATED,
    BODY_JOINT_NAMES,
    BODY_MEASURED,
    BODY_UNKNOWN,
    FRAMES_FILE,
    FRAMES_SCHEMA,
    HANDS_FILE,
    HANDS_SCHEMA,
    HELD,
    INTERPOLATED,
    JOINT_NAMES,
    MANO_FILE,
    MANO_SCHEMA,
    MEASURED,
    UPPER_BODY_FILE,
    UPPER_BODY_SCHEMA,
)

__all__ = [
    "BACKENDS",
    "BODY_EDGES",
    "BODY_ESTIMATED",
    "BODY_JOINT_NAMES",
    "BODY_MEASURED",
    "BODY_UNKNOWN",
    "FRAMES_FILE",
    "FRAMES_SCHEMA",
    "HANDS_FILE",
    "HANDS_SCHEMA",
    "HELD",
    "INTERPOLATED",
    "JOINT_NAMES",
    "MANO_FILE",
    "MANO_SCHEMA",
    "MEASURED",
    "UPPER_BODY_FILE",
    "UPPER_BODY_SCHEMA",
    "Backend",
    "HaMeROptions",
    "HandDetector",
    "HandEstimator",
    "HandPoseConfig",
    "HandsFile",
    "PrecomputedOptions",
    "Readings",
    "WiLoROptions",
    "estimate_hands",
]
