"""Packs contributions into datasets: numbers the rows, copies the video, describes the whole.

Only order, placement and description happen here; what a row holds was decided in `fragment`, and which files there
are in the module of the version. Files are written in the order videos, rows, episodes, tasks, statistics, info.json,
so a directory with info.json is complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from episode_assets.errors import NothingToExport
from episode_assets.lerobot.admission import Admission, RecordingLeftOut, admit, unusable_videos
from episode_assets.lerobot.camera_statistics import camera_statistics
from episode_assets.lerobot.card import card
from episode_assets.lerobot.description import provenance_document
from episode_assets.lerobot.fragment import Fragment, FragmentReader
from episode_assets.lerobot.ledger import PROVENANCE
from episode_assets.lerobot.long_episodes import parts_within_limit
from episode_assets.lerobot.picture_counts import write_picture_counts
from episode_assets.lerobot.plan import DatasetPlan, plan_dataset
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.reuse import DatasetFolder, FindPublished, nothing_published
from episode_assets.lerobot.selecting import takes_task
from episode_assets.lerobot.splits import INFO, divide
from episode_assets.lerobot.spread import refuse_scarce, scarce_elements
from episode_assets.lerobot.strict_json import write_json
from episode_assets.lerobot.v2 import V2
from episode_assets.lerobot.v3 import V3
from episode_assets.lerobot.version import Version
from episode_assets.lerobot.video_files import to_be_copied, write_videos
from episode_assets.lerobot.whole_statistics import counts_of_pictures, statistics_of_rows
from episode_assets.outcome import Note, Outcome, Skipped
from episode_assets.progress import Progress, silent
from episode_assets.storage.write_points import reached

CARD = "README.md"


@dataclass(frozen=True)
class _Root:
    """One dataset root that is about to be written: all of a dataset, or one split of it."""

    split: str | None
    version: Version
    folder: DatasetFolder

    @property
    def plan(self) -> DatasetPlan:
        return self.version.plan


def pack_dataset(
    fragments: Sequence[Fragment],
    directory: Path,
    *,
    recipe: Recipe,
    ledger: Iterable[str] | None = None,
    left_out: Sequence[RecordingLeftOut] = (),
    find: FindPublished = nothing_published,
    progress: Progress = silent,
) -> Outcome:
    """Write a dataset of all contributions that fit together; with splits, one root for each in a folder of its name.

    Args:
        fragments: Contributions of recordings under this recipe, in any order.
        directory: Empty directory to write into.
        recipe: The recipe they were made with.
        ledger: Order of recordings of the previous version (`read_ledger`); none sorts by start time.
        left_out: Recordings whose contribution is damaged, so that it is none of `fragments`.
        find: Looks up files of earlier versions, which are taken over instead of written (`files_below`).
        progress: Told after every video file and every data file.

    Returns:
        An outcome with all files as core; recordings that were left out are in `skipped`, with their reason.

    Raises:
        NothingToExport: No contribution has an episode.
        BadConfig: Elements of state or action cannot be normalised, and the recipe neither drops nor keeps them.
        UnauditedArtifact: A contribution carries no passed audit.
        BadVideo: A video cannot be copied although its header said so.
    """
    admission, roots = _settle(
        fragments, directory, recipe=recipe, previous=tuple(ledger or ()), left_out=left_out, find=find
    )
    for root in roots:
        _write_root(root, admission, recipe=recipe, progress=progress)
    return _outcome(roots, admission, directory, recipe)


def _settle(
    fragments: Sequence[Fragment],
    directory: Path,
    *,
    recipe: Recipe,
    previous: tuple[str, ...],
    left_out: Sequence[RecordingLeftOut],
    find: FindPublished,
) -> tuple[Admission, list[_Root]]:
    """Return which recordings enter and the roots they lie in; leaving one out may leave others to be looked at."""
    checked: set[str] = set()
    while True:
        admission = admit(fragments, recipe=recipe, previous=previous, unreadable=left_out)
        if not admission.readers:
            raise NothingToExport(_nobody(admission), where=f"recipe {recipe.name!r}")
        roots = _plan_roots(admission, directory, recipe=recipe, find=find)
        # Frames that no earlier version lends are about to be copied, so their videos are looked at first.
        needed = {name for root in roots for name in to_be_copied(root.version.videos, root.folder)} - checked
        bad = unusable_videos(r for r in admission.readers if r.fragment.recording_id in needed)
        if not bad:
            return admission, roots
        checked |= needed
        names = {item.recording_id for item in bad}
        fragments = [fragment for fragment in fragments if fragment.recording_id not in names]
        left_out = [*left_out, *bad]


def _nobody(admission: Admission) -> str:
    reasons = "; ".join(f"{item.recording_id}: {item.detail}" for item in admission.left_out[:5])
    return f"none of {len(admission.left_out)} recordings has an episode to pack: {reasons}"


def _plan_roots(admission: Admission, directory: Path, *, recipe: Recipe, find: FindPublished) -> list[_Root]:
    readers = {reader.fragment.recording_id: reader for reader in admission.readers}
    labels = {name: reader.fragment.labels for name, reader in readers.items()}
    roots = []
    for split, names in divide(readers, labels, recipe.packing).items():
        if names:
            folder = DatasetFolder(directory if split is None else directory / split, find)
            roots.append(_Root(split, _version([readers[name] for name in names], recipe), folder))
    return roots


def _version(readers: Sequence[FragmentReader], recipe: Recipe) -> Version:
    wanted, name = partial(takes_task, recipe.selection), recipe.packing.version
    if name == "v3.0":
        return V3(plan_dataset(readers, wanted=wanted), recipe)
    return V2(plan_dataset(readers, wanted=wanted, divide=parts_within_limit), recipe, name)


def _write_root(root: _Root, admission: Admission, *, recipe: Recipe, progress: Progress) -> None:
    version, folder, plan = root.version, root.folder, root.plan
    (folder.root / "meta").mkdir(parents=True, exist_ok=True)
    write_videos(version.videos, folder, progress)
    version.write_tables(folder, progress)
    files = [folder.local(path) for path in version.data_files]
    statistics, valid_counts = statistics_of_rows(files, version.columns)
    scarce = scarce_elements(version.columns, statistics, valid_counts, rows=plan.frames)
    if root.split is None or root.split == recipe.packing.splits[0][0]:
        # The first split is for training, and the others are normalised with its numbers.
        refuse_scarce(scarce, recipe)
    counted = {key: counts_of_pictures(plan, key) for key in recipe.camera_keys}
    pictures = {
        key: camera_statistics(found.counts, plan.facts(key), frames=found.pictures)
        for key, found in counted.items()
    }
    version.write_statistics(folder, statistics | pictures)
    write_picture_counts(folder.root, counted)
    privacy = _privacy(plan.readers)
    provenance = provenance_document(
        plan,
        admission,
        recipe=recipe,
        columns=version.columns,
        split=root.split,
        valid_counts=valid_counts,
        scarce=scarce,
        files=folder.keys,
        privacy=privacy,
    )
    write_json(folder.root / PROVENANCE, provenance)
    info = version.info()
    text = card(
        plan,
        recipe=recipe,
        columns=version.columns,
        info=info,
        statistics=statistics | pictures,
        left_out=admission.left_out,
        privacy=privacy,
    )
    (folder.root / CARD).write_text(text, encoding="utf-8")
    reached("pack.documents_written")
    write_json(folder.root / INFO, info, indent=4, sort_keys=False)


def _privacy(readers: Sequence[FragmentReader]) -> dict[str, Any]:
    """Return one verdict for the dataset: every contribution has passed, and what is not removed is the union."""
    records: list[Mapping[str, Any]] = [reader.document["privacy"] for reader in readers]
    not_removed = dict.fromkeys(item for record in records for item in record.get("not_removed") or ())
    detectors = sorted({str(record["detector"]) for record in records if "detector" in record})
    return {
        "audit": "passed",
        "recordings": len(records),
        "detectors": detectors,
        "frames_with_faces": sum(int(record.get("frames_with_faces") or 0) for record in records),
        "not_removed": list(not_removed),
    }


def _outcome(roots: Sequence[_Root], admission: Admission, directory: Path, recipe: Recipe) -> Outcome:
    sizes = {
        (root.folder.root / path).relative_to(directory).as_posix(): size
        for root in roots
        for path, size in root.folder.sizes().items()
    }
    files, left_out = tuple(sorted(sizes)), admission.left_out
    notes = (Note("left_out", "recordings left out, see skipped", None, len(left_out)),) if left_out else ()
    return Outcome(
        core=files,
        saved=files,
        skipped=(
            *(Skipped(item.recording_id, item.code, item.detail) for item in left_out),
            *_empty_splits(roots, recipe),
        ),
        warnings=notes,
        summary=_summary(roots, len(left_out)) | {"bytes": sum(sizes.values())},
        privacy=_privacy([reader for root in roots for reader in root.plan.readers]),
    )


def _empty_splits(roots: Sequence[_Root], recipe: Recipe) -> list[Skipped]:
    filled = {root.split for root in roots}
    reason = "no recording has fallen to this split yet"
    return [Skipped(name, "empty_split", reason) for name, _ in recipe.packing.splits if name not in filled]


def _summary(roots: Sequence[_Root], left_out: int) -> dict[str, Any]:
    plans = [root.plan for root in roots]
    rows = sum(plan.frames for plan in plans)
    summary = {
        "episodes": sum(len(plan.episodes) for plan in plans),
        "rows": rows,
        "fps": plans[0].fps,
        "seconds": rows / plans[0].fps,
        "recordings": sum(len(plan.readers) for plan in plans),
        "recordings_left_out": left_out,
        "tasks": len(dict.fromkeys(task for plan in plans for task in plan.tasks)),
        "files_taken_over": sum(len(root.folder.taken_over) for root in roots),
    }
    if roots[0].split is None:
        return summary
    return summary | {"splits": {str(root.split): len(root.plan.episodes) for root in roots}}
