"""Brings the report over all recordings up to date, at the price of what has changed.

Every recording has a line: its report, or why there is none. Entries of unchanged reports come from the index of the
previous archive report, so only the `qc.json` of new or changed ones is opened. One broken recording is one line.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from episode_assets.errors import ArtifactMissing, BadConfig, EpisodeAssetsError
from episode_assets.outcome import Json
from episode_assets.pipeline.hiding import hides_what_it_should
from episode_assets.pipeline.step import Produced
from episode_assets.pipeline.steps import QC_REPORT, STEPS
from episode_assets.progress import Progress, silent
from episode_assets.qc import archive
from episode_assets.qc.archive import Listed, Unreported
from episode_assets.qc.archive_entry import ArchiveEntry, entry_of
from episode_assets.storage import ArtifactKey, Publication, RecordingEntry, Store, fingerprint

ARCHIVE_REPORT = "archive_report"
ARCHIVE_CODE_VERSION = "1"

_LOOKS_AT_ONCE = 16


@dataclass(frozen=True)
class _Seen:
    """What the store says about a recording before any report is opened."""

    recording_id: str
    task: str
    published: Publication | None
    is_hidden: bool
    unreported: Unreported | None


def bring_archive_up_to_date(store: Store, *, progress: Progress = silent, force: bool = False) -> Produced:
    """Return the report over all recordings that the store knows, made anew if anything changed.

    Args:
        store: Where the recordings and their reports are.
        progress: Told for every recording.
        force: Open every report again, whatever the index of the previous one says.
    """
    began = time.monotonic()
    key = ArtifactKey(ARCHIVE_REPORT)
    kept = {} if force else _kept_entries(store, key)
    seen = _look_at_all(store)
    listed: list[Listed] = []
    unreported = [item.unreported for item in seen if item.unreported is not None]
    reported = [item for item in seen if item.unreported is None]
    for number, item in enumerate(reported, start=1):
        try:
            listed.append(Listed(_entry(store, item, kept), item.task, item.is_hidden))
        except EpisodeAssetsError as error:
            # Without the place, which would tell every reader where the store lies.
            unreported.append(Unreported(item.recording_id, "damaged", error.what))
        progress("reports", number, len(reported))
    inputs = {item.recording_id: item.published.content_digest for item in reported if item.published}
    config: dict[str, Json] = {"state": _digest_of_state(listed, unreported)}
    value = fingerprint(
        asset=key.asset, code_version=ARCHIVE_CODE_VERSION, config=config, models={}, inputs=inputs
    )
    known = None if force else store.reuse(key, value)
    if known is not None:
        return Produced(known, True, time.monotonic() - began, value)
    with store.draft(
        key, fingerprint=value, code_version=ARCHIVE_CODE_VERSION, config=config, inputs=inputs
    ) as draft:
        surveyed = archive.survey(listed, unreported)
        reports = {item.entry.recording_id: _report_address(item.entry) for item in listed}
        artifact = draft.publish(archive.write_archive(surveyed, draft.directory, reports=reports))
    return Produced(artifact, False, time.monotonic() - began, value)


def _kept_entries(store: Store, key: ArtifactKey) -> Mapping[str, ArchiveEntry]:
    try:
        return archive.read_index(store.latest(key).path(archive.INDEX))
    except EpisodeAssetsError:
        return {}


def _entry(store: Store, item: _Seen, kept: Mapping[str, ArchiveEntry]) -> ArchiveEntry:
    assert item.published is not None
    version = item.published.version
    before = kept.get(item.recording_id)
    if before is not None and before.version == version:
        return before
    report = store.version(QC_REPORT.key(item.recording_id), version)
    return entry_of(item.recording_id, version, report.read_json("qc.json"))


def _look_at_all(store: Store) -> list[_Seen]:
    entries = {entry.recording_id: entry for entry in store.recordings.list()}
    known = {*store.recordings.ids(), *(key.recording_id or "" for key in store.keys(QC_REPORT.asset))} - {""}
    ids = sorted(known)
    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        return list(pool.map(lambda name: _look_at(store, name, entries.get(name)), ids))


def _look_at(store: Store, recording_id: str, entry: RecordingEntry | None) -> _Seen:
    key = QC_REPORT.key(recording_id)
    task = entry.task or "" if entry is not None else ""
    try:
        published = store.current(key)
        if published is None:
            return _Seen(recording_id, task, None, False, _why_unreported(store, recording_id, entry))
        return _Seen(recording_id, task, published, not _may_be_shown(store, key), None)
    except EpisodeAssetsError as error:
        return _Seen(recording_id, task, None, False, Unreported(recording_id, "damaged", error.what))


def _may_be_shown(store: Store, key: ArtifactKey) -> bool:
    try:
        return hides_what_it_should(store, key)
    except (BadConfig, ArtifactMissing):
        return False


def _why_unreported(store: Store, recording_id: str, entry: RecordingEntry | None) -> Unreported:
    for step in STEPS:
        verdict = store.quarantined(step.key(recording_id))
        if verdict is not None:
            return Unreported(recording_id, "quarantined", f"{step.asset}: {verdict.reason}")
    if entry is not None and entry.state == "unreadable":
        return Unreported(recording_id, "failed", entry.reason or "the recording cannot be read")
    missing = next(_unmade(store, recording_id), QC_REPORT.asset)
    return Unreported(recording_id, "unfinished", f"{missing} has not been made")


def _unmade(store: Store, recording_id: str) -> Iterator[str]:
    return (step.asset for step in STEPS if store.current(step.key(recording_id)) is None)


def _digest_of_state(listed: Sequence[Listed], unreported: Sequence[Unreported]) -> str:
    """Return a digest of all that the page shows and that does not come out of a report."""
    state = {
        "shown": sorted((item.entry.recording_id, item.task, item.is_hidden) for item in listed),
        "unreported": sorted((asdict(item) for item in unreported), key=lambda item: item["recording_id"]),
    }
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def _report_address(entry: ArchiveEntry) -> str:
    """Return where a report lies as seen from the archive report, both at their places in the store."""
    return f"../../{QC_REPORT.asset}/{entry.recording_id}/{entry.version}/report.html"
