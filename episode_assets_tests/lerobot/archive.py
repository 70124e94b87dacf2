"""Builds what a fragment reads (bundle, hands, quality report, colour histograms) from a scene known in closed form.

Every picture carries its message number as 16 black or white blocks, so that a test can read from any finished video
which frame it sees.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from episode_assets.bundle import EpisodeBundle, FramePairing, FrameTable
from episode_assets.bundle.frames import write_frame_table
from episode_assets.lerobot import Fragment, Recipe, TaskInputs, write_fragment
from episode_assets.lerobot.segment_plan import NO_TASKS_BESIDE
from episode_assets.lerobot.source import EpisodeSource
from episode_assets.outcome import Outcome
from episode_assets.recording import gap_before
from episode_assets.video import (
    Picture,
    RGBEncoderConfig,
    SegmentEncoder,
    decode_frames,
    join_segments,
    picture_to_rgb,
)

WIDTH, HEIGHT, BLOCK = 64, 48, 8
PRIVACY = {
    "audit": "passed",
    "detector": "centerface",
    "frames_with_faces": 3,
    "not_removed": ["bodies", "screens"],
}
START_NS = 151_283_417_203_125


@dataclass(frozen=True)
class Scene:
    """One synthetic recording.

    Attributes:
        stamp_ns: (F,) stamps of the pictures.
        message_number: (F,) numbers of the colour messages, at most 65,535.
        world_from_optical: (F, 4, 4); NaN where the camera pose is unknown.
        joints_world: (F, 2, 21, 3) true joints of both hands.
        kind: (F, 2) 0 for no row in the hand table, 1 measured, 2 interpolated.
        joint_valid: (F, 2, 21) joints that were seen.
        g: Largest distance of key frames.
        crf: Quality; another one gives other parameter sets.
        preset: Speed of the encoder.
        kept: Inclusive frame ranges that quality control keeps; None keeps everything.
        verdict: Verdict of quality control.
        marks: Numbers painted into the pictures; None paints the message numbers.
        smoothed: How many frames at the start have smoothed hands.
        width: Width of the pictures in pixels.
        height: Height of the pictures in pixels.
        picture: Paints the picture of a number; None paints a small one with the number's bits as blocks.
    """

    stamp_ns: np.ndarray
    message_number: np.ndarray
    world_from_optical: np.ndarray
    joints_world: np.ndarray
    kind: np.ndarray
    joint_valid: np.ndarray
    g: int = 5
    crf: int = 18
    preset: str = "ultrafast"
    kept: tuple[tuple[int, int], ...] | None = None
    verdict: str = "pass"
    marks: np.ndarray | None = None
    smoothed: int = 0
    width: int = WIDTH
    height: int = HEIGHT
    picture: Callable[[int], Picture] | None = None

    def __len__(self) -> int:
        return len(self.stamp_ns)

    def source(self, **changes: Any) -> EpisodeSource:
        """Return the recording as rows are made from it; every frame is a key frame. Keywords replace fields."""
        count = len(self)
        fields: dict[str, Any] = {
            "recording_id": "scene",
            "message_number": self.message_number,
            "stamp_ns": self.stamp_ns,
            "gap_before": gap_before(self.stamp_ns),
            "is_key": np.ones(count, bool),
            "world_from_optical": self.world_from_optical,
            "intrinsics": np.ones((count, 4)),
            "has_depth": np.ones(count, bool),
            "joints_cam": self.joints_cam(),
            "joint_valid": self.joint_valid,
            "hand_kind": self.kind,
            "hand_confidence": np.ones((count, 2)),
            "hand_smoothed": np.zeros((count, 2), bool),
        }
        return EpisodeSource(**(fields | changes))

    def joints_cam(self) -> np.ndarray:
        """Return (F, 2, 21, 3) joints in the optical frame, NaN without a pose."""
        cam_from_world = np.linalg.inv(
            np.where(np.isnan(self.world_from_optical), np.eye(4), self.world_from_optical)
        )
        rotation, translation = cam_from_world[:, None, :3, :3], cam_from_world[:, None, None, :3, 3]
        return self.joints_world @ np.swapaxes(rotation, -1, -2) + translation


def stamps(count: int, *, fps: float = 15.0, holes: Sequence[int] = (), hole_frames: int = 9) -> np.ndarray:
    """Return stamps with `hole_frames` missing pictures before each frame in `holes`."""
    steps = np.ones(count)
    steps[0] = 0
    steps[list(holes)] += hole_frames
    return START_NS + np.round(np.cumsum(steps) * 1e9 / fps).astype(np.int64)


def rotation_about(axis: Sequence[float], angle: np.ndarray | float) -> np.ndarray:
    """Return rotations by angles (...) about an axis, by Rodrigues' formula."""
    x, y, z = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    a = np.asarray(angle, dtype=float)[..., None, None]
    return np.eye(3) + np.sin(a) * cross + (1 - np.cos(a)) * (cross @ cross)


