"""`hands_preview.mp4`: the blurred video with every hand of `hands.parquet` drawn over it, for people to look at.

Pictures and rows are walked side by side, a group of pictures is encoded at a time: memory does not grow with the
length. How a hand is drawn is in `hand_drawing`; the only pixels that come in are those of the blurred video.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.bundle.hand_drawing import COLOURS, DrawnHand, draw_hand
from episode_assets.bundle.hands import JOINTS, REMEDY, hand_batches, list_column
from episode_assets.bundle.layout import INTERPOLATED
from episode_assets.errors import ArtifactDamaged
from episode_assets.footage import FrameTable, bool_column, float_column, int_column, rows_of_messages
from episode_assets.progress import Progress
from episode_assets.video import (
    Picture,
    RGBEncoderConfig,
    Segment,
    SegmentEncoder,
    decode_frames,
    join_segments,
)

ENCODER = RGBEncoderConfig(crf=26.0, g=30)
"""Smaller and less exact than the published video: strokes and outlines are what it is looked at for."""

SEGMENT_FRAMES = 300
"""Pictures that are encoded as one piece; the encoded piece is all that is held of them."""

_COLUMNS = ["message_number", "side", "wearer", "kind", "confidence", "joints_px", "joint_valid"]

Shown: TypeAlias = tuple[int, Picture]


def write_hands_preview(
    video: Path, hands: Path, frames: FrameTable, out: Path, *, progress: Progress
) -> None:
    """Write the preview; its pictures have the stamps of the video, and are those of the video where no hand is.

    Args:
        video: The blurred video.
        hands: `hands.parquet`; rows of pictures that are not in the video are left out.
        frames: The pictures of the video.
        out: Where to write; scratch of mode 0700 lies beside it meanwhile.
        progress: Told after every segment.

    Raises:
        ArtifactDamaged: The table cannot be read, or its rows are not in the order of the pictures.
        BadVideo: The video cannot be decoded or encoded.
    """
    pictures = _drawn(decode_frames(video), hands_by_frame(hands, frames))
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        segments: list[Path] = []
        while piece := _encoded(islice(pictures, SEGMENT_FRAMES), frames):
            segments.append(Path(scratch) / f"{len(segments):06d}")
            piece.save(segments[-1])
            progress("hands preview", min(len(segments) * SEGMENT_FRAMES, len(frames)), len(frames))
        join_segments(segments, out)


def hands_by_frame(path: Path, frames: FrameTable) -> Iterator[tuple[int, list[DrawnHand]]]:
    """Yield (frame, its hands) of a `hands.parquet` in the order of its rows, a batch of them at a time.

    Raises:
        ArtifactDamaged: The table is unreadable or lacks columns.
    """
    for frame, found in groupby(_hands(path, frames), key=itemgetter(0)):
        yield frame, [hand for _, hand in found]


def _drawn(pictures: Iterable[Shown], hands: Iterator[tuple[int, list[DrawnHand]]]) -> Iterator[Shown]:
    due = next(hands, None)
    for frame, picture in pictures:
        if due is not None and due[0] == frame:
            for hand in due[1]:
                draw_hand(picture, hand)
            due = next(hands, None)
        yield frame, picture
    if due is not None:
        raise ArtifactDamaged(
            f"the hands of frame {due[0]} come after those of a later one",
            where="hands.parquet",
            remedy=REMEDY,
        )


def _encoded(pictures: Iterable[Shown], frames: FrameTable) -> Segment | None:
    encoder: SegmentEncoder | None = None
    for frame, picture in pictures:
        encoder = encoder or SegmentEncoder(
            ENCODER, true_width=picture.true_width, true_height=picture.true_height
        )
        encoder.encode(picture, pts_us=int(frames.pts_us[frame]))
    return None if encoder is None else encoder.finish()


def _hands(path: Path, frames: FrameTable) -> Iterator[tuple[int, DrawnHand]]:
    for batch in hand_batches(path, _COLUMNS):
        frame = rows_of_messages(int_column(batch, "message_number"), frames)
        joints_px, is_read = _joints(batch), int_column(batch, "kind") != INTERPOLATED
        colours, confidence = _colours(batch), np.nan_to_num(float_column(batch, "confidence"))
        for row in np.flatnonzero(frame >= 0).tolist():
            hand = DrawnHand(joints_px[row], colours[row], bool(is_read[row]), float(confidence[row]))
            yield int(frame[row]), hand


def _joints(batch: pa.Table) -> NDArray[np.float32]:
    """Return (N, 21, 2) pixels, NaN where a joint that should have been read was not."""
    valid = list_column(batch, "joint_valid", (JOINTS,), fill=False).astype(np.bool_)
    # Interpolated rows have no valid joint at all; they are drawn as what they are.
    valid |= (int_column(batch, "kind") == INTERPOLATED)[:, None]
    return np.where(valid[:, :, None], list_column(batch, "joints_px", (JOINTS, 2)), np.float32(np.nan))


def _colours(batch: pa.Table) -> list[str]:
    is_wearer = bool_column(batch, "wearer").tolist()
    sides = batch["side"].to_pylist()
    return [
        side if mine and side in COLOURS else "other" for side, mine in zip(sides, is_wearer, strict=True)
    ]
