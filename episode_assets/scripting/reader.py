"""A recording as a script holds it: its streams, its frames one by one, and what is handed back for the episode."""

from __future__ import annotations

import logging
import os
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization import FaceBlurConfig
from episode_assets.anonymization.blurring import first_picture
from episode_assets.anonymization.detectors import Found
from episode_assets.anonymization.looking import DroppedPicture
from episode_assets.bundle import BundleConfig, EpisodeBundle
from episode_assets.bundle.layout import VIDEO
from episode_assets.bundle.visualization import write_visualization
from episode_assets.errors import BadConfig
from episode_assets.footage import depth_intrinsics, picture_intrinsics
from episode_assets.outcome import Json
from episode_assets.recording import RecordingConfig, RecordingView, scan_recording
from episode_assets.scene import SceneMeshConfig
from episode_assets.scene.welding import weld
from episode_assets.scripting import private_scratch
from episode_assets.scripting.camera import CameraIntrinsics, Floats, Pose6D, SyncedFrame
from episode_assets.scripting.clouds import cloud_points
from episode_assets.scripting.frames import depth_frames, imu_sample, pose_of, synced_frames, usable_pictures
from episode_assets.scripting.hand_pose import HandPose
from episode_assets.scripting.logs import bar
from episode_assets.scripting.private_copy import Exported, copy_unchanged
from episode_assets.scripting.topics import TopicConfig, require_all
from episode_assets.scripting.workshop import Workshop, require_frame
from episode_assets.storage.sources import absolute, look_at, quick_digest, slug
from episode_assets.video import Picture, picture_to_rgb
from episode_assets.video.rgb import picture_from_rgb

if TYPE_CHECKING:
    from episode_assets.footage import Intrinsics
    from episode_assets.scripting.mesh_refiner import RefinedMesh
    from episode_assets.scripting.visualizer import Visualizer

logger = logging.getLogger(__name__)

_SECOND_NS = 1e9
_DEFAULT_BLUR = FaceBlurConfig()


