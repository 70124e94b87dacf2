"""Makes the dataset of one recipe from everything that is in the store: contributions first, then the packing.

Recordings whose bundle or report is not there yet are named and left out; nothing upstream of a contribution is
computed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from episode_assets.errors import EpisodeAssetsError
from episode_assets.lerobot.recipe import Recipe
from episode_assets.pipeline.dataset import bring_dataset_up_to_date
from episode_assets.pipeline.step import Produced, bring_up_to_date
from episode_assets.pipeline.steps import fragment_step
from episode_assets.progress import Progress, silent
from episode_assets.storage import Store


@dataclass(frozen=True)
class Built:
    """What building a dataset came to.

    Attributes:
        dataset: The published dataset.
        contributions: Recordings whose contribution is up to date, and whether it was so already.
        failed: The others, with what was wrong.
    """

    dataset: Produced
    contributions: Mapping[str, bool]
    failed: Mapping[str, str]


def build_dataset(
    store: Store, recipe: Recipe, *, force: bool = False, repack: bool = False, progress: Progress = silent
) -> Built:
    """Bring the contributions of all registered recordings up to date, then the dataset.

    Args:
        store: Where artifacts live.
        recipe: What the dataset is made of.
        force: Compute even what the store has.
        repack: Sort recordings by their start again, whatever the order in which they came.
        progress: Who watches.

    Raises:
        NothingToExport: No recording has anything to contribute.
    """
    step = fragment_step(recipe.name)
    made: dict[str, bool] = {}
    failed: dict[str, str] = {}
    entries = store.recordings.list()
    for done, entry in enumerate(entries, start=1):
        try:
            produced = bring_up_to_date(store, step, entry.recording_id, recipe, force=force)
            made[entry.recording_id] = produced.was_cached
        except EpisodeAssetsError as error:
            failed[entry.recording_id] = str(error)
        progress("contributions", done, len(entries))
    packed = bring_dataset_up_to_date(store, recipe, progress=progress, force=force, repack=repack)
    return Built(packed, made, failed)
