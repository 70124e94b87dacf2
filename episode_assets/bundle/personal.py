"""Sound and places in the bundle, for those who ask for them, and what is said about everything personal left out.

Which streams are personal is told by `recording`. Names of topics stay out of the list of what was left out, because
a name may tell something by itself.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from episode_assets.bundle.account import Account
from episode_assets.recording import (
    PERSONAL_KINDS,
    PersonalTopic,
    RecordingView,
    UndecodableMessage,
    personal_topics,
    read_messages,
)

_STAMPS = [
    pa.field("topic", pa.string(), nullable=False),
    pa.field("message_number", pa.int64(), nullable=False),
    pa.field("stamp_ns", pa.int64(), nullable=False),
    pa.field("log_time_ns", pa.int64(), nullable=False),
]
SCHEMAS: Mapping[str, pa.Schema] = {
    "audio": pa.schema(
        [
            *_STAMPS,
            pa.field("data", pa.binary(), nullable=False),
            pa.field("format", pa.string()),
            pa.field("sample_rate", pa.int64()),
            pa.field("channels", pa.int64()),
        ]
    ),
    "location": pa.schema(
        [
            *_STAMPS,
            pa.field("latitude_deg", pa.float64(), nullable=False),
            pa.field("longitude_deg", pa.float64(), nullable=False),
            pa.field("altitude_m", pa.float64()),
        ]
    ),
}
"""Columns of `audio.parquet` and `location.parquet`, the kinds that can be asked for; null is what is not stated."""

_BATCH_MESSAGES = 256


def file_of(kind: str) -> str:
    """Return the name of the file that holds a kind."""
    return f"{kind}.parquet"


def write_personal(
    raw: RecordingView, wanted: tuple[str, ...], directory: Path, account: Account
) -> list[str]:
    """Write the kinds that are wanted, enter all others as left out, and return the names of the files.

    Raises:
        SourceChanged: The recording is not the file that was scanned.
    """
    topics = personal_topics(raw.inventory)
    written = []
    for kind, words in PERSONAL_KINDS.items():
        mine = [topic for topic in topics if topic.kind == kind]
        if kind in wanted:
            written += _write_kind(raw, kind, mine, directory, account)
        elif mine:
            account.skip(kind, "personal", f"{_counted(mine)} with {words}; {_remedy(kind)}")
    _skip_unread(raw, account)
    return written


def _remedy(kind: str) -> str:
    return f"`personal: [{kind}]` asks for it" if kind in SCHEMAS else "it stays in the recording"


def _counted(topics: list[PersonalTopic]) -> str:
    messages = sum(topic.messages for topic in topics)
    return f"{len(topics)} stream{'s' * (len(topics) > 1)} of {messages} messages"


def _skip_unread(raw: RecordingView, account: Account) -> None:
    count = len(raw.inventory.attachments)
    if count:
        account.skip("attachments", "personal", f"{count} attachments; they stay in the recording")
    keys = {key for record in raw.inventory.metadata.values() for key in record}
    if keys - raw.metadata.keys():
        detail = f"{len(keys - raw.metadata.keys())} of {len(keys)} entries of metadata are not known to be harmless"
        account.skip("metadata", "personal", f"{detail}; they stay in the recording")


def _write_kind(
    raw: RecordingView, kind: str, topics: list[PersonalTopic], directory: Path, account: Account
) -> list[str]:
    name = file_of(kind)
    if not topics:
        account.skip(name, f"no_{kind}_messages", f"the recording has no stream with {PERSONAL_KINDS[kind]}")
        return []
    raw.check_source()
    rows = _Rows(raw, kind, sorted({topic.topic for topic in topics}))
    with pq.ParquetWriter(directory / name, SCHEMAS[kind], compression="zstd") as writer:
        while batch := list(islice(rows, _BATCH_MESSAGES)):
            writer.write_table(pa.Table.from_pylist(batch, schema=SCHEMAS[kind]))
    account.note(
        f"{kind}_unreadable",
        f"{rows.unreadable} messages of {kind} do not decode, or state nothing that is kept of them",
        stream=kind,
        count=rows.unreadable,
    )
    account.save(name)
    return [name]


class _Rows(Iterator[dict[str, Any]]):
    """The rows of one kind, in file order; counts what it cannot read."""

    def __init__(self, raw: RecordingView, kind: str, topics: list[str]) -> None:
        self.unreadable = 0
        self._messages = read_messages(raw.source, topics=topics)
        self._values = _READERS[kind]

    def __next__(self) -> dict[str, Any]:
        for message in self._messages:
            try:
                content = message.decode()
                values = self._values(content if isinstance(content, dict) else {})
            except (UndecodableMessage, KeyError, TypeError, ValueError):
                self.unreadable += 1
                continue
            return {
                "topic": message.topic,
                "message_number": message.message_number,
                "stamp_ns": message.stamp_ns,
                "log_time_ns": message.log_time_ns,
                **values,
            }
        raise StopIteration


def _sound(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the bytes of foxglove's RawAudio, audio_common's AudioData and what holds one of them as `audio`."""
    inner = message["audio"] if isinstance(message.get("audio"), dict) else message
    rate, channels = inner.get("sample_rate"), inner.get("number_of_channels")
    return {
        "data": _bytes(inner["data"]),
        "format": inner.get("format"),
        "sample_rate": None if rate is None else int(rate),
        "channels": None if channels is None else int(channels),
    }


def _bytes(data: Any) -> bytes:
    if isinstance(data, str):  # JSON has no bytes
        return base64.b64decode(data, validate=True)
    return data.tobytes() if isinstance(data, np.ndarray) else bytes(data)


def _place(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return latitude, longitude and altitude of NavSatFix, GPSFix and foxglove's LocationFix."""
    latitude, longitude = float(message["latitude"]), float(message["longitude"])
    if not (np.isfinite(latitude) and np.isfinite(longitude)):
        raise ValueError("a fix without a place")
    altitude = message.get("altitude")
    return {
        "latitude_deg": latitude,
        "longitude_deg": longitude,
        "altitude_m": None if altitude is None or not np.isfinite(altitude) else float(altitude),
    }


_READERS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {"audio": _sound, "location": _place}
