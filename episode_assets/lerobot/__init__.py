"""LeRobot datasets: recipes, what one recording contributes, packing, statistics, verification.

A new column starts in `columns`, a new cut in `cuts`, a new choice in `recipe`. Encoding and copying video belongs
to `video`; which frames are good enough is decided by `qc`; reading a bundle belongs to `bundle`.

Names are looked up when they are asked for, so that `targets` and `torch_wrapper` can be imported where a trainer
lives, with numpy and pyarrow alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "Fragment": "fragment",
    "Problem": "problems",
    "Recipe": "recipe",
    "TaskInputs": "segment_plan",
    "Verdict": "verify",
    "default_recipe_path": "recipe",
    "examine_dataset": "verify",
    "pack_dataset": "dataset",
    "read_ledger": "ledger",
    "verify_dataset": "verify",
    "write_fragment": "contribution",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
