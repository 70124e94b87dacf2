"""Reading an episode directory: typed, lazy, checked once when it is opened.

Nothing else in the package opens the files of a bundle. What the values mean is told where they are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import layout
from episode_assets.bundle.annotation_reading import ALL, AnnotationReader, damaged
from episode_assets.bundle.calibration import Calibrations, read_calibrations
from episode_assets.bundle.clouds import GROUP as CLOUD
from episode_assets.bundle.clouds import PointCloud
from episode_assets.bundle.depth_video import read_coder
from episode_assets.bundle.frames import FramePairing, read_pairing
from episode_assets.bundle.hands import HandArrays
from episode_assets.bundle.layout import REMEDY, Side
from episode_assets.bundle.mano import DATASET_OF, ManoArrays
from episode_assets.bundle.opening import check_files, mapping_of, read_meta
from episode_assets.bundle.personal import file_of
from episode_assets.bundle.upper_body import UpperBody
from episode_assets.errors import ArtifactMissing
from episode_assets.footage import UNTOLD, FaceBoxes, FramePoses, FrameTable, read_frame_table
from episode_assets.freed_memory import memory_given_back
from episode_assets.outcome import Json, Note, Skipped
from episode_assets.ply import Mesh, read_ply
from episode_assets.recording import ImuStream, PoseStream, TfStream, TrackingStream
from episode_assets.storage import Manifest
from episode_assets.video import DepthCoder, DepthUnit, decode_depth_codes


@dataclass(frozen=True)
class DepthInfo:
    """What is known about the depth of a bundle without reading an image.

    Attributes:
        height: Rows of every depth image.
        width: Columns.
        valid: (F,) bool, the picture has a depth image.
        stamp_ns: (F,) int64 stamp of the depth message itself, -1 where there is none.
        message_number: (F,) int64, -1 where there is none.
        K: (F, 3, 3) float64 depth pixels, NaN where unknown; None when never known.
    """

    height: int
    width: int
    valid: NDArray[np.bool_]
    stamp_ns: NDArray[np.int64]
    message_number: NDArray[np.int64]
    K: NDArray[np.float64] | None


class EpisodeBundle:
    """An opened episode directory; close it, or use it in a `with` block.

    Attributes:
        path: The directory.
        meta: Content of the bundle's own `meta.json`.
        frames: The picture table.
        pairing: What every picture is paired with.
    """

    def __init__(
        self, path: Path, meta: Mapping[str, Json], frames: FrameTable, pairing: FramePairing
    ) -> None:
        self.path = path
        self.meta = meta
        self.frames = frames
        self.pairing = pairing
        self._annotation = AnnotationReader(path / layout.ANNOTATION, len(frames))

    @classmethod
    @memory_given_back()
    def open(cls, path: Path | str) -> EpisodeBundle:
        """Open a directory and check that its files belong together.

        More than this version needs is fine (users append their own groups); less is not.

        Raises:
            ArtifactMissing: There is no bundle at this path.
            ArtifactDamaged: A file is missing, cut short or of another schema, or the frame counts differ.
        """
        directory = Path(path)
        meta = read_meta(directory)
        frames = read_frame_table(directory / layout.FRAMES, remedy=REMEDY)
        bundle = cls(directory, meta, frames, read_pairing(directory / layout.FRAMES, remedy=REMEDY))
        try:
            check_files(directory, meta, frames, bundle._annotation)
        except BaseException:
            bundle.close()
            raise
        return bundle

    def __enter__(self) -> EpisodeBundle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the annotation file; arrays that were read stay usable."""
        self._annotation.close()

    def __len__(self) -> int:
        return len(self.frames)

    # --- identity and pictures ---------------------------------------------------------------------------------

    @property
    def F(self) -> int:  # noqa: N802  # the field's own name for the number of pictures
        """Number of pictures; every picture-indexed array has this many rows."""
        return len(self.frames)

    @property
    def recording_id(self) -> str:
        """The recording that the bundle was made from."""
        return self.frames.recording_id

    @property
    def task(self) -> str | None:
        """What the wearer does, in words, where somebody said."""
        task = self.meta.get("task")
        return None if task is None else str(task)

    @property
    def video_path(self) -> Path:
        """The face-blurred video.

        Raises:
            ArtifactMissing: Whoever wrote the bundle left it out.
        """
        return self._listed(layout.VIDEO)

    @property
    def thumbnail_path(self) -> Path:
        """The picture that stands for the recording, from the blurred video.

        Raises:
            ArtifactMissing: Whoever wrote the bundle left it out.
        """
        return self._listed(layout.THUMBNAIL)

    @property
    def hands_preview_path(self) -> Path | None:
        """The video with skeletons drawn over it; None where nobody asked for it."""
        return self._view_file(layout.HANDS_PREVIEW)

    @property
    def visualization_path(self) -> Path | None:
        """The file for the Rerun viewer; None where nobody asked for it or it could not be written."""
        return self._view_file(layout.VISUALIZATION)

    def personal_path(self, kind: str) -> Path | None:
        """The table of a personal stream, `audio` or `location`; None where nobody asked for it or there is none."""
        return self.path / file_of(kind) if file_of(kind) in mapping_of(self.meta, "files") else None

    def _listed(self, name: str) -> Path:
        if name not in mapping_of(self.meta, "files"):
            raise ArtifactMissing(
                "the bundle was written without it", where=name, remedy="write the bundle with it"
            )
        return self.path / name

    def _view_file(self, name: str) -> Path | None:
        path = self.path / name
        return path if name in self.saved and path.is_file() else None

    @property
    def stamps_ns(self) -> NDArray[np.int64]:
        """Stamps of the pictures, (F,) int64."""
        return self.frames.stamp_ns

    @property
    def message_numbers(self) -> NDArray[np.int64]:
        """Numbers of the rgb messages, (F,) int64."""
        return self.frames.message_number

    @property
    def picture_size(self) -> tuple[int, int]:
        """True width and height of the pictures, without padding of the encoded video."""
        return self.frames.width, self.frames.height

    # --- what it says of itself ---------------------------------------------------------------------------------

    @property
    def saved(self) -> tuple[str, ...]:
        """Names of what is there: files, and groups of the annotation file as `annotation.hdf5:/imu`."""
        return tuple(str(name) for name in _sequence(self.meta, "saved"))

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What somebody may look for and will not find, and why."""
        return tuple(Skipped(**item) for item in _sequence(self.meta, "skipped"))

    @property
    def warnings(self) -> tuple[Note, ...]:
        """What was odd, with the frames concerned where they are known."""
        return tuple(Note(**item) for item in _sequence(self.meta, "warnings"))

    @property
    def datasets(self) -> tuple[Mapping[str, Json], ...]:
        """Every dataset that the bundle was written with: path, shape, dtype; units and valid rows where they apply."""
        return tuple(_sequence(self.meta, "datasets"))

    @cached_property
    def manifest(self) -> Manifest | None:
        """The manifest of the published artifact: inputs, models, digests; None before it is published.

        Raises:
            ArtifactDamaged: It cannot be read.
        """
        path = self.path / layout.MANIFEST
        return Manifest.from_json(path.read_bytes(), where=layout.MANIFEST) if path.is_file() else None

    # --- privacy, metadata, calibration ------------------------------------------------------------------------

    @property
    def privacy(self) -> Mapping[str, Json]:
        """The verdict of the audit and what was removed."""
        return mapping_of(self.meta, "privacy")

    @property
    def source(self) -> Mapping[str, Json]:
        """What is told about the recording itself: size, digest, clock, message counts, whether it is cut short."""
        return mapping_of(self.meta, "source")

    @property
    def clock(self) -> str:
        """`epoch` where stamps are wall-clock times, `uptime` where they count from some start of the device."""
        return str(self.source.get("clock", ""))

    @property
    def clock_offset_ns(self) -> int | None:
        """What to add to a stamp to get wall-clock time; None where nothing tells."""
        offset = self.source.get("clock_offset_ns")
        return offset if isinstance(offset, int) else None

    @property
    def metadata(self) -> Mapping[str, Json]:
        """The recording's own metadata, as far as it may travel."""
        return mapping_of(self.meta, "metadata")

    @cached_property
    def calibrations(self) -> Calibrations:
        """The content of `calibrations/`."""
        return read_calibrations(self.path, remedy=REMEDY)

    @cached_property
    def face_boxes(self) -> FaceBoxes:
        """All blurred rectangles, sorted by frame."""
        group = "/privacy"
        corners = self._annotation.array(f"{group}/boxes", np.int32).reshape(-1, 4)
        # Bundles of earlier releases say of no box what it shows.
        is_told = self.has(f"{group}/label")
        label = (
            self._annotation.array(f"{group}/label", np.uint8)
            if is_told
            else np.full(len(corners), UNTOLD, np.uint8)
        )
        return FaceBoxes(
            frame_index=self._annotation.array(f"{group}/frame_index", np.int64),
            rectangle_px=corners,
            score=self._annotation.array(f"{group}/score", np.float32),
            track=self._annotation.array(f"{group}/track", np.int64),
            source=self._annotation.array(f"{group}/source", np.uint8),
            label=label,
        )

    @cached_property
    def K(self) -> NDArray[np.float64] | None:  # noqa: N802  # the field's own name for intrinsics
        """Intrinsics of every picture, (F, 3, 3) float64 pixels, NaN where unknown; None when never known."""
        return self._annotation.intrinsics("/rgb/K")

    @cached_property
    def poses(self) -> FramePoses:
        """Pose of the camera's optical frame at every picture, with validity and time offset."""
        if not self.has("/rgb/world_from_optical"):
            nothing = np.full((self.F, 4, 4), np.nan)
            return FramePoses(nothing, np.zeros(self.F, np.bool_), np.zeros(self.F, np.int64))
        return FramePoses(
            world_from_optical=self._annotation.per_picture("/rgb/world_from_optical", np.float64),
            valid=self._annotation.per_picture("/rgb/pose_valid", np.bool_),
            dt_ns=self._annotation.per_picture("/rgb/pose_dt_ns", np.int64),
        )

    # --- depth -------------------------------------------------------------------------------------------------

    @cached_property
    def depth(self) -> DepthInfo | None:
        """Size, validity, stamps and intrinsics of depth; None when the bundle has none."""
        if not self.has("/depth/frames"):
            return None
        _, height, width = self._annotation.dataset("/depth/frames").shape
        return DepthInfo(
            height=int(height),
            width=int(width),
            valid=self._annotation.per_picture("/depth/valid", np.bool_),
            stamp_ns=self._annotation.per_picture("/depth/timestamps_ns", np.int64),
            message_number=self._annotation.per_picture("/depth/source_index", np.int64),
            K=self._annotation.intrinsics("/depth/K"),
        )

    def depth_frame(self, frame: int) -> NDArray[np.uint16] | None:
        """Return the depth image of a picture, (H, W) uint16 mm with 0 for missing; None where there is none.

        Raises:
            IndexError: There is no such picture.
            ArtifactDamaged: The stored image does not unpack.
        """
        if not 0 <= frame < self.F:
            raise IndexError(f"frame {frame} of a bundle with {self.F} pictures")
        if self.depth is None or not self.depth.valid[frame]:
            return None
        image: NDArray[np.uint16] = self._annotation.read("/depth/frames", lambda dataset: dataset[frame])
        return image

    @property
    def depth_video_path(self) -> Path | None:
        """The depth as 12-bit codes in a video; None where nobody asked for it or there is no depth."""
        return (
            self.path / layout.DEPTH_VIDEO if layout.DEPTH_VIDEO in mapping_of(self.meta, "files") else None
        )

    @cached_property
    def depth_video_coder(self) -> DepthCoder | None:
        """What turns the codes of the depth video into depth, and says how exact that is; None without such a video."""
        if self.depth_video_path is None:
            return None
        return read_coder(self._annotation.attributes("/depth"))

    def depth_video_frames(
        self, frames: Sequence[int] | None = None, *, unit: DepthUnit = "mm"
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield frame numbers and depth images of the depth video, (H, W) float32 with 0 for missing.

        Args:
            frames: Which pictures, in any order; all if None.
            unit: Whole millimetres, or metres.

        Raises:
            ArtifactMissing: The bundle has no depth video.
            FrameOutOfRange: There is no such picture.
            UndecodableVideo: The video does not decode.
        """
        path, coder, depth = self.depth_video_path, self.depth_video_coder, self.depth
        if path is None or coder is None or depth is None:
            raise ArtifactMissing(
                "the bundle has no depth video",
                where=layout.DEPTH_VIDEO,
                remedy="set depth_video and run again",
            )
        for frame, codes in decode_depth_codes(path, frames):
            yield frame, coder.depth(codes[: depth.height, : depth.width], unit=unit)

    # --- streams -----------------------------------------------------------------------------------------------

    @cached_property
    def imu(self) -> ImuStream | None:
        """All IMU samples sorted by stamp; None when the recording has none."""
        if not self.has("/imu/timestamps"):
            return None
        return ImuStream(
            stamp_ns=self._annotation.array("/imu/timestamps_ns", np.int64),
            linear_acceleration=self._annotation.array("/imu/linear_acceleration", np.float64),
            angular_velocity=self._annotation.array("/imu/angular_velocity", np.float64),
            orientation_xyzw=self._annotation.array("/imu/orientation_xyzw", np.float64),
            frame_id=self._annotation.text("/imu", "frame_id"),
            gravity=self._annotation.text("/imu", "gravity"),
        )

    @cached_property
    def optical_from_imu(self) -> NDArray[np.float64] | None:
        """Transform (4, 4), p_optical = T p_imu in metres; None where the recording does not tell."""
        path = "/imu/optical_from_imu"
        return self._annotation.array(path, np.float64) if self.has(path) else None

    @cached_property
    def camera_poses(self) -> PoseStream | None:
        """All poses of the camera link in the world, sorted by stamp; None when the recording has none."""
        return self._pose_stream("cam-pose")

    @cached_property
    def trajectory(self) -> PoseStream | None:
        """The recorder's own sparse path; None when the recording has none."""
        return self._pose_stream("trajectory")

    @cached_property
    def tracking(self) -> TrackingStream | None:
        """Tracking states; None when the recording has none."""
        if not self.has("/tracking/timestamps"):
            return None
        return TrackingStream(
            stamp_ns=self._annotation.array("/tracking/timestamps_ns", np.int64),
            state=self._annotation.array("/tracking/state", np.uint8),
            reason=self._annotation.array("/tracking/reason", np.uint8),
        )

    @cached_property
    def tf(self) -> TfStream | None:
        """All transforms; None when the recording has none."""
        if not self.has("/tf/timestamps"):
            return None
        return TfStream(
            stamp_ns=self._annotation.array("/tf/timestamps_ns", np.int64),
            parent=tuple(name.decode() for name in self._annotation.array("/tf/parent", np.bytes_).tolist()),
            child=tuple(name.decode() for name in self._annotation.array("/tf/child", np.bytes_).tolist()),
            translation=self._annotation.array("/tf/translations", np.float64),
            quaternion_xyzw=self._annotation.array("/tf/quaternions_xyzw", np.float64),
            is_static=self._annotation.array("/tf/is_static", np.bool_),
        )

    @cached_property
    def mesh(self) -> Mesh | None:
        """The mesh of the scene, its colours those of blurred pictures; None where there is none."""
        if layout.MESH not in mapping_of(self.meta, "files"):
            return None
        return read_ply(self.path / layout.MESH, remedy=REMEDY)

    @cached_property
    def point_cloud(self) -> PointCloud | None:
        """The point clouds of the recording as one, in the world; None where it has none."""
        if not self.has(f"/{CLOUD}/points"):
            return None
        said = self._annotation.attributes(f"/{CLOUD}")
        return PointCloud(
            points=self._annotation.array(f"/{CLOUD}/points", np.float32),
            count=self._annotation.array(f"/{CLOUD}/count", np.int32),
            voxel_m=float(said["voxel_m"]),
            frame_id=str(said["frame_id"]),
        )

    # --- hands -------------------------------------------------------------------------------------------------

    @property
    def has_hands(self) -> bool:
        """Whether any hand was found."""
        return self.has("/hand-pose")

    def hand(self, side: Side, rows: slice = ALL) -> HandArrays:
        """Return one hand over all pictures, or over some of them; all missing where the bundle has none."""
        if not self.has_hands:
            return HandArrays.missing(len(range(*rows.indices(self.F))))
        prefix = f"/hand-pose/{side}"
        space = self._annotation.per_picture(f"{prefix}_space", np.uint8, rows)
        joints = self._annotation.per_picture(f"{prefix}_joints", np.float32, rows)
        is_metric = (space == layout.SPACE_CAMERA)[:, None, None]
        return HandArrays(
            valid=self._annotation.per_picture(f"{prefix}_valid", np.bool_, rows),
            space=space,
            joints_px=self._annotation.per_picture(f"{prefix}_kpts_2d_rgb", np.float32, rows),
            joints_cam=np.where(is_metric, joints, np.float32(np.nan)),
            joints_world=self._annotation.per_picture(f"{prefix}_joints_world", np.float32, rows),
            joint_valid=self._annotation.per_picture(f"{prefix}_joint_valid", np.bool_, rows),
            confidence=self._annotation.per_picture(f"{prefix}_confidence", np.float32, rows),
            kind=self._annotation.per_picture(f"{prefix}_kind", np.int8, rows),
            track=self._annotation.per_picture(f"{prefix}_track", np.int64, rows),
            anchor=self._annotation.per_picture(f"{prefix}_anchor", np.uint8, rows),
            scale=self._annotation.per_picture(f"{prefix}_scale", np.float32, rows),
            **self._marks(prefix, rows),
        )

    def _marks(self, prefix: str, rows: slice) -> dict[str, NDArray[Any]]:
        # Bundles of earlier releases state no uncertainty, and smoothing was not there yet.
        if not self.has(f"{prefix}_smoothed"):
            missing = HandArrays.missing(len(range(*rows.indices(self.F))))
            return {name: getattr(missing, name) for name in ("smoothed", "uncertainty_px", "uncertainty_m")}
        return {
            "smoothed": self._annotation.per_picture(f"{prefix}_smoothed", np.bool_, rows),
            "uncertainty_px": self._annotation.per_picture(f"{prefix}_uncertainty_px", np.float32, rows),
            "uncertainty_m": self._annotation.per_picture(f"{prefix}_uncertainty_m", np.float32, rows),
        }

    @cached_property
    def left(self) -> HandArrays:
        """The left hand."""
        return self.hand("left")

    @cached_property
    def right(self) -> HandArrays:
        """The right hand."""
        return self.hand("right")

    def mano(self, side: Side) -> ManoArrays | None:
        """Return the MANO numbers of one hand over all pictures; None when no network of that kind read the hands."""
        if not self.has(f"/hand-pose/{side}_mano_valid"):
            return None
        found = {
            name: self._annotation.per_picture(f"/hand-pose/{side}_{dataset}", np.float32)
            for name, dataset in DATASET_OF.items()
            if name != "valid"
        }
        return ManoArrays(
            valid=self._annotation.per_picture(f"/hand-pose/{side}_mano_valid", np.bool_), **found
        )

    @cached_property
    def upper_body(self) -> UpperBody | None:
        """The wearer's upper body as it was estimated; None where nobody asked for it or nothing is known."""
        if not self.has("/upper-body"):
            return None
        return UpperBody(
            valid=self._annotation.per_picture("/upper-body/valid", np.bool_),
            joints_world=self._annotation.per_picture("/upper-body/joints_world", np.float32),
            joint_source=self._annotation.per_picture("/upper-body/joint_source", np.uint8),
            heading_held=self._annotation.per_picture("/upper-body/heading_held", np.bool_),
        )

    @cached_property
    def upper_body_edges(self) -> tuple[tuple[int, int], ...]:
        """Pairs of joints of the upper body that belong together; none where the bundle says nothing of them."""
        words = self._annotation.text("/upper-body", "edges") if self.has("/upper-body") else ""
        pairs = [word.split("-") for word in words.split(",") if word]
        try:
            return tuple((int(first), int(second)) for first, second in pairs)
        except ValueError as error:
            raise damaged(f"edges cannot be read: {words!r}", "/upper-body") from error

    # --- access to the annotation file -------------------------------------------------------------------------

    def has(self, path: str) -> bool:
        """Return whether the annotation file has this group or dataset."""
        return self._annotation.has(path)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups of the annotation file, those that users appended included."""
        return self._annotation.groups()

    def array(self, path: str) -> NDArray[Any]:
        """Return a dataset of the annotation file by its path, in its own dtype; for groups that users appended.

        Raises:
            ArtifactDamaged: There is no such dataset, or it does not unpack.
        """
        return self._annotation.read(path, lambda dataset: np.asarray(dataset[()]))

    def attributes(self, path: str) -> Mapping[str, Any]:
        """Return the attributes of a group or dataset of the annotation file, or those of the root `/`.

        Raises:
            ArtifactDamaged: There is no such thing in the file.
        """
        return self._annotation.attributes(path)

    def _pose_stream(self, group: str) -> PoseStream | None:
        if not self.has(f"/{group}/timestamps"):
            return None
        marks = f"/{group}/is_interpolated"
        is_interpolated = self._annotation.array(marks, np.bool_) if self.has(marks) else None
        return PoseStream(
            stamp_ns=self._annotation.array(f"/{group}/timestamps_ns", np.int64),
            translation=self._annotation.array(f"/{group}/translations", np.float64),
            quaternion_xyzw=self._annotation.array(f"/{group}/quaternions_xyzw", np.float64),
            frame_id=self._annotation.text(f"/{group}", "frame_id"),
            child_frame_id=self._annotation.text(f"/{group}", "child_frame_id"),
            source="tf" if is_interpolated is not None else "topic",
            is_interpolated=is_interpolated,
        )


def _sequence(meta: Mapping[str, Json], name: str) -> Sequence[Any]:
    value = meta.get(name)
    return value if isinstance(value, Sequence) else ()
