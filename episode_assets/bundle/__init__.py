"""The episode directory: one recording as files that scripts for the Stera layout read, and more.

Writing it, reading it, and the formats of its parts belong here. Finding faces and hands, judging quality and
packing datasets belong to their own rooms; publishing belongs to `storage`.
"""

from episode_assets.bundle.calibration import Calibrations
from episode_assets.bundle.clouds import PointCloud
from episode_assets.bundle.config import BundleConfig
from episode_assets.bundle.frames import FramePairing
from episode_assets.bundle.hands import HandArrays
from episode_assets.bundle.layout import SCHEMA, SCHEMA_VERSION
from episode_assets.bundle.mano import ManoArrays
from episode_assets.bundle.reader import DepthInfo, EpisodeBundle
from episode_assets.bundle.upper_body import UpperBody
from episode_assets.bundle.write import write_bundle
from episode_assets.footage import FaceBoxes, FramePoses, FrameTable
from episode_assets.ply import Mesh

__all__ = [
    "SCHEMA",
    "SCHEMA_VERSION",
    "BundleConfig",
    "Calibrations",
    "DepthInfo",
    "EpisodeBundle",
    "FaceBoxes",
    "FramePairing",
    "FramePoses",
    "FrameTable",
    "HandArrays",
    "ManoArrays",
    "Mesh",
    "PointCloud",
    "UpperBody",
    "write_bundle",
]
