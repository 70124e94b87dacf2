"""From a case to its report, with the functions of the graph and perception from the recording's truth.

Faces are covered where they are: the truth's boxes are drawn areas, and the detector is a stand-in that knows only
the face of the known-answer test. Hands are a file of the truth's joints. No network runs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from episode_assets.anonymization import blur_recording
from episode_assets.bundle import BundleConfig, EpisodeBundle, write_bundle
from episode_assets.demo import HAND_SIDES, DemoTruth, write_demo
from episode_assets.hands import HandPoseConfig, PrecomputedOptions, estimate_hands
from episode_assets.qc import check_quality
from episode_assets.recording import RecordingView, scan_recording
from episode_assets_tests.drawn_faces import BLUR, drawn_faces
from episode_assets_tests.qc.fault_suite.draw import SWAPPED_FRAMES, Case

_BUNDLE = BundleConfig(visualization=False)


@dataclass(frozen=True)
class Reported:
    """A case and what its report says.

    Attributes:
        case: What was recorded.
        faulty: Frames that show the fault, see `_faulty_frames`.
        frames: How many pictures were recorded.
        content: `qc.json`.
    """

    case: Case
    faulty: tuple[int, ...]
    frames: int
    content: dict[str, Any]

    def check(self, id_: str) -> dict[str, Any]:
        return next(check for check in self.content["checks"] if check["id"] == id_)

    @property
    def findings(self) -> tuple[str, ...]:
        """Ids of the checks that object."""
        return tuple(c["id"] for c in self.content["checks"] if c["status"] in ("warn", "fail"))

    @property
    def is_flagged(self) -> bool:
        """A recording is flagged when its verdict is not pass, which is when any check warns or fails."""
        return self.content["verdict"] != "pass" or bool(self.findings)


def report_case(case: Case) -> Reported:
    """Record a case, take it through scan, blur, hands, bundle and report, and return what the report says."""
    with TemporaryDirectory() as base:
        return report_episode(make_episode(case, Path(base)))


@dataclass(frozen=True)
class Episode:
    """A case on its way to the report; `base` holds a folder for each of its artifacts."""

    case: Case
    base: Path
    privacy: dict[str, Any]
    faulty: tuple[int, ...]
    frames: int


def make_episode(case: Case, base: Path) -> Episode:
    """Record a case and take it as far as its bundle, in an empty folder."""
    for folder in ("raw", "blurred", "hands", "bundle", "report"):
        (base / folder).mkdir()
    truth = write_demo(base / "demo.mcap", config=case.config)
    faulty = _faulty_frames(case, truth)
    scan_recording(str(base / "demo.mcap"), base / "raw", recording_id=f"demo-{case.number:08x}")
    view = RecordingView.open(base / "raw", str(base / "demo.mcap"))
    blurred = blur_recording(view, base / "blurred", config=BLUR, redactions=drawn_faces(truth))
    assert blurred.privacy is not None
    assert blurred.privacy["audit"] == "passed", blurred.privacy
    given = base / "hands.parquet"
    _write_hands(truth, given, swapped=faulty if _is_swapped(case) else ())
    config = HandPoseConfig(backend="precomputed", precomputed=PrecomputedOptions(file=str(given)))
    estimate_hands(view, base / "hands", config=config)
    write_bundle(
        view, base / "blurred", base / "hands", base / "bundle", config=_BUNDLE, privacy=blurred.privacy
    )
    return Episode(case, base, dict(blurred.privacy), faulty, len(truth.stamp_ns))


def report_episode(episode: Episode) -> Reported:
    """Judge an episode and return what its report says."""
    base = episode.base
    with EpisodeBundle.open(base / "bundle") as bundle:
        check_quality(
            bundle,
            base / "blurred",
            base / "hands",
            RecordingView.open(base / "raw", str(base / "demo.mcap")),
            base / "report",
            privacy=episode.privacy,
        )
    content = json.loads((base / "report" / "qc.json").read_text(encoding="utf-8"))
    return Reported(episode.case, episode.faulty, episode.frames, content)


def _is_swapped(case: Case) -> bool:
    return case.fault is not None and case.fault.kind == "swapped hands"


def _faulty_frames(case: Case, truth: DemoTruth) -> tuple[int, ...]:
    """Return the frames that show the fault; for a gap the two between which it lies; none for a shifted clock."""
    fault = case.fault
    if fault is None or fault.shift_ms:
        return ()
    seconds = (truth.stamp_ns - truth.stamp_ns[0]) / 1e9
    if fault.kind == "gap":
        after = int(np.searchsorted(seconds, fault.start_s))
        return (after - 1, after)
    if _is_swapped(case):
        return _with_both_hands(truth, int(np.searchsorted(seconds, fault.start_s)))
    return tuple(np.flatnonzero((seconds >= fault.start_s) & (seconds < fault.stop_s)).tolist())


def _with_both_hands(truth: DemoTruth, wanted: int) -> tuple[int, ...]:
    """Return frames in a row, as near to the wanted place as can be, in which both hands are in the scene."""
    both = np.isfinite(truth.hand_joints_cam).all(axis=(1, 2, 3))
    length = SWAPPED_FRAMES
    starts = [i for i in range(1, len(both) - length) if both[i - 1 : i + length + 1].all()]
    first = min(starts, key=lambda i: abs(i - wanted))
    return tuple(range(first, first + length))


def _write_hands(truth: DemoTruth, path: Path, *, swapped: tuple[int, ...]) -> None:
    """Write the file of known hands: joints in the camera's frame, sides exchanged in some frames."""
    there = np.isfinite(truth.hand_joints_cam).all(axis=3)
    frame, side, joint = np.nonzero(there)
    told = np.where(np.isin(frame, swapped), 1 - side, side)
    points = truth.hand_joints_cam[frame, side, joint]
    table = pa.table(
        {
            "message_number": truth.message_number[frame],
            "side": pa.array([HAND_SIDES[number] for number in told], pa.string()),
            "joint": joint,
            **{axis: points[:, column] for column, axis in enumerate("xyz")},
            "confidence": np.full(len(frame), 0.95),
        }
    )
    pq.write_table(table.replace_schema_metadata({"frame": "camera"}), path)
