"""A process that lets a dataset grow and kills itself at named write points; run by `test_killed_growth`.

The imports are paid once: every attempt is a fork of this process, which has opened no store itself.
Standard input: one JSON object. Standard output: one line for each attempt, `<name> <attempt> <how it ended>`.
"""

from __future__ import annotations

import json
import sys
from functools import partial

from episode_assets.lerobot import Recipe
from episode_assets.lerobot.dataset import pack_dataset  # noqa: F401  # imported before the forks, so that they need not
from episode_assets.pipeline import bring_dataset_up_to_date
from episode_assets.storage import Store
from episode_assets_tests.pipeline.contributing import name_of
from episode_assets_tests.storage.killed_publisher import attempt, die_at, report

RECORDINGS = 3


def recipe_of(number: int, *, is_grown: bool) -> Recipe:
    """Return the recipe of the n-th attempt: alike for what is packed, and new to the store's memory."""
    absent = [] if is_grown else [name_of(RECORDINGS - 1)]
    packing = {"version": "v2.1", "split_key": str(number)}
    return Recipe.from_mapping({"packing": packing, "selection": {"without_recording_ids": absent}})


def pack(uri: str, number: int, *, is_grown: bool) -> None:
    """Bring the dataset up to date without or with the last recording."""
    bring_dataset_up_to_date(Store.open(uri), recipe_of(number, is_grown=is_grown))


def append_and_die(name: str, uri: str, number: int, occurrence: int) -> None:
    """Append the last recording, and die at a write point when it is reached for the n-th time."""
    die_at(name, occurrence)
    pack(uri, number, is_grown=True)


def main() -> None:
    """Kill appends at every write point that the order names."""
    order = json.load(sys.stdin)
    uri, number = order["uri"], 0
    for name in order["names"]:
        for kill in range(1, order["kills"] + 1):
            number += 1
            before = attempt(partial(pack, uri, number, is_grown=False))
            assert before == "ended 0", before
            # A point that is reached several times kills in the middle of the work, too.
            occurrence = min(kill, order["most"].get(name, 1))
            report(name, kill, attempt(partial(append_and_die, name, uri, number, occurrence)))
    report("undisturbed", 1, attempt(partial(pack, uri, number + 1, is_grown=True)))


if __name__ == "__main__":
    main()
