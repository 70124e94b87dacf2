"""Sound and places in the bundle, for those who ask for them, and what is said about everything personal left out.

Which streams are personal is told by `recording`. Names of topics stay out of the list of what was left out and out of
the tables, because a name may tell something by itself; streams of one kind are told apart by their number.
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
    pa.field("stream", pa.int64(), nullable=False),
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
"""Columns of `audio.parquet` and `location.parquet`, the kinds that can be asked for; null is what is not stated.

stream counts the streams of the kind from 0, in the order of the names of their topics.
"""

_BATCH_MESSAGES = 256
_LARGEST = (1 << 63) - 1
_POLE_DEG, _ROUND_DEG = 90.0, 360.0
"""Latitudes and longitudes beyond these are no places; some recorders count longitude from 0 to 360."""


def file_of(kind: str) -> str:
    """Return the name of the file that holds a kind."""
    return f"{kind}.parquet"


PERSONAL_FILES = tuple(file_of(kind) for kind in SCHEMAS)
"""Names of all files that this module may write."""


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
        self._number = {topic: number for number, topic in enumerate(topics)}
        self._kind = kind

    def __next__(self) -> dict[str, Any]:
        for message in self._messages:
            try:
                content = message.decode()
            except UndecodableMessage:
                content = None
            values = values_of(self._kind, content)
            if values is not None and message.log_time_ns <= _LARGEST:
                return {
                    "stream": self._number[message.topic],
                    "message_number": message.message_number,
                    "stamp_ns": message.stamp_ns,
                    "log_time_ns": message.log_time_ns,
                    **values,
                }
            self.unreadable += 1
        raise StopIteration


def values_of(kind: str, content: Any) -> dict[str, Any] | None:
    """Return what is kept of a decoded message besides its stamps; None where it does not hold what its kind has."""
    return _READERS[kind](content) if isinstance(content, Mapping) else None


def _sound(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read foxglove's RawAudio, audio_common's AudioData, and what holds one of them as `audio`."""
    inner = message.get("audio")
    found = inner if isinstance(inner, Mapping) else message
    data, encoding = _bytes(found.get("data")), found.get("format")
    if data is None:
        return None
    return {
        "data": data,
        "format": encoding if isinstance(encoding, str) else None,
        "sample_rate": _whole(found.get("sample_rate")),
        "channels": _whole(found.get("number_of_channels")),
    }


def _bytes(data: Any) -> bytes | None:
    if isinstance(data, np.ndarray):
        return data.tobytes()
    if not isinstance(data, str):
        return None
    try:  # JSON has no bytes
        return base64.b64decode(data, validate=True)
    except ValueError:
        return None


def _place(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read latitude, longitude and altitude of NavSatFix, GPSFix and foxglove's LocationFix.

    The first two say in `status.status` whether there is a fix at all; below 0 the numbers mean nothing.
    """
    status = message.get("status")
    fix = _number(status.get("status")) if isinstance(status, Mapping) else None
    if fix is not None and fix < 0:
        return None
    latitude, longitude = _number(message.get("latitude")), _number(message.get("longitude"))
    if latitude is None or longitude is None or abs(latitude) > _POLE_DEG or abs(longitude) > _ROUND_DEG:
        return None
    altitude = _number(message.get("altitude"))
    return {"latitude_deg": latitude, "longitude_deg": longitude, "altitude_m": altitude}


def _whole(value: Any) -> int | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST
    return value if is_whole else None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, float | int) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) <= _LARGEST else None


_READERS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any] | None]] = {
    "audio": _sound,
    "location": _place,
}
