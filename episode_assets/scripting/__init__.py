"""For people who write their own loop over a recording: read frames, blur, track, hand back, export.

The names are those of scripts for the Stera SDK, which run with their imports changed. What a script hands back is
audited like everything else; nothing here writes an unblurred pixel. Archives are worked on by `pipeline` and `defs`.
"""

from episode_assets.scripting.camera import CameraIntrinsics, Pose6D, SyncedFrame
from episode_assets.scripting.evaluate import Evaluate, EvaluateConfig
from episode_assets.scripting.face_blurrer import FaceBlurrer
from episode_assets.scripting.hand_pose import FINGER_JOINTS, FINGER_NAMES, HandPose, Keypoint
from episode_assets.scripting.hand_tracker import HandTracker
from episode_assets.scripting.logs import setup_logging
from episode_assets.scripting.mesh_refiner import MeshRefiner, RefinedMesh
from episode_assets.scripting.reader import MCAPReader
from episode_assets.scripting.topics import TopicConfig
from episode_assets.scripting.upper_body import SkeletonFrame, UpperBodyEstimator
from episode_assets.scripting.visualizer import RerunVisualizer, Visualizer

__all__ = [
    "FINGER_JOINTS",
    "FINGER_NAMES",
    "CameraIntrinsics",
    "Evaluate",
    "EvaluateConfig",
    "FaceBlurrer",
    "HandPose",
    "HandTracker",
    "Keypoint",
    "MCAPReader",
    "MeshRefiner",
    "Pose6D",
    "RefinedMesh",
    "RerunVisualizer",
    "SkeletonFrame",
    "SyncedFrame",
    "TopicConfig",
    "UpperBodyEstimator",
    "Visualizer",
    "setup_logging",
]
