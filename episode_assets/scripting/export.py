"""Writing the episode directory of a session: made aside and complete, and put in its place in one step."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.single_picture import audited_picture
from episode_assets.bundle import BundleConfig, EpisodeBundle
from episode_assets.bundle.amending import leave_out, note_changed
from episode_assets.bundle.layout import THUMBNAIL, VIDEO, in_annotation
from episode_assets.errors import BadConfig
from episode_assets.outcome import Json, Outcome, Skipped
from episode_assets.scripting.aside import put_in_place
from episode_assets.scripting.directory_manifest import write_manifest
from episode_assets.scripting.mesh_refiner import RefinedMesh
from episode_assets.scripting.private_copy import Exported
from episode_assets.scripting.visualizer import Visualizer
from episode_assets.video import write_jpeg
from episode_assets.video.rgb import picture_from_rgb

if TYPE_CHECKING:
    from episode_assets.scripting.reader import MCAPReader

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportOptions:
    """What a script asks for; see `export_episode`."""

    visualizer: Visualizer | None = None
    mesh: RefinedMesh | None = None
    skip_rgb_mp4: bool = False
    skip_thumbnail: bool = False
    thumbnail_rgb: NDArray[np.uint8] | None = None


def export_episode(session: MCAPReader, out_dir: Path, options: ExportOptions) -> dict[str, Json]:
    """Write the episode directory of a session and return its manifest.

    Frames that were handed in make up the video; where none were, faces of the recording are blurred and audited
    first. No unblurred pixel is written, whatever was handed in. Exporting again gives the same video again.

    Args:
        session: The session.
        out_dir: Does not exist yet, or is empty.
        options: `visualizer` adds the Rerun file; `mesh` is what `MeshRefiner` gave, by default the scene's mesh is
            made here; `skip_rgb_mp4` and `skip_thumbnail` leave files out; `thumbnail_rgb` is a picture (H, W, 3)
            uint8 for the thumbnail, which is searched for faces too.

    Returns:
        The manifest as it lies in `manifest.json`, but for `skipped`, which here holds words: `name (reason)`.

    Raises:
        BadConfig: The directory holds something, or an option is of another session or kind.
        AuditFailed: Faces are left in the pictures; nothing was written.
        ModelMissing: A weight file or package is not there; nothing was written.
        NothingToExport: The recording has no picture.
    """
    _check(session, options)
    target = out_dir.resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadConfig(
            "the place to export to is not empty", where=str(target), remedy="name a new directory"
        )
    logger.info(
        "Exporting episode to %s (frames=%d, duration=%.1fs, fps=%.2f)",
        out_dir,
        session.num_rgb_frames,
        session.duration,
        (session.num_rgb_frames - 1) / session.duration if session.duration else 0.0,
    )
    with put_in_place(target) as aside:
        aside.mkdir(mode=0o700)
        mesh = session.scene_mesh() if options.mesh is None else session.workshop.meshes[options.mesh]
        config = BundleConfig(visualization=options.visualizer is not None)
        outcome = _write(session, aside, options, mesh, config)
        _make_own(aside)
        manifest = write_manifest(
            aside,
            outcome,
            recording_id=session.view.recording_id,
            upstream_models=session.workshop.blur_models,
            configs={
                "raw_mcap": session.recording_config,
                "blurred_rgb": session.blur_config,
                "scene_mesh": session.workshop.mesh_configs[mesh],
                "episode_bundle": config,
            },
        )
        with EpisodeBundle.open(aside):
            pass
        aside.chmod(0o755)
    digests = [(entry["path"], entry["sha256"]) for entry in manifest["files"]]
    session.note_exported(Exported(target, digests), mesh)
    return _told(target, manifest)


def _check(session: MCAPReader, options: ExportOptions) -> None:
    visualizer, mesh = options.visualizer, options.mesh
    if visualizer is not None and not isinstance(visualizer, Visualizer):
        raise BadConfig(
            f"visualizer is a {type(visualizer).__name__}, and what it holds cannot be audited",
            remedy="use episode_assets.scripting.Visualizer, which shows audited pictures only",
        )
    if mesh is not None and not isinstance(mesh, RefinedMesh):
        raise BadConfig(
            f"mesh is a {type(mesh).__name__}, and where its colours come from cannot be told",
            remedy="give what episode_assets.scripting.MeshRefiner returned",
        )
    if any(item is not None and item.session is not session for item in (visualizer, mesh)):
        raise BadConfig("visualizer or mesh belong to another session")
    if mesh is not None and mesh not in session.workshop.meshes:
        raise BadConfig(
            "the mesh is not as MeshRefiner made it, and where its colours come from cannot be told",
            remedy="give the very object that MeshRefiner.refine returned",
        )
    if options.thumbnail_rgb is not None:
        session.checked_picture("thumbnail_rgb", options.thumbnail_rgb)


def _write(
    session: MCAPReader, directory: Path, options: ExportOptions, mesh: Path, config: BundleConfig
) -> Outcome:
    workshop = session.workshop
    outcome = workshop.bundle(
        directory, dropped=session.dropped, hands=session.hand_directory(), mesh=mesh, config=config
    )
    if options.thumbnail_rgb is not None and not options.skip_thumbnail:
        outcome = _with_thumbnail(session, directory, outcome, options.thumbnail_rgb)
    left_out = [
        Skipped(name, "asked_to_skip", "the caller asked to leave it out")
        for name, is_left_out in ((VIDEO, options.skip_rgb_mp4), (THUMBNAIL, options.skip_thumbnail))
        if is_left_out
    ]
    left_out += [
        Skipped(
            in_annotation(f"hand-pose/{name}"), "not_kept", "of hands that are handed in, joints are stored"
        )
        for name in workshop.hands.not_kept
    ]
    return leave_out(directory, outcome, tuple(left_out)) if left_out else outcome


def _make_own(directory: Path) -> None:
    """Copy what is linked to files of the session, so that who writes to an exported file changes no other."""
    for path in directory.rglob("*"):
        if path.is_file() and path.stat().st_nlink > 1:
            own = path.with_name(f"{path.name}.own")
            shutil.copyfile(path, own)
            own.replace(path)


def _with_thumbnail(
    session: MCAPReader, directory: Path, outcome: Outcome, rgb: NDArray[np.uint8]
) -> Outcome:
    audited = audited_picture(picture_from_rgb(np.ascontiguousarray(rgb)), session.blur_config)
    write_jpeg(audited.picture, directory / THUMBNAIL, quality=BundleConfig().thumbnail_quality)
    logger.info("Wrote %s (handed in, %d boxes blurred)", THUMBNAIL, audited.faces)
    privacy: dict[str, Json] = {"thumbnail": "handed in", "thumbnail_boxes_blurred": audited.faces}
    return note_changed(directory, outcome, THUMBNAIL, privacy)


def _told(target: Path, manifest: dict[str, Any]) -> dict[str, Json]:
    skipped: list[str] = manifest["skipped_lines"]
    logger.info("Episode written to %s", target)
    logger.info("  saved (%d):", len(manifest["saved"]))
    for name in manifest["saved"]:
        logger.info("    + %s", name)
    logger.info("  skipped (%d):", len(skipped))
    for words in skipped:
        logger.info("    - %s", words)
    return {**manifest, "skipped": skipped}
