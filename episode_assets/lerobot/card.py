"""The dataset card: what the dataset is, what was removed from its pictures, and what was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from episode_assets.lerobot.admission import RecordingLeftOut
from episode_assets.lerobot.columns import Column
from episode_assets.lerobot.existing import Feature
from episode_assets.lerobot.plan import DatasetPlan
from episode_assets.lerobot.policies import POLICIES, PolicyInputs, warnings_for
from episode_assets.lerobot.recipe import Recipe
from episode_assets.outcome import Json

NOT_REMOVED = (
    "bodies, clothing, tattoos and gait",
    "the wearer's hands",
    "screens, documents and handwriting",
    "number plates and labels",
    "recognisable rooms and places",
)
"""What face blurring leaves in the pictures, unless the privacy record of the pictures lists it itself."""


def card(
    plan: DatasetPlan,
    *,
    recipe: Recipe,
    columns: Sequence[Column],
    info: Mapping[str, Any],
    statistics: Mapping[str, Mapping[str, Any]],
    left_out: Sequence[RecordingLeftOut],
    privacy: Mapping[str, Any],
) -> str:
    """Return README.md of a dataset: front matter for the hub, then plain words.

    Args:
        plan: Its episodes.
        recipe: Its recipe.
        columns: Columns of the data files.
        info: Its info.json.
        statistics: Its statistics.
        left_out: Recordings that it does not hold.
        privacy: Verdict over its pictures.
    """
    features = {key: Feature.read(key, entry, ()) for key, entry in info["features"].items()}
    minutes = plan.frames / plan.fps / 60
    size = f"{len(plan.episodes)} episodes from {len(plan.readers)} recordings, {plan.frames} frames at {plan.fps} Hz"
    lines = [
        *front_matter(recipe.licence),
        f"# {recipe.name}",
        "",
        f"First-person video with hand and camera poses: {size} ({minutes:.1f} minutes),",
        f"LeRobot format {recipe.packing.version}.",
        "",
        *privacy_section(privacy),
        "",
        *_rows(columns, features),
        "",
        *_policies(features, statistics, plan.tasks),
        *_origin(plan),
    ]
    waived = sum(bool(episode.part.reader.document["hands_waived"]) for episode in plan.episodes)
    if waived:
        lines += [
            "",
            f"{waived} episodes come from recordings in which the required hands were never measured long",
        ]
        lines += [
            "enough: their pictures and camera poses are true, most of their states and actions are masked."
        ]
    if left_out:
        lines += ["", "## Left out", "", *(f"- `{item.recording_id}`: {item.code}" for item in left_out)]
    return "\n".join(lines) + "\n"


def _origin(plan: DatasetPlan) -> list[str]:
    smoothed = sum(int(reader.document["hands_smoothed"] or 0) for reader in plan.readers)
    modes = sorted({str(reader.document["timing"]["mode"]) for reader in plan.readers})
    verdicts = [str(reader.document["quality"]["verdict"]) for reader in plan.readers]
    judged = ", ".join(f"{verdicts.count(word)} {word}" for word in dict.fromkeys(verdicts))
    return [
        "## Where it comes from",
        "",
        f"- recordings by verdict of quality control: {judged}",
        f"- time: {', '.join(modes)}; `source.timestamp_ns` keeps the true stamps",
        f"- hands smoothed over time: {smoothed}",
    ]


def privacy_section(privacy: Mapping[str, Any]) -> list[str]:
    """Return what was removed from the pictures, and what was not."""
    return [
        "## Privacy",
        "",
        "The pictures are **face-blurred**. Every published frame was searched for faces again after blurring, and",
        "the search passed. Not removed, and possibly visible:",
        "",
        *(f"- {item}" for item in privacy.get("not_removed") or NOT_REMOVED),
    ]


def front_matter(licence: str) -> list[str]:
    """Return what the hub reads of a card: licence, tags, and where the rows lie."""
    return [
        "---",
        f"license: {licence}",
        "task_categories:",
        "- robotics",
        "tags:",
        "- LeRobot",
        "configs:",
        "- config_name: default",
        "  data_files: data/*/*.parquet",
        "---",
        "",
    ]


def _rows(columns: Sequence[Column], features: Mapping[str, Feature]) -> list[str]:
    cameras = ", ".join(f"`{key}`" for key, feature in features.items() if feature.is_visual)
    return [
        "## What a row holds",
        "",
        f"- {cameras or 'no camera'}: the face-blurred picture; depth is measured, not blurred.",
        *(_column(column) for column in columns if column.about),
        "",
        "Where `valid.*` is false, the numbers it covers are held from a neighbour or zero; a trainer that ignores the",
        "masks takes them for measurements. Statistics are taken over valid rows. `meta/episode_assets.json` names",
        "frames, units, masks and the origin of every episode.",
        "",
        "Streaming readers of some LeRobot releases mix up datasets with several video files; load from disk.",
    ]


def _column(column: Column) -> str:
    width = f" [{column.width}]" if column.names is not None else ""
    said = [_said(name, value) for name, value in column.about.items()]
    masks = dict.fromkeys(f"`{mask.column}`" for mask in column.masks)
    return f"- `{column.key}`{width}: " + "; ".join(
        [*said, *([f"valid by {', '.join(masks)}"] if masks else [])]
    )


def _said(name: str, value: Json) -> str:
    if name in ("of", "kind"):
        return str(value)
    if isinstance(value, Mapping):
        value = ", ".join(f"{part} in {unit}" for part, unit in value.items())
    elif isinstance(value, list | tuple):
        value = ", ".join(str(item["name"]) if isinstance(item, Mapping) else str(item) for item in value)
    return f"{name.replace('_', ' ')} {value}"


def _policies(
    features: Mapping[str, Feature], statistics: Mapping[str, Mapping[str, Any]], tasks: Sequence[str]
) -> list[str]:
    inputs = PolicyInputs.of(features)
    seen = {**inputs.visual, **inputs.state, **inputs.action}
    remarks = {
        policy.name: list(warnings_for(policy, inputs, statistics=statistics, tasks=tasks))
        for policy in POLICIES
    }
    content = [name for name, found in remarks.items() if not found]
    return [
        "## What policies see",
        "",
        f"LeRobot gives its policies {', '.join(f'`{key}`' for key in seen)}, and drops everything else.",
        "",
        *([f"- nothing to remark for {', '.join(content)}"] if content else []),
        *(f"- {name}: {'; '.join(found)}" for name, found in remarks.items() if found),
        "",
    ]
