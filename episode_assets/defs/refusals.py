"""What the UI shows of a result that was refused: where its finds lie, and stills in which they are filled solid."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import dagster as dg

from episode_assets.defs.pictures import inline_picture
from episode_assets.storage import ArtifactKey, Quarantined, Store

MAX_LISTED = 50
"""Finds in the table, those that block first; each event stays in the event database for ever."""


def refusal_metadata(store: Store, key: ArtifactKey) -> dict[str, Any]:
    """Return what there is to see of the newest refusal of an artifact; empty where there is none."""
    verdict = store.quarantined(key)
    if verdict is None:
        return {}
    metadata: dict[str, Any] = {}
    finds = _open_finds(store, verdict)
    if finds:
        metadata["finds"] = dg.MetadataValue.md(_table(finds[:MAX_LISTED]))
    pictures = [
        inline_picture(data, name, "the finds filled")
        for name in verdict.pictures
        if (data := store.evidence(verdict, name)) is not None
    ]
    if pictures:
        metadata["evidence"] = dg.MetadataValue.md("\n\n".join(pictures))
    return metadata


def _open_finds(store: Store, verdict: Quarantined) -> list[Mapping[str, Any]]:
    audit = store.evidence(verdict, "audit.json")
    finds: list[Mapping[str, Any]] = json.loads(audit).get("finds", []) if audit else []
    left = [find for find in finds if find["state"] != "blurred"]
    return sorted(left, key=lambda find: (find["state"] != "blocks", find["frame_index"]))


def _table(finds: list[Mapping[str, Any]]) -> str:
    rows = [
        f"| {find['frame_index']} | {find['message_number']} | {', '.join(f'{value:g}' for value in find['box'])} "
        f"| {find['score']:g} | {find['state']} |"
        for find in finds
    ]
    return "\n".join(["| frame | message | box | score | |", "|---:|---:|---|---:|---|", *rows])
