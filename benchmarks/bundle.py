"""A whole episode from one recording, by the Stera SDK and by us: CPU time, memory, bytes read, picture quality, size.

    python benchmarks/bundle.py --stera .venv-stera

The recording is a demo of 60 s of 1280x720 at 15 Hz with depth, poses, IMU and a mesh. No model runs on either side.
Stera's side is `session.export` alone: video (ffmpeg, x264 medium, crf 18), depth, streams, mesh, thumbnail; it blurs
nothing. Ours is scan, blur and bundle: a stand-in looks for faces and finds none, so every picture is decoded,
measured, encoded, decoded again and searched by the audit, and bundled. What only we do, the audit and the stand-in,
is printed apart beside the sum. Ours is one process but for the last row, which is how the graph runs on two cores;
Stera's ffmpeg is a process of its own that has a thread for each core. Neither side writes a Rerun file, and hands are
given to neither.

Then 320x180 for each of `--minutes`, for memory: each part in a process of its own, as the graph runs them.
CPU seconds include those of child processes; memory is the peak of one process, ffmpeg's printed beside Stera's own.
Other load on the machine moves wall time most; compare numbers of one run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
OURS = {
    "ours, medium crf 18 g 250": ("medium", "250", "1"),
    "ours, medium crf 18 g 15": ("medium", "15", "1"),
    "ours, default": ("veryfast", "15", "1"),
    "ours, default, 2 workers": ("veryfast", "15", "2"),
}
"""Preset, longest group of pictures and processes of each row; crf is 18 in all of them, as in Stera's."""


class Run(NamedTuple):
    """What one program told of itself, and where its video lies."""

    name: str
    told: dict[str, Any]
    video: Path


@dataclass(frozen=True)
class Case:
    """A recording, and where its measurements are kept."""

    folder: Path
    recording: Path

    def run(self, name: str, command: list[str], video: str, environment: dict[str, str]) -> Run:
        """Run one program on the recording; it writes into a directory of its own."""
        directory = self.folder / f"{self.recording.stem}, {name}"
        report = directory.with_suffix(".json")
        line = [*command[:2], str(self.recording), str(directory), str(report), *command[2:]]
        subprocess.run(line, env=environment, check=True, stderr=subprocess.DEVNULL)
        return Run(name, json.loads(report.read_text(encoding="utf-8")), directory / video)

    def by_stera(self, python: Path) -> Run:
        """Export with the Stera SDK."""
        environment = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}"}
        return self.run(
            "Stera 0.0.4", [str(python), str(HERE / "bundle_by_stera.py")], "rgb.mp4", environment
        )

    def by_us(self, name: str, settings: tuple[str, str, str], *parts: str) -> Run:
        """Run parts of the graph; runs of one name share their directory."""
        command = [sys.executable, str(HERE / "bundle_by_us.py"), *settings, *parts]
        return self.run(name, command, "bundle/rgb.mp4", dict(os.environ))


def rendered(folder: Path, *, seconds: float, width: int, height: int) -> Case:
    """Render a recording; its camera_info describes the pictures themselves, or Stera would encode another size."""
    from episode_assets.demo import DemoConfig, write_demo

    path = folder / f"{width}x{height}-{seconds:g}s.mcap"
    config = DemoConfig(seconds=seconds, width=width, height=height, capture_scale=1.0, with_face=False)
    write_demo(path, config=config)
    return Case(folder, path)


def print_quality_table(case: Case, runs: list[Run]) -> None:
    from picture_error import picture_error

    from episode_assets.recording import RecordingView, scan_recording

    scan = case.folder / f"{case.recording.stem}-scan"
    scan.mkdir()
    scan_recording(str(case.recording), scan, recording_id="measured-00000000")
    view = RecordingView.open(scan, str(case.recording))
    base, wall = runs[0].told["cpu_s"], runs[0].told["wall_s"]
    print(f"{'':28s} CPU s  share  wall s  share  peak MB  passes  PSNR dB  video MB  depth etc. MB")
    for run in runs:
        told = run.told
        annotation = run.video.parent / "annotation.hdf5"
        print(
            f"{run.name:28s}{told['cpu_s']:6.1f}{100 * told['cpu_s'] / base:6.0f}%{told['wall_s']:8.1f}"
            f"{100 * told['wall_s'] / wall:6.0f}%{told['peak_mb']:9.0f}{_passes(told, case):>8s}"
            f"{picture_error(view, run.video).psnr_db:9.2f}{run.video.stat().st_size / 1e6:10.1f}"
            f"{annotation.stat().st_size / 1e6:10.1f}   {_aside(told, base)}"
        )


def _passes(told: dict[str, Any], case: Case) -> str:
    """Return how often the recording was read; what other processes read is not counted."""
    is_all = "stages_s" not in told or "audit" in told["stages_s"]
    return f"{told['read_bytes'] / case.recording.stat().st_size:.2f}" if is_all else "?"


def _aside(told: dict[str, Any], base: float) -> str:
    if "stages_s" not in told:
        return f"(ffmpeg itself: {told['encoder_peak_mb']:.0f} MB)"
    stages = told["stages_s"]
    if "audit" not in stages:
        return "(clocks are in other processes)"
    only_ours = stages["audit"] + stages["faces"] + stages["start"]
    rest = told["cpu_s"] - only_ours
    listed = ", ".join(f"{name} {seconds:.1f}" for name, seconds in stages.items() if seconds >= 0.05)
    return f"({listed}; without audit and stand-in {rest:.1f} s = {100 * rest / base:.0f}%)"


def print_memory_table(cases: dict[float, Case], stera: Path | None) -> None:
    """Print the peak of each part, every one in a process of its own, as the graph runs them."""
    print(f"\n{'320x180, peak MB':28s}" + "".join(f"{minutes:>8g} min" for minutes in cases))
    rows: dict[str, Callable[[Case], Run]] = {
        f"ours, {part}": partial(_by_part, part) for part in ("scan", "blur", "bundle", "quality")
    }
    if stera is not None:
        rows = {"Stera 0.0.4": lambda case: case.by_stera(stera), **rows}
    for name, run in rows.items():
        peaks = (run(case).told["peak_mb"] for case in cases.values())
        print(f"{name:28s}" + "".join(f"{peak:12.0f}" for peak in peaks), flush=True)


def _by_part(part: str, case: Case) -> Run:
    return case.by_us("parts", OURS["ours, default"], part)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stera", type=Path, help="environment with stera-sdk and an ffmpeg in its bin")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--minutes", type=float, nargs="*", default=[1.0, 5.0, 15.0])
    arguments = parser.parse_args()
    stera = None if arguments.stera is None else (arguments.stera / "bin" / "python").absolute()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        case = rendered(folder, seconds=arguments.seconds, width=1280, height=720)
        size = case.recording.stat().st_size / 1e6
        print(f"{case.recording.name}: {size:.0f} MB; {os.cpu_count()} cores", flush=True)
        runs = [] if stera is None else [case.by_stera(stera)]
        runs += [case.by_us(title, settings, "scan", "blur", "bundle") for title, settings in OURS.items()]
        print_quality_table(case, runs)
        small = partial(rendered, folder, width=320, height=180)
        print_memory_table({m: small(seconds=60 * m) for m in arguments.minutes}, stera)


if __name__ == "__main__":
    main()
