"""A process that publishes and kills itself at named write points; run by `test_killed_runs`.

The imports are paid once: every attempt is a fork of this process, which has opened no store itself.
Standard input: one JSON object. Standard output: one line for each attempt, `<name> <attempt> <how it ended>`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import s3fs  # noqa: F401  # imported before the forks, so that they need not

from episode_assets.errors import AuditFailed
from episode_assets.storage import Store
from episode_assets.storage.write_points import observe
from episode_assets_tests.storage.samples import BLURRED, PASSED, publish

KILLS = 3


def contents_of(name: str, number: int) -> dict[str, bytes]:
    """Return the files that one attempt at a write point publishes."""
    what = f"{name} {number}".encode()
    return {"rgb.mp4": what * 400, "deep/frames.parquet": what, "view.txt": b"view"}


def publish_sample(store: Store, name: str, number: int) -> None:
    """Do the writing that reaches the write point."""
    contents, run = contents_of(name, number), f"{name} {number}"
    if name.startswith("quarantine"):
        with contextlib.suppress(AuditFailed):
            publish(store, contents, key=BLURRED, run=run, privacy={"audit": "failed"})
    else:
        publish(store, contents, key=BLURRED, run=run, view=["view.txt"], privacy=PASSED)


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


def die_at(name: str, occurrence: int) -> None:
    """Kill this process when it reaches a write point for the n-th time, counted from 1."""
    left = occurrence

    def observer(reached: str) -> None:
        nonlocal left
        left -= reached == name
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    observe(observer)


def main() -> None:
    """Kill each write point's process several times, then do undisturbed what each of them was about."""
    order = json.load(sys.stdin)
    recording = Path(order["recording"])

    def work(name: str, number: int) -> None:
        store = Store.open(order["uri"])
        if name == "registry.entry_written":
            recording.write_bytes(f"{number}".encode())
            store.recordings.register(str(recording))
        else:
            publish_sample(store, name, number)

    def die(name: str, number: int) -> None:
        # Points that are passed several times in one publication die at another passage each time.
        die_at(
            name, {"publish.object_written": number, "replace.temporary_written": 1 + number % 2}.get(name, 1)
        )
        work(name, number)

    def do_all() -> None:
        for name in order["names"]:
            for number in range(1, KILLS + 1):
                work(name, number)

    for name in order["names"]:
        for number in range(1, KILLS + 1):
            report(name, number, attempt(partial(die, name, number)))
    report("undisturbed", 1, attempt(do_all))


def report(name: str, number: int, end: str) -> None:
    """Say how one attempt ended."""
    sys.stdout.write(f"{name} {number} {end}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
