"""Faces: found, followed over time, made unreadable, and searched for again in what would be published.

`blur_recording` is the room's one computation. A detector is plugged in by name or import path; see `detectors`.
"""

from episode_assets.anonymization.blurring import blur_recording
from episode_assets.anonymization.boxes import Boxes
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.detectors import DETECTORS, FaceDetector, FaceDetectorFactory

__all__ = ["DETECTORS", "Boxes", "FaceBlurConfig", "FaceDetector", "FaceDetectorFactory", "blur_recording"]
