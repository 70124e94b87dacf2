"""Lets the real LeRobot open, load, edit, train on and convert datasets, and compares them with what they hold.

Runs in an environment of its own (Python 3.12, `lerobot[dataset]==0.6.1`, FFmpeg's libraries for torchcodec), from
the repository's root; nothing of `episode_assets` is imported, so that a shared mistake cannot hide.

    python -m episode_assets_tests.lerobot.verify_with_lerobot --store data --checks opened loaded
    python -m episode_assets_tests.lerobot.verify_with_lerobot --dataset DIR --marked --checks opened edited
"""
# ruff: noqa: T201 - a script: its report is its purpose

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from episode_assets_tests.lerobot.with_lerobot.converted import check_converted
from episode_assets_tests.lerobot.with_lerobot.edited import check_edited
from episode_assets_tests.lerobot.with_lerobot.loaded import check_loaded
from episode_assets_tests.lerobot.with_lerobot.measured import check_measured
from episode_assets_tests.lerobot.with_lerobot.opened import check_opened
from episode_assets_tests.lerobot.with_lerobot.sources import check_sources
from episode_assets_tests.lerobot.with_lerobot.trained import check_trained

CHECKS = ("opened", "loaded", "edited", "trained")


def main() -> int:
    options = parse()
    failures = []
    with tempfile.TemporaryDirectory(prefix="verify-") as name:
        for check, run in planned(options, Path(name)).items():
            print(f"-- {check}")
            failures += run()
    for failure in failures[:50]:
        print(f"FAILED: {failure}")
    print(f"LeRobot verification failed {len(failures)} times" if failures else "LeRobot verification passed")
    return 1 if failures else 0


def planned(options: argparse.Namespace, scratch: Path) -> dict[str, Callable[[], list[str]]]:
    """Return the checks to run, by name."""
    marked = options.marked
    root = options.dataset
    bundles, hands = dict(options.bundle), dict(options.hands)
    if options.store is not None:
        root, bundles, hands = located(options.store, options.recipe)
    possible: dict[str, Callable[[], list[str]]] = {
        "opened": lambda: check_opened(root, marked=marked),
        "loaded": lambda: check_loaded(root, marked=marked),
        "edited": lambda: check_edited(root, scratch, marked=marked),
        "trained": lambda: check_trained(root),
    }
    chosen = {check: possible[check] for check in options.checks}
    if options.v21 is not None:
        chosen["converted"] = lambda: check_converted(options.v21, root, scratch, marked=marked)
    if options.depth is not None:
        chosen["measured"] = lambda: check_measured(root, options.depth)
    if bundles:
        chosen["sources"] = lambda: check_sources(root, bundles, hands, min_valid=options.min_valid)
    return chosen


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--store", type=Path, help="a store on the local file system, compared with its sources"
    )
    where.add_argument("--dataset", type=Path, help="directory of a dataset")
    parser.add_argument("--recipe", default="default", help="name of the dataset in the store")
    parser.add_argument("--min-valid", type=float, default=0.8, help="share of rows that must be valid")
    parser.add_argument("--checks", nargs="*", choices=CHECKS, default=CHECKS)
    parser.add_argument("--marked", action="store_true", help="the pictures carry their message numbers")
    parser.add_argument(
        "--bundle", type=named, action="append", default=[], metavar="ID=DIR", help="bundle of a recording"
    )
    parser.add_argument(
        "--hands", type=named, action="append", default=[], metavar="ID=DIR", help="its hand_poses"
    )
    parser.add_argument("--depth", type=Path, help="recorded millimetres by message number, .npy")
    parser.add_argument("--v21", type=Path, help="the same episodes in version 2.1, to be converted")
    return parser.parse_args()


def named(text: str) -> tuple[str, Path]:
    """Return recording and directory of ID=DIR."""
    name, _, directory = text.partition("=")
    return name, Path(directory)


def located(store: Path, recipe: str) -> tuple[Path, dict[str, Path], dict[str, Path]]:
    """Return the dataset, and per recording the bundle and hands that the dataset was really made from."""
    root = store / "lerobot_dataset" / recipe
    dataset = root / json.loads((root / "latest.json").read_text())["version"]
    bundles, hands = {}, {}
    for recording in json.loads((dataset / "meta/episode_assets.json").read_text())["recordings"]:
        name, version = recording["recording_id"], recording["fragment_digest"][:16]
        manifest = store / "lerobot_episode" / recipe / name / version / "manifest.json"
        inputs = json.loads(manifest.read_text())["inputs"]
        bundles[name] = store / "episode_bundle" / name / inputs["episode_bundle"][:16]
        hands[name] = store / "hand_poses" / name / inputs["hand_poses"][:16]
    return dataset, bundles, hands


if __name__ == "__main__":
    sys.exit(main())
