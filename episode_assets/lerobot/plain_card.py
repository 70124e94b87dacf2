"""The card of a finished dataset, from its own documents; no recording is named."""

from __future__ import annotations

from episode_assets.lerobot.card import front_matter, privacy_section
from episode_assets.lerobot.existing import ExistingDataset


def plain_card(dataset: ExistingDataset, *, name: str, licence: str) -> str:
    """Return README.md from what a dataset's own documents say.

    Args:
        dataset: A dataset of ours, whose pictures have passed the audit.
        name: Its title.
        licence: Licence id for the front matter.
    """
    frames = sum(episode.length for episode in dataset.episodes)
    cameras = [f"`{key}`" for key, feature in dataset.features.items() if feature.is_visual]
    vectors = [
        f"- `{key}` [{feature.width}]"
        for key, feature in dataset.features.items()
        if key.startswith(("observation", "action")) and not feature.is_visual
    ]
    lines = [
        *front_matter(licence),
        f"# {name}",
        "",
        f"First-person video with hand and camera poses: {len(dataset.episodes)} episodes, {frames} frames at",
        f"{dataset.fps} Hz ({frames / dataset.fps / 60:.1f} minutes), LeRobot format {dataset.version}.",
        "",
        *privacy_section(dataset.provenance.get("privacy", {})),
        "",
        "## What a row holds",
        "",
        f"- {', '.join(cameras)}: the face-blurred picture.",
        *vectors,
        "- `valid.*`: which of these were measured. Where they are false the numbers are held from a neighbour; a",
        "  trainer that ignores the masks takes them for measurements.",
        "",
        "`meta/episode_assets.json` names frames, units and masks. Statistics are taken over valid rows.",
    ]
    return "\n".join(lines) + "\n"