class MCAPReader:
    """One recording: read it, work on its frames, hand back what you made, and export the episode.

    The file is read once when it is opened, which finds out where everything lies; pictures are read once more by each
    loop over them. Damage never stops a loop: pictures that do not decode are left out and counted in `skipped`.

    Args:
        path: The recording.
        topics: Topics whose names do not tell what they are.
        check_format: Whether a recording that lacks a stream of the phone app is refused.
        recording_id: How the episode names the recording; by default the file's name and a digest of its bytes.
        blur: Settings of the blur and the audit that no exported picture goes around.
        workers: Processes for the blur of a recording whose frames were not handed in.
        scratch: Where private files lie until the session is closed; the system's place for such files by default.

    Raises:
        BadRecording: The file is no recording, or nothing of it can be read.
        MissingStream: `check_format` is set and streams are missing.
    """

    def __init__(
        self,
        path: str | Path,
        topics: TopicConfig | None = None,
        check_format: bool = False,
        *,
        recording_id: str | None = None,
        blur: FaceBlurConfig = _DEFAULT_BLUR,
        workers: int = 1,
        scratch: Path | str | None = None,
    ) -> None:
        self._uri = absolute(str(path))
        root = Path(scratch) if scratch is not None else Path(tempfile.gettempdir())
        self._scratch = private_scratch.make(root)
        self._finalizer = weakref.finalize(self, private_scratch.remove, self._scratch, os.getpid())
        self._topics = TopicConfig() if topics is None else topics
        try:
            self.view = self._scanned(recording_id)
            if check_format:
                require_all(self.view.inventory, where=self._uri)
        except BaseException:
            self.close()
            raise
        self.blur_config = blur
        self.workshop = Workshop(self.view, self._scratch, blur=blur, workers=workers)
        self.skipped: dict[int, DroppedPicture] = {}
        self._positions: list[int] = []
        self._faces: dict[int, Found] = {}
        self._next_given = 0
        self._exported: Exported | None = None
        self._episode: Path | None = None
        self._mesh_of_episode: Path | None = None
        self._scene_mesh: Path | None = None
        logger.info(
            "Opened %s duration=%.1fs rgb=%d depth=%d",
            self.view.recording_id,
            self.duration,
            self.num_rgb_frames,
            self.num_depth_frames,
        )

    def _scanned(self, recording_id: str | None) -> RecordingView:
        address, size = look_at(self._uri)
        name = recording_id or f"{slug(address.name)}-{quick_digest(self._uri, size)[:8]}"
        directory = self._scratch / "recording"
        directory.mkdir(mode=0o700)
        scan_recording(self._uri, directory, recording_id=name, config=self.recording_config)
        return RecordingView.open(directory, self._uri)

    def __enter__(self) -> MCAPReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove everything private; also done when the session is forgotten or the script ends, however it ends."""
        self._finalizer()

    # --- what the recording is ---------------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """The recording."""
        return Path(self._uri)

    @property
    def recording_config(self) -> RecordingConfig:
        """How the recording is read."""
        return RecordingConfig(topics=self._topics.topic_map())

    @property
    def duration(self) -> float:
        """Seconds from the first colour picture to the last."""
        if not self.num_rgb_frames:
            return 0.0
        stamps = self.view.rgb.stamp_ns
        return int(stamps[-1] - stamps[0]) / _SECOND_NS

    @property
    def num_rgb_frames(self) -> int:
        """Colour pictures with a stamp of their own; some of them may not decode."""
        return len(self.view.rgb) if self.view.has_rgb else 0

    @property
    def num_depth_frames(self) -> int:
        """Depth frames with a stamp of their own."""
        return 0 if self.view.depth is None else len(self.view.depth)

    @cached_property
    def picture_size(self) -> tuple[int, int]:
        """(width, height) of the first picture that decodes; those of another size are left out.

        An export refuses a recording of which more than `max_dropped_ratio` is left out, so one odd picture at its
        beginning cannot stand for all the others.
        """
        return first_picture(self.view.rgb)[1]

    @cached_property
    def rgb_intrinsics(self) -> CameraIntrinsics | None:
        """The colour camera, for pictures as they are; None where nothing tells it."""
        return _camera(self._picture_intrinsics) if self.view.has_rgb else None

    @cached_property
    def depth_intrinsics(self) -> CameraIntrinsics | None:
        """The depth camera, by its own calibration or by that of the pictures scaled; None where nothing tells it."""
        stream = self.view.depth
        first = None if stream is None else next(depth_frames(stream), None)
        if stream is None or first is None:
            return None
        height, width = first[1].shape
        rgb, stamps = None, stream.stamp_ns
        if self.view.has_rgb:
            rgb, stamps = self._picture_intrinsics, self.view.rgb.stamp_ns
        return _camera(depth_intrinsics(self.view, rgb, stamps, width=width, height=height))

    @property
    def R_optical_to_link(self) -> Floats:  # noqa: N802  # the field's own name for the matrix
        """(3, 3): `p_link = R p_optical`, from the frame tree where it says so."""
        return self.view.link_from_optical[0]

    @cached_property
    def _picture_intrinsics(self) -> Intrinsics | None:
        width, height = self.picture_size
        stamps = self.view.rgb.stamp_ns
        return picture_intrinsics(self.view.camera_info, stamps, width=width, height=height)[0]

    # --- streams, one after the other --------------------------------------------------------------------------

    def frames(
        self, max_depth_dt: float = 0.1, max_pose_dt: float = 0.1, *, max_imu_dt: float = 0.05
    ) -> Iterator[SyncedFrame]:
        """Yield each picture with what is nearest to it in time.

        Args:
            max_depth_dt: Largest distance of a depth frame, s, 0 to 10.
            max_pose_dt: Largest distance of a pose, s, 0 to 10.
            max_imu_dt: Largest distance of an IMU sample, s, 0 to 10.

        Raises:
            MissingStream: The recording has no pictures.
        """
        return synced_frames(self, max_depth_dt=max_depth_dt, max_pose_dt=max_pose_dt, max_imu_dt=max_imu_dt)

    def usable_pictures(self) -> Iterator[tuple[int, Picture]]:
        """Yield position and picture of every picture that can be used; the others are kept in `skipped`."""
        index = 0
        for item in usable_pictures(self.view.rgb, self.picture_size):
            if isinstance(item, DroppedPicture):
                self._skip(item)
                continue
            if index == len(self._positions):
                self._positions.append(item[0])
            index += 1
            yield item

    def rgb_frames(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Yield seconds and (H, W, 3) uint8 of each picture, as recorded."""
        stamps = self.view.rgb.stamp_ns
        for position, picture in self.usable_pictures():
            yield int(stamps[position]) / _SECOND_NS, picture_to_rgb(picture)

    def depth_frames(self) -> Iterator[tuple[float, NDArray[np.uint16]]]:
        """Yield seconds and (h, w) uint16 millimetres of each depth frame that decodes."""
        stream = self.view.depth
        if stream is None:
            return
        for position, depth in depth_frames(stream):
            yield int(stream.stamp_ns[position]) / _SECOND_NS, depth

    def camera_poses(self) -> Iterator[tuple[float, Pose6D]]:
        """Yield seconds and pose of the camera link in the world, in the order of stamps."""
        return _poses(self.view.pose)

    def imu_samples(self) -> Iterator[tuple[float, Mapping[str, Floats]]]:
        """Yield seconds and sample, in the order of stamps; keys as in `SyncedFrame.imu`."""
        stream = self.view.imu
        if stream is None:
            return
        for row, stamp in enumerate(stream.stamp_ns.tolist()):
            yield stamp / _SECOND_NS, imu_sample(stream, row)

    def tracking_states(self) -> Iterator[tuple[float, Mapping[str, int]]]:
        """Yield seconds, and `state` (0 not available, 1 limited, 2 normal) and `reason`."""
        stream = self.view.tracking
        if stream is None:
            return
        for stamp, state, reason in zip(
            stream.stamp_ns.tolist(), stream.state.tolist(), stream.reason.tolist(), strict=True
        ):
            yield stamp / _SECOND_NS, {"state": state, "reason": reason}

    def all_camera_poses(self) -> list[tuple[float, Pose6D]]:
        """Return what `camera_poses` yields."""
        return list(self.camera_poses())

    def all_imu_samples(self) -> list[tuple[float, Mapping[str, Floats]]]:
        """Return what `imu_samples` yields."""
        return list(self.imu_samples())

    def tf_transforms(self) -> list[tuple[float, str, str, Pose6D]]:
        """Return seconds, parent, child and `p_parent = R p_child + t` of each edge of the frame tree."""
        stream = self.view.tf
        if stream is None:
            return []
        poses = _poses(stream)
        return [
            (at, parent, child, pose)
            for (at, pose), parent, child in zip(poses, stream.parent, stream.child, strict=True)
        ]

    def trajectory(self) -> list[tuple[float, Pose6D]]:
        """Return the poses of all path messages, each stamp once."""
        return list(_poses(self.view.trajectory))

    def mesh(self) -> tuple[NDArray[np.float32], NDArray[np.int32], None] | None:
        """Return vertices (N, 3), triangles (M, 3) and None for colours, or None without a mesh.

        Colours of the recording are pixels of unblurred pictures and are not read; `MeshRefiner` takes blurred ones.
        """
        soup = self.view.mesh
        if soup is None:
            return None
        welded, _ = weld(soup.vertices, soup.triangles)
        return welded.vertices.astype(np.float32), welded.triangles.astype(np.int32), None

    def point_cloud(self, source: str = "auto") -> tuple[NDArray[np.float32], None]:
        """Return points (N, 3) in the world and None for colours, which are not read either.

        They are the means of cubes of 2 cm (larger where there are too many), over all messages of the source.

        Args:
            source: `mesh_cloud` takes the topic that `TopicConfig` or its own name calls so, `point_cloud` all others,
                `auto` the first of both that has points.
        """
        return cloud_points(self.view, self._topics, source), None

    # --- what a script hands back ------------------------------------------------------------------------------

    def add_rgb_frame(self, frame_index: int, rgb: NDArray[np.uint8]) -> None:
        """Take a picture for the episode's video, usually the blurred one; indexes must increase.

        It is searched for faces before it reaches the disk. What is found is blurred; see the guide.

        Args:
            frame_index: Index of the frame, as `frames` gave it; frames may be left out.
            rgb: (H, W, 3) uint8, of the size of the recording's pictures.

        Raises:
            BadConfig: The index, order, size or type is wrong; nothing was taken.
            ModelMissing: A weight file or package is not there.
        """
        index = require_frame(len(self._positions), frame_index, "add_rgb_frame")
        if self.workshop.is_blurred:
            raise BadConfig(
                f"frame {index} came after the episode's video was finished",
                remedy="hand in all frames before export, MeshRefiner and Evaluate",
            )
        if index < self._next_given:
            raise BadConfig(
                f"frame {index} came after frame {self._next_given - 1}",
                remedy="hand in frames in order, once",
            )
        picture = picture_from_rgb(self._checked(index, rgb))
        position = self._positions[index]
        self.workshop.hand_in(position, picture, self._faces.get(position))
        self._faces = {at: found for at, found in self._faces.items() if at > position}
        self._next_given = index + 1

    def note_faces(self, position: int, faces: Found) -> None:
        """Remember what the search of this session finds in a recorded picture, until its blurred one is handed in."""
        self._faces[position] = faces
        while len(self._faces) > _FACES_REMEMBERED:
            del self._faces[min(self._faces)]

    def add_hand_pose(self, frame_index: int, hands: Sequence[HandPose] | None) -> None:
        """Take the hands of a frame; the last call for a frame counts.

        Raises:
            BadConfig: There is no such frame, they are no hands, or one has another number of points or no known side.
        """
        index = require_frame(len(self._positions), frame_index, "add_hand_pose")
        self.workshop.hands.put(index, hands)
        self._exported = self._episode = None

    def add_body(self, frame_index: int, joints: NDArray[np.floating]) -> None:
        """Take the upper body of a frame, (10, 3) metres in the world; the last call for a frame counts."""
        index = require_frame(len(self._positions), frame_index, "add_body")
        self.workshop.bodies.put(index, joints)
        self._exported = self._episode = None

    @property
    def hand_poses(self) -> dict[int, list[HandPose]]:
        """The hands that were taken, by frame; read from where they are kept each time."""
        return self.workshop.hands.by_frame()

    def export(
        self,
        out_dir: str | Path,
        visualizer: Visualizer | None = None,
        *,
        mesh: RefinedMesh | None = None,
        skip_rgb_mp4: bool = False,
        skip_thumbnail: bool = False,
        thumbnail_rgb: NDArray[np.uint8] | None = None,
    ) -> dict[str, Json]:
        """Write the episode directory in one step; see `export.export_episode`."""
        from episode_assets.scripting.export import ExportOptions, export_episode

        options = ExportOptions(
            visualizer=visualizer,
            mesh=mesh,
            skip_rgb_mp4=skip_rgb_mp4,
            skip_thumbnail=skip_thumbnail,
            thumbnail_rgb=thumbnail_rgb,
        )
        return export_episode(self, Path(out_dir), options)

    # --- for the parts of this room ----------------------------------------------------------------------------

    @cached_property
    def up_in_world(self) -> Floats | None:
        """(3,) unit vector against gravity in the world, None where nothing tells."""
        return self.view.attitude(self.view.rgb.stamp_ns[:1]).up_in_world

    def scene_mesh(self) -> Path:
        """Return the directory of the scene's mesh, made with the default settings."""
        if self._scene_mesh is None:
            self._scene_mesh = self.workshop.mesh(self.dropped, SceneMeshConfig())
        return self._scene_mesh

    def hand_directory(self) -> Path | None:
        """Return the directory of the hands that were handed in, None without any."""
        return self.workshop.hand_poses(self.frame_positions(), self.picture_size)

    def episode(self) -> Path:
        """Return a private directory with the episode, as it was exported last; never one that a script can reach."""
        if self._episode is None:
            self._episode = self._copied() or self._made()
        return self._episode

    def note_exported(self, exported: Exported, mesh: Path) -> None:
        """Remember what was exported, and the directory of the mesh in it."""
        self._exported, self._mesh_of_episode, self._episode = exported, mesh, None

    def _copied(self) -> Path | None:
        """Return a copy of what was exported, None where its video was left out or it is no longer what it was."""
        if self._exported is None or VIDEO not in dict(self._exported.digests):
            return None
        directory = self.workshop.new_directory("episode")
        return directory if copy_unchanged(self._exported, directory) else None

    def _made(self) -> Path:
        directory = self.workshop.new_directory("episode")
        self.workshop.bundle(
            directory,
            dropped=self.dropped,
            hands=self.hand_directory(),
            mesh=self._mesh_of_episode or self.scene_mesh(),
            config=BundleConfig(visualization=False),
        )
        return directory

    def write_visualization(self, out: Path) -> None:
        """Write the Rerun file of the episode."""
        with EpisodeBundle.open(self.episode()) as bundle, bar() as progress:
            write_visualization(bundle, out, progress=progress)

    @property
    def dropped(self) -> tuple[DroppedPicture, ...]:
        """Pictures that could not be used, in the order of positions."""
        return tuple(self.skipped[position] for position in sorted(self.skipped))

    def frame_positions(self) -> NDArray[np.int64]:
        """Return (F,) position in the stream of each frame that was read; reads them all where none was."""
        if not self._positions:
            for _ in self.usable_pictures():
                pass
        return np.array(self._positions, np.int64)

    def checked_picture(self, what: str, rgb: Any) -> NDArray[np.uint8]:
        """Return a picture if it is (H, W, 3) uint8 with at least one pixel; raises BadConfig otherwise."""
        is_array = isinstance(rgb, np.ndarray) and rgb.dtype == np.uint8 and rgb.ndim == 3
        if not is_array or rgb.shape[2] != 3 or not rgb.size:
            shape, kind = getattr(rgb, "shape", None), getattr(rgb, "dtype", type(rgb).__name__)
            raise BadConfig(f"{what} must be (height, width, 3) uint8, got {shape} {kind}")
        return np.ascontiguousarray(rgb)

    def _checked(self, index: int, rgb: Any) -> NDArray[np.uint8]:
        picture = self.checked_picture(f"the picture of frame {index}", rgb)
        width, height = self.picture_size
        if picture.shape[:2] != (height, width):
            raise BadConfig(
                f"the picture of frame {index} is {picture.shape[1]}x{picture.shape[0]}, "
                f"those of the recording are {width}x{height}",
                remedy="hand in pictures of the recording's size",
            )
        return picture

    def _skip(self, dropped: DroppedPicture) -> None:
        if dropped.position not in self.skipped:
            number = self.view.rgb.message_number[dropped.position]
            logger.warning("left out message %d: %s (%s)", number, dropped.reason, dropped.detail)
        self.skipped[dropped.position] = dropped


_FACES_REMEMBERED = 256
"""Frames whose blurred picture may still come."""


def _camera(intrinsics: Intrinsics | None) -> CameraIntrinsics | None:
    if intrinsics is None:
        return None
    return CameraIntrinsics(
        width=intrinsics.width,
        height=intrinsics.height,
        K=intrinsics.representative,
        D=intrinsics.D,
        distortion_model=intrinsics.distortion_model,
    )


def _poses(stream: Any) -> Iterator[tuple[float, Pose6D]]:
    if stream is None:
        return
    for row, stamp in enumerate(stream.stamp_ns.tolist()):
        yield stamp / _SECOND_NS, pose_of(stream, row)
