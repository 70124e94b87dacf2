"""Encodes the groups of a unit while it is looked at, as long as no face is in sight.

What is blurred in a group is known only when the pictures around it have been seen as well, and then each of its
pictures is decoded a second time. Most groups of most recordings show no face: of these, the encoding made in passing
is what the second time would give, byte for byte, and is taken where nothing turns out to be blurred.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.areas import Areas
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.filling import fill
from episode_assets.video import Picture, Segment, SegmentEncoder


class EarlyGroups:
    """The groups of one unit that show no face, in memory only.

    Args:
        start: First position of the unit, which lies on the grid of groups.
        gap_ns: Longest step between pictures of a group.
        areas: What people drew to be painted over.
        config: Length of groups, how long a face stays covered, encoder.

    What is seen may be painted over in place, and what is encoded needs its payload no more: a face that comes into
    sight later, or a find of the audit, has the few that matter read a second time.
    """

    def __init__(self, start: int, *, gap_ns: int, areas: Areas, config: FaceBlurConfig) -> None:
        self._start, self._gap_ns, self._areas, self._config = start, gap_ns, areas, config
        self._hold_ns = round(config.hold_s * 1e9)
        self._finished: dict[tuple[int, ...], Segment] = {}
        self._positions: list[int] = []
        self._stamp_ns = 0
        self._face_ns: int | None = None
        self._encoder: SegmentEncoder | None = None
        self._are_finished = True

    @property
    def has_all(self) -> bool:
        """Whether every picture that was seen is encoded."""
        return self._are_finished and (self._encoder is not None or not self._positions)

    def see(self, position: int, stamp_ns: int, picture: Picture, *, shows_face: bool) -> None:
        """Take the next usable picture, which is painted over in place."""
        if self._begins_group(position, stamp_ns):
            self.end_group()
        self._stamp_ns = stamp_ns
        if shows_face:
            self._face_ns = stamp_ns
        is_held = self._face_ns is not None and stamp_ns - self._face_ns <= self._hold_ns
        if not self._positions:
            self._encoder = None if is_held else self._new_encoder(picture)
        elif is_held:
            self._encoder = None
        self._positions.append(position)
        if self._encoder is not None:
            fill(picture, self._areas.at(position))
            self._encoder.encode(picture, pts_us=stamp_ns // 1000)

    def end_group(self) -> None:
        """Finish the group that was begun, if any."""
        self._are_finished = self.has_all
        if self._encoder is not None:
            self._finished[tuple(self._positions)] = self._encoder.finish()
        self._encoder = None
        self._positions = []

    def pop(self, position: NDArray[np.int64]) -> Segment | None:
        """Hand over the encoded group of exactly these pictures; None if there is none."""
        return self._finished.pop(tuple(position.tolist()), None)

    def _begins_group(self, position: int, stamp_ns: int) -> bool:
        if not self._positions:
            return False
        length, last = self._config.g, self._positions[-1]
        is_next = (position - self._start) // length > (last - self._start) // length
        return is_next or stamp_ns - self._stamp_ns > self._gap_ns

    def _new_encoder(self, picture: Picture) -> SegmentEncoder:
        return SegmentEncoder(
            self._config.encoder(), true_width=picture.true_width, true_height=picture.true_height
        )
