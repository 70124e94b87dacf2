"""Watches the inbox and asks for a partition and a run for every recording that has settled there.

Which files are ready is decided by `inbox`; reading a recording is done by the assets. A listing that failed is a
skipped tick with its reason, never an empty inbox.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg

from episode_assets.defs.inbox import Cursor, Decision, Seen, decide
from episode_assets.defs.jobs import process_recording
from episode_assets.defs.partitions import RECORDING
from episode_assets.defs.resources import PipelineResource
from episode_assets.errors import BadRecording, EpisodeAssetsError, SourceChanged
from episode_assets.recording.containers.identify import MCAP_MAGIC
from episode_assets.storage import Naming, RecordingEntry, Store

SUFFIXES = (".mcap", ".bag", ".db3")
WRITE_AHEAD = "-wal"
"""Beside a SQLite bag this file grows first, while the bag itself rests."""


def inbox_sensor(inbox: str, *, recording_ids: Naming = "name") -> dg.SensorDefinition:
    """Return the sensor for a directory; `recording_ids` says how new recordings are named."""

    @dg.sensor(
        name="inbox",
        job=process_recording,
        minimum_interval_seconds=15,
        description=f"Processes every recording that is dropped into {inbox} and has stopped growing.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, pipeline: PipelineResource
    ) -> dg.SensorResult | dg.SkipReason:
        folder = Path(inbox).absolute()
        try:
            store = pipeline.store()
            cursor = Cursor.load(context.cursor)
            decision = _look(folder, store, cursor)
            files = [folder / seen.name for seen in decision.ready]
            entries = _register(store, files, recording_ids, context.log)
        except OSError as error:
            return dg.SkipReason(f"{inbox} could not be listed: {error.strerror or error}")
        except EpisodeAssetsError as error:
            return dg.SkipReason(str(error))
        if not entries:
            context.update_cursor(decision.cursor.dump())
            return dg.SkipReason(f"nothing new in {inbox}; {len(decision.cursor.pending)} still growing")
        return dg.SensorResult(
            run_requests=[_request(entry) for entry in entries],
            dynamic_partitions_requests=[RECORDING.build_add_request([e.recording_id for e in entries])],
            cursor=decision.cursor.dump(),
        )

    return sensor


def _look(folder: Path, store: Store, cursor: Cursor) -> Decision:
    known = None
    if cursor.wants_full_diff and cursor.tick > 0:
        uris = {uri for entry in store.recordings.list() for uri in entry.uris}
        known = {str(Path(uri).relative_to(folder)) for uri in uris if Path(uri).is_relative_to(folder)}
    return decide(
        list(list_recordings(folder)),
        cursor,
        is_finished=lambda seen: ends_with_magic(folder / seen.name),
        known=known,
    )


def _register(
    store: Store, files: Sequence[Path], recording_ids: Naming, log: logging.Logger
) -> list[RecordingEntry]:
    """Register the files that can be; one that cannot is named in the tick's log and holds up no other.

    The cursor passes it. It comes up again when it is changed or replaced, and at every full comparison.
    """
    entries = []
    for file in files:
        try:
            entries.append(store.recordings.register(str(file), recording_ids=recording_ids))
        except (BadRecording, SourceChanged) as error:
            log.warning(str(error))
    return entries


def list_recordings(folder: Path) -> Iterator[Seen]:
    """Yield the recording files in a directory and the directories in it.

    Raises:
        OSError: The directory cannot be listed.
    """
    for entry in os.scandir(folder):
        if entry.is_dir():
            yield from (_inside(entry.name, seen) for seen in list_recordings(Path(entry.path)))
        elif entry.name.endswith(SUFFIXES) and not entry.name.startswith("."):
            if Path(entry.path + WRITE_AHEAD).exists():
                continue
            try:
                status = entry.stat()
            except FileNotFoundError:
                continue  # a link that leads nowhere, or a file moved away since the listing
            yield Seen(entry.name, status.st_size, status.st_ctime_ns)


def ends_with_magic(path: Path) -> bool:
    """Return whether a file has the closing magic of an MCAP, so that no writer is at work on it.

    A file that cannot be opened counts as not finished; when it rests, registering it says what is wrong.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - len(MCAP_MAGIC)))
            return size > 2 * len(MCAP_MAGIC) and file.read() == MCAP_MAGIC
    except OSError:
        return False


def _inside(folder: str, seen: Seen) -> Seen:
    return Seen(f"{folder}/{seen.name}", seen.size_bytes, seen.changed_ns)


def _request(entry: RecordingEntry) -> dg.RunRequest:
    return dg.RunRequest(run_key=f"{entry.recording_id}:{entry.size_bytes}", partition_key=entry.recording_id)
