"""The page over all recordings: its size, and what it costs to make it, to find nothing new, and to add one recording.

    python benchmarks/archive.py [--recordings 1000]

The reports are synthetic: `qc.json` files with findings, fingerprints and thumbnails of the size of real ones.
CPU seconds are those of this process, without publishing the synthetic reports.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from episode_assets.pipeline import bring_archive_up_to_date
from episode_assets.storage import Store
from episode_assets_tests.qc.archives import MAY_2026_NS, publish, register

KINDS = (
    "black",
    "blurred",
    "rgb_gap",
    "tracking_lost",
    "hand_speed",
    "depth_valid",
    "covered_lens",
    "sync_rgb_imu",
)
DAY_NS = 86_400_000_000_000


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recordings", type=int, default=1000)
    count = parser.parse_args().recordings
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"{folder}/store")
        for number in range(count):
            add(store, Path(folder), number)
        measured(store, f"all {count} new")
        measured(store, "nothing new")
        add(store, Path(folder), count)
        measured(store, "one new")


def add(store: Store, folder: Path, number: int) -> None:
    """Publish the report of one more recording; two of five have findings."""
    rng = np.random.default_rng(number)
    kept = float(rng.uniform(20, 900))
    is_odd = number % 5 < 2
    kinds = rng.choice(KINDS, 5, replace=False) if is_odd else ()
    publish(
        store,
        register(store, folder, f"kitchen-{number:05d}", task="make a cup of tea and put the milk back"),
        seed=number,
        verdict="review" if is_odd else "pass",
        score=float(rng.uniform(30, 95)) if is_odd else 100.0,
        duration_s=1.2 * kept,
        kept_s=kept,
        found={str(kind): int(rng.integers(1, 9)) for kind in kinds},
        wall_offset_ns=MAY_2026_NS + number * DAY_NS // 8,
    )


def measured(store: Store, words: str) -> None:
    """Bring the page up to date and print what that took."""
    began = time.process_time()
    artifact = bring_archive_up_to_date(store).artifact
    seconds = time.process_time() - began
    sizes = ", ".join(f"{file.path} {file.bytes / 1e6:.2f} MB" for file in artifact.manifest.files)
    print(f"{words:14} {seconds:6.2f} s CPU   {sizes}")


if __name__ == "__main__":
    main()