def right_hand() -> np.ndarray:
    """Return 21 joints in metres: fingers along x, knuckles along y, the back of the hand along z."""
    joints = np.zeros((21, 3))
    joints[1:5] = [[0.02 + 0.02 * i, 0.03 + 0.008 * i, 0] for i in range(4)]
    for finger, across in enumerate((0.03, 0.01, -0.01, -0.03)):
        joints[5 + 4 * finger : 9 + 4 * finger] = [
            [0.09 + 0.025 * i, across, -0.004 * i * i] for i in range(4)
        ]
    # The middle knuckle lies straight ahead of the wrist, so that the wrist's axes are the coordinate axes.
    joints[1:, 1] -= joints[9, 1]
    joints[1:, 2] -= joints[9, 2]
    return joints


def wrist_rotations(seconds: np.ndarray) -> np.ndarray:
    """Return (N, 3, 3) wrist axes to world of both hands of `make_scene`, which turn alike."""
    return rotation_about((0.3, 1, 0.2), 0.5 * seconds + 0.2 * np.sin(2.5 * seconds))


def make_scene(
    count: int = 60, *, stamp_ns: np.ndarray | None = None, first_message: int = 0, **changes: Any
) -> Scene:
    """Return a recording in which the camera and both hands move; keywords replace any field."""
    at = stamps(count) if stamp_ns is None else stamp_ns
    count = len(at)
    t = (at - at[0]) / 1e9
    look_ahead = np.array(
        [[1.0, 0, 0], [0, -1, 0], [0, 0, -1]]
    )  # optical axes of a level camera in a Y-up world
    pose = np.tile(np.eye(4), (count, 1, 1))
    tilt = rotation_about((1, 0, 0), np.full(count, -0.5))
    pose[:, :3, :3] = rotation_about((0, 1, 0), 0.4 + 0.3 * np.sin(t)) @ tilt @ look_ahead
    pose[:, :3, 3] = np.stack([0.1 * np.sin(t), 1.5 + 0.05 * np.cos(t), 0.2 * t], axis=1)
    left = right_hand() * np.array([1, -1, 1])
    hands = np.stack([left, right_hand()])
    turn = wrist_rotations(t)
    joints = np.einsum("fij,hkj->fhki", turn, hands)
    joints += np.stack([0.1 * np.cos(2 * t), 1.1 + 0.04 * np.sin(3 * t), -0.5 + 0.2 * t], axis=1)[
        :, None, None, :
    ]
    joints[:, 0, :, 0] -= 0.2
    fields: dict[str, Any] = {
        "stamp_ns": at,
        "message_number": first_message + np.arange(count, dtype=np.int64),
        "world_from_optical": pose,
        "joints_world": joints,
        "kind": np.ones((count, 2), dtype=np.int64),
        "joint_valid": np.ones((count, 2, 21), dtype=bool),
    }
    return Scene(**(fields | changes))


@dataclass(frozen=True)
class Artifacts:
    """Directories of one recording's artifacts."""

    recording_id: str
    bundle: Path
    hands: Path
    qc: Path
    blurred: Path

    @cached_property
    def bundle_digest(self) -> str:
        """Stands for the digest that the bundle's manifest tells."""
        return digest_of(self.bundle / "rgb.mp4")

    def fragment(
        self,
        directory: Path,
        *,
        recipe: Recipe,
        task: str | None = None,
        tasks_beside: TaskInputs = NO_TASKS_BESIDE,
    ) -> tuple[Fragment, Outcome]:
        """Write the fragment of this recording and return it with its outcome."""
        directory.mkdir(parents=True)
        with EpisodeBundle.open(self.bundle) as bundle:
            outcome = write_fragment(
                bundle,
                self.hands,
                self.qc,
                self.blurred,
                directory,
                recipe=recipe,
                bundle_digest=self.bundle_digest,
                recording_id=self.recording_id,
                task=task,
                tasks_beside=tasks_beside,
                privacy=PRIVACY,
            )
        digest = digest_of(*sorted(directory.iterdir()))
        return Fragment(self.recording_id, directory, digest, self.bundle / "rgb.mp4"), outcome


