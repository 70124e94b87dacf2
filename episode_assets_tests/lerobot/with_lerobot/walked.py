"""Opens datasets with both of LeRobot's decoders and reads every row; prints episodes and rows of each.

python -m episode_assets_tests.lerobot.with_lerobot.walked DIR...
"""
# ruff: noqa: T201 - a script: its lines are its result

from __future__ import annotations

import sys

from lerobot.datasets.lerobot_dataset import LeRobotDataset


def main() -> None:
    """Read all rows of all datasets."""
    for root in sys.argv[1:]:
        for decoder in ("pyav", "torchcodec"):
            dataset = LeRobotDataset("local/walked", root=root, video_backend=decoder)
            tasks = {dataset[row]["task"] for row in range(len(dataset))}
            print(dataset.num_episodes, len(dataset), *sorted(tasks))


if __name__ == "__main__":
    main()
