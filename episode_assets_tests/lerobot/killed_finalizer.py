"""A process that finalizes and is killed at every n-th change of a file; run by `test_data_juicer_killed`.

The imports are paid once: every attempt is a fork of this process, which has packed nothing itself.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from episode_assets.lerobot.data_juicer import ExportToLeRobotMapper

CHANGES = ("os.rename", "os.link", "os.symlink", "os.mkdir", "os.remove", "os.chmod", "open")


def finalize(output_dir: str, die_at: int) -> None:
    """Finalize, and kill this process at the n-th change below the output directory."""
    left = die_at

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        is_change = event in CHANGES and str(arguments[0]).startswith(output_dir)
        if event == "open" and not (isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")):
            return
        left -= is_change
        if is_change and left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    ExportToLeRobotMapper.finalize_dataset(output_dir)
    print("finished", flush=True)  # noqa: T201


def main(output_dir: str, *numbers: str) -> None:
    """Make one attempt per number, each in a process of its own."""
    for number in numbers:
        child = os.fork()
        if child == 0:
            finalize(output_dir, int(number))
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        print(number, "killed" if os.WIFSIGNALED(status) else status, flush=True)  # noqa: T201
        print("whole", is_whole(Path(output_dir)), flush=True)  # noqa: T201


def is_whole(output_dir: Path) -> str:
    """Say how many episodes a reader sees, by files alone, or what it misses."""
    import json

    info = json.loads((output_dir / "meta/info.json").read_text())
    lines = (output_dir / "meta/episodes.jsonl").read_text().splitlines()
    seen = [
        len(list((output_dir / part).resolve().rglob(ending)))
        for part, ending in (("data", "*.parquet"), ("videos", "*.mp4"))
    ]
    return str(info["total_episodes"]) if {info["total_episodes"]} == {len(lines), *seen} else f"torn {seen}"


if __name__ == "__main__":
    main(*sys.argv[1:])
