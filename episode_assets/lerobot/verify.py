"""Reads a dataset back and names everything that a reader would stumble over; no picture is decoded unless asked.

Any of the three versions, whoever wrote it, without a network and without LeRobot. The rules are in `checks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from episode_assets.errors import BadConfig, EpisodeAssetsError
from episode_assets.lerobot.checks import DATASET_RULES, ROW_RULES
from episode_assets.lerobot.checks.videos import decodable
from episode_assets.lerobot.existing import EpisodeRows, ExistingDataset, episode_rows, open_dataset
from episode_assets.lerobot.existing.damage import READING_RAISES
from episode_assets.lerobot.problems import Problem
from episode_assets.progress import Progress, silent

_UNREADABLE = (*READING_RAISES, OSError, EpisodeAssetsError)
"""What reading a damaged file raises; every one of them is a finding and not a crash."""


@dataclass(frozen=True)
class Verdict:
    """What a verification found.

    Attributes:
        problems: What readers stumble over; empty for a dataset that passed.
        warnings: What they survive.
    """

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]

    @property
    def passed(self) -> bool:
        """Whether there is no problem."""
        return not self.problems


def verify_dataset(path: Path) -> list[Problem]:
    """Return everything wrong with the dataset under `path`; an empty list is a passed verification.

    A file that cannot be read is a problem too, never an exception.
    """
    return list(examine_dataset(path).problems)


def examine_dataset(path: Path, *, decode: bool = False, progress: Progress = silent) -> Verdict:
    """Return problems and warnings of the dataset under `path`.

    One episode's rows are in memory at a time, and whole columns of at most 128 MiB together for the statistics.

    Args:
        path: Directory with `meta/info.json`.
        decode: Also decode every picture.
        progress: Told after every episode.
    """
    found = tuple(dict.fromkeys(_findings(path, decode=decode, progress=progress)))
    return Verdict(
        tuple(problem for problem in found if not problem.is_warning),
        tuple(problem for problem in found if problem.is_warning),
    )


def _findings(path: Path, *, decode: bool, progress: Progress) -> Iterator[Problem]:
    try:
        dataset = open_dataset(path)
    except BadConfig as error:
        yield Problem("version" if "codebase_version" in error.what else "unreadable", error.what)
        return
    except EpisodeAssetsError as error:
        yield Problem("unreadable", error.what)
        return
    for rule in (*DATASET_RULES, *([decodable] if decode else [])):
        yield from _guarded(rule.__name__, rule(dataset))
    yield from _guarded("rows", _row_findings(dataset, progress))


def _guarded(name: str, findings: Iterator[Problem]) -> Iterator[Problem]:
    """Yield findings; what breaks the walk over them is the last one."""
    try:
        yield from findings
    except _UNREADABLE as error:
        yield Problem("unreadable", f"{name.replace('_', ' ')}: {_words(error)}")


def _words(error: Any) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _row_findings(dataset: ExistingDataset, progress: Progress) -> Iterator[Problem]:
    for rows in episode_rows(dataset):
        if isinstance(rows, EpisodeRows):
            for rule in ROW_RULES:
                yield from _guarded(rule.__name__, rule(dataset, rows))
            progress("episodes verified", rows.episode.number + 1, len(dataset.episodes))
            continue
        for episode, count in zip(rows.episodes, rows.counts, strict=True):
            if count != episode.length:
                detail = f"{rows.file} holds {count} rows of it, its record says {episode.length}"
                yield Problem("row_count", detail, episode.number)
