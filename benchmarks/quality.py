"""What judging a whole episode costs, by its length: peak memory of the process and CPU time by stage.

    python benchmarks/quality.py --minutes 15 60

The recordings are demos of 64x36 with two hands, depth, poses and IMU at the rates of the phone app; their pictures
repeat after eight seconds, since the report does not care and rendering an hour takes long. Scan, blur, hands and
bundle are those of the graph, with a stand-in that finds no faces and hands from the truth. `check_quality` runs in
a process of its own, as in the graph. "imports" is the memory of that process before it opens the episode.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from process_cost import Costs, peak_mb

if TYPE_CHECKING:
    from stage_clock import Piece

    from episode_assets.demo import DemoTruth
    from episode_assets.demo.film import Frame
    from episode_assets.recording import RecordingView

RECORDING_ID = "measured-00000000"
PERIOD_FRAMES = 120
STAND_IN = "no_faces:make"
STAGES = ("gather", "metrics", "checks", "document", "pictures", "page", "rest")


def make_episode(folder: Path, *, seconds: float) -> None:
    """Record and take everything as far as the bundle."""
    from episode_assets.anonymization import FaceBlurConfig, blur_recording
    from episode_assets.bundle import BundleConfig, write_bundle
    from episode_assets.recording import RecordingView, scan_recording

    for name in ("raw", "blurred", "hands", "bundle", "quality"):
        (folder / name).mkdir(parents=True)
    truth = record(folder / "demo.mcap", seconds=seconds)
    scan_recording(str(folder / "demo.mcap"), folder / "raw", recording_id=RECORDING_ID)
    view = RecordingView.open(folder / "raw", str(folder / "demo.mcap"))
    blur = FaceBlurConfig(detector=STAND_IN, audit_detector=STAND_IN, preset="ultrafast")
    privacy = blur_recording(view, folder / "blurred", config=blur).privacy
    find_hands(view, folder, truth)
    (folder / "privacy.json").write_text(json.dumps(privacy), encoding="utf-8")
    config = BundleConfig(visualization=False)
    write_bundle(
        view, folder / "blurred", folder / "hands", folder / "bundle", config=config, privacy=privacy
    )


def record(path: Path, *, seconds: float) -> DemoTruth:
    """Write a demo whose pictures repeat; everything else goes on."""
    from episode_assets.demo import DemoConfig, recorder, write_demo
    from episode_assets.demo.film import Film

    class Loop(Film):
        def __init__(self, config: DemoConfig) -> None:
            super().__init__(config)
            self._taken: dict[int, Frame] = {}

        def frame(self, t_s: float, *, number: int) -> Frame:
            place = number % PERIOD_FRAMES
            if place not in self._taken:
                self._taken[place] = super().frame(t_s, number=number)
            return self._taken[place]

    recorder.Film = Loop  # type: ignore[misc]
    config = DemoConfig(seconds=seconds, width=64, height=36, depth_width=32, with_face=False)
    return write_demo(path, config=config)


def find_hands(view: RecordingView, folder: Path, truth: DemoTruth) -> None:
    """Make the hands of the truth those of the recording, without pixels of their own as a network has them."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from episode_assets.demo import HAND_SIDES
    from episode_assets.hands import HandPoseConfig, PrecomputedOptions, estimate_hands

    frame, side, joint = np.nonzero(np.isfinite(truth.hand_joints_cam).all(axis=3))
    places = truth.hand_joints_cam[frame, side, joint]
    columns = {
        "message_number": truth.message_number[frame],
        "side": pa.DictionaryArray.from_arrays(side.astype(np.int8), HAND_SIDES).cast(pa.string()),
        "joint": joint,
        **{axis: places[:, column] for column, axis in enumerate("xyz")},
        "confidence": np.full(len(frame), 0.95),
    }
    table = pa.table(columns).replace_schema_metadata({"frame": "camera"})
    pq.write_table(table, folder / "given.parquet")
    given = PrecomputedOptions(file=str(folder / "given.parquet"))
    config = HandPoseConfig(backend="precomputed", precomputed=given)
    estimate_hands(view, folder / "hands", config=config)


def judge(folder: Path, report: Path) -> None:
    """Judge the episode and tell what it cost."""
    costs = Costs()
    from stage_clock import clocks

    from episode_assets.bundle import EpisodeBundle
    from episode_assets.qc import check_quality
    from episode_assets.recording import RecordingView

    imports_mb = peak_mb("self")
    view = RecordingView.open(folder / "raw", str(folder / "demo.mcap"))
    privacy = json.loads((folder / "privacy.json").read_text(encoding="utf-8"))
    with clocks(pieces()) as clock, EpisodeBundle.open(folder / "bundle") as bundle:
        quality = folder / "quality"
        outcome = check_quality(bundle, folder / "blurred", folder / "hands", view, quality, privacy=privacy)
    told = {"imports_mb": imports_mb, "stages_s": clock.seconds, "summary": outcome.summary}
    costs.report(report, told)


def pieces() -> tuple[Piece, ...]:
    """Return what has a clock."""
    from episode_assets.qc import quality

    return (
        ("gather", quality, "gather"),
        ("metrics", quality, "metric_blocks"),
        ("checks", quality, "judge"),
        ("document", quality, "document"),
        ("document", quality, "dumps"),
        ("pictures", quality, "take_pictures"),
        ("page", quality, "render"),
    )


def print_row(folder: Path, minutes: float) -> None:
    """Make an episode and print what judging it costs."""
    make_episode(folder, seconds=60 * minutes)
    report = folder / "costs.json"
    subprocess.run([sys.executable, __file__, "--judge", str(folder), str(report)], check=True)
    told: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    stages = "".join(f"{told['stages_s'].get(name, 0.0):10.2f}" for name in STAGES)
    print(
        f"{minutes:7g}{told['summary']['frames']:8d}{told['peak_mb']:9.0f}{told['imports_mb']:9.0f}"
        f"{told['cpu_s']:8.1f}{stages}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, nargs="*", default=[15.0, 60.0])
    parser.add_argument("--judge", type=Path, nargs=2, metavar=("FOLDER", "REPORT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.judge is not None:
        judge(*arguments.judge)
        return
    print("minutes  frames  peak MB  imports   CPU s" + "".join(f"{name:>10s}" for name in STAGES))
    for minutes in arguments.minutes:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            print_row(Path(name), minutes)


if __name__ == "__main__":
    main()
