"""The computation of `raw_mcap`: one pass over the file that digests it, takes stock of it and keeps its small streams.

What is written: `inventory.json`, the places of pictures and clouds (`places`) and `streams/*.parquet`
(`stream_tables`). The recording itself stays where it is.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from episode_assets.errors import NothingToExport
from episode_assets.freed_memory import memory_given_back, return_freed_memory
from episode_assets.outcome import Note, Outcome, Skipped
from episode_assets.progress import Progress, silent
from episode_assets.recording.config import RecordingConfig
from episode_assets.recording.containers.opening import open_walk
from episode_assets.recording.containers.source import Source
from episode_assets.recording.inventory import Inventory, RoleChoice, TopicInfo
from episode_assets.recording.long_columns import Spool
from episode_assets.recording.personal import KINDS, personal_topics
from episode_assets.recording.places import CHUNKS, OFFSETS, SCHEMAS, write_places
from episode_assets.recording.roles import require_clear
from episode_assets.recording.stream_tables import STREAMS, write_streams
from episode_assets.recording.survey import Logs, require_readable, survey

logger = logging.getLogger(__name__)

INVENTORY = "inventory.json"
IDENTITY = "recording.json"

MIB = 1 << 20
_ONCE_PER_STAMP = frozenset({"rgb", "depth", "camera_info", "depth_camera_info", "pose", "imu", "tracking"})
"""Roles in which a stamp stands once; the others keep every message."""
_DEFAULT = RecordingConfig()


@memory_given_back()
def scan_recording(
    uri: str,
    directory: Path,
    *,
    recording_id: str,
    config: RecordingConfig = _DEFAULT,
    workers: int = 1,
    progress: Progress = silent,
) -> Outcome:
    """Read a recording once and write what `RecordingView` needs into `directory`.

    Damage never stops the scan: what is readable is kept, the rest is noted with its place.

    Args:
        uri: Path or address of the recording.
        directory: Empty directory to write into.
        recording_id: Identity of the recording, stored beside its streams.
        config: How to read.
        workers: Ignored; one pass is bound by reading.
        progress: Told the bytes that are done.

    Raises:
        BadRecording: The file is no MCAP recording, or nothing of it can be read.
        NothingToExport: The file is whole and holds no message.
        MissingStream: A configured topic is missing or of the wrong type.
        AmbiguousStream: Several topics could fill a role, and nothing tells which one does.
    """
    del workers
    with Spool(directory) as spool:
        with Source(uri) as source:
            walk = open_walk(source, max_chunk_bytes=config.max_chunk_mib * MIB, progress=progress)
            logs = Logs(walk.container, config, spool=spool)
            for message in walk.messages():
                logs.add(message)
            sha256 = walk.sha256()
            size = source.size
        require_readable(logs, walk.container, size_bytes=size, where=uri)
        if not logs.messages:
            raise NothingToExport("the recording is valid and holds 0 messages: nothing to export", where=uri)
        inventory, chosen, pose = survey(
            logs, walk.container, config=config, basis="scan", size_bytes=size, sha256=sha256, where=uri
        )
        require_clear(inventory.roles, where=uri)
        return_freed_memory()  # what the survey took must not add to the tables of an hour
        (directory / INVENTORY).write_text(inventory.dumps(), encoding="utf-8")
        identity = json.dumps({"recording_id": recording_id}, indent=2, sort_keys=True) + "\n"
        (directory / IDENTITY).write_text(identity, encoding="utf-8")
        write_places(directory, chosen, walk.container)
        written = write_streams(directory, chosen, pose)
    logger.info("scanned %s: %d messages in %d bytes", recording_id, logs.messages, size)
    return _outcome(inventory, written)


def _outcome(inventory: Inventory, written: Sequence[str]) -> Outcome:
    files = (
        INVENTORY,
        IDENTITY,
        OFFSETS,
        CHUNKS,
        SCHEMAS,
        *(f"{STREAMS}/{name}.parquet" for name in written),
    )
    filled = [role for role, choice in inventory.roles.items() if choice.is_filled]
    skipped = [
        Skipped(role, f"no_{role}", choice.reason)
        for role, choice in inventory.roles.items()
        if not choice.is_filled
    ]
    return Outcome(
        core=files,
        saved=tuple(filled),
        skipped=(*skipped, *_left_in(inventory)),
        warnings=tuple(notes_of(inventory)),
        summary=_summary(inventory),
    )


def _left_in(inventory: Inventory) -> list[Skipped]:
    """Name the personal content that is counted and never copied out of the recording."""
    skipped = [
        Skipped(
            item.topic, "personal", f"{item.messages} messages with {KINDS[item.kind]} stay in the recording"
        )
        for item in personal_topics(inventory)
        if item.topic not in inventory.roles["annotations"].topics
    ]
    count = len(inventory.attachments)
    if count:
        skipped.append(Skipped("attachments", "personal", f"{count} attachments stay in the recording"))
    return skipped


def notes_of(inventory: Inventory) -> list[Note]:
    """Return what a user of the recording should know, from its inventory."""
    notes = []
    if inventory.truncated:
        lost = inventory.size_bytes - (inventory.cut_offset or 0)
        notes.append(
            Note(
                "truncated",
                f"cut at byte {inventory.cut_offset} of {inventory.size_bytes}: {_kept(inventory)}; "
                f"{lost} bytes lie behind the cut",
            )
        )
    elif inventory.salvaged_messages:
        notes.append(Note("salvaged", _kept(inventory), count=inventory.salvaged_messages))
    notes += [Note(item.kind, item.in_words()) for item in inventory.damage if item.kind != "cut"]
    notes += [
        Note("repeated_metadata", f"metadata {name!r} is written more than once: the last one is kept")
        for name in inventory.repeated_metadata
    ]
    for info in inventory.topics:
        notes += _topic_notes(info)
        notes += _other_type_notes(info, inventory)
    notes += [
        Note("ambiguous_role", choice.reason, stream=role)
        for role, choice in inventory.roles.items()
        if choice.is_ambiguous
    ]
    link, pose = inventory.link_from_optical, inventory.roles["pose"]
    if link is not None and link.source != "tf" and pose.is_filled:
        notes.append(Note("camera_frame_" + link.source, link.detail, stream="tf"))
    return notes + _pose_notes(pose) + _clock_notes(inventory)


def _pose_notes(pose: RoleChoice) -> list[Note]:
    if not pose.frames:
        return []
    notes = [Note("pose_from_tf", pose.reason, stream="pose")]
    if pose.left_out:
        detail = f"{pose.left_out} stamps of the frame tree have no pose: a slower edge is not known there"
        notes.append(Note("pose_left_out", detail, stream="pose", count=pose.left_out))
    return notes


def _clock_notes(inventory: Inventory) -> list[Note]:
    if inventory.log_time_unit == "ns":
        return []
    counted = {"us": "microseconds", "ms": "milliseconds", "s": "seconds"}.get(inventory.log_time_unit)
    found = f"count {counted}" if counted else "lie far from the stamps"
    detail = f"log times {found} instead of nanoseconds since 1970; header stamps are used"
    return [Note("log_time_unit", detail)]


def _kept(inventory: Inventory) -> str:
    whole = inventory.messages - inventory.salvaged_messages
    kept = f"{inventory.messages} messages kept, {whole} in whole records ({inventory.chunks} whole chunks)"
    return f"{kept} and {inventory.salvaged_messages} saved from cut or broken chunks"


def _topic_notes(info: Any) -> list[Note]:
    notes = []
    if info.undecodable:
        notes.append(
            Note("undecodable_messages", info.first_error or "", stream=info.topic, count=info.undecodable)
        )
    if info.cannot_decode and info.count:
        notes.append(Note("cannot_decode", info.cannot_decode, stream=info.topic, count=info.count))
    if info.role and info.unset_rotations:
        detail = f"{info.unset_rotations} poses have a zero or not finite quaternion and so no rotation; they are kept"
        notes.append(Note("unset_rotations", detail, stream=info.topic, count=info.unset_rotations))
    if info.role and info.cut_texts:
        detail = f"{info.cut_texts} texts are longer than 65 536 characters and are cut there"
        notes.append(Note("cut_texts", detail, stream=info.topic, count=info.cut_texts))
    if info.role and info.left_out_pieces:
        detail = f"{info.left_out_pieces} pieces of the mesh are in another frame than {info.frame_id!r} and left out"
        notes.append(Note("mesh_in_other_frames", detail, stream=info.topic, count=info.left_out_pieces))
    if info.role in _ONCE_PER_STAMP and info.repeated_stamps:
        detail = f"{info.repeated_stamps} messages repeat a stamp and are left out"
        notes.append(Note("repeated_stamps", detail, stream=info.topic, count=info.repeated_stamps))
    return notes


def _other_type_notes(info: TopicInfo, inventory: Inventory) -> list[Note]:
    used = inventory.topic(info.topic)
    if used is None or used.role is None or info.role is not None or info.cannot_decode or not info.count:
        return []
    detail = (
        f"{info.count} messages of type {info.schema!r} in {info.message_encoding} are left out: "
        f"{used.count} of type {used.schema!r} in {used.message_encoding} have the same topic"
    )
    return [Note("other_type", detail, stream=info.topic, count=info.count)]


def _summary(inventory: Inventory) -> dict[str, Any]:
    rgb = inventory.role("rgb")
    return {
        "messages": inventory.messages,
        "bytes": inventory.size_bytes,
        "truncated": inventory.truncated,
        "damage": inventory.damage_total,
        "clock": inventory.clock,
        "gravity": inventory.gravity,
        "rgb_messages": rgb.count if rgb else 0,
        "rgb_rate_hz": round(rgb.rate_hz, 3) if rgb and rgb.rate_hz else None,
        "rgb_span_s": round((rgb.last_ns - rgb.first_ns) / 1e9, 3)
        if rgb and rgb.first_ns is not None and rgb.last_ns is not None
        else None,
        "rgb_gaps": len(rgb.gaps) if rgb else 0,
        "roles": {role: list(choice.topics) for role, choice in inventory.roles.items() if choice.topics},
    }
