"""Blurring demo recordings without a network: their truth says where a face is, and a person has drawn it there.

The detector is a stand-in that knows only the face of the known-answer test.
"""

from __future__ import annotations

import numpy as np

from episode_assets.anonymization import FaceBlurConfig
from episode_assets.anonymization.redaction_document import DrawnArea, Span
from episode_assets.demo import DemoTruth

STAND_IN = "benchmarks.no_faces:make"
BLUR = FaceBlurConfig(detector=STAND_IN, audit_detector=STAND_IN, preset="ultrafast")


def drawn_faces(truth: DemoTruth) -> list[DrawnArea]:
    """Return an area over the head in every picture that shows it."""
    areas = []
    for number, (x0, y0, x1, y1) in enumerate(truth.head_box_px):
        if np.isfinite(x0):
            width, height = truth.size_px
            low, high = (max(x0, 0.0), max(y0, 0.0)), (min(x1, width - 1.0), min(y1, height - 1.0))
            areas.append(DrawnArea("face", "box", (low, high), False, Span("messages", number, number)))
    return areas
