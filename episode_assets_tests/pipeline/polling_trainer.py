"""A process that opens a dataset again and again as a training script would; see `test_killed_growth`.

Argument: address of the store. It stops when its standard input is closed, and then prints one JSON object.
"""

from __future__ import annotations

import json
import select
import sys

import pyarrow.parquet as pq

from episode_assets.errors import ArtifactMissing
from episode_assets.storage import Artifact, ArtifactKey, Store
from episode_assets.video import probe

KEY = ArtifactKey("lerobot_dataset/default")
PAUSE_S = 0.05
"""Time left to the packer, which may have to share the only free core."""


def check(store: Store, artifact: Artifact) -> tuple[list[str], list[str]]:
    """Read a version to its last frame; return what is wrong, and the recordings in it."""
    root = artifact.directory()
    info = json.loads((root / "meta/info.json").read_text())
    recordings = json.loads((root / "meta/episode_assets.json").read_text())["recordings"]
    rows = sum(pq.read_table(path).num_rows for path in root.glob("data/*/*.parquet"))
    frames = sum(probe(path).frames for path in root.glob("videos/*/*/*.mp4"))
    lines = len((root / "meta/episodes.jsonl").read_text().splitlines())
    problems = []
    if not info["total_frames"] == rows == frames or lines != info["total_episodes"]:
        problems.append(f"{artifact.version}: {info['total_frames']} frames, {rows} rows, {frames} pictures")
    return problems, sorted(item["recording_id"] for item in recordings)


def main() -> None:
    """Read until the input is closed."""
    store = Store.open(sys.argv[1])
    problems: list[str] = []
    seen: dict[str, list[str]] = {}
    rounds = 0
    while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
        rounds += 1
        try:
            latest = store.latest(KEY)
        except ArtifactMissing:
            continue
        if latest.version not in seen:
            found, seen[latest.version] = check(store, latest)
            problems += found
    json.dump({"rounds": rounds, "problems": problems, "seen": list(seen.values())}, sys.stdout)


if __name__ == "__main__":
    main()
