"""The graph without Dagster: what each asset takes, how it is brought up to date, and what is out of date and why.

`step` is what a step is, `steps` lists them, `dataset` packs, `archive` reports on all recordings, `settings`
configures, `standing` compares what is with what would be. Orchestration (partitions, retries, the UI) belongs to
`defs`; computing belongs to the rooms.
"""

from episode_assets.pipeline.archive import bring_archive_up_to_date
from episode_assets.pipeline.dataset import bring_dataset_up_to_date, check_dataset
from episode_assets.pipeline.standing import Standing, standing_of
from episode_assets.pipeline.step import Produced, Step, StepInputs, bring_up_to_date, expect
from episode_assets.pipeline.steps import STEPS, fragment_step

__all__ = [
    "STEPS",
    "Produced",
    "Standing",
    "Step",
    "StepInputs",
    "bring_archive_up_to_date",
    "bring_dataset_up_to_date",
    "bring_up_to_date",
    "check_dataset",
    "expect",
    "fragment_step",
    "standing_of",
]
