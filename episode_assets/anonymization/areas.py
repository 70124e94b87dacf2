"""Areas that a person drew, on one recording: which pixels they cover, and in which of its pictures.

What is written in a document belongs to `redaction_document`; painting areas over, and proving it, to `filling`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.redaction import polygon_rectangles, redaction_rectangles
from episode_assets.anonymization.redaction_document import DrawnArea, Span
from episode_assets.anonymization.redactions import Redactions
from episode_assets.anonymization.tracks import NO_LABEL, Source, TrackBoxes
from episode_assets.outcome import Json, Note
from episode_assets.recording import ImageStream

Rectangles = NDArray[np.int32]


@dataclass(frozen=True)
class Area:
    """One drawn area on a recording.

    Attributes:
        drawn: What was written down.
        rectangles: (R, 4) int32 half-open rectangles with even coordinates that together are the area; none where it
            misses the picture.
        is_at: (P,) bool, for each position in the stream whether it is hidden there.
        is_cut: Whether a part of it lies outside the picture.
    """

    drawn: DrawnArea
    rectangles: Rectangles
    is_at: NDArray[np.bool_]
    is_cut: bool

    @property
    def bounds(self) -> Rectangles:
        """The smallest rectangle around it, (4,) int32; only of an area with pixels in the picture."""
        return np.concatenate([self.rectangles[:, :2].min(axis=0), self.rectangles[:, 2:].max(axis=0)])


@dataclass(frozen=True)
class Areas:
    """All drawn areas of a recording, in the order of their documents."""

    all: tuple[Area, ...] = ()

    def __len__(self) -> int:
        return len(self.all)

    def at(self, position: int) -> tuple[Rectangles, ...]:
        """Return the areas that hide something at a position in the stream, each as its rectangles."""
        return tuple(area.rectangles for area in self.all if area.is_at[position] and len(area.rectangles))

    def joined_to(self, faces: Redactions, position: NDArray[np.int64]) -> Redactions:
        """Return the boxes of faces and of these areas, ordered by frame; areas are tracks after those of faces.

        Args:
            faces: Boxes of faces.
            position: (F,) positions in the stream of the pictures in the video.
        """
        first = int(faces.tracks.track.max(initial=-1)) + 1
        parts = [faces, *(self._rows(number, position, first + number) for number in range(len(self)))]
        order = np.argsort(np.concatenate([part.tracks.frame for part in parts]), kind="stable")
        columns = {
            item.name: np.concatenate([getattr(part.tracks, item.name) for part in parts])[order]
            for item in fields(TrackBoxes)
        }
        return Redactions(TrackBoxes(**columns), np.concatenate([part.rectangle for part in parts])[order])

    def record(self, hidden: Redactions) -> list[Json]:
        """Return what is published about each area: why, which shape, its track, and in how many pictures."""
        first = self._first_track(hidden)
        return [
            {
                "reason": area.drawn.reason,
                "shape": area.drawn.shape,
                "track": first + number,
                "frames": int((hidden.tracks.track == first + number).sum()),
            }
            for number, area in enumerate(self.all)
        ]

    def notes(self, hidden: Redactions, *, topic: str) -> Iterator[Note]:
        """Yield what did not go as drawn: areas that hide nothing, and those cut at the edge of the picture."""
        first = self._first_track(hidden)
        for number, area in enumerate(self.all):
            name = f"redaction {number + 1} ({area.drawn.reason})"
            if len(area.rectangles) == 0:
                yield Note(
                    "redaction_outside", f"{name} lies outside of the picture and hides nothing", topic
                )
            elif not (hidden.tracks.track == first + number).any():
                yield Note(
                    "redaction_outside", f"{name}: no picture lies in its span; it hides nothing", topic
                )
            elif area.is_cut:
                yield Note("redaction_cut", f"a part of {name} lies outside of the picture", topic)

    def _first_track(self, hidden: Redactions) -> int:
        is_face = hidden.tracks.source != Source.REDACTION
        return int(hidden.tracks.track[is_face].max(initial=-1)) + 1

    def _rows(self, number: int, position: NDArray[np.int64], track: int) -> Redactions:
        area = self.all[number]
        frame = position[area.is_at[position]] if len(area.rectangles) else position[:0]
        bounds = area.bounds if len(frame) else np.zeros(4, np.int32)
        box = np.tile(bounds.astype(np.float32), (len(frame), 1))
        return Redactions(
            TrackBoxes(
                frame=frame,
                box=box,
                hull=box,
                side=box[:, 2:] - box[:, :2],
                score=np.full(len(frame), np.nan, np.float32),
                source=np.full(len(frame), Source.REDACTION, np.uint8),
                label=np.full(len(frame), NO_LABEL, np.uint8),
                track=np.full(len(frame), track, np.int64),
            ),
            np.tile(bounds, (len(frame), 1)),
        )


def place(drawn: Sequence[DrawnArea], stream: ImageStream, *, first: int, size: tuple[int, int]) -> Areas:
    """Return drawn areas on a recording.

    Args:
        drawn: What was written down.
        stream: The colour pictures.
        first: Position of the first picture of the video, from which seconds count.
        size: True (width, height) of the pictures.
    """
    return Areas(tuple(_placed(area, stream, first, size) for area in drawn))


def _placed(drawn: DrawnArea, stream: ImageStream, first: int, size: tuple[int, int]) -> Area:
    width, height = size
    is_at = np.ones(len(stream), np.bool_) if drawn.span is None else _within(drawn.span, stream, first)
    if drawn.shape == "picture":
        return Area(drawn, _boxes(np.array([[0, 0], [width, height]]), size), is_at, is_cut=False)
    corners = np.array(drawn.corners, np.float64) * (size if drawn.is_relative else 1)
    rectangles = (
        _boxes(corners, size)
        if drawn.shape == "box"
        else polygon_rectangles(corners, width=width, height=height)
    )
    is_cut = bool((corners < 0).any() or (corners > size).any())
    return Area(drawn, rectangles, is_at, is_cut)


def _boxes(corners: NDArray[np.float64], size: tuple[int, int]) -> Rectangles:
    box = corners.reshape(1, 4).astype(np.float32)
    rectangle = redaction_rectangles(box, scale=1.0, width=size[0], height=size[1])
    return rectangle[(rectangle[:, 2:] > rectangle[:, :2]).all(axis=1)]


def _within(span: Span, stream: ImageStream, first: int) -> NDArray[np.bool_]:
    if span.unit == "messages":
        return (stream.message_number >= span.first) & (stream.message_number <= span.last)
    if span.unit == "stamps_ns":
        return (stream.stamp_ns >= span.first) & (stream.stamp_ns <= span.last)
    # In microseconds, as the video counts, and as people read them off a player.
    time_us = stream.stamp_ns // 1000 - stream.stamp_ns[first] // 1000
    begin, end = (round(value * 1e6) for value in (span.first, span.last))
    # A player shows a picture until the next one comes, so the one before the span's begin is seen in it.
    shown = int(np.searchsorted(time_us, begin, side="right")) - 1
    is_shown = (np.arange(len(stream)) == shown) & (begin <= time_us[-1])
    return np.asarray(((time_us >= begin) & (time_us <= end)) | is_shown)
