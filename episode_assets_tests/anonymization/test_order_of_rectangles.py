"""The rectangles of a picture come in an order that does not depend on how much of the stream was looked at."""

from __future__ import annotations

import numpy as np

from episode_assets.anonymization import FaceBlurConfig
from episode_assets.anonymization.redactions import redact, within
from episode_assets.anonymization.tracks import Detections

FRAMES = 150
LEFT, RIGHT = (100, 100, 140, 150), (400, 100, 440, 150)


def two_people_of_whom_the_other_becomes_the_surer() -> Detections:
    frames = np.repeat(np.arange(FRAMES, dtype=np.int64), 2)
    first = [LEFT if frame < 40 else RIGHT for frame in range(FRAMES)]
    boxes = [box for one in first for box in (one, RIGHT if one is LEFT else LEFT)]
    zeros = np.zeros(2 * FRAMES, np.uint8)
    scores = np.tile(np.array([0.9, 0.7], np.float32), FRAMES)
    return Detections(frame=frames, box=np.array(boxes, np.float32), score=scores, source=zeros, label=zeros)


def test_a_window_gives_the_rectangles_of_the_whole_stream_in_the_same_order() -> None:
    config, faces = FaceBlurConfig(), two_people_of_whom_the_other_becomes_the_surer()
    position = np.arange(FRAMES)
    stamps = position * 33_333_333 + 10**18
    whole = redact(position, stamps, faces, config=config, size=(640, 360))

    window = np.flatnonzero(stamps >= stamps[120] - config.margin_ns)
    part = redact(
        window,
        stamps[window],
        within(faces, int(window[0]), FRAMES),
        config=config,
        size=(640, 360),
    )

    assert window[0] > 40  # the window sees only the time in which the right one comes first
    assert all(map(np.array_equal, whole.at(position[120:]), part.at(position[120:])))
