"""Recordings in, typed streams out: MCAP containers, message decoding, roles, damage, timelines, what a gap is.

`scan_recording` reads a file once and writes `raw_mcap`; `RecordingView` reads that and the pictures; `inspect` only
looks; `read_messages` gives scripts every message in one pass. What happens to the pictures belongs to `video` and the
rooms above.
"""

from __future__ import annotations

from episode_assets.recording.attachments import Attachment
from episode_assets.recording.attitude import Attitude
from episode_assets.recording.clouds import Cloud, CloudStream, UndecodableCloud
from episode_assets.recording.config import ROLES, RecordingConfig
from episode_assets.recording.inspection import inspect
from episode_assets.recording.interpolation import (
    Interpolated,
    interpolate_positions,
    interpolate_rotations,
)
from episode_assets.recording.inventory import Gap, Inventory, LinkFromOptical, RoleChoice, TopicInfo
from episode_assets.recording.mesh import MeshSoup
from episode_assets.recording.messages import Message, MessageReader, UndecodableMessage, read_messages
from episode_assets.recording.personal import KINDS as PERSONAL_KINDS
from episode_assets.recording.personal import PersonalTopic, personal_topics
from episode_assets.recording.pictures.depth_pictures import decode_depth, depth_or_none
from episode_assets.recording.pictures.images import (
    Duplicate,
    ImageMessage,
    ImageStream,
    PictureStep,
    UndecodableImage,
)
from episode_assets.recording.pictures.paired_reading import PairedReading
from episode_assets.recording.scan import scan_recording
from episode_assets.recording.streams import (
    CameraInfoStream,
    ImuSamples,
    ImuStream,
    PoseSetStream,
    PoseStream,
    TextStream,
    TfStream,
    TrackingStream,
)
from episode_assets.recording.sync import SyncInfo
from episode_assets.recording.timeline import LogOffset, gap_before, median_step_ns, nearest
from episode_assets.recording.view import RecordingView
from episode_assets.recording.wall_clock import WallClock

__all__ = [
    "PERSONAL_KINDS",
    "ROLES",
    "Attachment",
    "Attitude",
    "CameraInfoStream",
    "Cloud",
    "CloudStream",
    "Duplicate",
    "Gap",
    "ImageMessage",
    "ImageStream",
    "ImuSamples",
    "ImuStream",
    "Interpolated",
    "Inventory",
    "LinkFromOptical",
    "LogOffset",
    "MeshSoup",
    "Message",
    "MessageReader",
    "PairedReading",
    "PersonalTopic",
    "PictureStep",
    "PoseSetStream",
    "PoseStream",
    "RecordingConfig",
    "RecordingView",
    "RoleChoice",
    "SyncInfo",
    "TextStream",
    "TfStream",
    "TopicInfo",
    "TrackingStream",
    "UndecodableCloud",
    "UndecodableImage",
    "UndecodableMessage",
    "WallClock",
    "decode_depth",
    "depth_or_none",
    "gap_before",
    "inspect",
    "interpolate_positions",
    "interpolate_rotations",
    "median_step_ns",
    "nearest",
    "personal_topics",
    "read_messages",
    "scan_recording",
]
