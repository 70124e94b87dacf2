"""Writing an episode directory: one function that reads top to bottom like the directory's table of contents.

Each part is written by its own module; here is only the order, and what is said when a stream is absent. Publishing
the directory belongs to `storage`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from episode_assets.bundle import layout
from episode_assets.bundle.account import Account
from episode_assets.bundle.adoption import adopt_video
from episode_assets.bundle.annotation import AnnotationFile
from episode_assets.bundle.calibration import write_calibrations
from episode_assets.bundle.config import BundleConfig
from episode_assets.bundle.frames import FramePairing, write_frame_table
from episode_assets.bundle.groups import (
    WrittenDepth,
    write_cloud_group,
    write_depth_group,
    write_hand_group,
    write_metadata_group,
    write_privacy_group,
    write_rgb_group,
    write_stream_groups,
    write_upper_body_group,
)
from episode_assets.bundle.hands_preview import write_hands_preview
from episode_assets.bundle.inputs import Inputs, gather
from episode_assets.bundle.mano import copy_mano
from episode_assets.bundle.mesh import adopt_mesh
from episode_assets.bundle.meta import source_of, write_meta
from episode_assets.bundle.origin_notes import note_dropped_pictures, note_recording
from episode_assets.bundle.personal import file_of, write_personal
from episode_assets.bundle.reader import EpisodeBundle
from episode_assets.bundle.thumbnail import choose_frame, write_thumbnail
from episode_assets.bundle.visualization import write_visualization
from episode_assets.errors import ViewFailed
from episode_assets.footage import passed_audit
from episode_assets.freed_memory import memory_given_back
from episode_assets.outcome import FileFacts, Json, Outcome
from episode_assets.progress import Progress, silent
from episode_assets.recording import RecordingView
from episode_assets.video import VideoProbe

logger = logging.getLogger(__name__)

DEFAULT = BundleConfig()


@memory_given_back()
def write_bundle(
    raw: RecordingView,
    blurred: Path,
    hands: Path | None,
    directory: Path,
    *,
    mesh: Path | None = None,
    config: BundleConfig = DEFAULT,
    privacy: Mapping[str, Json] | None,
    task: str | None = None,
    workers: int = 1,
    progress: Progress = silent,
) -> Outcome:
    """Write the episode directory of one recording.

    Args:
        raw: The recording's small streams and depth; its pictures are never read here.
        blurred: Directory of the `blurred_rgb` artifact.
        hands: Directory of the `hand_poses` artifact, None where there is none.
        directory: Empty directory to write into.
        mesh: Directory of the `scene_mesh` artifact, None where there is none.
        config: What changes the bytes.
        privacy: The privacy block of the blurred artifact's manifest.
        task: What the wearer does, in words; None where nobody said.
        workers: Accepted like everywhere; the one pass over depth is bound by reading and runs in this process.
        progress: Told after every depth frame.

    Returns:
        All files as core, previews as view. Absent streams are in `skipped`, with a reason.

    Raises:
        UnauditedArtifact: The blurred video has no passed audit.
        ArtifactDamaged: The inputs contradict each other or cannot be read.
        NothingToExport: The blurred video holds no frame.
    """
    del workers
    account = Account()
    inputs = gather(raw, blurred, config=config, privacy=passed_audit(privacy), task=task, account=account)
    logger.info("%s: %d pictures", inputs.frames.recording_id, len(inputs.frames))
    note_recording(raw.inventory, account)
    note_dropped_pictures(blurred / "dropped.parquet", inputs.frames, account)
    video = adopt_video(blurred / layout.VIDEO, directory / layout.VIDEO, inputs.frames)
    account.save(layout.VIDEO)
    _write_thumbnail(blurred, directory, inputs, account)
    is_coloured = adopt_mesh(mesh, directory, account)
    personal = write_personal(raw, config.personal, directory, account)
    with AnnotationFile(directory / layout.ANNOTATION) as file:
        depth = write_depth_group(file, directory, inputs, account, progress)
        if config.depth_video and depth is None:
            account.skip(layout.DEPTH_VIDEO, "no_depth", "there is no depth to make a video of")
        removed = _removed(inputs, depth, personal, is_coloured=bool(is_coloured))
        write_rgb_group(file, inputs, video, account)
        write_stream_groups(file, inputs, account)
        write_cloud_group(file, inputs, account)
        hand_count = write_hand_group(file, hands, inputs, account)
        write_upper_body_group(file, hands, inputs, account)
        write_metadata_group(file, inputs, account)
        write_privacy_group(file, inputs, removed, account)
        file.describe("/", _identity(inputs))
    calibrations = write_calibrations(
        directory,
        rgb=inputs.rgb,
        depth=None if depth is None else depth.intrinsics,
        link_from_optical=raw.link_from_optical,
        offset_m=raw.optical_offset_m,
        padding_px=_padding(video, inputs),
    )
    account.save(f"{layout.CALIBRATIONS}/")
    write_frame_table(directory / layout.FRAMES, inputs.frames, _pairing(inputs, depth))
    account.save(layout.FRAMES)
    previews = _write_previews(hands, directory, inputs, account, progress)
    mano = _write_mano(hands, directory, inputs, account)
    files = [
        layout.VIDEO,
        layout.THUMBNAIL,
        *([] if is_coloured is None else [layout.MESH]),
        layout.ANNOTATION,
        *([layout.DEPTH_VIDEO] if layout.DEPTH_VIDEO in account.saved else []),
        *calibrations,
        layout.FRAMES,
        *mano,
        *personal,
    ]
    describe = partial(
        write_meta, directory, inputs, account, files=files, datasets=file.datasets, privacy=removed
    )
    describe()
    if config.visualization:
        # It is made from the bundle as readers see it; whether it came about is told there as well.
        previews += _write_visualization(directory, config, account, progress)
        describe()
    logger.info("saved %s", ", ".join(account.saved))
    for item in account.skipped:
        logger.info("skipped %s (%s)", item.name, item.detail)
    return Outcome(
        core=(*files, layout.META),
        view=tuple(previews),
        saved=tuple(account.saved),
        skipped=tuple(account.skipped),
        warnings=tuple(account.warnings),
        summary=_summary(inputs, video, depth, hand_count),
        privacy=removed,
        facts=_facts(inputs, [*files, *previews]),
        source=source_of(inputs),
        datasets=tuple(file.datasets),
    )


def _facts(inputs: Inputs, files: list[str]) -> dict[str, FileFacts]:
    frames = inputs.frames
    held = FileFacts(len(frames), int(frames.stamp_ns[-1] - frames.stamp_ns[0]) / 1e9)
    videos = (layout.VIDEO, layout.DEPTH_VIDEO, layout.HANDS_PREVIEW)
    return dict.fromkeys((name for name in files if name in videos), held)


def _write_thumbnail(blurred: Path, directory: Path, inputs: Inputs, account: Account) -> None:
    frame = choose_frame(blurred / "signals.parquet", inputs.frames, inputs.boxes)
    write_thumbnail(
        directory / layout.VIDEO,
        frame,
        directory / layout.THUMBNAIL,
        quality=inputs.config.thumbnail_quality,
    )
    account.save(layout.THUMBNAIL)


def _write_mano(hands: Path | None, directory: Path, inputs: Inputs, account: Account) -> list[str]:
    source = None if hands is None else hands / layout.MANO
    if source is None or not source.is_file():
        return []
    copy_mano(source, inputs.frames, directory / layout.MANO)
    account.save(layout.MANO)
    return [layout.MANO]


def _write_previews(
    hands: Path | None, directory: Path, inputs: Inputs, account: Account, progress: Progress
) -> list[str]:
    """Write what was asked for; that it is there is told in core files, so that asking makes a version of its own."""
    if not inputs.config.hands_preview:
        return []
    if hands is None:
        account.skip(layout.HANDS_PREVIEW, "no_hand_poses", "no hand poses were computed")
        return []
    write_hands_preview(
        directory / layout.VIDEO,
        hands / "hands.parquet",
        inputs.frames,
        directory / layout.HANDS_PREVIEW,
        progress=progress,
    )
    account.save(layout.HANDS_PREVIEW)
    return [layout.HANDS_PREVIEW]


def _write_visualization(
    directory: Path, config: BundleConfig, account: Account, progress: Progress
) -> list[str]:
    """Write the Rerun file; nothing else hangs on it, so a bundle is a bundle without it."""
    path, every = directory / layout.VISUALIZATION, config.visualization_depth_every
    try:
        with EpisodeBundle.open(directory) as bundle:
            write_visualization(bundle, path, depth_every=every, progress=progress)
    except ViewFailed as error:
        logger.warning("no %s: %s", path.name, error, exc_info=error)
        path.unlink(missing_ok=True)
        account.skip(path.name, "not_written", error.what)
        return []
    account.save(path.name)
    return [path.name]


def _removed(
    inputs: Inputs, depth: WrittenDepth | None, personal: list[str], *, is_coloured: bool
) -> dict[str, Json]:
    """Return the verdict together with what the bundle itself removed, and which files nobody has anonymised."""
    holes = None if depth is None else depth.holes
    return {
        **inputs.privacy,
        "depth_faces": inputs.config.depth_faces,
        "depth_hole_pixels": 0 if holes is None else holes.pixels,
        "depth_hole_frames": 0 if holes is None else holes.images,
        "colours": "recoloured" if is_coloured else "dropped",
        "personal": sorted(kind for kind in inputs.config.personal if file_of(kind) in personal),
        "unverified": sorted(personal),
    }


def _padding(video: VideoProbe, inputs: Inputs) -> tuple[int, int]:
    return video.width - inputs.frames.width, video.height - inputs.frames.height


def _identity(inputs: Inputs) -> dict[str, str | int]:
    sha256 = inputs.raw.inventory.sha256
    return {
        "schema": layout.SCHEMA,
        "schema_version": layout.SCHEMA_VERSION,
        "episode_id": inputs.frames.recording_id,
        **({} if sha256 is None else {"source_sha256": sha256}),
    }


def _pairing(inputs: Inputs, depth: WrittenDepth | None) -> FramePairing:
    F = len(inputs.frames)
    numbers, dt_ns = np.full(F, -1, np.int64), np.zeros(F, np.int64)
    if depth is not None and inputs.raw.depth is not None:
        valid, stream = depth.count.valid, inputs.raw.depth
        chosen = depth.pairing.position[valid]
        numbers[valid] = stream.message_number[chosen]
        dt_ns[valid] = stream.stamp_ns[chosen] - inputs.frames.stamp_ns[valid]
    return FramePairing(
        depth_message_number=numbers,
        depth_dt_ns=dt_ns,
        pose_valid=inputs.poses.valid,
        pose_dt_ns=inputs.poses.dt_ns,
        intrinsics_valid=np.zeros(F, np.bool_) if inputs.rgb is None else inputs.rgb.valid,
    )


def _summary(
    inputs: Inputs, video: VideoProbe, depth: WrittenDepth | None, hand_count: int
) -> dict[str, Json]:
    stamps = inputs.frames.stamp_ns
    return {
        "frames": len(inputs.frames),
        "duration_s": round(int(stamps[-1] - stamps[0]) / 1e9, 3),
        "width": inputs.frames.width,
        "height": inputs.frames.height,
        "gaps": int(inputs.frames.gap_before.sum()),
        "depth_frames": 0 if depth is None else int(depth.count.valid.sum()),
        "posed_frames": int(inputs.poses.valid.sum()),
        "hands": hand_count,
        "key_frames": len(video.key_frames),
    }
