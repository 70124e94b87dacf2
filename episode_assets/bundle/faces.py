"""The blurred rectangles of every picture, as the bundle writes them down again. Reading them belongs to `footage`."""

from __future__ import annotations

import json
from collections.abc import Mapping

from episode_assets.bundle.annotation import AnnotationFile
from episode_assets.footage import BOX_LABELS, BOX_SOURCES, FaceBoxes, FrameTable
from episode_assets.outcome import Json


def write_privacy(
    file: AnnotationFile, boxes: FaceBoxes, frames: FrameTable, privacy: Mapping[str, Json]
) -> None:
    """Write `/privacy`: where pictures were blurred, and the verdict of the audit as attributes.

    Attribute `record` is the whole verdict as JSON; its plain values also stand as attributes of their own.
    """
    file.put("/privacy/boxes", boxes.rectangle_px, units="px")
    file.put("/privacy/frame_index", boxes.frame_index)
    file.put("/privacy/source_index", frames.message_number[boxes.frame_index])
    file.put("/privacy/score", boxes.score)
    file.put("/privacy/track", boxes.track)
    file.put("/privacy/source", boxes.source)
    file.put("/privacy/label", boxes.label)
    plain = {name: value for name, value in privacy.items() if isinstance(value, str | int | float)}
    record = json.dumps(privacy, sort_keys=True, allow_nan=False, ensure_ascii=False)
    file.describe(
        "/privacy",
        {
            **plain,
            "record": record,
            "source_words": ",".join(BOX_SOURCES),
            "label_words": ",".join(BOX_LABELS),
        },
    )
