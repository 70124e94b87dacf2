"""What finding and hiding costs, and what it finds, by profile: speed, CPU time by stage, and recall beside it.

    python benchmarks/perception.py --parts stages recall --profiles fast default --sizes 720 --recordings demo

Parts: `stages` (CPU ms per picture inside the computations, one process), `speed` (pictures per second and CPU ms of
the face blur and of the hands, for each number of workers), `recall`, and `graph` (`episode-assets run` on the whole
graph, as `pipeline.py` measures it). Recordings: `demo` is rendered for it in each size, `table` is the table scene of
the sample data where they are (`--data`). Prints numbers and asserts nothing; machines are noisy: compare one run.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
from detectors import SAMPLES, city, table_scene
from perception_recall import demo_hands, face_recall, pasted, table_hands
from pipeline import case
from stage_clock import clocks
from stage_pieces import STAGES, START, blur_pieces, hand_pieces

from episode_assets.anonymization import blur_recording
from episode_assets.demo import DemoConfig, DemoTruth, write_demo
from episode_assets.hands import estimate_hands
from episode_assets.pipeline.profiles import PROFILE_NAMES
from episode_assets.pipeline.settings import load_settings
from episode_assets.pipeline.steps import BLURRED_RGB, HAND_POSES
from episode_assets.recording import RecordingView, scan_recording

PARTS = ("stages", "speed", "recall", "graph")
SIZES = {720: (1280, 720), 1080: (1920, 1080)}
TABLE = "table scene 960"


class Recorded(NamedTuple):
    """A scanned recording, its file, and the truth about it where it is known."""

    view: RecordingView
    path: Path
    truth: DemoTruth | None

    def __len__(self) -> int:
        return len(self.view.rgb)


def scanned(path: Path, folder: Path, truth: DemoTruth | None = None) -> Recorded:
    directory = folder / path.stem
    directory.mkdir()
    scan_recording(str(path), directory, recording_id="benchmark-12345678")
    return Recorded(RecordingView.open(directory, str(path)), path, truth)


def demos(sizes: list[int], seconds: float, folder: Path) -> dict[str, Recorded]:
    made = {}
    for size in sizes:
        width, height = SIZES[size]
        path = folder / f"demo-{size}.mcap"
        truth = write_demo(path, config=DemoConfig(seconds=seconds, width=width, height=height))
        made[f"demo {size}"] = scanned(path, folder, truth)
    return made


def table(data: Path, folder: Path) -> dict[str, Recorded]:
    path = data / "recordings" / "table_scene.mcap"
    return {TABLE: scanned(path, folder)} if path.exists() else {}


def computations(profile: str) -> dict[str, tuple[Callable[..., Any], Any]]:
    """Return both computations with the settings that the profile gives them."""
    settings = load_settings(profile=profile)
    return {
        "blurred_rgb": (blur_recording, settings.config(BLURRED_RGB.asset)),
        "hand_poses": (estimate_hands, settings.config(HAND_POSES.asset)),
    }


def print_stages(recorded: dict[str, Recorded], profiles: list[str]) -> None:
    print("\nCPU ms per picture by stage, one process; `start` is seconds, once per process")
    print(f"{'':38s}" + "".join(f"{stage:>9s}" for stage in (*STAGES, "sum", START)))
    for name, item in recorded.items():
        for profile in profiles:
            for asset, (compute, config) in computations(profile).items():
                pieces = (*blur_pieces(), *hand_pieces())
                with tempfile.TemporaryDirectory() as folder, clocks(pieces) as clock:
                    compute(item.view, Path(folder), config=config)
                cells = [1000 * clock.seconds[stage] / len(item) for stage in STAGES]
                row = "".join(f"{cell:9.1f}" if cell else f"{'':9s}" for cell in cells)
                print(
                    f"{name:16s}{profile:10s}{asset:12s}{row}{sum(cells):9.1f}{clock.seconds[START]:9.2f}",
                    flush=True,
                )


def cpu_seconds() -> float:
    """CPU time of this process and of all its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def print_speed(recorded: dict[str, Recorded], profiles: list[str], workers: list[int]) -> None:
    print("\npictures per second, wall, and CPU ms per picture, start of the processes included")
    for name, item in recorded.items():
        for profile in profiles:
            for asset, (compute, config) in computations(profile).items():
                cells = []
                for count in workers:
                    with tempfile.TemporaryDirectory() as folder:
                        began, used = time.monotonic(), cpu_seconds()
                        compute(item.view, Path(folder), config=config, workers=count)
                        wall, used = time.monotonic() - began, cpu_seconds() - used
                    rate, cost = len(item) / wall, 1000 * used / len(item)
                    cells.append(f"{count} worker{'s' if count > 1 else ' '} {rate:6.1f} /s {cost:6.1f} ms")
                print(f"{name:16s}{profile:10s}{asset:12s}  " + "   ".join(cells), flush=True)


