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
        resident memory of this process alone. What `more` says of the same name counts instead.
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
    return _memory_mb(process, "VmHWM")


def _memory_mb(process: int | str, name: str) -> float:
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(name))


class WorkCosts:
    """What one piece of work costs in a process that has imported everything: made before the work, told after it."""

    def __init__(self) -> None:
        # Linux then counts the peak from here on (proc(5), clear_refs).
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self._before_mb = _memory_mb("self", "VmRSS")
        self._cpu_s = time.process_time()
        self._began = time.monotonic()

    def told(self) -> dict[str, float]:
        """Return wall and CPU seconds of the work, all threads together, and the memory added at its peak in MB."""
        return {
            "wall_s": time.monotonic() - self._began,
            "cpu_s": time.process_time() - self._cpu_s,
            "added_mb": peak_mb("self") - self._before_mb,
        }
