"""A process that lets a dataset grow and kills itself at named write points; run by `test_killed_growth`.

The imports are paid once: every attempt is a fork of this process, which has opened no store itself.
Standard input: one JSON object. Standard output: one line for each attempt, `<name> <attempt> <how it ended>`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial

import s3fs  # noqa: F401  # imported before the forks, so that they need not

from episode_assets.lerobot import Recipe
from episode_assets.lerobot.dataset import pack_dataset  # noqa: F401  # likewise
from episode_assets.pipeline import bring_dataset_up_to_date
from episode_assets.storage import Store
from episode_assets.storage.write_points import observe
from episode_assets_tests.pipeline.contributing import name_of

RECORDINGS = 3


def recipe_of(number: int, *, is_grown: bool) -> Recipe:
    """Return the recipe of the n-th attempt: alike for what is packed, and new to the store's memory."""
    absent = [] if is_grown else [name_of(RECORDINGS - 1)]
    packing = {"version": "v2.1", "split_key": str(number)}
    return Recipe.from_mapping({"packing": packing, "selection": {"without_recording_ids": absent}})


def pack(uri: str, number: int, *, is_grown: bool) -> None:
    """Bring the dataset up to date without or with the last recording."""
    bring_dataset_up_to_date(Store.open(uri), recipe_of(number, is_grown=is_grown))


def attempt(work: Callable[[], None]) -> str:
    """Do the work in a forked process and say how it ended."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:  # whatever it is, the parent has to hear of it
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    return "killed" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL else f"ended {status}"


def dying_at(name: str, uri: str, number: int, occurrence: int) -> None:
    """Append the last recording, and die at a write point when it is reached for the n-th time."""
    left = occurrence

    def watch(point: str) -> None:
        nonlocal left
        left -= point == name
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    observe(watch)
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
            _report(name, kill, attempt(partial(dying_at, name, uri, number, occurrence)))
    _report("undisturbed", 1, attempt(partial(pack, uri, number + 1, is_grown=True)))


def _report(name: str, number: int, end: str) -> None:
    sys.stdout.write(f"{name} {number} {end}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
