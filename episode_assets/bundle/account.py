"""The honest list: what an episode directory holds, what it does not and why, and what was odd on the way."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from episode_assets.outcome import Json, Note, Skipped

logger = logging.getLogger(__name__)


@dataclass
class Account:
    """Grows while a bundle is written; names are those of the directory (`mesh.ply`, `annotation.hdf5:/imu`).

    Attributes:
        stamps_ns: (F,) int64 stamps of the pictures, by which notes tell their time; set as soon as they are known.
        saved: What was written.
        skipped: What was not, and why.
        warnings: What was odd on the way.
    """

    stamps_ns: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    saved: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    warnings: list[Note] = field(default_factory=list)

    def save(self, name: str) -> None:
        """Enter something that was written and holds data."""
        self.saved.append(name)
        logger.info("Wrote %s", name)

    def skip(self, name: str, code: str, detail: str) -> None:
        """Enter something that a user may look for and will not find."""
        self.skipped.append(Skipped(name, code, detail))

    def note(
        self,
        code: str,
        detail: str,
        *,
        stream: str | None = None,
        count: int = 1,
        where: NDArray[np.bool_] | None = None,
    ) -> None:
        """Enter an observation; nothing is entered for a count of zero.

        Args:
            code: A stable word for scripts.
            detail: The observation in words.
            stream: The stream concerned.
            count: How often it happened.
            where: (F,) bool, the pictures concerned; the first and last of them are told.
        """
        if count == 0:
            return
        frames = np.empty(0, np.int64) if where is None else np.flatnonzero(where)
        if len(frames) == 0:
            self.warnings.append(Note(code, detail, stream, count))
            return
        first, last = int(frames[0]), int(frames[-1])
        start_s, end_s = (round(int(ns) / 1e9, 6) for ns in self.stamps_ns[[first, last]] - self.stamps_ns[0])
        self.warnings.append(Note(code, detail, stream, count, first, last, start_s, end_s))

    def as_json(self) -> dict[str, Json]:
        """Return the lists in the keys of the manifest."""
        return {
            "saved": list(self.saved),
            "skipped": [asdict(item) for item in self.skipped],
            "warnings": [asdict(item) for item in self.warnings],
        }
