"""Packs contributions into a LeRobot v3.0 dataset: numbers the rows, copies the video, describes the whole.

Only order, placement and description happen here; what a row holds was decided in `fragment`. Files are written in
the order videos, rows, episodes, tasks, statistics, info.json, so a directory with info.json is complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from episode_assets.errors import BadVideo, NothingToExport
from episode_assets.lerobot.admission import Admission, RecordingLeftOut, admit
from episode_assets.lerobot.card import card
from episode_assets.lerobot.description import dataset_statistics, info_document, provenance_document
from episode_assets.lerobot.fragment import Fragment
from episode_assets.lerobot.ledger import PROVENANCE
from episode_assets.lerobot.plan import DatasetPlan, plan_dataset
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.strict_json import write_json
from episode_assets.lerobot.tables import write_data, write_episodes
from episode_assets.lerobot.tasks import write_tasks
from episode_assets.outcome import Note, Outcome, Skipped
from episode_assets.progress import Progress, silent
from episode_assets.video import VideoProbe, retime_copy

INFO = "meta/info.json"
STATS = "meta/stats.json"
TASKS = "meta/tasks.parquet"
CARD = "README.md"


def pack_dataset(
    fragments: Sequence[Fragment],
    directory: Path,
    *,
    recipe: Recipe,
    ledger: Iterable[str] | None = None,
    left_out: Sequence[RecordingLeftOut] = (),
    progress: Progress = silent,
) -> Outcome:
    """Write a dataset of all contributions that fit together.

    Args:
        fragments: Contributions of recordings under this recipe, in any order.
        directory: Empty directory to write into.
        recipe: The recipe they were made with.
        ledger: Order of recordings of the previous version (`read_ledger`); none sorts by start time.
        left_out: Recordings whose contribution is damaged, so that it is none of `fragments`.
        progress: Told after every video file and every episode.

    Returns:
        An outcome with all files as core; recordings that were left out are in `skipped`, with their reason.

    Raises:
        NothingToExport: No contribution has an episode.
        UnauditedArtifact: A contribution carries no passed audit.
        BadVideo: A video cannot be copied although its header said so.
    """
    admission = admit(fragments, recipe=recipe, previous=ledger or (), unreadable=left_out)
    if not admission.readers:
        raise NothingToExport(_nobody(admission), where=f"recipe {recipe.name!r}")
    plan = plan_dataset(admission.readers, recipe=recipe)
    privacy = _privacy(admission)
    (directory / "meta").mkdir(parents=True, exist_ok=True)
    video = _copy_videos(plan, directory, recipe=recipe, progress=progress)
    places = write_data(plan, directory, recipe=recipe, progress=progress)
    write_episodes(plan, places, directory, recipe=recipe)
    write_tasks(directory / TASKS, plan.tasks)
    statistics, valid_counts = dataset_statistics(plan, directory, recipe=recipe)
    write_json(directory / STATS, statistics, indent=4, sort_keys=False)
    provenance = provenance_document(
        plan, admission, recipe=recipe, valid_counts=valid_counts, privacy=privacy
    )
    write_json(directory / PROVENANCE, provenance)
    text = card(
        plan, recipe=recipe, recordings=len(admission.readers), left_out=admission.left_out, privacy=privacy
    )
    (directory / CARD).write_text(text, encoding="utf-8")
    write_json(directory / INFO, info_document(plan, video, recipe=recipe), indent=4, sort_keys=False)
    return _outcome(plan, admission, directory, privacy)


def _nobody(admission: Admission) -> str:
    reasons = "; ".join(f"{item.recording_id}: {item.detail}" for item in admission.left_out[:5])
    return f"none of {len(admission.left_out)} recordings has an episode to pack: {reasons}"


def _copy_videos(plan: DatasetPlan, directory: Path, *, recipe: Recipe, progress: Progress) -> VideoProbe:
    """Write all video files by stream copy and return the facts of the first one."""
    files = [(place, list(group)) for place, group in groupby(plan.episodes, key=lambda e: e.video.place)]
    first: VideoProbe | None = None
    for done, (place, episodes) in enumerate(files, start=1):
        out = directory / place.path(f"videos/{recipe.video_key}", "mp4")
        out.parent.mkdir(parents=True, exist_ok=True)
        spans = [e.reader.video_span(e.position, recipe.video_key) for e in episodes]
        found = retime_copy(spans, out, fps=plan.fps)
        _check_copied(found, episodes=[e.length for e in episodes], fps=plan.fps, where=out.name)
        first = first or found
        progress("dataset videos", done, len(files))
    assert first is not None
    return first


def _check_copied(found: VideoProbe, *, episodes: Sequence[int], fps: int, where: str) -> None:
    rows = sum(episodes)
    if found.frames != rows or not found.is_cfr or found.duration * fps != rows:
        raise BadVideo(
            f"the copied video holds {found.frames} frames for {rows} rows at {fps} Hz", where=where
        )


def _privacy(admission: Admission) -> dict[str, Any]:
    """Return one verdict for the dataset: every contribution has passed, and what is not removed is the union."""
    records: list[Mapping[str, Any]] = [reader.document["privacy"] for reader in admission.readers]
    not_removed = dict.fromkeys(item for record in records for item in record.get("not_removed") or ())
    detectors = sorted({str(record["detector"]) for record in records if "detector" in record})
    return {
        "audit": "passed",
        "recordings": len(records),
        "detectors": detectors,
        "frames_with_faces": sum(int(record.get("frames_with_faces") or 0) for record in records),
        "not_removed": list(not_removed),
    }


def _outcome(plan: DatasetPlan, admission: Admission, directory: Path, privacy: Mapping[str, Any]) -> Outcome:
    files = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())
    left_out = admission.left_out
    notes = (Note("left_out", "recordings left out, see skipped", None, len(left_out)),) if left_out else ()
    return Outcome(
        core=tuple(files),
        saved=tuple(files),
        skipped=tuple(Skipped(item.recording_id, item.code, item.detail) for item in left_out),
        warnings=notes,
        summary={
            "episodes": len(plan.episodes),
            "rows": plan.frames,
            "fps": plan.fps,
            "seconds": plan.frames / plan.fps,
            "recordings": len(admission.readers),
            "recordings_left_out": len(left_out),
            "tasks": len(plan.tasks),
            "bytes": sum((directory / file).stat().st_size for file in files),
        },
        privacy=dict(privacy),
    )
