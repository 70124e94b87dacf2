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
from episode_assets.storage import Artifact, ArtifactKey, Publication, RecordingEntry, Store, fingerprint

ARCHIVE_REPORT = "archive_report"
ARCHIVE_CODE_VERSION = "2"

_KEY = ArtifactKey(ARCHIVE_REPORT)
_LOOKS_AT_ONCE = 16
_MOST_CHANGES = 3  # recordings may be finished faster than the page is made; the next run shows the rest


@dataclass(frozen=True)
class _Seen:
    """What the store says about a recording before any report is opened."""

    recording_id: str
    task: str
    published: Publication | None = None
    is_hidden: bool = False
    quarantined: str = ""
    unreported: Unreported | None = None


@dataclass(frozen=True)
class _Survey:
    """All recordings as they are at one moment, and the name of the report that shows them so."""

    listed: tuple[Listed, ...]
    unreported: tuple[Unreported, ...]
    inputs: Mapping[str, str]
    state: str

    @property
    def config(self) -> dict[str, Json]:
        return {"state": self.state}

    @property
    def fingerprint(self) -> str:
        return fingerprint(
            asset=ARCHIVE_REPORT,
            code_version=ARCHIVE_CODE_VERSION,
            config=self.config,
            models={},
            inputs=self.inputs,
        )

    @property
    def entries(self) -> dict[str, ArchiveEntry]:
        return {item.entry.recording_id: item.entry for item in self.listed}


def bring_archive_up_to_date(store: Store, *, progress: Progress = silent, force: bool = False) -> Produced:
    """Return the report over all recordings that the store knows, made anew if anything changed.

    What changes while it is made is looked at once more at the end, so of several that are made at the same time the
    one that ends last does not lead readers back to how things were when it began.

    Args:
        store: Where the recordings and their reports are.
        progress: Told for every recording.
        force: Open every report again, whatever the index of the previous one says.
    """
    began = time.monotonic()
    surveyed = _survey(store, {} if force else _kept_entries(store), progress)
    made = None if force else store.reuse(_KEY, surveyed.fingerprint)
    was_cached = made is not None
    artifact = made or _publish(store, surveyed)
    for _ in range(_MOST_CHANGES):
        now = _survey(store, surveyed.entries, silent)
        if now.fingerprint == surveyed.fingerprint:
            break
        surveyed, was_cached = now, False
        artifact = store.reuse(_KEY, now.fingerprint) or _publish(store, now)
    return Produced(artifact, was_cached, time.monotonic() - began, surveyed.fingerprint)


def _survey(store: Store, kept: Mapping[str, ArchiveEntry], progress: Progress) -> _Survey:
    """Look at every recording; reports whose entries are kept are not opened."""
    seen = _look_at_all(store)
    listed: list[Listed] = []
    unreported = [item.unreported for item in seen if item.unreported is not None]
    reported = [item for item in seen if item.unreported is None]
    for number, item in enumerate(reported, start=1):
        try:
            listed.append(Listed(_entry(store, item, kept), item.task, item.is_hidden, item.quarantined))
        except EpisodeAssetsError as error:
            # Without the place, which would tell every reader where the store lies.
            unreported.append(Unreported(item.recording_id, "damaged", error.what))
        progress("reports", number, len(reported))
    inputs = {item.recording_id: item.published.content_digest for item in reported if item.published}
    return _Survey(tuple(listed), tuple(unreported), inputs, _digest_of_state(listed, unreported))


def _publish(store: Store, surveyed: _Survey) -> Artifact:
    with store.draft(
        _KEY,
        fingerprint=surveyed.fingerprint,
        code_version=ARCHIVE_CODE_VERSION,
        config=surveyed.config,
        inputs=surveyed.inputs,
    ) as draft:
        found = archive.survey(surveyed.listed, surveyed.unreported)
        reports = {name: _report_address(entry) for name, entry in surveyed.entries.items()}
        return draft.publish(archive.write_archive(found, draft.directory, reports=reports))


def _kept_entries(store: Store) -> Mapping[str, ArchiveEntry]:
    try:
        return archive.read_index(store.latest(_KEY).path(archive.INDEX))
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
        held = next(_quarantined(store, recording_id), "")
        if published is None:
            why = _why_unreported(store, recording_id, entry, held)
            return _Seen(recording_id, task, unreported=why)
        is_hidden = not _may_be_shown(store, key)
        return _Seen(recording_id, task, published, is_hidden, held)
    except EpisodeAssetsError as error:
        return _Seen(recording_id, task, unreported=Unreported(recording_id, "damaged", error.what))


def _quarantined(store: Store, recording_id: str) -> Iterator[str]:
    """Yield why results lie in quarantine that are younger than what was published of the same step."""
    for step in STEPS:
        key = step.key(recording_id)
        try:
            verdict = store.quarantined(key)
        except (ValueError, KeyError, TypeError):
            yield f"{step.asset}: a verdict that cannot be read"
            continue
        published = None if verdict is None else store.current(key)
        if verdict is not None and (published is None or published.published_at < verdict.created_at):
            yield f"{step.asset}: {verdict.reason}"


def _may_be_shown(store: Store, key: ArtifactKey) -> bool:
    try:
        return hides_what_it_should(store, key)
    except (BadConfig, ArtifactMissing):
        return False


def _why_unreported(store: Store, recording_id: str, entry: RecordingEntry | None, held: str) -> Unreported:
    if held:
        return Unreported(recording_id, "quarantined", held)
    if entry is not None and entry.state == "unreadable":
        return Unreported(recording_id, "failed", entry.reason or "the recording cannot be read")
    missing = next(_unmade(store, recording_id), QC_REPORT.asset)
    return Unreported(recording_id, "unfinished", f"{missing} has not been made")


def _unmade(store: Store, recording_id: str) -> Iterator[str]:
    return (step.asset for step in STEPS if store.current(step.key(recording_id)) is None)


def _digest_of_state(listed: Sequence[Listed], unreported: Sequence[Unreported]) -> str:
    """Return a digest of all that the page shows and that does not come out of a report."""
    state = {
        "shown": sorted(
            (item.entry.recording_id, item.task, item.is_hidden, item.quarantined) for item in listed
        ),
        "unreported": sorted((asdict(item) for item in unreported), key=lambda item: item["recording_id"]),
    }
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def _report_address(entry: ArchiveEntry) -> str:
    """Return where a report lies as seen from the archive report, both at their places in the store."""
    return f"../../{QC_REPORT.asset}/{entry.recording_id}/{entry.version}/report.html"
