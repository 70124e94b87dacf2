"""Faces: found, followed over time, made unreadable, and searched for again in what would be published.

`blur_recording` is the room's one computation. Detectors are chosen by name or import path; see `backends`.
"""

from episode_assets.anonymization.backends import BACKENDS, require_detectors
from episode_assets.anonymization.blurring import blur_recording
from episode_assets.anonymization.boxes import Boxes
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.detectors import FaceDetector, FaceDetectorFactory, Label
from episode_assets.anonymization.redaction_document import (
    DrawnArea,
    FindException,
    RedactionDocument,
    area_of,
    document_of,
    read_redactions,
)

__all__ = [
    "BACKENDS",
    "Boxes",
    "DrawnArea",
    "FaceBlurConfig",
    "FaceDetector",
    "FaceDetectorFactory",
    "FindException",
    "Label",
    "RedactionDocument",
    "area_of",
    "blur_recording",
    "document_of",
    "read_redactions",
    "require_detectors",
]
