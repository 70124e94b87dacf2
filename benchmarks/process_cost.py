"""What a process has cost so far, told by the process itself; standard library only, for any environment.

A parent sees too little: on Linux the peak memory that it is told of a child begins with its own.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Mapping
from pathlib import Path


class Costs:
    """Begins to count wall time when it is made; CPU time and memory count from the start of the process."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def report(self, path: Path, more: Mapping[str, object]) -> None:
        """Write the costs and what else there is to tell as JSON.

        `cpu_s` holds the CPU seconds of this process and of all children that have ended, `peak_mb` the largest
        resident memory of this process alone.
        """
        usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
        costs = {
            "wall_s": time.monotonic() - self._began,
            "cpu_s": sum(usage.ru_utime + usage.ru_stime for usage in usages),
            "peak_mb": peak_mb("self"),
        }
        path.write_text(json.dumps({**costs, **more}), encoding="utf-8")


def peak_mb(process: int | str) -> float:
    """Return the largest resident memory that a running process has had, in MB."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM"))
