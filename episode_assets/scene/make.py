"""Making the mesh of a recording: one function that reads like the list of its steps. Each step has its own module."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from episode_assets.footage import passed_audit
from episode_assets.outcome import Json, Outcome, Skipped
from episode_assets.ply import Mesh, write_ply
from episode_assets.progress import Progress, silent
from episode_assets.recording import RecordingView
from episode_assets.scene.cleaning import cleaned
from episode_assets.scene.closing import closed
from episode_assets.scene.colouring import coloured, refusal
from episode_assets.scene.config import SceneMeshConfig
from episode_assets.scene.document import DOCUMENT, MESH, MeshDocument, write_document
from episode_assets.scene.faces import may_hold_faces, without_faces
from episode_assets.scene.fusion import fused
from episode_assets.scene.refining import refined, smoothed
from episode_assets.scene.views import Views, open_views
from episode_assets.scene.welding import weld

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
        raw: The recording; its pictures are not read, and colours of its mesh have no way in here.
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
    views = open_views(raw, blurred, pairing_s=config.pairing_s)
    document = MeshDocument()
    mesh = _shape(views, config, document, progress)
    if mesh is not None:
        mesh = _colours(mesh, views, config, document, progress)
        write_ply(directory / MESH, mesh)
    write_document(directory / DOCUMENT, document)
    return Outcome(
        core=(DOCUMENT,) if mesh is None else (MESH, DOCUMENT),
        saved=() if mesh is None else (MESH,),
        skipped=tuple(document.skipped),
        warnings=tuple(document.warnings),
        summary=_summary(mesh, document),
        privacy={
            **verdict,
            "colours": document.colours,
            "face_triangles_left_out": document.face_triangles,
        },
    )


def _shape(views: Views, config: SceneMeshConfig, document: MeshDocument, progress: Progress) -> Mesh | None:
    """Return the mesh without colours; None where there is none, and the reason is in the document."""
    mesh = _source_mesh(views, config, document, progress)
    if isinstance(mesh, Skipped):
        document.skipped.append(mesh)
        return None
    mesh, document.steps["close"] = closed(mesh, hole_edges=config.shape.hole_edges)
    mesh, document.steps["smooth"] = smoothed(mesh, config.shape)
    mesh, document.steps["refine"] = refined(mesh, config.shape)
    return mesh


def _source_mesh(
    views: Views, config: SceneMeshConfig, document: MeshDocument, progress: Progress
) -> Mesh | Skipped:
    """Return the cleaned mesh of the source that was asked for, or why there is none."""
    found: Mesh | Skipped = Skipped(MESH, "not_asked_for", "the settings ask for no mesh")
    if config.source in ("auto", "marker"):
        found = _marker_mesh(views, config, document)
    if config.source == "fusion" or (config.source == "auto" and isinstance(found, Skipped)):
        found = _fused_mesh(views, config, document, progress)
    return found


def _marker_mesh(views: Views, config: SceneMeshConfig, document: MeshDocument) -> Mesh | Skipped:
    soup = views.raw.mesh
    if soup is None:
        return Skipped(MESH, "no_mesh_messages", "the recording has no mesh")
    if may_hold_faces(views, soup.frame_id):
        return Skipped(
            MESH,
            "faces_not_placed",
            "nobody knows where in the recorder's mesh the faces of the pictures are",
        )
    mesh, dropped = weld(soup.vertices, soup.triangles)
    document.steps["weld"] = {"triangles_in": len(soup.triangles), "dropped": dropped}
    mesh, document.face_triangles = without_faces(mesh, views)
    document.steps["faces"] = {"triangles_left_out": document.face_triangles}
    mesh, document.steps["clean"] = cleaned(mesh, config.shape)
    document.note("mesh_triangles_dropped", "triangles of the recorder's mesh are no surface", count=dropped)
    document.note(
        "mesh_faces_left_out",
        "triangles of the recorder's mesh lie where pictures were blurred",
        count=document.face_triangles,
    )
    if len(mesh.triangles) == 0:
        return Skipped(MESH, "empty_mesh", "nothing of the recorder's mesh is a surface")
    document.source = "marker"
    return mesh


def _fused_mesh(
    views: Views, config: SceneMeshConfig, document: MeshDocument, progress: Progress
) -> Mesh | Skipped:
    depth = views.raw.depth
    if depth is None or not views.has_poses:
        lacking = "depth" if depth is None else "camera poses"
        return Skipped(
            MESH, "no_mesh_messages", f"the recording has no mesh, and no {lacking} to make one from"
        )
    mesh, fuse = fused(depth, views, config.fusion, progress)
    document.steps["fuse"] = fuse
    mesh, document.steps["clean"] = cleaned(mesh, config.shape)
    document.note("depth_undecodable", "depth images do not decode", count=fuse["images_undecodable"])
    document.note("fusion_full", "blocks of space did not fit and are left out", count=fuse["blocks_refused"])
    if len(mesh.triangles) == 0:
        return Skipped(MESH, "nothing_fused", "the depth images of the recording show no surface together")
    document.source = "fusion"
    return mesh


def _colours(
    mesh: Mesh, views: Views, config: SceneMeshConfig, document: MeshDocument, progress: Progress
) -> Mesh:
    soup = views.raw.mesh
    frame_id = soup.frame_id if soup is not None and document.source == "marker" else views.frame_id
    why_not = refusal(views, config.colour, frame_id=frame_id)
    if why_not is not None:
        document.skipped.append(Skipped(f"{MESH}:colours", why_not.code, why_not.detail))
        return mesh
    mesh, document.steps["colour"] = coloured(mesh, views, config.colour, progress)
    document.colours = "recoloured"
    return mesh


def _summary(mesh: Mesh | None, document: MeshDocument) -> dict[str, Json]:
    colour = document.steps.get("colour", {})
    return {
        "mesh_source": document.source,
        "vertices": 0 if mesh is None else len(mesh.vertices),
        "triangles": 0 if mesh is None else len(mesh.triangles),
        "coloured_ratio": colour.get("seen_ratio", 0.0),
        "coloured_from_pictures": colour.get("pictures", 0),
    }
