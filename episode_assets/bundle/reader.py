"""Reading an episode directory: typed, lazy, checked once when it is opened.

Nothing else in the package opens the files of a bundle. What the values mean is told where they are written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import layout
from episode_assets.bundle.calibration import Calibrations, read_calibrations
from episode_assets.bundle.frames import FramePairing
from episode_assets.bundle.hands import HandArrays
from episode_assets.bundle.layout import Side
from episode_assets.bundle.mano import DATASET_OF, ManoArrays
from episode_assets.bundle.personal import file_of
from episode_assets.bundle.upper_body import UpperBody
from episode_assets.errors import ArtifactDamaged, ArtifactMissing
from episode_assets.footage import (
    UNTOLD,
    FaceBoxes,
    FramePoses,
    FrameTable,
    bool_column,
    int_column,
    read_frame_table,
    read_table,
    require_columns,
)
from episode_assets.outcome import Json
from episode_assets.ply import Mesh, read_ply
from episode_assets.recording import ImuStream, PoseStream, TfStream, TrackingStream

REMEDY = "materialise episode_bundle of this recording again, or fetch the directory anew"
PAIRING = ["depth_message_number", "depth_dt_ns", "pose_valid", "pose_dt_ns", "intrinsics_valid"]

ALL = slice(None)

Value = TypeVar("Value")
Scalar = TypeVar("Scalar", bound=np.generic)


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
        self._file: h5py.File | None = None

    @classmethod
    def open(cls, path: Path | str) -> EpisodeBundle:
        """Open a directory and check that its files belong together.

        More than this version needs is fine (users append their own groups); less is not.

        Raises:
            ArtifactMissing: There is no bundle at this path.
            ArtifactDamaged: A file is missing, cut short or of another schema, or the frame counts differ.
        """
        directory = Path(path)
        meta = _read_meta(directory)
        bundle = cls(directory, meta, *_read_frames(directory))
        try:
            _check(bundle)
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
        if self._file is not None:
            self._file.close()
            self._file = None

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
        """The face-blurred video."""
        return self.path / layout.VIDEO

    @property
    def thumbnail_path(self) -> Path:
        """The picture that stands for the recording, from the blurred video."""
        return self.path / layout.THUMBNAIL

    @property
    def hands_preview_path(self) -> Path | None:
        """The video with skeletons drawn over it; None where nobody asked for it."""
        path = self.path / layout.HANDS_PREVIEW
        return path if path.is_file() else None

    @property
    def visualization_path(self) -> Path | None:
        """The file for the Rerun viewer; None where nobody asked for it or it could not be written."""
        path = self.path / layout.VISUALIZATION
        return path if path.is_file() else None

    def personal_path(self, kind: str) -> Path | None:
        """The table of a personal stream, `audio` or `location`; None where nobody asked for it or there is none."""
        return self.path / file_of(kind) if file_of(kind) in _mapping(self.meta, "files") else None

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

    # --- privacy, metadata, calibration ------------------------------------------------------------------------

    @property
    def privacy(self) -> Mapping[str, Json]:
        """The verdict of the audit and what was removed."""
        return _mapping(self.meta, "privacy")

    @property
    def source(self) -> Mapping[str, Json]:
        """What is told about the recording itself: size, digest, clock, message counts, whether it is cut short."""
        return _mapping(self.meta, "source")

    @property
    def metadata(self) -> Mapping[str, Json]:
        """The recording's own metadata, as far as it may travel."""
        return _mapping(self.meta, "metadata")

    @cached_property
    def calibrations(self) -> Calibrations:
        """The content of `calibrations/`."""
        return read_calibrations(self.path, remedy=REMEDY)

    @cached_property
    def face_boxes(self) -> FaceBoxes:
        """All blurred rectangles, sorted by frame."""
        group = "/privacy"
        corners = self._array(f"{group}/boxes", np.int32).reshape(-1, 4)
        # Bundles of earlier releases say of no box what it shows.
        is_told = self.has(f"{group}/label")
        label = (
            self._array(f"{group}/label", np.uint8) if is_told else np.full(len(corners), UNTOLD, np.uint8)
        )
        return FaceBoxes(
            frame_index=self._array(f"{group}/frame_index", np.int64),
            rectangle_px=corners,
            score=self._array(f"{group}/score", np.float32),
            track=self._array(f"{group}/track", np.int64),
            source=self._array(f"{group}/source", np.uint8),
            label=label,
        )

    @cached_property
    def K(self) -> NDArray[np.float64] | None:  # noqa: N802  # the field's own name for intrinsics
        """Intrinsics of every picture, (F, 3, 3) float64 pixels, NaN where unknown; None when never known."""
        return self._intrinsics("/rgb/K")

    @cached_property
    def poses(self) -> FramePoses:
        """Pose of the camera's optical frame at every picture, with validity and time offset."""
        if not self.has("/rgb/world_from_optical"):
            nothing = np.full((self.F, 4, 4), np.nan)
            return FramePoses(nothing, np.zeros(self.F, np.bool_), np.zeros(self.F, np.int64))
        return FramePoses(
            world_from_optical=self._per_picture("/rgb/world_from_optical", np.float64),
            valid=self._per_picture("/rgb/pose_valid", np.bool_),
            dt_ns=self._per_picture("/rgb/pose_dt_ns", np.int64),
        )

    # --- depth -------------------------------------------------------------------------------------------------

    @cached_property
    def depth(self) -> DepthInfo | None:
        """Size, validity, stamps and intrinsics of depth; None when the bundle has none."""
        if not self.has("/depth/frames"):
            return None
        _, height, width = self._dataset("/depth/frames").shape
        return DepthInfo(
            height=int(height),
            width=int(width),
            valid=self._per_picture("/depth/valid", np.bool_),
            stamp_ns=self._per_picture("/depth/timestamps_ns", np.int64),
            message_number=self._per_picture("/depth/source_index", np.int64),
            K=self._intrinsics("/depth/K"),
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
        image: NDArray[np.uint16] = self._read("/depth/frames", lambda dataset: dataset[frame])
        return image

    # --- streams -----------------------------------------------------------------------------------------------

    @cached_property
    def imu(self) -> ImuStream | None:
        """All IMU samples sorted by stamp; None when the recording has none."""
        if not self.has("/imu/timestamps"):
            return None
        return ImuStream(
            stamp_ns=self._array("/imu/timestamps_ns", np.int64),
            linear_acceleration=self._array("/imu/linear_acceleration", np.float64),
            angular_velocity=self._array("/imu/angular_velocity", np.float64),
            orientation_xyzw=self._array("/imu/orientation_xyzw", np.float64),
            frame_id=self._attribute("/imu", "frame_id"),
            gravity=self._attribute("/imu", "gravity"),
        )

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
            stamp_ns=self._array("/tracking/timestamps_ns", np.int64),
            state=self._array("/tracking/state", np.uint8),
            reason=self._array("/tracking/reason", np.uint8),
        )

    @cached_property
    def tf(self) -> TfStream | None:
        """All transforms; None when the recording has none."""
        if not self.has("/tf/timestamps"):
            return None
        return TfStream(
            stamp_ns=self._array("/tf/timestamps_ns", np.int64),
            parent=tuple(name.decode() for name in self._array("/tf/parent", np.bytes_).tolist()),
            child=tuple(name.decode() for name in self._array("/tf/child", np.bytes_).tolist()),
            translation=self._array("/tf/translations", np.float64),
            quaternion_xyzw=self._array("/tf/quaternions_xyzw", np.float64),
            is_static=self._array("/tf/is_static", np.bool_),
        )

    @cached_property
    def mesh(self) -> Mesh | None:
        """The welded mesh in the world frame; None when the recording has none."""
        if layout.MESH not in _mapping(self.meta, "files"):
            return None
        return read_ply(self.path / layout.MESH, remedy=REMEDY)

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
        space = self._per_picture(f"{prefix}_space", np.uint8, rows)
        joints = self._per_picture(f"{prefix}_joints", np.float32, rows)
        is_metric = (space == layout.SPACE_CAMERA)[:, None, None]
        return HandArrays(
            valid=self._per_picture(f"{prefix}_valid", np.bool_, rows),
            space=space,
            joints_px=self._per_picture(f"{prefix}_kpts_2d_rgb", np.float32, rows),
            joints_cam=np.where(is_metric, joints, np.float32(np.nan)),
            joints_world=self._per_picture(f"{prefix}_joints_world", np.float32, rows),
            joint_valid=self._per_picture(f"{prefix}_joint_valid", np.bool_, rows),
            confidence=self._per_picture(f"{prefix}_confidence", np.float32, rows),
            kind=self._per_picture(f"{prefix}_kind", np.int8, rows),
            track=self._per_picture(f"{prefix}_track", np.int64, rows),
            anchor=self._per_picture(f"{prefix}_anchor", np.uint8, rows),
            scale=self._per_picture(f"{prefix}_scale", np.float32, rows),
            **self._marks(prefix, rows),
        )

    def _marks(self, prefix: str, rows: slice) -> dict[str, NDArray[Any]]:
        # Bundles of earlier releases state no uncertainty, and smoothing was not there yet.
        if not self.has(f"{prefix}_smoothed"):
            missing = HandArrays.missing(len(range(*rows.indices(self.F))))
            return {name: getattr(missing, name) for name in ("smoothed", "uncertainty_px", "uncertainty_m")}
        return {
            "smoothed": self._per_picture(f"{prefix}_smoothed", np.bool_, rows),
            "uncertainty_px": self._per_picture(f"{prefix}_uncertainty_px", np.float32, rows),
            "uncertainty_m": self._per_picture(f"{prefix}_uncertainty_m", np.float32, rows),
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
            name: self._per_picture(f"/hand-pose/{side}_{dataset}", np.float32)
            for name, dataset in DATASET_OF.items()
            if name != "valid"
        }
        return ManoArrays(valid=self._per_picture(f"/hand-pose/{side}_mano_valid", np.bool_), **found)

    @cached_property
    def upper_body(self) -> UpperBody | None:
        """The wearer's upper body as it was estimated; None where nobody asked for it or nothing is known."""
        if not self.has("/upper-body"):
            return None
        return UpperBody(
            valid=self._per_picture("/upper-body/valid", np.bool_),
            joints_world=self._per_picture("/upper-body/joints_world", np.float32),
            joint_source=self._per_picture("/upper-body/joint_source", np.uint8),
            heading_held=self._per_picture("/upper-body/heading_held", np.bool_),
        )

    @cached_property
    def upper_body_edges(self) -> tuple[tuple[int, int], ...]:
        """Pairs of joints of the upper body that belong together; none where the bundle says nothing of them."""
        words = self._attribute("/upper-body", "edges") if self.has("/upper-body") else ""
        pairs = [word.split("-") for word in words.split(",") if word]
        try:
            return tuple((int(first), int(second)) for first, second in pairs)
        except ValueError as error:
            raise _damaged(f"edges cannot be read: {words!r}", "/upper-body") from error

    # --- access to the annotation file -------------------------------------------------------------------------

    def has(self, path: str) -> bool:
        """Return whether the annotation file has this group or dataset."""
        return path in self._opened()

    def _opened(self) -> h5py.File:
        if self._file is None:
            try:
                self._file = h5py.File(self.path / layout.ANNOTATION, "r")
            except OSError as error:
                raise _damaged(f"it cannot be opened: {error}") from error
        return self._file

    def _read(self, path: str, take: Callable[[h5py.Dataset], Value]) -> Value:
        try:
            return take(self._dataset(path))
        except (OSError, RuntimeError, ValueError) as error:
            raise _damaged(f"the values cannot be read: {error}", path) from error

    def _dataset(self, path: str) -> h5py.Dataset:
        try:
            item = self._opened()[path]
        except (KeyError, RuntimeError) as error:
            raise _damaged("the dataset is missing", path) from error
        if not isinstance(item, h5py.Dataset):
            raise _damaged("a dataset was expected, found a group", path)
        return item

    def _array(self, path: str, dtype: type[Scalar], rows: slice = ALL) -> NDArray[Scalar]:
        array: NDArray[Scalar] = self._read(path, lambda dataset: np.asarray(dataset[rows], dtype=dtype))
        array.flags.writeable = False
        return array

    def _per_picture(self, path: str, dtype: type[Scalar], rows: slice = ALL) -> NDArray[Scalar]:
        shape = self._dataset(path).shape
        if shape[:1] != (self.F,):
            raise _damaged(f"shape {shape} does not fit {self.F} pictures", path)
        return self._array(path, dtype, rows)

    def _attribute(self, path: str, name: str) -> str:
        try:
            return str(self._opened()[path].attrs.get(name, ""))
        except (OSError, KeyError, RuntimeError) as error:
            raise _damaged(f"attribute {name} cannot be read", path) from error

    def _intrinsics(self, path: str) -> NDArray[np.float64] | None:
        if not self.has(path):
            return None
        stored = self._array(path, np.float64)
        if stored.shape not in {(1, 3, 3), (self.F, 3, 3)}:
            raise _damaged(f"shape {stored.shape} does not fit {self.F} pictures", path)
        return np.broadcast_to(stored, (self.F, 3, 3))

    def _pose_stream(self, group: str) -> PoseStream | None:
        if not self.has(f"/{group}/timestamps"):
            return None
        marks = f"/{group}/is_interpolated"
        is_interpolated = self._array(marks, np.bool_) if self.has(marks) else None
        return PoseStream(
            stamp_ns=self._array(f"/{group}/timestamps_ns", np.int64),
            translation=self._array(f"/{group}/translations", np.float64),
            quaternion_xyzw=self._array(f"/{group}/quaternions_xyzw", np.float64),
            frame_id=self._attribute(f"/{group}", "frame_id"),
            child_frame_id=self._attribute(f"/{group}", "child_frame_id"),
            source="tf" if is_interpolated is not None else "topic",
            is_interpolated=is_interpolated,
        )


