"""Keeps the registry's word on each recording true: what reading the file has shown.

The sensor, `status` and the planner ask the registry and not Dagster whether a recording can be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from episode_assets.errors import BadRecording, MissingStream, NothingToExport
from episode_assets.storage import Artifact, Registry


@contextmanager
def noting_unreadable(registry: Registry, recording_id: str) -> Iterator[None]:
    """Note a recording as unreadable when reading it fails for good; the error goes on."""
    try:
        yield
    except (BadRecording, MissingStream, NothingToExport) as error:
        registry.note_state(recording_id, "unreadable", str(error))
        raise


def note_read(registry: Registry, artifact: Artifact) -> None:
    """Note what `raw_mcap` has shown: the file's SHA-256, and whether it was cut off."""
    recording_id = artifact.manifest.recording_id
    assert recording_id is not None
    cut = next((note.detail for note in artifact.manifest.warnings if note.code == "truncated"), None)
    registry.note_state(recording_id, "truncated" if cut else "readable", cut or "")
    registry.set_sha256(recording_id, artifact.read_json("inventory.json")["sha256"])