def print_faces(recorded: dict[str, Recorded], profiles: list[str], data: Path) -> None:
    scenes = {TABLE: table_scene(data), "city": city(data)} if TABLE in recorded else {}
    for name, item in recorded.items():
        if item.truth is not None:
            scenes |= {f"{name}, {height} px pasted": scene for height, scene in pasted(item.view).items()}
    print("\nfaces found in single pictures, without tracks, by far looks, looks between, and the audit")
    print(f"{'':24s}" + "".join(f"{profile:>28s}" for profile in profiles))
    for name, scene in scenes.items():
        found = (face_recall(scene, computations(profile)["blurred_rgb"][1]) for profile in profiles)
        print(f"{name:24s}" + "".join(f"{'  '.join(cells):>28s}" for cells in found), flush=True)


def print_hands(recorded: dict[str, Recorded], profiles: list[str], data: Path) -> None:
    print(
        "\nhands: visible joints of the demo within 25 px and rows on the right side; pictures of the table scene"
    )
    for name, item in recorded.items():
        for profile in profiles:
            _, config = computations(profile)["hand_poses"]
            if item.truth is not None:
                line = "joints {:.3f}  side {:.3f}".format(*demo_hands(item.view, item.truth, config))
            else:
                notes = data / "recordings" / "table_scene.annotations.json"
                line = (
                    "wearer's right hand on {} of frames 7..13, {} of 63 boxes of others, {} rows taken for the "
                    "wearer's, no hand on {} frames"
                ).format(*table_hands(item.view, notes, config))
            print(f"{name:16s}{profile:10s}{line}", flush=True)


def print_graph(recorded: dict[str, Recorded], profiles: list[str], workers: list[int], folder: Path) -> None:
    for item in recorded.values():
        if item.truth is not None:
            for profile in profiles:
                for count in workers:
                    case(folder, item.path, len(item), count, profile=profile)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="length of the demo recordings, at 15 Hz")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument(
        "--profiles", nargs="+", default=list(PROFILE_NAMES), choices=PROFILE_NAMES, metavar="NAME"
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--recordings", nargs="+", default=["demo", "table"], choices=("demo", "table"))
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--data", type=Path, default=SAMPLES, help="folder of the sample data")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        recorded = demos(arguments.sizes, arguments.seconds, folder) if "demo" in arguments.recordings else {}
        recorded |= table(arguments.data, folder) if "table" in arguments.recordings else {}
        print(
            f"{os.cpu_count()} cores; "
            + ", ".join(f"{n}: {len(item)} pictures" for n, item in recorded.items())
        )
        if "stages" in arguments.parts:
            print_stages(recorded, arguments.profiles)
        if "speed" in arguments.parts:
            print_speed(recorded, arguments.profiles, arguments.workers)
        if "recall" in arguments.parts:
            print_faces(recorded, arguments.profiles, arguments.data)
            print_hands(recorded, arguments.profiles, arguments.data)
        if "graph" in arguments.parts:
            print_graph(recorded, arguments.profiles, arguments.workers, folder)


if __name__ == "__main__":
    main()
