"""The documents of a dataset that all versions share: its features, its cameras, and its provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from episode_assets.lerobot.admission import Admission
from episode_assets.lerobot.columns import Column
from episode_assets.lerobot.plan import DatasetPlan, PlannedEpisode
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.spread import Scarce

CODEBASE_VERSION = "v3.0"
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
PROVENANCE_SCHEMA = "episode_assets_dataset"

_ENCODER: Mapping[str, Any] = {
    "g": None,
    "crf": None,
    "preset": None,
    "fast_decode": None,
    "extra_options": {},
}
"""What is said of the encoder where nobody knows its settings: the format's word for unknown is null."""


def info_of_features(plan: DatasetPlan, columns: Sequence[Column]) -> dict[str, Any]:
    """Return `features` of info.json: cameras first, then the columns in their order."""
    cameras = {key: camera_feature(plan.facts(key), fps=plan.fps) for key in plan.video_keys}
    cameras |= {key: image_feature(plan.facts(key)) for key in plan.image_keys}
    return cameras | {column.key: column.feature for column in columns}


def camera_feature(facts: Mapping[str, Any], *, fps: int) -> dict[str, Any]:
    """Return the entry of a camera whose frames lie in video files."""
    channels = 1 if facts["is_depth_map"] else 3
    return {
        "dtype": "video",
        "shape": [facts["height"], facts["width"], channels],
        "names": ["height", "width", "channels"],
        "info": video_info(facts, fps=fps, channels=channels),
    }


def image_feature(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of a camera whose pictures lie in the rows."""
    depth = {"info": {"is_depth_map": True, **facts["depth"]}} if facts["is_depth_map"] else {}
    return {
        "dtype": "image",
        "shape": [facts["height"], facts["width"], facts["channels"]],
        "names": ["height", "width", "channels"],
        **depth,
    }


def video_info(facts: Mapping[str, Any], *, fps: int, channels: int) -> dict[str, Any]:
    """Return the `info` block of a camera: what the stream says, and the encoder's settings where they are known."""
    encoder: Mapping[str, Any] = facts["encoder"] or {}
    return {
        "video.height": facts["height"],
        "video.width": facts["width"],
        "video.codec": facts["codec"],
        "video.pix_fmt": facts["pix_fmt"],
        "video.fps": fps,
        "video.channels": channels,
        "has_audio": False,
        "is_depth_map": bool(facts["is_depth_map"]),
        **{f"video.{name}": encoder.get(name, unknown) for name, unknown in _ENCODER.items()},
        "video.video_backend": "pyav",
        **(facts["depth"] or {}),
    }


def provenance_document(
    plan: DatasetPlan,
    admission: Admission,
    *,
    recipe: Recipe,
    columns: Sequence[Column],
    split: str | None,
    valid_counts: Mapping[str, list[int]],
    scarce: Sequence[Scarce],
    files: Mapping[str, str],
    privacy: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what traces every row to its recording, and what a verifier needs to recompute the statistics.

    Args:
        plan: The episodes of this dataset root.
        admission: The recordings of all roots; their order is kept in each.
        recipe: The recipe.
        columns: Columns of the data files.
        split: Name of the root where there are several, or None.
        valid_counts: Per masked column the valid rows of each element.
        scarce: Elements that cannot be normalised; there are some only where the recipe keeps them.
        files: Key of every large file by path; a later version takes files with equal keys over.
        privacy: Verdict over all pictures.
    """
    return {
        "schema": PROVENANCE_SCHEMA,
        "schema_version": 2,
        "recipe": recipe.to_mapping(),
        "split": split,
        "ledger": list(admission.ledger),
        "recordings": [_recording(reader.document, reader.fragment.digest) for reader in plan.readers],
        "left_out": [
            {"recording_id": item.recording_id, "code": item.code, "detail": item.detail}
            for item in admission.left_out
        ],
        "episodes": [_episode(episode) for episode in plan.episodes],
        "features": {column.key: column.about for column in columns if column.about},
        "masks": {
            column.key: [mask.to_json() for mask in column.masks] for column in columns if column.masks
        },
        "valid_counts": dict(valid_counts),
        "never_valid": {
            column.key: [_name(column, i) for i, count in enumerate(valid_counts[column.key]) if count == 0]
            for column in columns
            if 0 in valid_counts.get(column.key, [])
        },
        "scarce": [item.to_json() for item in scarce],
        "files": dict(files),
        "privacy": dict(privacy),
    }


def _episode(episode: PlannedEpisode) -> dict[str, Any]:
    part = episode.part
    about = {"episode_index": episode.episode_index, "recording_id": episode.recording_id, **part.source}
    # Rows of the contribution's episode, where it was too long for the version and has been divided.
    return about if part.is_whole else {**about, "length": part.length, "rows": [part.start, part.stop]}


def _name(column: Column, element: int) -> str:
    return column.key if column.names is None else column.names[element]


def _recording(document: Mapping[str, Any], digest: str) -> dict[str, Any]:
    kept = (
        "recording_id",
        "bundle_digest",
        "frames",
        "lost",
        "hands_waived",
        "quality",
        "timing",
        "picture",
        "video",
        "images",
    )
    return {
        "fragment_digest": digest,
        **{key: document[key] for key in kept},
        # How many hands of this recording were smoothed over time; contributions of earlier releases do not say.
        "hands_smoothed": document.get("hands_smoothed"),
        # Where its tasks come from, and who was asked what about those that nobody had named.
        "tasks_from": {key: document["segments"][key] for key in ("origin", "caption")},
    }
