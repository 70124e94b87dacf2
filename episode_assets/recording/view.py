"""The typed, lazy reader of a scanned recording: small streams from the scan, pictures from the file itself.

Everything downstream reads recordings through `RecordingView` and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import ArtifactDamaged, MissingStream, SourceChanged
from episode_assets.freed_memory import return_freed_memory
from episode_assets.recording.allowed_metadata import allowed, allowed_profile
from episode_assets.recording.attachments import Attachment
from episode_assets.recording.attitude import Attitude, Rig, find_attitude
from episode_assets.recording.clouds import CloudStream
from episode_assets.recording.containers.source import Source
from episode_assets.recording.frames import Edge, edges_by_child, transform_between
from episode_assets.recording.inventory import Inventory
from episode_assets.recording.mesh import MeshSoup, soup
from episode_assets.recording.pictures.images import ImageStream
from episode_assets.recording.places import Places
from episode_assets.recording.scan import IDENTITY, INVENTORY
from episode_assets.recording.stream_tables import STREAMS, UNTIMED_TRAJECTORY
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
from episode_assets.recording.tables import (
    IMU_COLUMNS,
    K_COLUMNS,
    POINT_COLUMNS,
    POSE_COLUMNS,
    StoredColumns,
    column,
    number_lists,
    stack,
    texts,
)

CalibrationRole: TypeAlias = Literal["camera_info", "depth_camera_info"]


def _imu_in(table: Any, frame_id: str, gravity: str) -> ImuStream:
    # Each in memory of its own: who keeps one of them need not keep all.
    return ImuStream(
        column(table, "stamp_ns"),
        stack(table, IMU_COLUMNS[0:3]),
        stack(table, IMU_COLUMNS[3:6]),
        stack(table, IMU_COLUMNS[6:10]),
        frame_id,
        gravity,
    )


@dataclass(frozen=True)
class _StoredImu:
    """Inertial samples that stay in their file."""

    table: StoredColumns
    frame_id: str
    gravity: str

    @property
    def stamp_ns(self) -> NDArray[np.int64]:
        return column(self.table, "stamp_ns")

    def __len__(self) -> int:
        return self.table.num_rows

    def acceleration_axes(self) -> Iterator[NDArray[np.float64]]:
        return (column(self.table, name) for name in IMU_COLUMNS[0:3])

    def rotation_axes(self) -> Iterator[NDArray[np.float64]]:
        return (column(self.table, name) for name in IMU_COLUMNS[3:6])

    def pieces(self) -> Iterator[ImuStream]:
        for table in self.table.pieces():
            yield _imu_in(table, self.frame_id, self.gravity)


class RecordingView:
    """One recording, seen through the directory that `scan_recording` wrote and the file that it read.

    Opening reads two small JSON files; each stream is loaded when it is first asked for. For another process, hand
    over `directory` and `source` and open there.
    """

    def __init__(self, directory: Path, source: str, *, recording_id: str, inventory: Inventory) -> None:
        self.directory = directory
        self.source = source
        self.recording_id = recording_id
        self.inventory = inventory

    @classmethod
    def open(cls, directory: Path, source: str) -> RecordingView:
        """Open the scan in `directory` of the recording at `source`.

        Raises:
            ArtifactDamaged: The directory does not hold a readable scan.
        """
        directory = Path(directory)
        try:
            identity = json.loads((directory / IDENTITY).read_text(encoding="utf-8"))
            inventory = Inventory.from_json(json.loads((directory / INVENTORY).read_text(encoding="utf-8")))
            return cls(directory, source, recording_id=str(identity["recording_id"]), inventory=inventory)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactDamaged(
                f"the scan cannot be read: {error}", where=str(directory), remedy="run raw_mcap again"
            ) from error

    def check_source(self) -> None:
        """Return if the recording still has the size it was scanned with; raises SourceChanged otherwise."""
        with Source(self.source) as source:
            size = source.size
        if size != self.inventory.size_bytes:
            raise SourceChanged(
                f"the recording has {size} bytes and had {self.inventory.size_bytes} when it was scanned",
                where=self.source,
                remedy="register the changed file as a new recording",
            )

    def let_go(self) -> None:
        """Forget the streams that were loaded, so that memory need not hold all at once; they load when asked for."""
        for name, value in vars(type(self)).items():
            if isinstance(value, cached_property):
                self.__dict__.pop(name, None)
        return_freed_memory()

    @property
    def metadata(self) -> Mapping[str, str]:
        """Session metadata that may travel downstream: the allow-listed keys only."""
        return allowed(
            {key: value for record in self.inventory.metadata.values() for key, value in record.items()}
        )

    @property
    def profile(self) -> str | None:
        """Profile of the file's header as far as it may travel downstream."""
        return allowed_profile(self.inventory.profile)

    @property
    def is_truncated(self) -> bool:
        """Whether the file ends before its closing marker."""
        return self.inventory.truncated

    @property
    def has_rgb(self) -> bool:
        """Whether the recording has colour pictures."""
        return bool(self.inventory.roles["rgb"].topics)

    @cached_property
    def rgb(self) -> ImageStream:
        """The colour pictures; raises MissingStream where there are none."""
        stream = self._images("rgb")
        if stream is None:
            topics = ", ".join(
                f"{info.topic} ({info.schema})" for info in self.inventory.topics if info.count
            )
            raise MissingStream(
                f"no camera topic: {self.inventory.roles['rgb'].reason}; topics with messages: {topics or 'none'}",
                where=self.source,
                remedy="name the topic in the topic map as 'rgb=/topic', or take this recording out",
            )
        return stream

    @cached_property
    def depth(self) -> ImageStream | None:
        """The depth pictures with their own stamps, or None."""
        return self._images("depth")

    @cached_property
    def imu(self) -> ImuStream | None:
        """All inertial samples, or None; an hour of them takes 20 to 60 MB."""
        table = self._table("imu")
        return None if table is None else _imu_in(table, self._frame("imu"), self.inventory.gravity)

    @property
    def imu_samples(self) -> ImuSamples | None:
        """The same samples, or None, for who needs them once: read when they are asked for, and not kept."""
        table = self._table("imu")
        return None if table is None else _StoredImu(table, self._frame("imu"), self.inventory.gravity)

    @cached_property
    def pose(self) -> PoseStream | None:
        """Poses of the camera link, or None; put together from the frame tree where no topic has them."""
        return self._poses("pose")

    @cached_property
    def trajectory(self) -> PoseStream | None:
        """All poses of all path messages by stamp, or None; where `pose` knows a stamp, its pose is taken."""
        return self._poses("trajectory")

    @cached_property
    def tf(self) -> TfStream | None:
        """Edges of the frame tree of all tf topics, or None."""
        table = self._table("tf")
        if table is None:
            return None
        values = stack(table, POSE_COLUMNS)
        return TfStream(
            column(table, "stamp_ns"),
            texts(table, "parent"),
            texts(table, "child"),
            values[:, :3],
            values[:, 3:],
            column(table, "is_static"),
        )

    @cached_property
    def tracking(self) -> TrackingStream | None:
        """Tracking states, or None."""
        table = self._table("tracking")
        if table is None:
            return None
        return TrackingStream(column(table, "stamp_ns"), column(table, "state"), column(table, "reason"))

    @cached_property
    def camera_info(self) -> CameraInfoStream | None:
        """Calibrations of the colour camera, or None."""
        return self._calibrations("camera_info")

    @cached_property
    def depth_camera_info(self) -> CameraInfoStream | None:
        """Calibrations of the depth camera, or None."""
        return self._calibrations("depth_camera_info")

    def first_calibration(self, role: CalibrationRole) -> CameraInfoStream | None:
        """Return the first calibration of a camera alone, without reading the others; None where there is none."""
        table = self._table(role)
        return None if table is None else self._calibrations_in(table.first_row(), role)

    @cached_property
    def hands(self) -> PoseSetStream | None:
        """Poses of hands and their joints from the recording itself, all messages of all topics, or None."""
        return self._pose_sets("hands")

    @cached_property
    def untimed_trajectory(self) -> PoseSetStream | None:
        """Paths whose poses have no stamps of their own (PoseArray, PosesInFrame), or None."""
        return self._pose_sets(UNTIMED_TRAJECTORY)

    @cached_property
    def annotations(self) -> TextStream | None:
        """Texts about tasks, events and labels, or None; free text of people, which may be private."""
        table = self._table("annotations")
        if table is None:
            return None
        return TextStream(
            column(table, "stamp_ns"),
            column(table, "message_number"),
            texts(table, "topic"),
            texts(table, "text"),
        )

    @cached_property
    def point_clouds(self) -> tuple[CloudStream, ...]:
        """The point clouds of each topic that fills the role, without colours; points are read when asked for."""
        infos = (self.inventory.topic(topic) for topic in self.inventory.roles["point_cloud"].topics)
        return tuple(
            self._places.cloud_stream(info, source=self.source) for info in infos if info is not None
        )

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The attachments of the recording; private, never handed on."""
        return tuple(Attachment(place, self.source) for place in self.inventory.attachments)

    @property
    def clock_offset_ns(self) -> int | None:
        """What to add to a stamp to get wall-clock time (see `Inventory.wall_clock`), or None where nothing tells."""
        clock = self.inventory.wall_clock
        return None if clock is None else clock.offset_ns

    @cached_property
    def mesh(self) -> MeshSoup | None:
        """The scene mesh in the world frame without colours, or None."""
        table = self._table("mesh")
        return None if table is None else soup(stack(table, POINT_COLUMNS), self._frame("mesh"))

    @property
    def link_from_optical(self) -> tuple[NDArray[np.float64], str]:
        """Rotation (3, 3) from the optical frame to the frame of the poses, and its source: tf, profile or assumed."""
        link = self.inventory.link_from_optical
        if link is None:
            return np.eye(3), "assumed"
        return np.array(link.rotation).reshape(3, 3), link.source

    def attitude(self, stamps_ns: NDArray[np.int64]) -> Attitude:
        """Return how colour pictures taken at these stamps (F,) stand to gravity."""
        return find_attitude(self._rig, stamps_ns)

    @property
    def optical_offset_m(self) -> NDArray[np.float64]:
        """Origin (3,) of the optical frame in the frame of the poses, metres; zero on phones."""
        link = self.inventory.link_from_optical
        return np.zeros(3) if link is None else np.array(link.offset_m)

    @property
    def optical_from_imu(self) -> NDArray[np.float64] | None:
        """Transform (4, 4), p_optical = T p_imu in metres, from the frame tree; None where it does not join both."""
        optical = self._frame("rgb").strip("/")
        transform = transform_between(self._edges, self._frame("imu").strip("/"), optical)
        return None if transform is None else np.round(transform, 12) + 0.0

    @cached_property
    def _edges(self) -> dict[str, Edge]:
        return {} if self.tf is None else edges_by_child(self.tf)

    @cached_property
    def _rig(self) -> Rig:
        return Rig(
            poses=self.pose,
            link=self.inventory.link_from_optical,
            imu=self.imu_samples,
            # Where a sensor sits is asked only of one that feels gravity, and an hour of the frame tree is long.
            edges=self._edges if self.inventory.gravity == "included" else {},
            optical=self._frame("rgb").strip("/"),
            library=self.inventory.library,
        )

    def _frame(self, role: str) -> str:
        info = self.inventory.role(role)
        return info.frame_id if info else ""

    def _table(self, role: str) -> StoredColumns | None:
        path = self.directory / STREAMS / f"{role}.parquet"
        return StoredColumns(path) if path.exists() else None

    def _poses(self, role: str) -> PoseStream | None:
        table = self._table(role)
        if table is None:
            return None
        values = stack(table, POSE_COLUMNS)
        stamps, translation, quaternion = column(table, "stamp_ns"), values[:, :3], values[:, 3:]
        choice, info = self.inventory.roles[role], self.inventory.role(role)
        if choice.frames:
            between = column(table, "is_interpolated")
            ends = choice.frames[0], choice.frames[-1]
            return PoseStream(stamps, translation, quaternion, *ends, "tf", between)
        frames = (info.frame_id, info.child_frame_id) if info else ("", "")
        return PoseStream(stamps, translation, quaternion, *frames)

    def _pose_sets(self, name: str) -> PoseSetStream | None:
        table = self._table(name)
        if table is None:
            return None
        values = stack(table, POSE_COLUMNS)
        return PoseSetStream(
            column(table, "stamp_ns"),
            column(table, "message_number"),
            texts(table, "topic"),
            column(table, "pose_index"),
            values[:, :3],
            values[:, 3:],
            texts(table, "frame_id"),
        )

    def _calibrations(self, role: CalibrationRole) -> CameraInfoStream | None:
        table = self._table(role)
        return None if table is None else self._calibrations_in(table, role)

    def _calibrations_in(self, table: Any, role: CalibrationRole) -> CameraInfoStream:
        return CameraInfoStream(
            column(table, "stamp_ns"),
            stack(table, K_COLUMNS).reshape(-1, 3, 3),
            number_lists(table, "d"),
            column(table, "width").astype(np.int32),
            column(table, "height").astype(np.int32),
            texts(table, "distortion_model"),
            self._frame(role),
        )

    @cached_property
    def _places(self) -> Places:
        return Places(self.directory)

    def _images(self, role: str) -> ImageStream | None:
        info = self.inventory.role(role)
        if info is None:
            return None
        return self._places.image_stream(
            role, info, source=self.source, source_bytes=self.inventory.size_bytes
        )
