"""The bundle's own `meta.json`: schema, identity, provenance without names or places, and the list of contents.

It is written after all other files and states their sizes, so that a directory without it, or with a file cut
short, is not taken for a bundle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from episode_assets.bundle import layout
from episode_assets.bundle.account import Account
from episode_assets.bundle.inputs import Inputs, clock_word
from episode_assets.outcome import Json


def write_meta(
    directory: Path,
    inputs: Inputs,
    account: Account,
    *,
    files: Sequence[str],
    datasets: Sequence[Mapping[str, Json]],
    privacy: Mapping[str, Json],
) -> None:
    """Write `meta.json`; every file of `files` must be there and not be touched any more."""
    frames = inputs.frames
    meta: dict[str, Json] = {
        "schema": layout.SCHEMA,
        "schema_version": layout.SCHEMA_VERSION,
        "episode_id": frames.recording_id,
        "task": inputs.task,
        "num_frames": len(frames),
        "picture": {"width": frames.width, "height": frames.height},
        "files": {name: (directory / name).stat().st_size for name in files},
        "datasets": list(datasets),
        "source": source_of(inputs),
        "metadata": dict(inputs.raw.metadata),
        "privacy": dict(privacy),
        **account.as_json(),
    }
    text = json.dumps(meta, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
    (directory / layout.META).write_text(text, encoding="utf-8")


def source_of(inputs: Inputs) -> dict[str, Json]:
    """Return what may be told about the recording: size, digest, clock, counts; never a name, a place or a path."""
    inventory, stamps = inputs.raw.inventory, inputs.frames.stamp_ns
    roles = {role: inventory.role(role) for role in sorted(inventory.roles)}
    return {
        "bytes": inventory.size_bytes,
        "sha256": inventory.sha256,
        "profile": inputs.raw.profile,
        "clock": clock_word(inputs.raw),
        "clock_offset_ns": inputs.raw.clock_offset_ns,
        "truncated": inventory.truncated,
        "first_stamp_ns": int(stamps[0]),
        "last_stamp_ns": int(stamps[-1]),
        "messages": {role: info.count for role, info in roles.items() if info is not None},
    }
