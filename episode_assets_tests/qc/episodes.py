"""Small demo recordings turned into bundles without any model: hands come from the recording's truth, the video is
the recording's own (a rendered scene), its numbers are measured by the same meter that the blur uses."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from episode_assets.anonymization.signals import SignalMeter
from episode_assets.bundle import EpisodeBundle, HandArrays, write_bundle
from episode_assets.demo import DemoConfig, DemoTruth, write_demo
from episode_assets.hands.tables import HANDS_SCHEMA
from episode_assets.progress import silent
from episode_assets.qc import QualityConfig, check_quality
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.gathering import gather
from episode_assets.qc.hand_figures import HandFigures, Scene, measure_hand
from episode_assets.qc.metrics import metric_blocks
from episode_assets.qc.quality import judge
from episode_assets.recording import RecordingView, scan_recording
from episode_assets.video import (
    RGBEncoderConfig,
    SegmentEncoder,
    UndecodablePicture,
    decode_picture,
    join_segments,
)

RECORDING_ID = "demo-0123abcd"
PASSED = {"audit": "passed", "known_answer": "passed", "rounds": 1, "boxes_added": 0, "detector": "none"}
FACE_COLUMNS = {
    "recording_id": pa.string(),
    "message_number": pa.int64(),
    "frame_index": pa.int64(),
    "stamp_ns": pa.int64(),
    **{name: pa.float32() for name in ("x0", "y0", "x1", "y1")},
    **{f"redact_{name}": pa.int32() for name in ("x0", "y0", "x1", "y1")},
    "score": pa.float32(),
    "track": pa.int64(),
    "source": pa.string(),
    "backend": pa.string(),
    "label": pa.string(),
}
DROPPED_COLUMNS = {
    "recording_id": pa.string(),
    "message_number": pa.int64(),
    "stamp_ns": pa.int64(),
    "reason": pa.string(),
    "detail": pa.string(),
}


@dataclass(frozen=True)
class Episode:
    """Everything that a report is made from."""

    base: Path
    recording: Path
    with_hands: bool

    @property
    def view(self) -> RecordingView:
        return RecordingView.open(self.base / "raw", str(self.recording))

    @property
    def blurred(self) -> Path:
        return self.base / "blurred"

    @property
    def hands(self) -> Path | None:
        return self.base / "hands" if self.with_hands else None

    def evidence(self) -> Evidence:
        """Return what the report is computed from, its IMU in memory, where tests can spoil it."""
        with EpisodeBundle.open(self.base / "bundle") as bundle:
            found = gather(bundle, self.blurred, self.hands, self.view, progress=silent)
        return replace(found, imu=self.view.imu)

    def joints(self) -> Hands:
        with EpisodeBundle.open(self.base / "bundle") as bundle:
            return Hands(self.evidence(), bundle.left, bundle.right)

    def report(self, directory: Path, *, config: QualityConfig = QualityConfig(), privacy: object = PASSED):  # noqa: B008
        directory.mkdir(parents=True, exist_ok=True)
        with EpisodeBundle.open(self.base / "bundle") as bundle:
            return check_quality(
                bundle, self.blurred, self.hands, self.view, directory, config=config, privacy=privacy
            )


@dataclass(frozen=True)
class Hands:
    """Evidence, and the joints of both hands that its figures are taken from; tests spoil either."""

    e: Evidence
    left: HandArrays
    right: HandArrays

    def __len__(self) -> int:
        return len(self.e)

    @property
    def evidence(self) -> Evidence:
        left, right = self._measured(self.left, False), self._measured(self.right, True)
        return replace(self.e, left=left, right=right)

    def _measured(self, hand: HandArrays, is_right: bool) -> HandFigures:
        scene = Scene(self.e.K, self.e.picture_size, self.e.faces)
        return measure_hand([(0, hand)], len(self), scene, is_right=is_right)


def make_episode(base: Path, *, hands: bool = True, recording_id: str = RECORDING_ID, **options) -> Episode:
    """Record, scan, encode and bundle; `options` are those of `DemoConfig`."""
    for name in ("raw", "blurred", "hands", "bundle"):
        (base / name).mkdir(parents=True)
    config = DemoConfig(**{"seconds": 8.0, "width": 128, "height": 72, "depth_width": 32, **options})
    truth = write_demo(base / "demo.mcap", config=config)
    scan_recording(str(base / "demo.mcap"), base / "raw", recording_id=recording_id)
    episode = Episode(base, base / "demo.mcap", hands)
    _write_blurred(episode.view, base / "blurred")
    if hands:
        _write_hands(truth, base / "hands", recording_id)
    write_bundle(episode.view, base / "blurred", episode.hands, base / "bundle", privacy=PASSED)
    return episode


def judged(e: Evidence, config: QualityConfig = QualityConfig()):  # noqa: B008
    """Judge evidence that a test has changed."""
    return judge(e, metric_blocks(e, config), config)


def check_of(judgement, id_: str):
    return next(check for check in judgement.checks if check.id == id_)


def _write_blurred(view: RecordingView, directory: Path) -> None:
    stream, meter, rows, dropped, encoder = view.rgb, SignalMeter(), [], [], None
    for position, message in enumerate(stream.read(0, len(stream.stamp_ns))):
        identity = {
            "recording_id": view.recording_id,
            "message_number": int(message.message_number),
            "stamp_ns": int(message.stamp_ns),
        }
        try:
            picture = decode_picture(message.format, message.data)
        except UndecodablePicture as error:
            dropped.append({**identity, "reason": "undecodable", "detail": str(error)})
            continue
        if encoder is None:
            start_ns = int(message.stamp_ns)
            encoder = SegmentEncoder(
                RGBEncoderConfig(preset="ultrafast"),
                true_width=picture.true_width,
                true_height=picture.true_height,
            )
        gap = bool(stream.gap_before[position])
        pts_us = (int(message.stamp_ns) - start_ns + 500) // 1000
        encoder.encode(picture, pts_us=pts_us, force_key=gap)
        numbers = asdict(meter.measure(picture, memoryview(message.data)))
        frame = {"log_time_ns": int(stream.log_time_ns[position]), "pts_us": pts_us, "gap_before": gap}
        rows.append((identity | {"frame_index": len(rows)}, numbers, frame))
    made = encoder.finish()
    made.save(directory / "part")
    join_segments([directory / "part"], directory / "rgb.mp4")
    (directory / "part").unlink()
    signals = [identity | numbers for identity, numbers, _ in rows]
    pq.write_table(pa.Table.from_pylist(signals), directory / "signals.parquet")
    size = {"width": made.true_width, "height": made.true_height}
    frames = [
        identity | frame | size | {"is_key": key}
        for (identity, _, frame), key in zip(rows, made.is_key, strict=True)
    ]
    table = pa.Table.from_pylist(frames)
    for name in ("width", "height"):
        at = table.column_names.index(name)
        table = table.set_column(at, name, table[name].cast(pa.int32()))
    pq.write_table(table, directory / "frames.parquet")
    pq.write_table(pa.Table.from_pylist(dropped, pa.schema(DROPPED_COLUMNS)), directory / "dropped.parquet")
    pq.write_table(pa.Table.from_pylist([], pa.schema(FACE_COLUMNS)), directory / "faces.parquet")


def _write_hands(truth: DemoTruth, directory: Path, recording_id: str) -> None:
    world = truth.hand_joints_world
    rows = []
    for frame in range(len(truth.stamp_ns)):
        for side, name in enumerate(("left", "right")):
            cam = truth.hand_joints_cam[frame, side]
            if not np.isfinite(cam).all():
                continue
            rows.append(
                {
                    "recording_id": recording_id,
                    "message_number": int(truth.message_number[frame]),
                    "frame_index": frame,
                    "stamp_ns": int(truth.stamp_ns[frame]),
                    "side": name,
                    "wearer": True,
                    "track": side,
                    "kind": 1,
                    "confidence": 0.95,
                    "handedness": float(side),
                    "roi_x": 0.0,
                    "roi_y": 0.0,
                    "roi_side": 50.0,
                    "roi_rotation": 0.0,
                    "joints_px": truth.hand_joints_px[frame, side].ravel().tolist(),
                    "joints_cam": cam.ravel().tolist(),
                    "joints_world": world[frame, side].ravel().tolist(),
                    "joint_valid": [True] * 21,
                    "anchor": "anchored",
                    "depth_dt_ns": 0,
                    "scale": 1.0,
                    "backend": "truth",
                }
            )
    pq.write_table(pa.Table.from_pylist(rows, HANDS_SCHEMA), directory / "hands.parquet")


_OF_ALL_FRAMES = ("histogram", "optical_from_imu", "up_in_world", "usual_palm_m")


def repeated(e: Evidence, times: int) -> Evidence:
    """Return evidence of the same frames and samples played several times one after the other."""
    period = int(e.stamps_ns[-1] - e.stamps_ns[0]) + e.median_step_ns

    def stamps(column):
        return (column[None] + np.arange(times, dtype=np.int64)[:, None] * period).ravel()

    def stretched(item):
        changed = {}
        for column in fields(item):
            value = getattr(item, column.name)
            if isinstance(value, np.ndarray) and column.name not in _OF_ALL_FRAMES:
                is_time = column.name.endswith("stamp_ns") or column.name.endswith("stamps_ns")
                changed[column.name] = stamps(value) if is_time else np.concatenate([value] * times)
        return replace(item, **changed)

    parts = ("signals", "depth", "pose", "imu", "tracking", "left", "right", "hands", "faces")
    whole = replace(stretched(e), message_number=np.arange(len(e) * times, dtype=np.int64))
    return replace(whole, **{name: stretched(getattr(e, name)) for name in parts})
