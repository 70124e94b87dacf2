"""Writes small datasets with LeRobot's own recorder, joins two with its own merge and deletes an episode.

python -m episode_assets_tests.lerobot.with_lerobot.recorded DIR
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from lerobot.datasets.dataset_tools import delete_episodes, merge_datasets
from lerobot.datasets.lerobot_dataset import LeRobotDataset

FEATURES = {
    "observation.state": {"dtype": "float32", "shape": (4,), "names": ["a", "b", "c", "d"]},
    "action": {"dtype": "float32", "shape": (2,), "names": ["x", "y"]},
}
CAMERA = {"shape": (48, 64, 3), "names": ["height", "width", "channels"]}


def record(root: Path, seed: int, *, is_video: bool) -> LeRobotDataset:
    """Record three short episodes."""
    values = np.random.default_rng(seed)
    camera = {"observation.images.cam": {**CAMERA, "dtype": "video" if is_video else "image"}}
    dataset = LeRobotDataset.create(
        f"local/{root.name}",
        fps=15,
        features=FEATURES | camera,
        root=root,
        robot_type="arm",
        use_videos=is_video,
    )
    for episode in range(3):
        for frame in range(20 + episode):
            ramp = np.tile(np.arange(64, dtype=np.uint8)[None, :, None] * 2 + frame, (48, 1, 3))
            dataset.add_frame(
                {
                    "observation.state": values.normal(size=4).astype(np.float32),
                    "action": values.normal(size=2).astype(np.float32),
                    "observation.images.cam": ramp,
                    "task": ["lift", "lower"][episode % 2],
                }
            )
        dataset.save_episode()
    dataset.finalize()
    return LeRobotDataset(f"local/{root.name}", root=root)


def main() -> None:
    """Write `first`, `second`, `images`, `merged` and `deleted` below the given folder."""
    folder = Path(sys.argv[1])
    first, second = (
        record(folder / name, seed, is_video=True) for seed, name in enumerate(("first", "second"))
    )
    record(folder / "images", 2, is_video=False)
    merge_datasets([first, second], output_repo_id="local/merged", output_dir=folder / "merged")
    delete_episodes(first, [1], output_dir=folder / "deleted", repo_id="local/deleted")


if __name__ == "__main__":
    main()
