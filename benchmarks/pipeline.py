"""Measures the whole graph: frames per second by asset, peak memory by process, and what a second run costs.

Prints numbers and asserts nothing; machines are noisy, so look at the ratios of one run. Each case runs
`episode-assets run` in a process of its own on a rendered recording, with its own store and instance, while the
resident memory of that process and its workers is sampled.

    python benchmarks/pipeline.py --seconds 60 --workers 1 2 --profiles fast default
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import psutil

from episode_assets.demo import DemoConfig, write_demo
from episode_assets.pipeline.profiles import DEFAULT_PROFILE, PROFILE_NAMES

SAMPLE_EVERY_S = 0.05


@dataclass(frozen=True)
class Measured:
    """One run of the command line: wall seconds, CPU seconds of all processes, and peak MB of any one process."""

    wall_s: float
    cpu_s: float
    peak_rss_mb: float
    output: str


def measure(command: list[str], environment: dict[str, str]) -> Measured:
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        watched = psutil.Process(process.pid)
        peak, cpu = 0.0, {}
        while process.poll() is None:
            for member in family(watched):
                try:
                    peak = max(peak, member.memory_info().rss / 1e6)
                    times = member.cpu_times()
                    cpu[member.pid] = times.user + times.system
                except psutil.Error:
                    continue
            time.sleep(SAMPLE_EVERY_S)
        output.seek(0)
        return Measured(time.monotonic() - began, sum(cpu.values()), peak, output.read())


def family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def case(folder: Path, recording: Path, frames: int, workers: int, *, profile: str) -> None:
    home = folder / f"{recording.stem}-{workers}-{profile}"
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home / "dagster"),
        "EPISODE_ASSETS_STORE": str(home / "store"),
    }
    command = [sys.executable, "-m", "episode_assets.cli", "run", str(recording)]
    command += ["--workers", str(workers), "--profile", profile]
    first = measure(command, environment)
    second = measure(command, environment)
    name = f"{recording.stem}, {workers} worker{'s' if workers > 1 else ''}, profile {profile}"
    print(f"\n== {name}: {frames} frames")
    for label, run in (("first run", first), ("second run", second)):
        print(
            f"{label:10s}{run.wall_s:8.1f} s wall {run.cpu_s:8.1f} s CPU {frames / run.wall_s:8.1f} frames/s "
            f"{1000 * run.cpu_s / frames:8.1f} CPU ms/frame   peak of one process {run.peak_rss_mb:.0f} MB"
        )
    for asset, seconds in asset_seconds(home / "store").items():
        print(f"    {asset:32s}{seconds}")
    print(first.output)
    print(second.output)


def asset_seconds(store: Path) -> dict[str, str]:
    sizes: dict[str, str] = {}
    for manifest in sorted(store.glob("*/*/*/manifest.json")):
        document = json.loads(manifest.read_text())
        size = sum(file["bytes"] for file in document["files"])
        sizes[document["asset"]] = f"{size / 1e6:8.1f} MB"
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, nargs="+", default=[60.0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--profiles", nargs="+", default=[DEFAULT_PROFILE], choices=PROFILE_NAMES)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        for seconds in arguments.seconds:
            recording = folder / f"demo-{seconds:g}s.mcap"
            began = time.monotonic()
            truth = write_demo(recording, config=DemoConfig(seconds=seconds))
            frames = len(truth.stamp_ns)
            took, size = time.monotonic() - began, recording.stat().st_size / 1e6
            print(f"rendered {frames} frames in {took:.1f} s, {size:.0f} MB; {os.cpu_count()} cores")
            for profile, workers in product(arguments.profiles, arguments.workers):
                case(folder, recording, frames, workers, profile=profile)


if __name__ == "__main__":
    main()
