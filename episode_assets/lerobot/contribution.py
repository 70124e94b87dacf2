"""Writes what one recording contributes to the datasets of a recipe: rows, cut points, statistics, own pictures.

The order of work is here and nothing else: what is read is in `inputs`, what the camera sees in `sight`, which frames
become rows in `episode_plan`, numbers in `rows`, pictures in `video_tracks` and `image_tracks`. A recording that fits
no recipe is a fragment without episodes that says why, so nothing waits for it. How a fragment is read again is in
`fragment`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from episode_assets.bundle import EpisodeBundle
from episode_assets.bundle.unaudited import pictures_among, unverified
from episode_assets.errors import ArtifactDamaged, UnauditedArtifact
from episode_assets.footage import passed_audit
from episode_assets.lerobot.camera_tracks import CameraTrack
from episode_assets.lerobot.columns import fragment_columns
from episode_assets.lerobot.cuts import REASONS
from episode_assets.lerobot.depth_feature import DepthImages
from episode_assets.lerobot.episode_plan import EpisodePlan, plan_episodes
from episode_assets.lerobot.fragment import DOCUMENT, ROWS, STATISTICS
from episode_assets.lerobot.fragment_document import fragment_document
from episode_assets.lerobot.fragment_tables import write_rows, write_statistics
from episode_assets.lerobot.hand_interpolation import with_bridged_hands
from episode_assets.lerobot.image_tracks import image_tracks
from episode_assets.lerobot.inputs import read_source, read_verdict
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.rows import Rows, build_rows, rows_and_target, view_columns
from episode_assets.lerobot.segment_plan import NO_TASKS_BESIDE, TaskInputs, plan_segments
from episode_assets.lerobot.sight import Sight, see
from episode_assets.lerobot.source import EpisodeSource
from episode_assets.lerobot.strict_json import write_json
from episode_assets.lerobot.video_tracks import colour_track, depth_track
from episode_assets.outcome import Json, Note, Outcome, Skipped
from episode_assets.progress import Progress, silent


def write_fragment(
    bundle: EpisodeBundle,
    hands: Path,
    qc: Path,
    blurred: Path,
    directory: Path,
    *,
    recipe: Recipe,
    bundle_digest: str,
    recording_id: str,
    task: str | None,
    tasks_beside: TaskInputs = NO_TASKS_BESIDE,
    privacy: Mapping[str, Json] | None,
    progress: Progress = silent,
) -> Outcome:
    """Write the fragment of one recording under one recipe.

    Where the recipe takes pictures as they are in the bundle, none is decoded but those that a captioner sees.

    Args:
        bundle: The opened bundle.
        hands: Directory of the hand_poses artifact.
        qc: Directory of the qc_report artifact; its kept intervals become episodes.
        blurred: Directory of the blurred_rgb artifact, for the colour histograms of the published video.
        directory: Empty directory to write into.
        recipe: What the dataset is made of.
        bundle_digest: Content digest of the bundle, by which the fragment refers to its video.
        recording_id: The recording.
        task: What the wearer does, in words; None where nobody said.
        tasks_beside: What else the recording brings along about its tasks.
        privacy: Privacy block of the blurred video's manifest.
        progress: Told after every episode.

    Returns:
        An outcome with all files as core. A recording that fits nowhere gives no episodes and a note that says why.

    Raises:
        UnauditedArtifact: The pictures have no passed audit.
        ArtifactDamaged: The inputs contradict each other or cannot be read.
        BadVideo: The bundle's video cannot be read.
        BadConfig: The file of tasks beside the recording is wrong, or the captioner or an encoder is not there.
    """
    verdict = passed_audit(privacy)
    refuse_unverified(bundle)
    recorded = _read(bundle, hands, recipe, recording_id)
    quality = read_verdict(qc, recorded.message_number)
    said = plan_segments(recorded, quality, bundle.video_path, recipe=recipe, task=task, given=tasks_beside)
    sight = see(bundle, blurred, recorded, recipe=recipe)
    source = sight.source
    plan = plan_episodes(
        source,
        quality,
        recipe,
        said,
        refused=sight.refused,
        starts_anywhere=sight.starts_anywhere(recipe),
    )
    table = [
        build_rows(
            source, span, recipe=recipe, fps=plan.fps, frames=plan.grid.frame[rows_and_target(span, recipe)]
        )
        | view_columns(sight.view_intrinsics, plan.frames(span))
        for span in plan.cuts.episodes
    ]
    tracks = _tracks(sight, directory, plan, recipe=recipe, progress=progress)
    columns = fragment_columns(recipe)
    write_rows(directory / ROWS, table, columns, progress)
    write_statistics(directory / STATISTICS, table, tracks, columns)
    document = fragment_document(
        sight,
        plan,
        tracks,
        recipe=recipe,
        bundle_digest=bundle_digest,
        quality=quality,
        said=said,
        privacy=verdict,
    )
    write_json(directory / DOCUMENT, document)
    files = [DOCUMENT, ROWS, STATISTICS, *dict.fromkeys(file for track in tracks for file in track.files)]
    return _outcome(plan, table, tracks, source, files, verdict, said.notes)


def _read(bundle: EpisodeBundle, hands: Path, recipe: Recipe, recording_id: str) -> EpisodeSource:
    recorded = read_source(bundle, hands, layout=recipe.layout, state=recipe.state)
    if recorded.recording_id != recording_id:
        raise ArtifactDamaged(
            f"the bundle belongs to recording {recorded.recording_id!r}, expected {recording_id!r}",
            remedy="materialise episode_bundle of this recording again",
        )
    if recipe.gaps.policy == "interpolate":
        return with_bridged_hands(recorded, max_s=recipe.gaps.max_s)
    return recorded


def refuse_unverified(bundle: EpisodeBundle) -> None:
    """Return if nobody doubts the pictures of a bundle.

    Raises:
        UnauditedArtifact: Its own record has no passed audit, or names pictures that nobody audited.
    """
    pictures = sorted(pictures_among(unverified(passed_audit(bundle.privacy, where="episode_bundle"))))
    if pictures:
        raise UnauditedArtifact(
            f"nobody audited {', '.join(pictures)} of the bundle",
            where="episode_bundle",
            remedy="make the bundle from a video whose audit passed",
        )


def _tracks(
    sight: Sight, directory: Path, plan: EpisodePlan, *, recipe: Recipe, progress: Progress
) -> tuple[CameraTrack, ...]:
    """Return the camera features in the order of the recipe; none without episodes."""
    episodes = [plan.frames(span) for span in plan.cuts.episodes]
    if not episodes:
        return ()
    depth = (
        DepthImages(sight.bundle, recipe.depth, sight.change, sight.overlay) if recipe.depth.enabled else None
    )
    tracks = [
        colour_track(sight, key, directory, episodes, recipe=recipe, fps=plan.fps, progress=progress)
        for key in sight.changes
        if key in recipe.video_keys
    ]
    if depth is not None and recipe.depth_key in recipe.video_keys:
        tracks.append(depth_track(depth, directory, episodes, recipe=recipe, fps=plan.fps, progress=progress))
    if recipe.image_keys:
        in_rows = depth if recipe.depth_key in recipe.image_keys else None
        tracks += image_tracks(sight, directory, episodes, recipe=recipe, depth=in_rows, progress=progress)
    return tuple(sorted(tracks, key=lambda track: recipe.camera_keys.index(track.key)))


def _notes(plan: EpisodePlan, tracks: Sequence[CameraTrack]) -> list[Note]:
    notes = [
        Note(code, f"frames lost: {REASONS[code]}", "rgb", count) for code, count in plan.cuts.lost.items()
    ]
    if plan.hands_waived:
        detail = "no episode has the required hands; all were kept, with false masks"
        notes.append(Note("hands_waived", detail, "hands"))
    if plan.grid.is_resampled:
        held, dropped = _held_and_dropped(plan)
        told = {
            ("frames_held", "rows that show the frame of the row before once more"): held,
            ("frames_dropped", "frames inside episodes that no row shows"): dropped,
        }
        notes += [Note(code, detail, "rgb", count) for (code, detail), count in told.items() if count]
    outside = sum(account.outside for track in tracks for account in track.depth)
    if outside:
        notes.append(Note("depth_outside", "measured depth pixels out of the coded range", "depth", outside))
    return notes


def _held_and_dropped(plan: EpisodePlan) -> tuple[int, int]:
    reports = [plan.grid.report(span.start, span.stop) for span in plan.cuts.episodes]
    return sum(len(one.held_rows) for one in reports), sum(len(one.dropped_frames) for one in reports)


def _outcome(
    plan: EpisodePlan,
    table: Sequence[Rows],
    tracks: Sequence[CameraTrack],
    source: EpisodeSource,
    files: Sequence[str],
    privacy: Mapping[str, Json],
    notes: Sequence[Note],
) -> Outcome:
    rows = sum(len(episode["timestamp"]) for episode in table)
    with_action = sum(int(episode["valid.action"].any(axis=1).sum()) for episode in table)
    with_hand = sum(int((episode["valid.left"] | episode["valid.right"]).sum()) for episode in table)
    skipped = (
        () if plan.left_out is None else (Skipped("episodes", plan.left_out.code, plan.left_out.detail),)
    )
    return Outcome(
        core=tuple(files),
        saved=tuple(files),
        skipped=skipped,
        warnings=(*_notes(plan, tracks), *notes),
        summary={
            "episodes": len(table),
            "rows": rows,
            "rows_with_a_measured_hand": with_hand,
            "rows_with_a_measured_action": with_action,
            "frames": len(source),
            "frames_lost": dict(plan.cuts.lost),
            "fps": plan.fps,
            "hands_waived": plan.hands_waived,
            "left_out": None if plan.left_out is None else plan.left_out.code,
        },
        privacy=dict(privacy),
    )