def digest_of(*paths: Path) -> str:
    """Return 64 hex digits over the contents of files, as a store would name them."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def write_artifacts(root: Path, scene: Scene, *, recording_id: str = "scene-00000000") -> Artifacts:
    """Write all artifacts of one recording below `root`."""
    artifacts = Artifacts(recording_id, root / "bundle", root / "hands", root / "qc", root / "blurred")
    for directory in (artifacts.bundle, artifacts.hands, artifacts.qc, artifacts.blurred):
        directory.mkdir(parents=True)
    is_key = _write_video(artifacts.bundle / "rgb.mp4", scene)
    _write_bundle(artifacts.bundle, scene, is_key, recording_id)
    write_hand_table(artifacts.hands / "hands.parquet", scene, recording_id)
    write_quality(artifacts.qc / "qc.json", scene)
    _write_histograms(artifacts, scene)
    return artifacts


def paint(number: int) -> Picture:
    """Return a picture with 16 blocks for the bits of a number over a gradient that tells numbers apart."""
    y = np.empty((HEIGHT, WIDTH), dtype=np.uint8)
    y[:] = (16 + (np.arange(WIDTH)[None, :] * 2 + np.arange(HEIGHT)[:, None] + number) % 200).astype(np.uint8)
    for bit in range(16):
        row, column = divmod(bit, 8)
        block = np.s_[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK]
        y[block] = 235 if number >> bit & 1 else 16
    u = np.full((HEIGHT // 2, WIDTH // 2), 110, dtype=np.uint8)
    v = np.full((HEIGHT // 2, WIDTH // 2), 150, dtype=np.uint8)
    return Picture(y=y, u=u, v=v, true_width=WIDTH, true_height=HEIGHT)


def read_number(picture: Picture) -> int:
    """Return the number painted into a picture."""
    number = 0
    for bit in range(16):
        row, column = divmod(bit, 8)
        block = picture.y[
            row * BLOCK + 2 : (row + 1) * BLOCK - 2, column * BLOCK + 2 : (column + 1) * BLOCK - 2
        ]
        number |= int(block.mean() > 125) << bit
    return number


def _write_video(path: Path, scene: Scene) -> np.ndarray:
    config = RGBEncoderConfig(
        vcodec="h264", g=scene.g, crf=scene.crf, preset=scene.preset, extra_options=(("bf", "0"),)
    )
    gaps = gap_before(scene.stamp_ns)
    marks = scene.message_number if scene.marks is None else scene.marks
    picture = scene.picture or paint
    with SegmentEncoder(config, true_width=scene.width, true_height=scene.height) as encoder:
        for mark, stamp, gap in zip(marks.tolist(), scene.stamp_ns.tolist(), gaps, strict=True):
            pts_us = (stamp - int(scene.stamp_ns[0])) // 1000
            encoder.encode(picture(mark), pts_us=pts_us, force_key=bool(gap))
        segment = encoder.finish()
    saved = path.with_suffix(".segment")
    segment.save(saved)
    join_segments([saved], path)
    saved.unlink()
    return np.array(segment.is_key)


def _write_bundle(directory: Path, scene: Scene, is_key: np.ndarray, recording_id: str) -> None:
    count = len(scene)
    has_pose = np.isfinite(scene.world_from_optical).all(axis=(1, 2))
    none = np.full(count, -1, dtype=np.int64)
    frames = FrameTable(
        recording_id=recording_id,
        message_number=scene.message_number,
        stamp_ns=scene.stamp_ns,
        log_time_ns=scene.stamp_ns,
        pts_us=(scene.stamp_ns - scene.stamp_ns[0]) // 1000,
        is_key=is_key,
        gap_before=gap_before(scene.stamp_ns),
        width=scene.width,
        height=scene.height,
    )
    pairing = FramePairing(
        none, np.zeros(count, np.int64), has_pose, np.zeros(count, np.int64), np.ones(count, bool)
    )
    write_frame_table(directory / "frames.parquet", frames, pairing)
    K = np.tile(np.array([[50.0, 0, 31.5], [0, 50, 23.5], [0, 0, 1]]), (count, 1, 1))
    K[:, 0, 0] += np.arange(count) * 0.1
    with h5py.File(directory / "annotation.hdf5", "w") as file:
        file["/rgb/timestamps_ns"] = scene.stamp_ns
        file["/rgb/world_from_optical"] = scene.world_from_optical
        file["/rgb/pose_valid"] = has_pose
        file["/rgb/pose_dt_ns"] = np.zeros(count, np.int64)
        file["/rgb/K"] = K
    meta = {
        "schema": "episode_bundle",
        "schema_version": 1,
        "num_frames": count,
        "privacy": PRIVACY,
        "files": {"rgb.mp4": (directory / "rgb.mp4").stat().st_size},
    }
    (directory / "meta.json").write_text(json.dumps(meta))


def write_hand_table(path: Path, scene: Scene, recording_id: str) -> None:
    """Write `hands.parquet` with one row per hand that is there."""
    joints = scene.joints_cam()
    rows = []
    for frame, side in zip(*np.nonzero(scene.kind), strict=True):
        rows.append(
            {
                "recording_id": recording_id,
                "message_number": int(scene.message_number[frame]),
                "side": ("left", "right")[side],
                "wearer": True,
                "track": int(side),
                "kind": int(scene.kind[frame, side]),
                "confidence": 0.5 + 0.01 * (frame % 40),
                "handedness": float(side),
                "joints_px": np.zeros(42).tolist(),
                "joints_cam": joints[frame, side].reshape(-1).tolist(),
                "joints_world": scene.joints_world[frame, side].reshape(-1).tolist(),
                "joint_valid": scene.joint_valid[frame, side].tolist(),
                "anchor": "anchored",
                "scale": 1.0,
                "smoothed": bool(frame < scene.smoothed),
                "backend": "synthetic",
            }
        )
    schema = pa.schema(
        [
            ("recording_id", pa.string()),
            ("message_number", pa.int64()),
            ("side", pa.string()),
            ("wearer", pa.bool_()),
            ("track", pa.int64()),
            ("kind", pa.int8()),
            ("confidence", pa.float32()),
            ("handedness", pa.float32()),
            ("joints_px", pa.list_(pa.float32(), 42)),
            ("joints_cam", pa.list_(pa.float32(), 63)),
            ("joints_world", pa.list_(pa.float32(), 63)),
            ("joint_valid", pa.list_(pa.bool_(), 21)),
            ("anchor", pa.string()),
            ("scale", pa.float32()),
            ("smoothed", pa.bool_()),
            ("backend", pa.string()),
        ]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def write_quality(path: Path, scene: Scene) -> None:
    """Write the part of a quality report that fragments read."""
    kept = ((0, len(scene) - 1),) if scene.kept is None else scene.kept
    intervals = [
        {
            "frame_start": first,
            "frame_end": last,
            "message_start": int(scene.message_number[first]),
            "message_end": int(scene.message_number[last]),
        }
        for first, last in kept
    ]
    path.write_text(json.dumps({"verdict": scene.verdict, "score": 90.0, "intervals": intervals}))


def _write_histograms(artifacts: Artifacts, scene: Scene) -> None:
    columns: dict[str, list[Any]] = {"message_number": [], "hist_r": [], "hist_g": [], "hist_b": []}
    for frame, picture in decode_frames(artifacts.bundle / "rgb.mp4", range(len(scene))):
        rgb = picture_to_rgb(picture)
        columns["message_number"].append(int(scene.message_number[frame]))
        for channel, name in enumerate(("hist_r", "hist_g", "hist_b")):
            columns[name].append(np.bincount(rgb[:, :, channel].reshape(-1), minlength=256).tolist())
    counts = pa.list_(pa.int32(), 256)
    schema = pa.schema([("message_number", pa.int64()), *((f"hist_{c}", counts) for c in "rgb")])
    pq.write_table(pa.table(columns, schema=schema), artifacts.blurred / "rgb_stats.parquet")
