"""The document of a fragment: what one recording contributes, episode by episode, for packing and for provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from episode_assets.lerobot.camera_tracks import CameraTrack, VideoFile, video_facts
from episode_assets.lerobot.cuts import Span
from episode_assets.lerobot.episode_plan import EpisodePlan
from episode_assets.lerobot.fragment import SCHEMA, SCHEMA_VERSION
from episode_assets.lerobot.inputs import QualityVerdict
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.segment_plan import SegmentPlan
from episode_assets.lerobot.sight import Sight
from episode_assets.lerobot.source import EpisodeSource
from episode_assets.lerobot.time_grid import Indices
from episode_assets.lerobot.timing import grid_drift
from episode_assets.outcome import Json


def fragment_document(
    sight: Sight,
    plan: EpisodePlan,
    tracks: Sequence[CameraTrack],
    *,
    recipe: Recipe,
    bundle_digest: str,
    quality: QualityVerdict,
    said: SegmentPlan,
    privacy: Mapping[str, Json],
) -> dict[str, Any]:
    """Return what a fragment says of itself.

    Args:
        sight: The recording as the recipe sees it.
        plan: Its episodes.
        tracks: Its camera features.
        recipe: What the dataset is made of.
        bundle_digest: Content digest of the bundle.
        quality: What quality control says.
        said: What is done when, in frames.
        privacy: The passed audit.
    """
    source, video = sight.source, sight.video
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "recording_id": source.recording_id,
        "recipe": recipe.rows_mapping(),
        "rows_digest": recipe.rows_digest,
        "bundle_digest": bundle_digest,
        "first_stamp_ns": int(source.stamp_ns[0]),
        "frames": len(source),
        "fps": plan.fps,
        "left_out": None if plan.left_out is None else asdict(plan.left_out),
        "lost": dict(plan.cuts.lost),
        "hands_waived": plan.hands_waived,
        "hands_smoothed": int(source.hand_smoothed.sum()),
        "quality": {"verdict": quality.verdict, "score": quality.score},
        "timing": {"mode": recipe.timing, "median_dt_ns": _median_dt_ns(source)},
        "task": said.task,
        "segments": said.to_json(),
        "cameras": list(recipe.camera_keys),
        "picture": asdict(sight.change),
        "views": {key: asdict(change) for key, change in list(sight.changes.items())[1:]},
        "video": {key: _facts(tracks, key, video) for key in recipe.video_keys},
        "images": {key: _facts(tracks, key, video) for key in recipe.image_keys},
        "episodes": [
            _episode(source, plan, span)
            | plan.said.language(span)
            | _pictures(tracks, number, video, plan.frames(span))
            for number, span in enumerate(plan.cuts.episodes)
        ],
        "privacy": dict(privacy),
    }


def _facts(tracks: Sequence[CameraTrack], key: str, video: VideoFile) -> dict[str, Json]:
    """Return what all frames of a feature share; without episodes that of the bundle's video stands for it."""
    return next((track.facts for track in tracks if track.key == key), video_facts(video.probe, None))


def _median_dt_ns(source: EpisodeSource) -> int:
    return int(np.median(np.diff(source.stamp_ns))) if len(source) > 1 else 0


def _episode(source: EpisodeSource, plan: EpisodePlan, span: Span) -> dict[str, Json]:
    frames = plan.frames(span)
    first, last = int(frames[0]), int(frames[-1])
    record: dict[str, Json] = {
        "length": len(span),
        "frame_start": first,
        "frame_stop": last + 1,
        "message_first": int(source.message_number[first]),
        "message_last": int(source.message_number[last]),
        "start_ns": int(source.stamp_ns[first]),
        "end_ns": int(source.stamp_ns[last]),
        "before": span.before,
        "after": span.after,
        "drift_ns": int(grid_drift(source.stamp_ns[frames], fps=plan.fps)[-1]) // plan.fps,
    }
    return record | (
        {"resampled": plan.grid.report(span.start, span.stop).to_json()} if plan.grid.is_resampled else {}
    )


def _pictures(
    tracks: Sequence[CameraTrack], episode: int, video: VideoFile, frames: Indices
) -> dict[str, Json]:
    """Return where the frames of an episode lie, and what is told about its depth."""
    record: dict[str, Json] = {
        "video_bytes": int(video.sizes[frames[0] : frames[-1] + 1].sum()),
        "videos": {track.key: track.references[episode] for track in tracks if track.references},
    }
    depth: dict[str, Json] = {track.key: track.depth[episode].to_json() for track in tracks if track.depth}
    return record | ({"depth": depth} if depth else {})
