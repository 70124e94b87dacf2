"""Shows how long work advances: as lines with a rate in the run log, and to whoever watches in the same process.

The command line runs assets in its own process and draws bars; it puts its watcher into `console`.
"""

from __future__ import annotations

import time
from contextvars import ContextVar

import dagster as dg

from episode_assets.progress import Progress, silent

LOG_EVERY_S = 5.0

console: ContextVar[Progress] = ContextVar("console", default=silent)


class RunLogProgress:
    """Writes a line with count and rate at most every five seconds, and one when a stage ends."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._log = context.log
        self._began: dict[str, float] = {}
        self._last = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report `done` of `total`."""
        now = time.monotonic()
        began = self._began.setdefault(stage, now)
        if done >= total or now - self._last >= LOG_EVERY_S:
            self._last = now
            rate = f", {done / (now - began):.1f}/s" if now > began else ""
            self._log.info(f"{stage}: {done} of {total}{rate}")
        console.get()(stage, done, total)
