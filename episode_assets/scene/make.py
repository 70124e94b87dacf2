"""Making the mesh of a recording: one function that reads like the list of its steps. Each step has its own module."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from episode_assets.errors import ArtifactDamaged
from episode_assets.footage import REMEDY, FrameTable, passed_audit, read_frame_table
from episode_assets.outcome import Json, Outcome
from episode_assets.ply import Mesh, write_ply
from episode_assets.progress import Progress, silent
from episode_assets.recording import RecordingView
from episode_assets.scene.config import SceneMeshConfig
from episode_assets.scene.document import DOCUMENT, MESH, MeshDocument, write_document
from episode_assets.scene.welding import weld

logger = logging.getLogger(__name__)
DEFAULTS = SceneMeshConfig()


def build_scene_mesh(
    raw: RecordingView,
    blurred: Path,
    directory: Path,
    *,
    config: SceneMeshConfig = DEFAULTS,
    privacy: Mapping[str, Json] | None,
    workers: int = 1,
    progress: Progress = silent,
) -> Outcome:
    """Write `mesh.ply` and `mesh.json` of a recording into `directory`.

    Args:
        raw: The recording; of its pixels nothing is read, and colours of its mesh have no way in here.
        blurred: Directory of the `blurred_rgb` artifact, the only source of colours.
        directory: An empty directory.
        config: What changes the bytes.
        privacy: Privacy block of the `blurred_rgb` manifest; its audit must have passed.
        workers: Never changes the result; the steps depend on one another and run in this process.
        progress: Who watches.

    Returns:
        What was written. Without a mesh there is only `mesh.json`, and the reason.

    Raises:
        UnauditedArtifact: The blurred video has no passed audit.
        ArtifactDamaged: The inputs contradict each other or cannot be read.
        NothingToExport: The blurred video holds no frame.
    """
    del workers
    verdict = passed_audit(privacy)
    _check_same_recording(raw, read_frame_table(blurred / "frames.parquet"))
    document = MeshDocument()
    mesh = _source_mesh(raw, config, document)
    if mesh is not None:
        write_ply(directory / MESH, mesh)
    progress("mesh", 1, 1)
    write_document(directory / DOCUMENT, document)
    return Outcome(
        core=(DOCUMENT,) if mesh is None else (MESH, DOCUMENT),
        saved=() if mesh is None else (MESH,),
        skipped=tuple(document.skipped),
        summary=_summary(mesh, document),
        privacy={**verdict, "colours": document.colours},
    )


def _check_same_recording(raw: RecordingView, frames: FrameTable) -> None:
    if frames.recording_id != raw.recording_id:
        raise ArtifactDamaged(
            f"the blurred video belongs to {frames.recording_id!r}, the streams to {raw.recording_id!r}",
            where="frames.parquet",
            remedy=REMEDY,
        )


def _source_mesh(raw: RecordingView, config: SceneMeshConfig, document: MeshDocument) -> Mesh | None:
    soup = raw.mesh
    if config.source == "none":
        document.skip(MESH, "not_asked_for", "the settings ask for no mesh")
        return None
    if soup is None:
        document.skip(MESH, "no_mesh_messages", "the recording has no mesh")
        return None
    mesh, dropped = weld(soup.vertices, soup.triangles)
    document.steps["weld"] = {"triangles_in": len(soup.triangles), "dropped": dropped}
    if len(mesh.triangles) == 0:
        document.skip(MESH, "empty_mesh", "the mesh of the recording has no triangles")
        return None
    document.source = "marker"
    return mesh


def _summary(mesh: Mesh | None, document: MeshDocument) -> dict[str, Json]:
    return {
        "mesh_source": document.source,
        "vertices": 0 if mesh is None else len(mesh.vertices),
        "triangles": 0 if mesh is None else len(mesh.triangles),
    }
