"""The dataset card: what the dataset is, what was removed from its pictures, and what was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from episode_assets.lerobot.admission import RecordingLeftOut
from episode_assets.lerobot.plan import DatasetPlan
from episode_assets.lerobot.recipe import Recipe

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
    recordings: int,
    left_out: Sequence[RecordingLeftOut],
    privacy: Mapping[str, Any],
) -> str:
    """Return README.md of a dataset: front matter for the hub, then plain words."""
    minutes = plan.frames / plan.fps / 60
    size = (
        f"{len(plan.episodes)} episodes from {recordings} recordings, {plan.frames} frames at {plan.fps} Hz"
    )
    lines = [
        *front_matter(recipe.licence),
        f"# {recipe.name}",
        "",
        f"First-person video with hand and camera poses: {size} ({minutes:.1f} minutes),",
        f"LeRobot format {recipe.packing.version}.",
        "",
        *privacy_section(privacy),
        "",
        *_rows(recipe),
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


def _rows(recipe: Recipe) -> list[str]:
    return [
        "## What a row holds",
        "",
        f"- `{recipe.video_key}`: the face-blurred picture.",
        "- `observation.state` [18]: position (m) and rotation (rot6d, row form) of the left and the right wrist in",
        f"  the {recipe.reference_frame} frame. `action` [18]: the same at the next frame.",
        "- `valid.left`, `valid.right`, `valid.action`: which of these were measured. Where they are false the numbers",
        "  are held from a neighbour; a trainer that ignores the masks takes them for measurements.",
        "- `hand.joints` [126] with `valid.joints` [42], `hand.confidence`, `camera.pose`, `camera.intrinsics`.",
        "- `source.*`: the stamp, message and frame that the row comes from.",
        "",
        "Statistics are taken over valid rows. `meta/episode_assets.json` names frames, units, masks and the origin of",
        "every episode.",
        "",
        "Streaming readers of some LeRobot releases mix up datasets with several video files; load from disk.",
    ]
