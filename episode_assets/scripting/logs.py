"""What a script sees while it works: log lines of each stage, and bars over frames.

The package itself stays silent until a script asks.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from tqdm import tqdm

from episode_assets.progress import Progress

LOGGER = "episode_assets"
LOG_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
DATE_FORMAT = "%H:%M:%S"

_HANDLER = "episode_assets.scripting"


def setup_logging(level: int | str = "INFO", fmt: str = LOG_FORMAT) -> None:
    """Show the log lines of the package on the error stream; call it once, from a script.

    Args:
        level: Lowest level that is shown.
        fmt: Format of a line, as of `logging.Formatter`.
    """
    logger = logging.getLogger(LOGGER)
    handler = next((item for item in logger.handlers if item.get_name() == _HANDLER), None)
    if handler is None:
        handler = logging.StreamHandler()
        handler.set_name(_HANDLER)
        logger.addHandler(handler)
    handler.setFormatter(logging.Formatter(fmt, datefmt=DATE_FORMAT))
    logger.setLevel(level)
    logger.propagate = False


@contextmanager
def bar(unit: str = "fr") -> Iterator[Progress]:
    """Yield a watcher that draws one bar for each stage; nothing is drawn where log lines are not shown."""
    shown: dict[str, tqdm[NoReturn]] = {}
    is_silent = not logging.getLogger(LOGGER).isEnabledFor(logging.INFO)

    def watch(stage: str, done: int, total: int) -> None:
        if stage not in shown:
            shown[stage] = tqdm(total=total, desc=stage, unit=unit, disable=is_silent)
        one = shown[stage]
        one.total = total
        one.update(done - one.n)

    try:
        yield watch
    finally:
        for one in shown.values():
            one.close()
