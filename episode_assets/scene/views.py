"""The views of a recording: from where each of its pictures was taken, and which depth image belongs to it.

Pictures, poses, intrinsics and blurred rectangles are brought together here once, for colouring and for fusion. No
image is opened here; depth images are read by `depth_reading`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from episode_assets.footage import (
    FaceBoxes,
    FaceSpace,
    FramePoses,
    FrameTable,
    Intrinsics,
    picture_intrinsics,
    poses_of_pictures,
    read_face_boxes,
    read_frames_of,
)
from episode_assets.recording import PoseStream, RecordingView, nearest


@dataclass(frozen=True)
class Views:
    """Everything that is known about the pictures of a recording besides their pixels.

    Attributes:
        raw: The recording; only its depth and small streams are read.
        video: The blurred video.
        frames: Its pictures.
        boxes: Where they were blurred.
        rgb: Intrinsics at every picture, None when never known.
        poses: Pose at every picture.
        pairing_s: Largest distance between a picture or depth image and its partners.
    """

    raw: RecordingView
    video: Path
    frames: FrameTable
    boxes: FaceBoxes
    rgb: Intrinsics | None
    poses: FramePoses
    pairing_s: float

    @property
    def has_poses(self) -> bool:
        """Whether the recording says anywhere where the camera was."""
        return _poses_of(self.raw) is not None

    @property
    def frame_id(self) -> str:
        """The fixed frame of the poses; empty where nobody names it."""
        pose = _poses_of(self.raw)
        return "" if pose is None else pose.frame_id

    @property
    def face_space(self) -> FaceSpace:
        """What the blurred rectangles hide in the world."""
        return FaceSpace(self.raw, self.frames, self.boxes, self.rgb, self.poses, self.pairing_s)

    def partners(self, stamps_ns: NDArray[np.int64], of_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return for each of (Q,) stamps the position of the nearest of (N,), -1 where none is near enough."""
        return nearest(of_ns, stamps_ns, tolerance_ns=round(self.pairing_s * 1e9))

    def poses_at(self, stamps_ns: NDArray[np.int64]) -> FramePoses:
        """Return where the camera was at (Q,) stamps."""
        return _poses_at(self.raw, stamps_ns, self.pairing_s)


def open_views(raw: RecordingView, blurred: Path, *, pairing_s: float) -> Views:
    """Read the tables beside the blurred video and pair its pictures with intrinsics and poses.

    Raises:
        ArtifactDamaged: A table is unreadable, or the video belongs to another recording.
        NothingToExport: The video holds no frame.
    """
    frames = read_frames_of(blurred, raw.recording_id)
    rgb, _ = picture_intrinsics(raw.camera_info, frames.stamp_ns, width=frames.width, height=frames.height)
    return Views(
        raw=raw,
        video=blurred / "rgb.mp4",
        frames=frames,
        boxes=read_face_boxes(blurred / "faces.parquet", frames),
        rgb=rgb,
        poses=_poses_at(raw, frames.stamp_ns, pairing_s),
        pairing_s=pairing_s,
    )


def _poses_of(raw: RecordingView) -> PoseStream | None:
    """Return the camera's poses as sent, else those of the sparse path."""
    return raw.pose if raw.pose is not None else raw.trajectory


def _poses_at(raw: RecordingView, stamps_ns: NDArray[np.int64], tolerance_s: float) -> FramePoses:
    return poses_of_pictures(
        _poses_of(raw),
        stamps_ns,
        raw.link_from_optical[0],
        offset_m=raw.optical_offset_m,
        tolerance_s=tolerance_s,
    )
