"""The archive report: `archive.html` and `archive.json` over all recordings, and an index for the next one.

What is decided here: totals, totals over time, and what is listed. The state of recordings comes from the caller.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from episode_assets import __version__
from episode_assets.outcome import Json, Note, Outcome, Skipped
from episode_assets.qc.archive_entry import ENTRY_VERSION, ArchiveEntry
from episode_assets.qc.duplicates import METHODS, MOST_PAIRS, Duplicate, find_duplicates
from episode_assets.qc.numbers import number

ARCHIVE_JSON, ARCHIVE_PAGE, INDEX = "archive.json", "archive.html", "index.json"
SCHEMA = "episode_assets.archive"
SCHEMA_VERSION = 1
_MOST_DAYS = 62
_PRIVATE = frozenset({"sketch", "pictures", "brightness", "contrast", "picture", "picture_px"})

State = Literal["quarantined", "failed", "damaged", "unfinished"]


@dataclass(frozen=True)
class Unreported:
    """A recording without a report that can be read, and why."""

    recording_id: str
    state: State
    reason: str


@dataclass(frozen=True)
class Listed:
    """A recording with a report.

    Attributes:
        entry: What its report says.
        task: What is done in it, in the words of the user.
        is_hidden: Whether its picture must not be shown, because what is to be hidden in it has changed since.
        quarantined: Why a result that is younger than what was published lies in quarantine; empty where none does.
    """

    entry: ArchiveEntry
    task: str = ""
    is_hidden: bool = False
    quarantined: str = ""

    @property
    def shows_picture(self) -> bool:
        """Whether its picture may be shown, and kept for later."""
        return not self.is_hidden and not self.quarantined


@dataclass(frozen=True)
class Totals:
    """Sums over recordings; times in hours."""

    recordings: int
    recorded_h: float
    kept_h: float
    one_hand_h: float
    two_hands_h: float
    size_bytes: int


@dataclass(frozen=True)
class Archive:
    """Everything that the page shows.

    Attributes:
        listed: Recordings with a report, those that need attention first.
        unreported: The others, by id.
        totals: Sums over all reported recordings.
        verdicts: Recordings by verdict.
        over_time: By day (2026-05-01) or month (2026-05) of the wall clock, in order.
        undated: Recordings whose clock tells no date.
        duplicates: Pairs that seem to hold the same, the surest first.
        has_more_duplicates: Whether there are more than these.
    """

    listed: tuple[Listed, ...]
    unreported: tuple[Unreported, ...]
    totals: Totals
    verdicts: Mapping[str, int]
    over_time: Mapping[str, Totals]
    undated: int
    duplicates: tuple[Duplicate, ...]
    has_more_duplicates: bool = False


def survey(listed: Sequence[Listed], unreported: Sequence[Unreported]) -> Archive:
    """Add up what the recordings of an archive hold."""
    order = {"fail": 0, "review": 1, "pass": 2}
    ranked = sorted(
        listed,
        key=lambda item: (order.get(item.entry.verdict, 0), item.entry.score, item.entry.recording_id),
    )
    entries = [item.entry for item in ranked]
    pairs = find_duplicates(entries)
    return Archive(
        listed=tuple(ranked),
        unreported=tuple(sorted(unreported, key=lambda item: item.recording_id)),
        totals=_totals(entries),
        verdicts={
            word: sum(entry.verdict == word for entry in entries) for word in ("pass", "review", "fail")
        },
        over_time=_over_time(entries),
        undated=sum(entry.start_ns is None for entry in entries),
        duplicates=pairs[:MOST_PAIRS],
        has_more_duplicates=len(pairs) > MOST_PAIRS,
    )


def write_archive(archive: Archive, directory: Path, *, reports: Mapping[str, str]) -> Outcome:
    """Write page, JSON and index.

    Args:
        archive: What to show.
        directory: Empty directory to write into.
        reports: Address of each recording's `report.html`, relative to the page.

    Returns:
        All three files as core. Every picture comes out of a report whose audit passed.
    """
    from episode_assets.qc.archive_page import render_archive

    (directory / ARCHIVE_PAGE).write_text(render_archive(archive, reports), encoding="utf-8")
    (directory / ARCHIVE_JSON).write_text(_dumps(_document(archive, reports)), encoding="utf-8")
    # An entry holds a picture. One that must not be shown is not kept either: its report is opened again.
    entries = {item.entry.recording_id: item.entry.to_json() for item in archive.listed if item.shows_picture}
    index = {"entry_version": ENTRY_VERSION, "recordings": entries}
    (directory / INDEX).write_text(_dumps(index), encoding="utf-8")
    files = (ARCHIVE_PAGE, ARCHIVE_JSON, INDEX)
    return Outcome(
        core=files,
        saved=files,
        skipped=tuple(Skipped(item.recording_id, item.state, item.reason) for item in archive.unreported),
        warnings=_notes(archive),
        summary=_summary(archive),
        privacy={"audit": "passed", "recordings": len(archive.listed)},
    )


def read_index(path: Path) -> dict[str, ArchiveEntry]:
    """Return the entries that an earlier report has kept; none where they are of another layout or cannot be read."""
    try:
        content = json.loads(path.read_bytes())
        if content["entry_version"] != ENTRY_VERSION:
            return {}
        return {name: ArchiveEntry.from_json(values) for name, values in content["recordings"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def day_of(start_ns: int) -> str:
    """Return the day of a wall-clock time, in UTC."""
    return datetime.fromtimestamp(start_ns / 1e9, UTC).strftime("%Y-%m-%d")


def _totals(entries: Sequence[ArchiveEntry]) -> Totals:
    def hours(name: str) -> float:
        return round(sum(float(getattr(entry, name)) for entry in entries) / 3600, 4)

    return Totals(
        recordings=len(entries),
        recorded_h=hours("duration_s"),
        kept_h=hours("kept_s"),
        one_hand_h=hours("one_hand_s"),
        two_hands_h=hours("two_hands_s"),
        size_bytes=sum(entry.size_bytes for entry in entries),
    )


def _over_time(entries: Sequence[ArchiveEntry]) -> dict[str, Totals]:
    days: dict[str, list[ArchiveEntry]] = {}
    for entry in entries:
        if entry.start_ns is not None:
            days.setdefault(day_of(entry.start_ns), []).append(entry)
    if len(days) > _MOST_DAYS:
        months: dict[str, list[ArchiveEntry]] = {}
        for day, found in days.items():
            months.setdefault(day[:7], []).extend(found)
        days = months
    return {name: _totals(days[name]) for name in sorted(days)}


def _document(archive: Archive, reports: Mapping[str, str]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "code_version": __version__,
        "totals": asdict(archive.totals),
        "verdicts": dict(archive.verdicts),
        "over_time": {name: asdict(totals) for name, totals in archive.over_time.items()},
        "undated": archive.undated,
        "recordings": [_recording(item, reports) for item in archive.listed],
        "without_report": [asdict(item) for item in archive.unreported],
        "duplicates": [asdict(item) for item in archive.duplicates],
        "more_duplicates": archive.has_more_duplicates,
        "duplicate_methods": dict(METHODS),
    }


def _recording(item: Listed, reports: Mapping[str, str]) -> dict[str, Any]:
    values = {name: value for name, value in item.entry.to_json().items() if name not in _PRIVATE}
    day = None if item.entry.start_ns is None else day_of(item.entry.start_ns)
    about = {
        "task": item.task,
        "redactions_pending": item.is_hidden,
        "quarantined": item.quarantined,
        "day": day,
    }
    return {**values, **about, "report": reports.get(item.entry.recording_id)}


def _notes(archive: Archive) -> tuple[Note, ...]:
    found = []
    if archive.unreported:
        found.append(
            Note("without_report", "recordings without a report, see skipped", None, len(archive.unreported))
        )
    if archive.duplicates:
        found.append(
            Note("duplicates", "pairs of recordings seem to hold the same", None, len(archive.duplicates))
        )
    return tuple(found)


def _summary(archive: Archive) -> dict[str, Json]:
    return {
        "recordings": archive.totals.recordings,
        "without_report": len(archive.unreported),
        **{f"verdict_{word}": count for word, count in archive.verdicts.items()},
        "recorded_h": number(archive.totals.recorded_h),
        "kept_h": number(archive.totals.kept_h),
        "one_hand_h": number(archive.totals.one_hand_h),
        "two_hands_h": number(archive.totals.two_hands_h),
        "duplicate_pairs": len(archive.duplicates),
    }


def _dumps(content: Mapping[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), sort_keys=True, allow_nan=False) + "\n"
