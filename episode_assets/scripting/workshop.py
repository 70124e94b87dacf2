"""What is made of a session in private before anything is exported: blurred video, hands, mesh, bundle.

Everything is made once and kept in a directory of mode 0700 that goes when the session goes. Pictures that a script
hands in are searched before they are kept; where none came in, the whole computation blurs those of the recording.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.anonymization import FaceBlurConfig, blur_recording
from episode_assets.anonymization.blurring import require_usable
from episode_assets.anonymization.detectors import Found
from episode_assets.anonymization.handed_in import HandedInPictures
from episode_assets.anonymization.looking import DroppedPicture
from episode_assets.bundle import BundleConfig, write_bundle
from episode_assets.errors import AuditFailed, BadConfig
from episode_assets.hands.findings import Seen
from episode_assets.hands.given import lay_out
from episode_assets.hands.given_frames import CAMERA
from episode_assets.hands.given_rows import given_table
from episode_assets.hands.rows import frames_table
from episode_assets.hands.samples import Samples
from episode_assets.hands.sightings import no_sightings
from episode_assets.hands.tables import (
    BODY_ESTIMATED,
    BODY_UNKNOWN,
    FRAMES_FILE,
    HANDS_FILE,
    UPPER_BODY_FILE,
    UPPER_BODY_SCHEMA,
    fixed_lists,
    table_of,
    write_table,
)
from episode_assets.outcome import Json, ModelUse, Outcome
from episode_assets.recording import RecordingView
from episode_assets.scene import SceneMeshConfig, build_scene_mesh
from episode_assets.scripting.body_store import BodyStore
from episode_assets.scripting.hand_store import HandStore
from episode_assets.scripting.logs import bar
from episode_assets.video import Picture

logger = logging.getLogger(__name__)


class Workshop:
    """Makes the parts of one session's episode.

    Args:
        view: The recording.
        directory: Private, empty.
        blur: Settings of blur and audit.
        workers: Processes for what is worked on in parallel.

    Attributes:
        mesh_configs: The settings behind each directory that `mesh` returned.
        meshes: Where the files of meshes lie that a script got; their colours are those of audited pictures.
        hands: The hands that a script handed in.
        bodies: The bodies that a script handed in.
    """

    def __init__(self, view: RecordingView, directory: Path, *, blur: FaceBlurConfig, workers: int) -> None:
        self._view = view
        self._directory = directory
        self._blur = blur
        self._workers = workers
        self._handed_in: HandedInPictures | None = None
        self._blurred: tuple[Path, Outcome] | None = None
        self._failed: AuditFailed | None = None
        self._made = 0
        self.mesh_configs: dict[Path, SceneMeshConfig] = {}
        self.meshes: WeakKeyDictionary[object, Path] = WeakKeyDictionary()
        self.hands = HandStore(directory / "given_hands")
        self.bodies = BodyStore(directory / "given_bodies")

    @property
    def is_blurred(self) -> bool:
        """Whether the blurred video is finished, and takes no more pictures."""
        return self._blurred is not None

    def hand_in(self, position: int, picture: Picture, faces: Found | None) -> None:
        """Take the next picture of the video; see `HandedInPictures.add`."""
        if self._handed_in is None:
            size = (picture.true_width, picture.true_height)
            self._handed_in = HandedInPictures(
                self._view, self._directory / "groups", size=size, config=self._blur
            )
            self._failed = None  # It was about the recording; now pictures come in its place.
            logger.info("Opening rgb.mp4 (%dx%d, audited group by group)", *size)
        self._require_no_failure()
        self._handed_in.add(position, picture, faces)

    def blurred(self, dropped: Sequence[DroppedPicture]) -> tuple[Path, Mapping[str, Json]]:
        """Return the directory of the blurred video and its privacy record; finishes it.

        Raises:
            AuditFailed: Faces are left, and nothing is kept.
            BadRecording: More than `max_dropped_ratio` of the pictures cannot be used.
            ModelMissing: A weight file or package is not there.
        """
        self._require_no_failure()
        if self._blurred is None:
            require_usable(self._view.rgb, dropped, self._blur)
            directory = self._new("blurred")
            try:
                self._blurred = directory, self._finished(directory, dropped)
            except AuditFailed as error:
                self._failed = error
                raise
        directory, outcome = self._blurred
        return directory, outcome.privacy or {}

    def _finished(self, directory: Path, dropped: Sequence[DroppedPicture]) -> Outcome:
        if self._handed_in is not None:
            logger.info("Finalizing rgb.mp4 (frames that were handed in)")
            return self._handed_in.finish(directory, dropped)
        logger.info("Blurring faces (no frame was handed in)")
        return self._blur_all(directory)

    def _require_no_failure(self) -> None:
        """Raise what the audit said if it failed, since nothing that is asked later changes it."""
        if self._failed is not None:
            raise self._failed.with_traceback(None)

    @property
    def blur_models(self) -> tuple[ModelUse, ...]:
        """Weight files that took part in the blurred video, once it is finished."""
        return () if self._blurred is None else self._blurred[1].models

    def mesh(self, dropped: Sequence[DroppedPicture], config: SceneMeshConfig) -> Path:
        """Return a directory with the mesh of the scene, or with the reason why there is none."""
        blurred, privacy = self.blurred(dropped)
        directory = self._new("mesh")
        with bar() as progress:
            build_scene_mesh(
                self._view, blurred, directory, config=config, privacy=privacy, progress=progress
            )
        self.mesh_configs[directory] = config
        return directory

    def hand_poses(self, positions: NDArray[np.int64], size: tuple[int, int]) -> Path | None:
        """Return a directory with the hands and bodies that were handed in, None without any.

        Args:
            positions: (F,) position in the stream of each frame that a script has seen.
            size: (width, height) of the pictures.
        """
        if not len(self.hands) and not len(self.bodies):
            return None
        directory = self._new("hands")
        seen = self._seen(positions, size)
        table = self.hands.table()
        write_table(directory / HANDS_FILE, self._hands_table(table, seen, positions))
        write_table(directory / FRAMES_FILE, frames_table(self._view, seen))
        if len(self.bodies):
            write_table(directory / UPPER_BODY_FILE, self._bodies_table(seen, positions))
        return directory

    def bundle(
        self,
        directory: Path,
        *,
        dropped: Sequence[DroppedPicture],
        hands: Path | None,
        mesh: Path,
        config: BundleConfig,
    ) -> Outcome:
        """Write the episode directory."""
        blurred, privacy = self.blurred(dropped)
        with bar() as progress:
            return write_bundle(
                self._view,
                blurred,
                hands,
                directory,
                mesh=mesh,
                config=config,
                privacy=privacy,
                progress=progress,
            )

    def new_directory(self, name: str) -> Path:
        """Return a new private directory."""
        return self._new(name)

    def _blur_all(self, directory: Path) -> Outcome:
        with bar() as progress:
            outcome = blur_recording(
                self._view, directory, config=self._blur, workers=self._workers, progress=progress
            )
        if not outcome.audit_passed:
            raise AuditFailed(
                "the audit found faces that the blur left",
                where=self._view.recording_id,
                remedy="look for them in frames, and set another detector with `MCAPReader(blur=FaceBlurConfig(...))`",
            )
        return outcome

    def _new(self, name: str) -> Path:
        self._made += 1
        directory = self._directory / f"{name}{self._made}"
        directory.mkdir(mode=0o700)
        return directory

    def _seen(self, positions: NDArray[np.int64], size: tuple[int, int]) -> Seen:
        stream = self._view.rgb
        sizes = np.zeros((len(stream), 2), np.int32)
        sizes[positions] = size
        run = np.cumsum(stream.gap_before).astype(np.int64)
        return Seen(no_sightings(), sizes, np.zeros(len(stream), bool), run)

    def _hands_table(self, table: pa.Table, seen: Seen, positions: NDArray[np.int64]) -> pa.Table:
        frame = table["frame"].to_numpy()
        joints = _array(table, "joints").reshape(-1, 21, 3)
        in_space = np.isfinite(joints).all(axis=2) & (joints[..., 2] != 0)
        # A hand is in space as a whole, or in the picture as a whole; then its z is 0.
        is_spatial = in_space.any(axis=1)
        metres = np.where((is_spatial[:, None] & in_space)[..., None], joints, np.nan)
        pixels = _array(table, "joints_px").reshape(-1, 21, 2)
        flat = ~is_spatial & ~np.isfinite(pixels).any(axis=(1, 2))
        pixels = np.where(flat[:, None, None], joints[..., :2], pixels)
        is_right = table["is_right"].to_numpy(zero_copy_only=False)
        confidence = table["confidence"].to_numpy().astype(np.float64)
        samples = []
        for side in (False, True):
            rows = np.flatnonzero(is_right == side)
            _, first = np.unique(frame[rows], return_index=True)  # the surest of a side comes first
            rows = rows[first]
            samples.append(
                Samples(
                    is_right=side,
                    by="message_number",
                    key=self._view.rgb.message_number[positions[frame[rows]]],
                    joints_m=metres[rows],
                    joints_px=pixels[rows],
                    confidence=confidence[rows],
                    place=CAMERA,
                )
            )
        backends = sorted(set(table["backend"].to_pylist())) or ["given"]
        return given_table(self._view, seen, lay_out(self._view, seen, samples), backend=",".join(backends))

    def _bodies_table(self, seen: Seen, positions: NDArray[np.int64]) -> pa.Table:
        frame, joints = self.bodies.arrays()
        position = positions[frame]
        stream = self._view.rgb
        source = np.where(np.isfinite(joints).all(axis=2), BODY_ESTIMATED, BODY_UNKNOWN).astype(np.int8)
        columns = {
            "recording_id": pa.array([self._view.recording_id] * len(frame), pa.string()),
            "message_number": stream.message_number[position],
            "frame_index": seen.frame_index[position],
            "stamp_ns": stream.stamp_ns[position],
            "joints_world": fixed_lists(joints.astype(np.float32)),
            "joint_source": fixed_lists(source),
            "heading_held": np.zeros(len(frame), bool),
        }
        return table_of(columns, UPPER_BODY_SCHEMA)


def _array(table: pa.Table, name: str) -> NDArray[np.float64]:
    values = table[name].combine_chunks()
    flat = values.flatten() if len(values) else pa.array([], pa.float32())
    return np.asarray(flat.to_numpy(zero_copy_only=False), np.float64)


def require_frame(known: int, index: int, what: str) -> int:
    """Return the index of a frame that a script has seen; raises BadConfig where there is none of that number."""
    if isinstance(index, bool) or not isinstance(index, int | np.integer) or not 0 <= index < known:
        raise BadConfig(
            f"{what} names frame {index!r}, and frames 0 to {known - 1} were read",
            remedy="give the index of a frame that frames() has yielded",
        )
    return int(index)
