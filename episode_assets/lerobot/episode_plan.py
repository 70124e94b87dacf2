"""Decides whether a recording fits a recipe, and which of its frames become which rows of which episode.

The rules that cut are in `cuts`, the time grid in `time_grid`; here they are put together, and a recording that fits
nowhere gets the reason why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from episode_assets.lerobot.cuts import REASONS, Cuts, Span, cut_episodes
from episode_assets.lerobot.inputs import QualityVerdict
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.rows import usable_hands
from episode_assets.lerobot.segment_plan import SegmentPlan
from episode_assets.lerobot.source import EpisodeSource
from episode_assets.lerobot.time_grid import Indices, TimeGrid, every_frame, nearest_frames
from episode_assets.lerobot.timing import LeftOut, choose_fps


@dataclass(frozen=True)
class EpisodePlan:
    """What one recording contributes.

    Attributes:
        fps: Rate of the grid; 0 if there is none.
        grid: The rows that the recording could give.
        cuts: The episodes as ranges of these rows; lost are rows, which with re-timing are frames.
        said: What is done when, in rows.
        left_out: Why there are no episodes; None if there are some.
        hands_waived: Nothing met the required hands, and the recipe keeps such recordings with false masks.
    """

    fps: int
    grid: TimeGrid
    cuts: Cuts
    said: SegmentPlan
    left_out: LeftOut | None
    hands_waived: bool = False

    def frames(self, span: Span) -> Indices:
        """Return the frame of the bundle that each row of an episode shows."""
        return self.grid.frame[span.start : span.stop]


def plan_episodes(
    source: EpisodeSource,
    quality: QualityVerdict,
    recipe: Recipe,
    said: SegmentPlan,
    *,
    refused: LeftOut | None = None,
    starts_anywhere: bool = False,
) -> EpisodePlan:
    """Decide which frames become episodes.

    Args:
        source: The frames, as the recipe's camera sees them.
        quality: Verdict and kept intervals.
        recipe: The choices.
        said: What is done when, in frames.
        refused: Why the recording does not fit for reasons that the caller knows.
        starts_anywhere: Frames are encoded anew where an episode does not start on a key frame.
    """
    is_resampled = recipe.timing == "resample"
    fps = choose_fps(source.stamp_ns, asked=recipe.fps, is_resampled=is_resampled)
    reason = (
        fps if isinstance(fps, LeftOut) else refused or _refused(source, quality, recipe) or said.left_out
    )
    if isinstance(fps, LeftOut) or reason is not None:
        nothing = Cuts((), {"left_out": len(source)})
        return EpisodePlan(0, every_frame(source), nothing, said, reason)
    grid = nearest_frames(source, fps=fps) if is_resampled else every_frame(source)
    rows, said = grid.for_cuts(source), said.on_rows(grid.rows_of)
    if starts_anywhere:
        rows = replace(rows, is_key=np.ones(len(rows), dtype=np.bool_))
    kept = [(start, stop) for start, stop in (grid.rows_of(*span) for span in quality.kept) if start < stop]
    axes = recipe.layout.wrist_axes
    _, valid = usable_hands(rows, reference_frame=recipe.reference_frame, axes=axes)
    cut = partial(cut_episodes, rows, kept, hand_valid=valid, fps=fps, segments=said.cut_at)
    plan = partial(EpisodePlan, fps, grid)
    cuts = cut(recipe=recipe)
    if not cuts.episodes and "no_required_hand" in cuts.lost and recipe.hands_missing == "keep":
        uncut = cut(recipe=replace(recipe, require_hands="none"))
        if uncut.episodes:
            return plan(uncut, said, None, hands_waived=True)
    return plan(cuts, said, None if cuts.episodes else _nothing_left(cuts))


def _refused(source: EpisodeSource, quality: QualityVerdict, recipe: Recipe) -> LeftOut | None:
    if quality.verdict not in recipe.verdicts:
        accepted = ", ".join(recipe.verdicts)
        return LeftOut("verdict", f"the quality verdict is {quality.verdict}; the recipe takes {accepted}")
    if quality.score is not None and quality.score < recipe.min_score:
        return LeftOut(
            "score", f"the quality score is {quality.score:g}; the recipe takes {recipe.min_score:g} and up"
        )
    if recipe.reference_frame != "camera" and not source.has_pose.any():
        return LeftOut(
            "no_camera_pose",
            f"the recording has no camera pose, which reference_frame {recipe.reference_frame!r} needs; "
            "reference_frame 'camera' does without",
        )
    if recipe.layout.needs_mano(recipe.state) and source.mano is None:
        return LeftOut(
            "no_mano",
            "the hands come without MANO's numbers, which the layout needs; the backends wilor and hamer give them",
        )
    return None


def _nothing_left(cuts: Cuts) -> LeftOut:
    code, count = max(cuts.lost.items(), key=lambda item: (item[1], item[0]))
    parts = ", ".join(f"{frames} {reason}" for reason, frames in sorted(cuts.lost.items()))
    return LeftOut(
        code, f"no episode is left, mostly because {REASONS[code]} ({count} frames); frames lost: {parts}"
    )
