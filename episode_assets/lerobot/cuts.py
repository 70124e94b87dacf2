"""Where episodes begin and end inside one recording, and which frame was lost to which reason.

A rule that cuts is one function here: it takes spans, returns spans, and writes a reason for every frame it gives
up, so that kept and lost frames always add up to the recording. What a kept row holds belongs to `rows`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.segments import Segment
from episode_assets.lerobot.source import EpisodeSource
from episode_assets.lerobot.timing import grid_breaks, step_fits

Fate = NDArray[np.object_]

_SECOND_NS = 1_000_000_000
REASONS: Mapping[str, str] = {
    "not_kept": "outside the intervals that quality control keeps",
    "no_segment": "no task segment holds them",
    "not_applicable": "their task segment says that nothing is done",
    "segment": "another task begins",
    "gap": "pictures are missing",
    "off_grid": "stamps leave the time grid by more than half a period within 2 s",
    "no_required_hand": "the required hands are not measured",
    "no_camera_pose": "no camera pose yet, which the reference frame needs",
    "not_a_key_frame": "a copy of the video can start at key frames only",
    "no_next_frame": "there is no next frame that could be the last action's target",
    "too_short": "the piece is shorter than the minimum length",
    "left_out": "the whole recording is left out",
}
"""Every reason for which a frame is not a row, with its sentence."""


@dataclass(frozen=True)
class Span:
    """Frames [start, stop) of a bundle, and why it ends where it ends.

    Attributes:
        start: First frame position.
        stop: Frame position after the last one.
        before: Why the frame before is not part of it; `recording` at the recording's start.
        after: Why the frame after is not part of it; `recording` at the recording's end.
        breaks: Positions of frames inside before which time is missing: no action leads there.
    """

    start: int
    stop: int
    before: str = "recording"
    after: str = "recording"
    breaks: tuple[int, ...] = ()

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def leads_on(self) -> NDArray[np.bool_]:
        """(n,) bool, no time is missing between a frame and the next one."""
        leads = np.ones(len(self), dtype=np.bool_)
        leads[[place - self.start - 1 for place in self.breaks]] = False
        return leads


@dataclass(frozen=True)
class Cuts:
    """The episodes of one recording and the account of its other frames.

    Attributes:
        episodes: Spans in order of time.
        lost: Frames by reason (a key of `REASONS`); together with the episodes they are all frames.
    """

    episodes: tuple[Span, ...]
    lost: Mapping[str, int]


def cut_episodes(
    source: EpisodeSource,
    kept: Sequence[tuple[int, int]],
    *,
    hand_valid: NDArray[np.bool_],
    recipe: Recipe,
    fps: int,
    segments: Sequence[Segment] | None = None,
) -> Cuts:
    """Cut a recording into episodes.

    Args:
        source: The frames.
        kept: Half-open frame ranges that quality control keeps, sorted and disjoint.
        hand_valid: (F, 2) bool, left and right hand are measured in a usable way.
        recipe: Required hands, reference frame, minimum length.
        fps: Rate of the time grid.
        segments: Task segments at which it is cut, in order of time, disjoint; None cuts at none.
    """
    fate: Fate = np.full(len(source), "not_kept", dtype=object)
    spans = [_kept_span(start, stop, frames=len(source)) for start, stop in kept]
    for span in spans:
        fate[span.start : span.stop] = ""
    if segments is not None:
        keeps_rest = recipe.segments.outside == "keep"
        spans = [piece for span in spans for piece in _cut_at(span, segments, fate, keeps_rest=keeps_rest)]
    spans = _split_at(spans, np.flatnonzero(source.gap_before), reason="gap")
    spans = _split_off_grid(spans, source.stamp_ns, fps=fps)
    spans, breaks = _rejoin(spans, source.stamp_ns, recipe)
    spans = _require_hands(spans, fate, source.stamp_ns, hand_valid, recipe=recipe, fps=fps)
    needs_pose = recipe.reference_frame == "episode"
    may_start = source.has_pose if needs_pose else np.ones(len(source), dtype=bool)
    spans = _start_at_key_frames(spans, fate, source.is_key, may_start)
    if recipe.state != "data_juicer":
        # That layout alone has a last row without a step.
        spans = _end_before_a_target(spans, fate, source, fps=fps)
    spans = _drop_short(spans, fate, rows=max(1, round(recipe.min_episode_s * fps)))
    spans = [
        replace(span, breaks=tuple(place for place in breaks if span.start < place < span.stop))
        for span in spans
    ]
    names, counts = np.unique(fate[fate != ""].astype(str), return_counts=True)
    lost = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    return Cuts(tuple(spans), lost)


def _kept_span(start: int, stop: int, *, frames: int) -> Span:
    before = "recording" if start == 0 else "not_kept"
    return Span(start, stop, before, "recording" if stop == frames else "not_kept")


def _cut_at(span: Span, segments: Sequence[Segment], fate: Fate, *, keeps_rest: bool) -> list[Span]:
    """Return the pieces of a span that lie in one segment each, and those in none if they are kept."""
    pieces: list[tuple[int, int, str]] = []
    here = span.start
    for segment in segments:
        start, stop = max(segment.start, here), min(segment.stop, span.stop)
        if start >= stop:
            continue
        pieces.append((here, start, "" if keeps_rest else "no_segment"))
        pieces.append((start, stop, "" if segment.is_applicable else "not_applicable"))
        here = stop
    pieces.append((here, span.stop, "" if keeps_rest else "no_segment"))
    pieces = [piece for piece in pieces if piece[0] < piece[1]]
    for start, stop, lost in pieces:
        fate[start:stop] = lost
    why = [span.before, *(lost or "segment" for _, _, lost in pieces), span.after]
    return [
        Span(start, stop, why[place], why[place + 2])
        for place, (start, stop, lost) in enumerate(pieces)
        if not lost
    ]


def _split_at(spans: list[Span], positions: NDArray[np.int64], *, reason: str) -> list[Span]:
    pieces = []
    for span in spans:
        inside = positions[(positions > span.start) & (positions < span.stop)].tolist()
        starts, stops = [span.start, *inside], [*inside, span.stop]
        befores = [span.before, *[reason] * len(inside)]
        afters = [*[reason] * len(inside), span.after]
        pieces += [Span(*parts) for parts in zip(starts, stops, befores, afters, strict=True)]
    return pieces


def _rejoin(
    spans: list[Span], stamps_ns: NDArray[np.int64], recipe: Recipe
) -> tuple[list[Span], tuple[int, ...]]:
    """Take back the cuts where time is missing, as far as the recipe bridges it; returns them as breaks."""
    if recipe.gaps.policy == "split":
        return spans, ()
    limit_ns = round(recipe.gaps.max_s * _SECOND_NS) if recipe.gaps.policy == "interpolate" else None
    pieces: list[Span] = []
    breaks = []
    for span in spans:
        lasts_ns = int(stamps_ns[span.start] - stamps_ns[span.start - 1]) if span.start else 0
        is_bridged = limit_ns is None or lasts_ns <= limit_ns
        if pieces and span.before in ("gap", "off_grid") and is_bridged and pieces[-1].stop == span.start:
            pieces[-1] = replace(pieces[-1], stop=span.stop, after=span.after)
            breaks.append(span.start)
        else:
            pieces.append(span)
    return pieces, tuple(breaks)


def _split_off_grid(spans: list[Span], stamps_ns: NDArray[np.int64], *, fps: int) -> list[Span]:
    pieces = []
    for span in spans:
        breaks = np.array(grid_breaks(stamps_ns[span.start : span.stop], fps=fps), dtype=np.int64)
        pieces += _split_at([span], breaks + span.start, reason="off_grid")
    return pieces


def meets_requirement(hand_valid: NDArray[np.bool_], required: str) -> NDArray[np.bool_]:
    """Return (F,) bool: the hands that a recipe requires are valid."""
    left, right = hand_valid[:, 0], hand_valid[:, 1]
    choices = {"any": left | right, "both": left & right, "left": left, "right": right}
    return choices.get(required, np.ones(len(hand_valid), dtype=bool))


def _require_hands(
    spans: list[Span],
    fate: Fate,
    stamps_ns: NDArray[np.int64],
    hand_valid: NDArray[np.bool_],
    *,
    recipe: Recipe,
    fps: int,
) -> list[Span]:
    pieces = []
    limit_ns = round(recipe.bridge_s * _SECOND_NS)
    met = meets_requirement(hand_valid, recipe.required_hands)
    for span in spans:
        start, before = span.start, span.before
        for first, stop in _runs(~met[span.start : span.stop], offset=span.start):
            lasts_ns = int(stamps_ns[stop - 1] - stamps_ns[first]) + _SECOND_NS // fps
            if lasts_ns <= limit_ns:
                continue
            fate[first:stop] = "no_required_hand"
            pieces.append(Span(start, first, before, "no_required_hand"))
            start, before = stop, "no_required_hand"
        pieces.append(Span(start, span.stop, before, span.after))
    return [piece for piece in pieces if len(piece) > 0]


def _runs(flags: NDArray[np.bool_], *, offset: int) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))) + offset
    return [(int(first), int(stop)) for first, stop in edges.reshape(-1, 2)]


def _start_at_key_frames(
    spans: list[Span], fate: Fate, is_key: NDArray[np.bool_], may_start: NDArray[np.bool_]
) -> list[Span]:
    pieces = []
    for span in spans:
        inside = slice(span.start, span.stop)
        candidates = np.flatnonzero(is_key[inside] & may_start[inside])
        start = span.start + int(candidates[0]) if len(candidates) else span.stop
        waits = ~may_start[span.start : start]
        fate[span.start : start] = np.where(waits, "no_camera_pose", "not_a_key_frame")
        if start > span.start:
            span = replace(span, start=start, before=str(fate[start - 1]))  # noqa: PLW2901
        if len(span) > 0:
            pieces.append(span)
    return pieces


def _end_before_a_target(spans: list[Span], fate: Fate, source: EpisodeSource, *, fps: int) -> list[Span]:
    pieces = []
    for span in spans:
        if not _has_target(span.stop, source, fps=fps):
            fate[span.stop - 1] = "no_next_frame"
            span = replace(span, stop=span.stop - 1)  # noqa: PLW2901
        if len(span) > 0:
            pieces.append(span)
    return pieces


def _has_target(following: int, source: EpisodeSource, *, fps: int) -> bool:
    if following >= len(source) or source.gap_before[following]:
        return False
    return step_fits(int(source.stamp_ns[following] - source.stamp_ns[following - 1]), fps=fps)


def _drop_short(spans: list[Span], fate: Fate, *, rows: int) -> list[Span]:
    for span in spans:
        if len(span) < rows:
            fate[span.start : span.stop] = "too_short"
    return [span for span in spans if len(span) >= rows]
