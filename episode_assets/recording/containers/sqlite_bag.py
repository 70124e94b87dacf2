"""ROS 2 bags in SQLite storage (.db3): topics from one table, messages from another, in the order of their row ids.

The file is opened as immutable, so that nothing is ever written beside it; a place is a row id. What a payload
means belongs to `decoders`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mcap.records import Channel, Schema
from zstandard import frame_content_size

from episode_assets.errors import BadRecording
from episode_assets.progress import Progress, silent
from episode_assets.recording.containers.container import IN_ROWS, Container, StoredMessage
from episode_assets.recording.containers.cut_page import CutPage, Row
from episode_assets.recording.containers.source import ForwardReader, Source, local_path
from episode_assets.recording.containers.unpacking import ChunkRefusedError, unpack

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ROW_IDS_END = 1 << 63
_ALL = -1
_ROWS_TRIED = 1000
"""So many rows behind a damaged one are tried one by one; further on, each try doubles the step."""

_SIDE_FILES = ("-wal", "-journal")
_TOPIC_COLUMNS = {"id", "name", "type"}
_TOPIC_DETAILS = frozenset({"serialization_format", "offered_qos_profiles"})
_DEFINITION_COLUMNS = {"topic_type", "encoding", "encoded_message_definition"}
_MESSAGE_COLUMNS = {"topic_id", "timestamp", "data"}
_METADATA_NAME = "rosbag2"
"""Under this name rosbag2 writes the same text into its MCAP files."""

_MESSAGES = "SELECT rowid, topic_id, timestamp, data FROM messages WHERE rowid >= ? ORDER BY rowid LIMIT ?"


class SqliteWalk:
    """One pass over the messages of a SQLite bag; used like `walk.Walk`.

    Topics become channels under their own numbers. The type definitions are taken from the file where it has them;
    older bags have none, and their schemas are empty.
    """

    def __init__(
        self,
        source: Source,
        *,
        max_chunk_bytes: int,
        with_digest: bool = True,
        progress: Progress = silent,
    ) -> None:
        self._path = _path_of(source)
        self._source = source
        self._max_payload_bytes = max_chunk_bytes
        self._with_digest = with_digest
        self._progress = progress
        self._bytes_done = 0
        self.container = Container(profile="ros2")

    def messages(self) -> Iterator[StoredMessage]:
        """Yield every readable message in the order of the row ids; damage is noted in the container and passed over.

        Raises:
            BadRecording: The database cannot be opened, or is no ROS 2 bag.
        """
        database = open_database(self._source)
        try:
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, self._max_payload_bytes)
            self._read_topics(database)
            self._note_side_files()
            page = CutPage(self._source)
            if page.missing_bytes:
                self._note_cut(page.missing_bytes, "the database is shorter than its head says")
            rows = page.without_cut_row(self._rows(database), self._note_cut_row)
            for row in rows:
                message = self._message(*row)
                if message is not None:
                    yield message
        finally:
            database.close()
        self.container.has_footer = not self.container.truncated

    def sha256(self) -> str | None:
        """Return the SHA-256 of the file, which is read once more for it."""
        return ForwardReader(self._source).sha256() if self._with_digest else None

    def _read_topics(self, database: sqlite3.Connection) -> None:
        try:
            topics = _table(database, "topics", _TOPIC_COLUMNS, _TOPIC_DETAILS)
            messages = _columns(database, "messages")
            definitions = _table(database, "message_definitions", _DEFINITION_COLUMNS) or []
            details = _table(database, "metadata", {"metadata"}) or []
        except sqlite3.DatabaseError as error:
            raise _unreadable(self._source.uri, str(error)) from error
        if topics is None or not _MESSAGE_COLUMNS.issubset(messages):
            raise _unreadable(self._source.uri, "it lacks the tables `topics` and `messages`")
        texts = {str(row["topic_type"]): row for row in definitions}
        schema_ids: dict[str, int] = {}
        for row in topics:
            kind = str(row["type"])
            schema_id = schema_ids.setdefault(kind, len(schema_ids) + 1)
            self.container.schemas[schema_id] = _schema(schema_id, kind, texts.get(kind, {}))
            self.container.channels[row["id"]] = _channel(schema_id, row)
        for row in details:
            self.container.metadata.append((_METADATA_NAME, {"serialized_metadata": str(row["metadata"])}))

    def _note_side_files(self) -> None:
        for suffix in _SIDE_FILES:
            side = Path(f"{self._path}{suffix}")
            if side.is_file() and side.stat().st_size > 0:
                self.container.cut_offset = self._source.size
                self.container.note_damage(
                    "not_merged",
                    self._source.size,
                    side.stat().st_size,
                    f"the bag was not closed: what the file with the ending {suffix} beside it holds is not read; "
                    "open a copy of both once with the sqlite3 command to merge them",
                )

    def _rows(self, database: sqlite3.Connection) -> Iterator[Row]:
        """Yield the rows of all messages; behind a damaged one, look for the next that is readable."""
        start, limit, failures = -_ROW_IDS_END, _ALL, 0
        lost_from: tuple[int, str] | None = None
        while start < _ROW_IDS_END:
            before = start
            try:
                for row in _ordered_rows(database, start, limit):
                    if lost_from is not None:
                        self._note_lost(*lost_from, before=row[0])
                    lost_from, failures, start = None, 0, row[0] + 1
                    yield row
                if start == before:
                    break
                limit = _ALL
            except sqlite3.DatabaseError as error:
                # The module drops the row in front of a damaged one: that one is asked for again, alone.
                if limit == 1:
                    lost_from = lost_from or (start, str(error))
                    failures += 1
                    start += 1 << max(0, failures - _ROWS_TRIED)
                limit = 1
        if lost_from is not None:
            self._note_lost(*lost_from, before=None)

    def _note_lost(self, first: int, reason: str, *, before: int | None) -> None:
        size = self._source.size
        if before is not None:
            detail = f"rows {first} to {before - 1} are unreadable: {reason}"
            self.container.note_damage("bad_rows", size, 0, detail)
        elif self.container.truncated:
            self.container.note_damage("bad_rows", size, 0, f"rows from {first} on are unreadable: {reason}")
        else:
            self._note_cut(0, f"rows from {first} on are unreadable: {reason}")

    def _note_cut(self, missing_bytes: int, detail: str) -> None:
        self.container.cut_offset = self._source.size
        self.container.note_damage("cut", self._source.size, missing_bytes, detail)

    def _note_cut_row(self, row_id: int) -> None:
        self.container.note_damage("bad_rows", self._source.size, 0, f"row {row_id} runs into the cut")

    def _message(self, row_id: int, topic_id: Any, timestamp: Any, data: Any) -> StoredMessage | None:
        box = self.container
        if topic_id not in box.channels:
            detail = f"row {row_id}: a message of topic {topic_id}, which no row describes"
            box.note_damage("unknown_channel", 0, 0, detail)
            return None
        if not isinstance(timestamp, int) or timestamp < 0 or not isinstance(data, bytes):
            box.note_damage("bad_record", 0, 0, f"row {row_id}: a message without time or payload")
            return None
        try:
            payload = _plain(data, self._max_payload_bytes)
        except ChunkRefusedError as error:
            box.note_damage("bad_record", 0, len(data), f"row {row_id}: {error}")
            return None
        self._source.bytes_read += len(data)
        self._bytes_done = min(self._bytes_done + len(data), self._source.size)
        self._progress("read", self._bytes_done, self._source.size)
        return StoredMessage(topic_id, timestamp, memoryview(payload), IN_ROWS, row_id)


def _ordered_rows(database: sqlite3.Connection, start: int, limit: int) -> Iterator[Row]:
    """Yield rows from a row id on; raises DatabaseError where damage leads the search back to rows already seen."""
    for row in database.execute(_MESSAGES, (start, limit)):
        if row[0] < start:
            raise sqlite3.DatabaseError("row ids run backwards")
        start = row[0] + 1
        yield row


def open_database(source: Source) -> sqlite3.Connection:
    """Open a SQLite bag for reading, without any file beside it.

    Raises:
        BadRecording: The file is not local, or SQLite does not open it.
    """
    path = _path_of(source)
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    except sqlite3.Error as error:
        raise _unreadable(source.uri, str(error)) from error
    database.text_factory = lambda text: text.decode("utf-8", errors="replace")
    # Without this, SQLite refuses a database that is shorter than its head says, instead of reading what is there.
    database.execute("PRAGMA writable_schema = ON")
    return database


def read_row(database: sqlite3.Connection, row_id: int, *, max_bytes: int) -> bytes | memoryview | None:
    """Return the payload of the message in a row, or None where it is gone, unreadable, or over `max_bytes`."""
    try:
        found = database.execute("SELECT data FROM messages WHERE rowid = ?", (row_id,)).fetchone()
        return _plain(found[0], max_bytes) if found and isinstance(found[0], bytes) else None
    except (sqlite3.Error, ChunkRefusedError):
        return None


def _plain(data: bytes, max_bytes: int) -> bytes | memoryview:
    """Return a payload unpacked, where the recorder packed each message by itself; raises ChunkRefusedError.

    No serialisation that a bag holds begins as a zstd frame does: CDR begins with a zero.
    """
    if not data.startswith(_ZSTD_MAGIC):
        return data
    stated = frame_content_size(data)
    if not 0 <= stated <= max_bytes:
        raise ChunkRefusedError("chunk_too_large", f"a packed message claims {stated} bytes")
    return unpack("zstd", data, stated)


def _path_of(source: Source) -> Path:
    path = local_path(source.uri)
    if path is None:
        raise BadRecording(
            "a SQLite bag can only be read from a local disk",
            where=source.uri,
            remedy="copy it to a disk, or there make an MCAP file of it: episode-assets repair FILE.db3 OUT.mcap",
        )
    return path


def _unreadable(where: str, reason: str) -> BadRecording:
    return BadRecording(
        f"a SQLite database that is no readable ROS 2 bag: {reason}",
        where=where,
        remedy="copy the recording again, or give the .db3 file of a bag",
    )


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    """Return the columns of a table, none where the file lacks it; views are no tables, they may never end."""
    found = database.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)
    ).fetchone()
    if found is None:
        return set()
    return {name for (name,) in database.execute("SELECT name FROM pragma_table_info(?)", (table,))}


def _table(
    database: sqlite3.Connection, table: str, required: set[str], optional: frozenset[str] = frozenset()
) -> list[dict[str, Any]] | None:
    """Return the rows of a small table by column name, or None where the file lacks it or a required column."""
    columns = _columns(database, table)
    if not required.issubset(columns):
        return None
    names = sorted(required | optional & columns)
    rows = database.execute(f"SELECT {', '.join(names)} FROM {table}")  # noqa: S608  # the names are our own
    return [dict(zip(names, row, strict=True)) for row in rows]


def _schema(schema_id: int, kind: str, definition: dict[str, Any]) -> Schema:
    text = str(definition.get("encoded_message_definition") or "")
    encoding = str(definition.get("encoding") or "ros2msg")
    return Schema(id=schema_id, name=kind, encoding=encoding if text else "ros2msg", data=text.encode())


def _channel(schema_id: int, row: dict[str, Any]) -> Channel:
    return Channel(
        id=row["id"],
        topic=str(row["name"]),
        message_encoding=str(row.get("serialization_format") or "cdr"),
        metadata={"offered_qos_profiles": str(row.get("offered_qos_profiles") or "")},
        schema_id=schema_id,
    )
