"""LeRobot datasets: recipes, what one recording contributes, packing, statistics, verification.

A new column starts in `columns`, a new cut in `cuts`, a new choice in `recipe`. Encoding and copying video belongs
to `video`; which frames are good enough is decided by `qc`; reading a bundle belongs to `bundle`.
"""

from episode_assets.lerobot.contribution import write_fragment
from episode_assets.lerobot.dataset import pack_dataset
from episode_assets.lerobot.fragment import Fragment
from episode_assets.lerobot.ledger import read_ledger
from episode_assets.lerobot.problems import Problem
from episode_assets.lerobot.recipe import Recipe, default_recipe_path
from episode_assets.lerobot.segment_plan import TaskInputs
from episode_assets.lerobot.verify import Verdict, examine_dataset, verify_dataset

__all__ = [
    "Fragment",
    "Problem",
    "Recipe",
    "TaskInputs",
    "Verdict",
    "default_recipe_path",
    "examine_dataset",
    "pack_dataset",
    "read_ledger",
    "verify_dataset",
    "write_fragment",
]
