"""LeRobot datasets made by us and by LeRobot's own writer: speed, memory and lost frames.

    python benchmarks/lerobot.py --lerobot .venv-lerobot

900 pictures of 1280x720 at 15 Hz with state and action. LeRobot gets them as ready arrays and encodes while they come
(its streaming writer). We start from an existing bundle, whose video is H.264 and already blurred: once its packets
are copied into the dataset, once every frame is decoded and encoded anew with the settings that LeRobot gets; our own
streaming encoder gets the arrays too. Then what `--episodes` recordings of 30 s of 320x180 take to pack.

Every row is a process of its own that has loaded all code before it begins to count. Memory is what the work adds to
the process at its peak. Copies are over in a fraction of a second: theirs is the middle one of several runs. Other
load on the machine moves wall time most; compare numbers of one run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FRAMES, FPS = 900, 15
SETTINGS: dict[str, dict[str, Any]] = {
    "h264": {
        "vcodec": "h264",
        "pix_fmt": "yuv420p",
        "g": 2,
        "crf": 30,
        "preset": "medium",
        "extra_options": {"bf": 0},
    },
    "libsvtav1": {
        "vcodec": "libsvtav1",
        "pix_fmt": "yuv420p",
        "g": 2,
        "crf": 30,
        "preset": 12,
        "extra_options": {},
    },
}
"""LeRobot's defaults of each codec; B-frames are off on both sides, because they break its own appending."""

QUEUES = (30, 1000)
"""LeRobot's default, after which it drops frames, and one that holds every picture of the recording."""

OFTEN = 7

Told = dict[str, Any]


class Bench:
    """Runs the rows of the table in a directory."""

    def __init__(self, folder: Path, lerobot: Path | None) -> None:
        self._folder, self._lerobot = folder, lerobot
        self._report = folder / "report.json"

    def ours(self, part: str, directory: Path, *more: object) -> Told:
        """Run one part of our side."""
        script = str(HERE / "lerobot_by_us.py")
        return self._run(
            [sys.executable, script, part, str(directory), str(self._report), *map(json.dumps, more)]
        )

    def ours_often(self, part: str, directory: Path) -> Told:
        """Run a part that is over too soon for one run to tell, and return the run in the middle."""
        told = sorted(
            (self.ours(part, directory) for _ in range(OFTEN)), key=lambda each: float(each["wall_s"])
        )
        return {**told[OFTEN // 2], "fastest_s": told[0]["wall_s"], "slowest_s": told[-1]["wall_s"]}

    def theirs(self, settings: Told, queue: int) -> Told:
        """Run LeRobot's writer; without -P it would import this file as the package `lerobot`."""
        directory = self._folder / f"lerobot {settings['vcodec']} {queue}"
        command = [
            str(self._lerobot),
            "-P",
            str(HERE / "lerobot_by_lerobot.py"),
            str(directory),
            str(self._report),
        ]
        return self._run([*command, str(FRAMES), str(FPS), json.dumps(settings), str(queue)])

    def _run(self, command: list[str]) -> Told:
        paths = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": paths}
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stderr[-3000:]}")
        told: Told = json.loads(self._report.read_text(encoding="utf-8"))
        return told


def print_row(name: str, told: Told, *, remux: Told | None = None) -> None:
    frames, wall = told["frames"], told["wall_s"]
    text = f"{name:44s}{frames / wall:9.0f}{wall:9.2f}{told['cpu_s']:8.2f}{told['added_mb']:10.0f}"
    text += f"{frames:8d}{told['video_bytes'] / 1e6:9.1f}"
    if "decoded" in told:
        text += f"   {told['decoded']} frames decoded"
    if remux is not None:
        speed, plain = (each["video_bytes"] / 1e6 / each["wall_s"] for each in (told, remux))
        text += f", {speed:.0f} MB/s beside {plain:.0f} MB/s of a plain remux"
    if "fastest_s" in told:
        fastest, slowest = (frames / told[name] for name in ("fastest_s", "slowest_s"))
        text += f"   {slowest:.0f} to {fastest:.0f} frames/s in {OFTEN} runs"
    print(text, flush=True)


def print_writers(bench: Bench, folder: Path, *, with_lerobot: bool) -> None:
    bench.ours("make", folder)
    print(
        f"{FRAMES} pictures of 1280x720 {'':21s} frames/s   wall s   CPU s  added MB  frames video MB",
        flush=True,
    )
    remux = bench.ours_often("remux", folder)
    print_row("plain remux of the bundle's video", remux)
    print_row("ours: fragment and dataset, video copied", bench.ours_often("copy", folder), remux=remux)
    for codec, settings in SETTINGS.items():
        print_row(f"ours, {codec}: all encoded anew", bench.ours("encode", folder, settings))
        print_row(f"ours, {codec}: streaming encoder", bench.ours("stream", folder, settings))
        for queue in QUEUES if with_lerobot else ():
            print_row(f"LeRobot 0.6.1, {codec}, queue of {queue}", bench.theirs(settings, queue))


def print_packing(bench: Bench, folder: Path, episodes: int) -> None:
    bench.ours("fragments", folder, episodes)
    told = bench.ours("thousand", folder)
    print(
        f"{told['episodes']} episodes of 30 s of 320x180, {told['rows']} rows, {told['bytes'] / 1e6:.0f} MB: packed in "
        f"{told['wall_s']:.1f} s ({told['cpu_s']:.1f} s of CPU), {told['added_mb']:.0f} MB added, "
        f"{told['peak_mb']:.0f} MB at the peak of the process"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lerobot", type=Path, help="environment of `make verify-lerobot`")
    parser.add_argument("--episodes", type=int, default=1000)
    arguments = parser.parse_args()
    lerobot = None if arguments.lerobot is None else (arguments.lerobot / "bin" / "python").absolute()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        bench = Bench(folder, lerobot)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
        print_packing(bench, folder / "packing", arguments.episodes)
        print_writers(bench, folder / "writing", with_lerobot=lerobot is not None)


if __name__ == "__main__":
    main()
