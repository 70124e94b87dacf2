"""One group of pictures: blurred, encoded into memory, decoded again, and searched for what is left.

A group is the unit that is made anew when the audit finds something. Each one is encoded on its own, so making one
again gives the same bytes for all others. Deciding what to do about finds belongs to `passes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.blur import blur_rectangles, kept_detail
from episode_assets.anonymization.boxes import (
    SAME_OVERLAP,
    Boxes,
    covered_share,
    lie_inside,
    overlap_ratios,
    widened,
)
from episode_assets.anonymization.closer import CloserLook
from episode_assets.anonymization.colour_counts import colour_counts
from episode_assets.anonymization.colours import colour_of
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.detectors import Found
from episode_assets.anonymization.filling import MAX_LEFT, fill, left_in
from episode_assets.anonymization.redaction import drawn_rectangles
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.anonymization.turning import UPRIGHT, Turn
from episode_assets.recording import ImageStream
from episode_assets.video import Picture, Segment, SegmentEncoder

_INSIDE_SHARE = 0.8
"""A find lies inside the blur when this much of it is covered; the remains of a blurred face still look like one."""

_KNOWN_SHARE = 0.5
"""A faint mark needs no closer look when this much of it lies under the blur or around a find."""

_TOUCH_FACTOR = 1.5
"""A find touches the blur when the find, widened by this factor, meets it."""

Rectangles = NDArray[np.int32]

_NOTHING = np.zeros((0, 4), np.int32)
_NO_SHARES = np.zeros(0)
"""What is said of pictures without blur, once for all of them: an hour has 50,000, and an array a head of 100 bytes."""

Sources: TypeAlias = list[list[NDArray[np.uint8]]]
"""For each picture, the unblurred luma of its rectangles."""


@dataclass(frozen=True)
class GroupAudit:
    """What the audit of one encoded group measured. Numbers only.

    Attributes:
        rectangles: For each frame, (R, 4) int32: what was blurred.
        outside: For each frame, the boxes found outside the blur.
        outside_label: For each frame, (N,) uint8: what they show, positions in `LABELS`.
        kept_detail: For each frame, (R,) float64: share of its detail that each rectangle kept.
        is_key: For each frame, whether it is a key frame.
        left_in_areas: For each frame, (A,) float64: what `left_in` measured in each painted area.
        refuted: For each frame, the weak boxes outside the blur that the auditor looked at again and dismissed.
    """

    rectangles: tuple[Rectangles, ...]
    outside: tuple[Boxes, ...]
    outside_label: tuple[NDArray[np.uint8], ...]
    kept_detail: tuple[NDArray[np.float64], ...]
    is_key: tuple[bool, ...]
    left_in_areas: tuple[NDArray[np.float64], ...]
    refuted: tuple[Boxes, ...]


@dataclass(frozen=True)
class EncodedGroup:
    """A group in memory: packets, colour counts (n, 3, 256) int32, and its audit."""

    segment: Segment
    colours: NDArray[np.int32]
    audit: GroupAudit


@dataclass(frozen=True)
class Auditor:
    """Searches decoded pictures: every one at one scale, the first of each group also at another.

    What leaves a faint mark only, as small faces do, is looked at closely.

    Weak finds are looked at again, since each one that stands has its group made anew. The corners of blurred
    rectangles now and then look a little like a face: one that touches the blur is looked up in the source, at the
    same scale, and without any trace there it is the blur's own doing. One that is large enough for both scales is
    looked at with the detector's: where that finds nothing, in the result or in the source, it is a texture. Of pasted
    faces that were weak finds, all scored 0.38 or more on that scale, of textures of the demo none 0.08 (14 and 5 finds
    measured). One that is small enough for a closer look is dismissed if that sees no trace of it, in the result or
    the source.
    Strong finds are never doubted, and what is dismissed stands in the record.
    """

    every: FaceSearch
    key: FaceSearch | None
    again: FaceSearch
    closer: CloserLook
    doubt_below: float

    @property
    def searches(self) -> tuple[FaceSearch, ...]:
        """All of its searches."""
        return tuple(search for search in (self.every, self.key, self.again) if search is not None)

    def finds(
        self,
        picture: Picture,
        rectangles: Rectangles,
        source: Callable[[], Picture] | None,
        *,
        is_first: bool,
        turns: Sequence[Turn] = UPRIGHT,
    ) -> Found:
        """Return what is found outside the blurred rectangles.

        Args:
            picture: The decoded result.
            rectangles: What was blurred in it.
            source: Decodes the same picture before the blur; called only in case of doubt. Without it no find is
                taken for the blur's own doing.
            is_first: Whether the picture begins its group.
            turns: How the picture is turned, the likeliest first; the second scale and closer looks take that one
                alone.
        """
        return self.judged(picture, rectangles, source, is_first=is_first, turns=turns)[0]

    def judged(
        self,
        picture: Picture,
        rectangles: Rectangles,
        source: Callable[[], Picture] | None,
        *,
        is_first: bool,
        turns: Sequence[Turn] = UPRIGHT,
    ) -> tuple[Found, Found]:
        """Return what `finds` returns, and what was dismissed after another look."""
        judged = [self._judged(self.every, picture, rectangles, source, turns)]
        if self.key is not None and is_first:
            judged.append(self._judged(self.key, picture, rectangles, source, turns[:1]))
        return Found.joined([kept for kept, _ in judged]), Found.joined([gone for _, gone in judged])

    def _judged(
        self,
        search: FaceSearch,
        picture: Picture,
        rectangles: Rectangles,
        source: Callable[[], Picture] | None,
        turns: Sequence[Turn],
    ) -> tuple[Found, Found]:
        found, marks = search.with_marks(picture, turns)
        if not len(found.boxes) and not len(marks):  # most pictures of most recordings
            return found, found
        found = found.where(_shares(found.boxes, rectangles, picture) < _INSIDE_SHARE)
        stands = ~self._are_dismissed(search, found.boxes, picture, rectangles, source, turns)
        kept, gone = found.where(stands), found.where(~stands)
        if search is self.every:
            close = self._close(kept.boxes, marks, picture, rectangles, turns)
            stands = self._stand_closely(close, picture, rectangles, source, turns)
            kept = Found.joined([kept, Found.of(close[stands])])
            gone = Found.joined([gone, Found.of(close[~stands])])
        return kept, gone

    def _are_dismissed(
        self,
        search: FaceSearch,
        boxes: Boxes,
        picture: Picture,
        rectangles: Rectangles,
        source: Callable[[], Picture] | None,
        turns: Sequence[Turn],
    ) -> NDArray[np.bool_]:
        is_weak = boxes[:, 4] < self.doubt_below
        touches = _touch(boxes, rectangles, picture)
        is_large = is_weak & self.again.surely_sees(boxes)
        is_dismissed = np.zeros(len(boxes), np.bool_)
        if is_large.any():
            is_dismissed |= is_large & ~_leave(self.again(picture, turns), boxes)
        is_doubtful = is_weak & (touches | is_large) & ~is_dismissed
        if source is not None and is_doubtful.any():
            before = source()
            is_dismissed |= is_doubtful & touches & ~_leave(search.traces(before, turns), boxes)
            if (is_large & ~is_dismissed).any():
                is_dismissed |= is_large & ~_leave(self.again(before, turns), boxes)
        is_small = is_weak & ~is_dismissed & self.closer.fits(boxes)
        is_dismissed[is_small] = ~self._leave_close_traces(boxes[is_small], picture, source, turns)
        return is_dismissed

    def _close(
        self,
        found: Boxes,
        marks: Boxes,
        picture: Picture,
        rectangles: Rectangles,
        turns: Sequence[Turn],
    ) -> Boxes:
        """Return what a closer look finds at faint marks; what is around a find is blurred with it anyway."""
        around = np.rint(widened(found, factor=_TOUCH_FACTOR)[:, :4]).astype(np.int32)
        known = np.concatenate([rectangles, around])
        close = self.closer(picture, marks[_shares(marks, known, picture) < _KNOWN_SHARE], turns[:1])
        return close[_shares(close, known, picture) < _KNOWN_SHARE]

    def _stand_closely(
        self,
        boxes: Boxes,
        picture: Picture,
        rectangles: Rectangles,
        source: Callable[[], Picture] | None,
        turns: Sequence[Turn],
    ) -> NDArray[np.bool_]:
        """Return which finds of a closer look are there again with the box in the middle, however sure they are.

        Many places are looked at closely, and textures reach 0.7 in some corner of a crop; of 26 pasted faces that only
        a closer look found, all scored 0.42 or more in the middle. One that touches the blur has to be there in the
        source: all that is left of it may be the blur's own doing.
        """
        touches = _touch(boxes, rectangles, picture) & (source is not None)
        stands = self._leave_close_traces(boxes, picture, source, turns[:1])
        if source is not None and (touches & stands).any():
            stands[touches] = self.closer.leave_traces(source(), boxes[touches], turns[:1])
        return stands

    def _leave_close_traces(
        self,
        boxes: Boxes,
        picture: Picture,
        source: Callable[[], Picture] | None,
        turns: Sequence[Turn],
    ) -> NDArray[np.bool_]:
        """Return which boxes leave a trace in a closer look at the result, or at its source."""
        has_trace = self.closer.leave_traces(picture, boxes, turns)
        if source is not None and not has_trace.all():
            has_trace |= self.closer.leave_traces(source(), boxes, turns)
        return has_trace


def _shares(boxes: Boxes, rectangles: Rectangles, picture: Picture) -> NDArray[np.float64]:
    return covered_share(boxes, rectangles, width=picture.true_width, height=picture.true_height)


def _touch(boxes: Boxes, rectangles: Rectangles, picture: Picture) -> NDArray[np.bool_]:
    return _shares(widened(boxes, factor=_TOUCH_FACTOR), rectangles, picture) > 0


def _leave(traces: Boxes, boxes: Boxes) -> NDArray[np.bool_]:
    """Return which of the boxes have a trace."""
    return np.asarray((overlap_ratios(boxes, traces) >= SAME_OVERLAP).any(axis=1))


def longest_step_ns(stream: ImageStream) -> int:
    """Return the longest step between neighbours of the stream that is no gap."""
    steps = np.diff(stream.stamp_ns)
    return int(steps[~stream.gap_before[1:]].max(initial=0))


def group_spans(
    positions: NDArray[np.int64], stamps_ns: NDArray[np.int64], *, start: int, length: int, gap_ns: int
) -> tuple[tuple[int, int], ...]:
    """Cut usable pictures into groups by a grid over the stream, so that no cut depends on what was left out.

    Args:
        positions: (K,) positions in the stream, increasing, none before `start` and no gap of the stream inside.
        stamps_ns: (K,) their stamps.
        start: A position on the grid.
        length: Positions from one grid line to the next.
        gap_ns: Longest step that is no gap; a hole that left-out pictures make also begins a new group.

    Returns:
        Half-open ranges of indexes into the K.
    """
    if len(positions) == 0:
        return ()
    is_cut = (np.diff((positions - start) // length) > 0) | (np.diff(stamps_ns) > gap_ns)
    cuts = [0, *(np.flatnonzero(is_cut) + 1).tolist(), len(positions)]
    return tuple(pairwise(cuts))


def blocking_finds(
    audit: GroupAudit, excepted: Sequence[NDArray[np.float32]], config: FaceBlurConfig
) -> tuple[NDArray[np.bool_], ...]:
    """Return for each frame which of the finds outside the blur block: strong ones that no exception holds."""
    return tuple(
        (boxes[:, 4] >= config.strong_score) & ~lie_inside(boxes, holders)
        for boxes, holders in zip(audit.outside, excepted, strict=True)
    )


def is_clean(audit: GroupAudit, excepted: Sequence[NDArray[np.float32]], config: FaceBlurConfig) -> bool:
    """Say whether a group may be published: no find blocks, no blur kept its detail, and nothing is left in areas."""
    is_strong = any(blocks.any() for blocks in blocking_finds(audit, excepted, config))
    has_detail = any((kept > config.audit_max_detail).any() for kept in audit.kept_detail)
    is_left = any((left > MAX_LEFT).any() for left in audit.left_in_areas)
    return not is_strong and not has_detail and not is_left


def make_group(
    pictures: Sequence[Callable[[], Picture]],
    rectangles: Sequence[Rectangles],
    areas: Sequence[Sequence[Rectangles]],
    pts_us: Sequence[int],
    turns: Sequence[Sequence[Turn]],
    *,
    config: FaceBlurConfig,
    auditor: Auditor,
    early: Segment | None = None,
) -> EncodedGroup:
    """Paint over, blur, encode and audit one group of pictures.

    Args:
        pictures: For each frame, what decodes its source picture anew.
        rectangles: What to blur in each of them.
        areas: What to paint over in each of them: areas that a person drew, each as its rectangles.
        pts_us: Their stamps in microseconds.
        turns: How each of them is turned for the audit.
        config: Blur and encoder settings.
        auditor: Searches the decoded result.
        early: These very pictures, painted over and encoded without any blur; taken where there is nothing to blur.
    """
    segment = early
    sources: Sources = [[] for _ in pictures]
    if segment is None or any(map(len, rectangles)):
        segment, sources = _encode(pictures, rectangles, areas, pts_us, config)
    colours: list[NDArray[np.int32]] = []
    outside: list[Found] = []
    refuted: list[Boxes] = []
    kept: list[NDArray[np.float64]] = []
    left: list[NDArray[np.float64]] = []
    for index, (picture, blurred) in enumerate(zip(segment.decode(), rectangles, strict=True)):
        drawn = drawn_rectangles(blurred, shape=config.shape, width=picture.width, height=picture.height)
        hidden = np.concatenate([_NOTHING, *drawn, *areas[index]])
        found, dismissed = auditor.judged(
            picture, hidden, pictures[index], is_first=index == 0, turns=turns[index]
        )
        outside.append(found)
        refuted.append(dismissed.boxes)
        faces = np.concatenate([_NOTHING, *drawn])
        shares = [left_in(picture, area, faces) for area in areas[index]]
        left.append(np.array(shares, np.float64) if shares else _NO_SHARES)
        kept.append(_kept(sources[index], picture, blurred, drawn) if len(blurred) else _NO_SHARES)
        colours.append(colour_counts(picture))
    audit = GroupAudit(
        rectangles=tuple(rectangles),
        outside=tuple(found.boxes for found in outside),
        outside_label=tuple(found.label for found in outside),
        kept_detail=tuple(kept),
        is_key=segment.is_key,
        left_in_areas=tuple(left),
        refuted=tuple(refuted),
    )
    return EncodedGroup(segment, np.stack(colours), audit)


def _encode(
    pictures: Sequence[Callable[[], Picture]],
    rectangles: Sequence[Rectangles],
    areas: Sequence[Sequence[Rectangles]],
    pts_us: Sequence[int],
    config: FaceBlurConfig,
) -> tuple[Segment, Sources]:
    """Return the encoded group, and the unblurred luma of its rectangles for comparison; memory only."""
    sources: Sources = []
    encoder: SegmentEncoder | None = None
    for decode, blurred, painted, stamp_us in zip(pictures, rectangles, areas, pts_us, strict=True):
        picture = decode()
        encoder = encoder or SegmentEncoder(
            config.encoder(), true_width=picture.true_width, true_height=picture.true_height
        )
        sources.append([_luma(picture, rectangle).copy() for rectangle in blurred])
        fill(picture, painted)
        blur_rectangles(
            picture,
            blurred,
            method=config.method,
            cells=config.cells,
            shape=config.shape,
            colour=colour_of(config.fill_colour),
        )
        encoder.encode(picture, pts_us=stamp_us)
    assert encoder is not None
    return encoder.finish(), sources


def _kept(
    sources: Sequence[NDArray[np.uint8]],
    result: Picture,
    rectangles: Rectangles,
    drawn: Sequence[Rectangles],
) -> NDArray[np.float64]:
    """Return the share of its detail that each rectangle kept, in those of its pixels that were blurred."""
    kept = np.zeros(len(rectangles))
    for index, (source, rectangle, tiles) in enumerate(zip(sources, rectangles, drawn, strict=True)):
        is_whole = len(tiles) == 1 and np.array_equal(tiles[0], rectangle)
        inside = None if is_whole else tiles - np.tile(rectangle[:2], 2)
        kept[index] = kept_detail(source, _luma(result, rectangle), inside)
    return kept


def _luma(picture: Picture, rectangle: Rectangles) -> NDArray[np.uint8]:
    x0, y0, x1, y1 = rectangle
    return picture.y[y0:y1, x0:x1]
