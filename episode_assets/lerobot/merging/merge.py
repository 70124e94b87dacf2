"""Joins datasets: checks, plans, writes, describes, and publishes the result in one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from episode_assets.errors import ArtifactDamaged, BadConfig
from episode_assets.lerobot.existing import STATS, ExistingDataset, Feature, open_dataset
from episode_assets.lerobot.existing.damage import named_damage
from episode_assets.lerobot.existing.dataset import INFO
from episode_assets.lerobot.ledger import PROVENANCE
from episode_assets.lerobot.merging.plan import MergePlan, plan_merge
from episode_assets.lerobot.merging.provenance import merged_provenance
from episode_assets.lerobot.merging.rules import differences, merged_features
from episode_assets.lerobot.merging.v2 import MergeV2
from episode_assets.lerobot.merging.v3 import MergeV3
from episode_assets.lerobot.new_root import new_root
from episode_assets.lerobot.picture_counting import counts_of, statistics_of
from episode_assets.lerobot.picture_counts import PictureCounts, write_picture_counts
from episode_assets.lerobot.plain_card import plain_card
from episode_assets.lerobot.statistics import MOMENTS, Statistics
from episode_assets.lerobot.strict_json import write_json
from episode_assets.lerobot.verify import examine_dataset
from episode_assets.lerobot.whole_statistics import statistics_of_rows
from episode_assets.progress import Progress, silent

_SHOWN = 5


@dataclass(frozen=True)
class Merged:
    """What a merge has made.

    Attributes:
        root: The joined dataset.
        episodes: Its episodes.
        frames: Its rows.
        tasks: Its task texts.
    """

    root: Path
    episodes: int
    frames: int
    tasks: int


def merge_datasets(
    sources: Sequence[Path], out: Path, *, force: bool = False, progress: Progress = silent
) -> Merged:
    """Join datasets of one version and one kind into a new dataset, one after another.

    Frames are copied and rows renumbered; statistics are taken anew over all rows, and those of pictures from counts.
    Pictures are decoded only where a dataset does not carry its counts.

    Args:
        sources: At least two dataset roots, in the order of the result.
        out: Folder of the result; must not exist.
        force: Also join datasets in which a verification finds problems.
        progress: Told after every file.

    Raises:
        BadConfig: The datasets do not fit together, or `out` exists.
        ArtifactDamaged: A dataset does not pass verification.
        BadVideo: Frames cannot be copied; told before anything is written.
    """
    if len(sources) < 2:
        raise BadConfig("a merge takes at least two datasets")
    with named_damage(sources[0].parent):
        return _merged([_opened(path, force=force) for path in sources], out, progress)


def _merged(datasets: Sequence[ExistingDataset], out: Path, progress: Progress) -> Merged:
    reasons = list(differences(datasets))
    if reasons:
        more = f"; and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
        raise BadConfig(f"the datasets do not fit together: {'; '.join(reasons[:_SHOWN])}{more}")
    plan = plan_merge(datasets)
    version: MergeV3 | MergeV2 = MergeV3(plan) if plan.first.is_v3 else MergeV2(plan)
    version.check()
    with new_root(out) as root:
        (root / "meta").mkdir()
        version.write(root, progress)
        _describe(plan, version.totals(), root, progress)
        if open_dataset(root).provenance.get("privacy", {}).get("audit") == "passed":
            card = plain_card(open_dataset(root), name=out.name, licence=_licence(plan))
            (root / "README.md").write_text(card, encoding="utf-8")
    return Merged(out, len(plan.episodes), plan.frames, len(plan.tasks))


def _licence(plan: MergePlan) -> str:
    """Return the licence of all parts, or the Hub's word for one that no single id names."""
    found = {dataset.provenance.get("recipe", {}).get("licence", "other") for dataset in plan.datasets}
    return str(found.pop()) if len(found) == 1 else "other"


def _opened(path: Path, *, force: bool) -> ExistingDataset:
    problems = () if force else examine_dataset(path).problems
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise ArtifactDamaged(
            f"it does not pass verification: {'; '.join(map(str, problems[:_SHOWN]))}{more}",
            where=str(path),
            remedy="mend it, or merge with force",
        )
    return open_dataset(path)


def _describe(plan: MergePlan, totals: dict[str, Any], root: Path, progress: Progress) -> None:
    """Write statistics, provenance and info.json, which comes last and makes it a dataset."""
    first = plan.first
    cameras = [feature for feature in first.features.values() if feature.is_visual]
    counted = {feature.key: _counted(plan, feature, progress) for feature in cameras}
    files = sorted((root / "data").glob("*/*.parquet"))
    columns = [feature.column for feature in first.columns if feature.is_numeric]
    statistics, valid_counts = statistics_of_rows(files, columns)
    statistics |= {feature.key: statistics_of(feature, counted[feature.key]) for feature in cameras}
    if first.statistics() is not None:
        write_json(root / STATS, _in_form_of(first, statistics), indent=4, sort_keys=False)
    write_picture_counts(root, counted)
    provenance = merged_provenance(plan, valid_counts=valid_counts)
    if provenance is not None:
        write_json(root / PROVENANCE, provenance)
    info = dict(first.info) | totals
    info |= {
        "total_episodes": len(plan.episodes),
        "total_frames": plan.frames,
        "total_tasks": len(plan.tasks),
        "splits": {"train": f"0:{len(plan.episodes)}"},
        "features": merged_features(plan.datasets),
    }
    write_json(root / INFO, info, indent=4, sort_keys=False)


def _counted(plan: MergePlan, feature: Feature, progress: Progress) -> PictureCounts:
    parts = (counts_of(dataset, feature, progress) for dataset in plan.datasets)
    return reduce(add, parts)


def _in_form_of(first: ExistingDataset, statistics: dict[str, Statistics]) -> dict[str, Statistics]:
    """Return the features and entries that the first dataset has: a GR00T reader fails on a count."""
    stored = first.statistics() or {}
    return {
        key: {name: found[name] for name in stored.get(key, (*MOMENTS, "count")) if name in found}
        for key, found in statistics.items()
        if key in stored
    }
