"""Data-Juicer's LeRobot exporter with the same names, inputs and results, and without its defects.

    from episode_assets.lerobot.data_juicer import ExportToLeRobotMapper

Each sample becomes a contribution (`takes`, `rows`, `pictures`, `staging`); `packing` makes the dataset of all.
"""

from episode_assets.lerobot.data_juicer.mapper import DEFAULT_CHUNKS_SIZE, ExportToLeRobotMapper

__all__ = ["DEFAULT_CHUNKS_SIZE", "ExportToLeRobotMapper"]
