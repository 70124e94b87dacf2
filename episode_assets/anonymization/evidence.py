"""Pictures that show why a video was refused, without showing a face.

What is shown is the frame as it would have been published, never its source: every box of the audit and everything
that the blur or a person hides is filled solid, and the result is searched once more by all that searched before. A
picture in which anything is left is not handed out. Which frames are worth showing is decided here too; who makes
their groups again belongs to `passes`, what the boxes mean to `verdict`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import Boxes, covered_share, no_boxes
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.filling import MAX_LEFT, fill
from episode_assets.anonymization.groups import GroupAudit, Rectangles, blocking_finds
from episode_assets.anonymization.redaction import redaction_rectangles
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.anonymization.turning import UPRIGHT, Turn, all_right_angles
from episode_assets.video import Picture, encode_jpeg, picture_to_rgb

FOLDER = "evidence"
"""Where the pictures lie in what is kept of a refused artifact."""

MOST_PICTURES = 8
"""Each shows the worst frame of another group; more are no better reason."""

LONGEST_SIDE_PX = 640
"""A picture is made this small; enough to find the place in the recording."""

_GROWN = 2.0
"""A find is filled this much larger than its box: hair, ears and a neighbour's profile go with it."""

_SEARCHES = 5
"""How often what another search finds is filled too, before the picture is given up."""

_INSIDE_SHARE = 0.8
"""A box lies under what is filled when this much of it does; corners of filled boxes look like something, at times."""

_JPEG_QUALITY = 80
_MARK = (230, 60, 40)
_MARK_PX = 2


@dataclass(frozen=True)
class Shown:
    """One frame as evidence: its position in the stream, and a JPEG, or None where none could be shown safely."""

    position: int
    jpeg: bytes | None


def picture_name(frame_index: int) -> str:
    """Return the path in an artifact of the evidence of a frame."""
    return f"{FOLDER}/frame_{frame_index:06d}.jpg"


def worst_frame(
    audit: GroupAudit, excepted: Sequence[NDArray[np.float32]], config: FaceBlurConfig
) -> tuple[float, int] | None:
    """Return the worst frame of a group, its score first; None where nothing in the group blocks.

    The score is that of the strongest face outside the blur, and 0 where a blur kept its detail or something is left
    in a painted area.
    """
    blocking = blocking_finds(audit, excepted, config)
    scores = {
        index: float(boxes[blocks, 4].max())
        for index, (boxes, blocks) in enumerate(zip(audit.outside, blocking, strict=True))
        if blocks.any()
    }
    measured = zip(audit.kept_detail, audit.left_in_areas, strict=True)
    for index, (kept, left) in enumerate(measured):
        if (kept > config.audit_max_detail).any() or (left > MAX_LEFT).any():
            scores.setdefault(index, 0.0)
    worst = max(scores, key=lambda index: (scores[index], -index), default=None)
    return None if worst is None else (scores[worst], worst)


def evidence_picture(
    picture: Picture,
    finds: Boxes,
    hidden: Rectangles,
    searches: Sequence[FaceSearch],
    turns: Sequence[Turn] = UPRIGHT,
) -> bytes | None:
    """Return a frame with everything filled that may be a face, as a small JPEG; None where something is left.

    Args:
        picture: The decoded result; it is only read.
        finds: What its audit found outside the blur, weak boxes and those that it dismissed too.
        hidden: (R, 4) what was blurred or painted over in it.
        searches: All that the run searches with, whichever scale and score.
        turns: How the frame is turned for that, beside all right angles.
    """
    shown = picture.copy()
    filled = np.concatenate([hidden, _grown(finds, shown)])
    every_turn = tuple(dict.fromkeys([*turns, *all_right_angles()]))
    for _ in range(_SEARCHES):
        fill(shown, [filled])
        left = _left(shown, filled, searches, every_turn)
        if not len(left):
            return _small_jpeg(shown, finds)
        filled = np.concatenate([filled, _grown(left, shown)])
    return None


def _left(
    picture: Picture, filled: Rectangles, searches: Sequence[FaceSearch], turns: Sequence[Turn]
) -> Boxes:
    found = np.concatenate([no_boxes(), *(search.traces(picture, turns) for search in searches)])
    covered = covered_share(found, filled, width=picture.true_width, height=picture.true_height)
    return found[covered < _INSIDE_SHARE]


def _grown(boxes: Boxes, picture: Picture) -> Rectangles:
    return redaction_rectangles(boxes[:, :4], scale=_GROWN, width=picture.width, height=picture.height)


def _small_jpeg(picture: Picture, finds: Boxes) -> bytes:
    """Return the picture made small, with a mark around each find of the audit."""
    scale = min(1.0, LONGEST_SIDE_PX / max(picture.true_width, picture.true_height))
    size = (max(1, round(picture.true_width * scale)), max(1, round(picture.true_height * scale)))
    rgb = picture_to_rgb(picture, size=size)
    for x0, y0, x1, y1 in np.rint(finds[:, :4] * scale).astype(int).tolist():
        cv2.rectangle(rgb, (x0, y0), (x1, y1), _MARK, _MARK_PX)
    return encode_jpeg(rgb, quality=_JPEG_QUALITY)