def _damaged(what: str, dataset: str = "") -> ArtifactDamaged:
    return ArtifactDamaged(
        what, where=f"{layout.ANNOTATION}:{dataset}" if dataset else layout.ANNOTATION, remedy=REMEDY
    )


def _mapping(meta: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    value = meta.get(name)
    return value if isinstance(value, Mapping) else {}


def _read_meta(directory: Path) -> Mapping[str, Json]:
    path = directory / layout.META
    if not path.is_file():
        raise ArtifactMissing(
            "there is no episode bundle here", where=str(directory), remedy="check the path"
        )
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactDamaged(f"not valid JSON: {error}", where=layout.META, remedy=REMEDY) from error
    schema = meta.get("schema") if isinstance(meta, dict) else None
    if schema != layout.SCHEMA:
        raise ArtifactDamaged(
            f"schema {layout.SCHEMA!r} expected, found {schema!r}", where=layout.META, remedy=REMEDY
        )
    if meta.get("schema_version") != layout.SCHEMA_VERSION:
        raise ArtifactDamaged(
            f"schema version {layout.SCHEMA_VERSION} expected, found {meta.get('schema_version')!r}",
            where=layout.META,
            remedy="read it with the version of episode-assets that wrote it, or materialise it again",
        )
    checked: Mapping[str, Json] = meta
    return checked


def _read_frames(directory: Path) -> tuple[FrameTable, FramePairing]:
    path = directory / layout.FRAMES
    frames = read_frame_table(path, remedy=REMEDY)
    table = read_table(path, PAIRING, remedy=REMEDY)
    require_columns(table, PAIRING, where=path.name, remedy=REMEDY)
    has_depth = table["depth_message_number"].is_valid().to_numpy()
    has_pose = bool_column(table, "pose_valid")
    pairing = FramePairing(
        depth_message_number=int_column(table, "depth_message_number"),
        depth_dt_ns=np.where(has_depth, int_column(table, "depth_dt_ns"), 0),
        pose_valid=has_pose,
        pose_dt_ns=np.where(has_pose, int_column(table, "pose_dt_ns"), 0),
        intrinsics_valid=bool_column(table, "intrinsics_valid"),
    )
    return frames, pairing


def _check(bundle: EpisodeBundle) -> None:
    """Compare sizes and frame counts of the files with each other; no image is read."""
    for name, size in _mapping(bundle.meta, "files").items():
        path = bundle.path / name
        found = path.stat().st_size if path.is_file() else None
        # Users append their own groups to exported annotation files; HDF5 itself notices missing bytes.
        if found is None or (name != layout.ANNOTATION and found != size):
            raise ArtifactDamaged(f"{size} bytes expected, found {found}", where=name, remedy=REMEDY)
    counts = {
        "meta.json": bundle.meta.get("num_frames"),
        "/rgb/timestamps_ns": bundle._dataset("/rgb/timestamps_ns").shape[0],
    }
    for group in ("/depth/frames", "/hand-pose/left_joints"):
        if bundle.has(group):
            counts[group] = bundle._dataset(group).shape[0]
    for where, count in counts.items():
        if count != bundle.F:
            raise ArtifactDamaged(
                f"{bundle.F} pictures in {layout.FRAMES}, {count} in {where}", where=where, remedy=REMEDY
            )
    if not np.array_equal(bundle._array("/rgb/timestamps_ns", np.int64), bundle.stamps_ns):
        raise _damaged(f"the stamps differ from those of {layout.FRAMES}", "/rgb/timestamps_ns")
