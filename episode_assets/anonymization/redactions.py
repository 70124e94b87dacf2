"""From faces in single pictures to the rectangles that are blurred, for any stretch of the stream.

How boxes are linked over time belongs to `tracks`, and the shape around a box to `redaction`; here both are applied
to positions in the stream.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.redaction import hiding_rectangles
from episode_assets.anonymization.track_building import build_tracks
from episode_assets.anonymization.tracks import Detections, TrackBoxes


@dataclass(frozen=True)
class Redactions:
    """Boxes over time, and the rectangle in which each is blurred; only those with a pixel in the picture.

    Attributes:
        tracks: The boxes; `frame` is the position in the stream.
        rectangle: (B, 4) int32 half-open pixels; the shape of the settings fills it, or lies in it.
    """

    tracks: TrackBoxes
    rectangle: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.tracks)

    def at(self, position: NDArray[np.int64]) -> tuple[NDArray[np.int32], ...]:
        """Return the rectangles of each of these positions, (R, 4) int32, from left to right.

        Not in the order of tracks: which of two is numbered first depends on how much of the stream is looked at.
        """
        starts = np.searchsorted(self.tracks.frame, position, side="left")
        stops = np.searchsorted(self.tracks.frame, position, side="right")
        none = self.rectangle[:0]  # most pictures have none and share the array that says so
        parts = (self.rectangle[start:stop] for start, stop in zip(starts, stops, strict=True))
        return tuple(part[np.lexsort(part.T[::-1])] if len(part) else none for part in parts)


def redact(
    position: NDArray[np.int64],
    stamp_ns: NDArray[np.int64],
    faces: Detections,
    *,
    config: FaceBlurConfig,
    size: tuple[int, int],
) -> Redactions:
    """Return what is blurred in a stretch of usable pictures without a gap of the stream inside.

    Boxes within `config.margin_ns` of an end are right only if the stream, or its gap-free run, ends there too.

    Args:
        position: (K,) positions in the stream of the stretch's usable pictures, increasing.
        stamp_ns: (K,) their stamps.
        faces: Faces at these positions; `frame` is the position.
        config: The settings.
        size: True (width, height) of the pictures.
    """
    tracks = build_tracks(
        replace(faces, frame=np.searchsorted(position, faces.frame)),
        stamp_ns,
        fill_s=config.fill_s,
        hold_s=config.hold_s,
        hold_growth=config.hold_growth,
        smooth_s=config.smooth_s,
        strong_score=config.strong_score,
        size=size,
    )
    rectangle = hiding_rectangles(
        tracks.hull,
        tracks.side,
        scale=config.box_scale,
        shape=config.shape,
        width=size[0],
        height=size[1],
    )
    is_visible = (rectangle[:, 2:] > rectangle[:, :2]).all(axis=1)
    columns = {item.name: getattr(tracks, item.name)[is_visible] for item in fields(tracks)}
    return Redactions(
        replace(tracks, **columns | {"frame": position[columns["frame"]]}), rectangle[is_visible]
    )


def joined(parts: Iterable[Redactions]) -> Redactions:
    """Return the redactions of consecutive runs as one; tracks are numbered by first visible box, from 0."""
    everything = [_NOTHING, *parts]
    names: list[NDArray[np.int64]] = []
    count = 0
    for part in everything:
        _, first, inverse = np.unique(part.tracks.track, return_index=True, return_inverse=True)
        names.append(count + np.argsort(np.argsort(first))[inverse])
        count += len(first)
    columns = {
        item.name: np.concatenate([getattr(part.tracks, item.name) for part in everything])
        for item in fields(TrackBoxes)
    }
    return Redactions(
        TrackBoxes(**columns | {"track": np.concatenate(names).astype(np.int64)}),
        np.concatenate([part.rectangle for part in everything]),
    )


_NOTHING = Redactions(
    TrackBoxes(
        frame=np.zeros(0, np.int64),
        box=np.zeros((0, 4), np.float32),
        hull=np.zeros((0, 4), np.float32),
        side=np.zeros((0, 2), np.float32),
        score=np.zeros(0, np.float32),
        source=np.zeros(0, np.uint8),
        label=np.zeros(0, np.uint8),
        track=np.zeros(0, np.int64),
    ),
    np.zeros((0, 4), np.int32),
)


def within(faces: Detections, start: int, stop: int) -> Detections:
    """Return the faces at positions `[start, stop)`; they must be ordered by position."""
    rows = slice(*np.searchsorted(faces.frame, [start, stop]).tolist())
    return Detections(**{item.name: getattr(faces, item.name)[rows] for item in fields(faces)})


def all_of(parts: Iterable[Detections]) -> Detections:
    """Return the faces of consecutive stretches as one."""
    everything = [Detections.of([]), *parts]
    return Detections(
        **{
            item.name: np.concatenate([getattr(part, item.name) for part in everything])
            for item in fields(Detections)
        }
    )
