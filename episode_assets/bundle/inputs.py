"""What writing a bundle starts from: the recording, its blurred pictures, and what is derived from both at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from episode_assets.bundle.account import Account
from episode_assets.bundle.config import BundleConfig
from episode_assets.footage import (
    FaceBoxes,
    FramePoses,
    FrameTable,
    Intrinsics,
    picture_intrinsics,
    poses_of_pictures,
    read_face_boxes,
    read_frames_of,
)
from episode_assets.outcome import Json
from episode_assets.recording import PoseStream, RecordingView


@dataclass(frozen=True)
class Inputs:
    """Read by every part of the writer.

    Attributes:
        raw: The recording; only its small streams, depth and mesh are used.
        frames: The pictures of the blurred video.
        boxes: Where they were blurred.
        rgb: Intrinsics at every picture, None when never known.
        pose: The camera's poses, None when the recording has none.
        pose_source: `pose`; `tf` where the poses were put together from the frame tree; `trajectory` where only the
            sparse path exists.
        poses: Pose at every picture.
        config: What changes the bytes.
        privacy: The audit's verdict on the blurred video.
        task: What the wearer does, in words.
    """

    raw: RecordingView
    frames: FrameTable
    boxes: FaceBoxes
    rgb: Intrinsics | None
    pose: PoseStream | None
    pose_source: str
    poses: FramePoses
    config: BundleConfig
    privacy: Mapping[str, Json]
    task: str | None


def gather(
    raw: RecordingView,
    blurred: Path,
    *,
    config: BundleConfig,
    privacy: Mapping[str, Json],
    task: str | None,
    account: Account,
) -> Inputs:
    """Read the tables beside the blurred video and pair the pictures with intrinsics and poses.

    Raises:
        ArtifactDamaged: A table is unreadable, or it belongs to another recording.
        NothingToExport: The video holds no frame.
    """
    frames = read_frames_of(blurred, raw.recording_id)
    account.stamps_ns = frames.stamp_ns
    rgb, reason = picture_intrinsics(
        raw.camera_info, frames.stamp_ns, width=frames.width, height=frames.height
    )
    if raw.camera_info is not None and reason is not None:
        missing = np.ones(len(frames), np.bool_) if rgb is None else ~rgb.valid
        count = max(int(missing.sum()), 1)
        account.note("intrinsics_mismatch", reason, stream="camera_info", count=count, where=missing)
    pose = raw.pose if raw.pose is not None else raw.trajectory
    poses = poses_of_pictures(
        pose,
        frames.stamp_ns,
        raw.link_from_optical[0],
        offset_m=raw.optical_offset_m,
        tolerance_s=config.pose_tolerance_s,
    )
    pose_source = _source_of(raw.pose)
    raw.let_go()
    return Inputs(
        raw=raw,
        frames=frames,
        boxes=read_face_boxes(blurred / "faces.parquet", frames),
        rgb=rgb,
        pose=pose,
        pose_source=pose_source,
        poses=poses,
        config=config,
        privacy=privacy,
        task=task,
    )


def _source_of(pose: PoseStream | None) -> str:
    if pose is None:
        return "trajectory"
    return "tf" if pose.source == "tf" else "pose"


def clock_word(raw: RecordingView) -> str:
    """Return `epoch` where stamps are wall-clock times, `uptime` where they count from some start of the device."""
    return "epoch" if raw.inventory.clock == "epoch" else "uptime"
