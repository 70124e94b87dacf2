"""Where the pictures and clouds of a recording lie: written by `scan`, read back as image streams.

`offsets.parquet` has a row for each picture and cloud, `chunks.parquet` the compressed chunks that hold them,
`schemas.parquet` the schemas that their messages need to be decoded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from episode_assets.long_tables import Rows, write_rows
from episode_assets.recording.clouds import CloudStream, cloud_stream
from episode_assets.recording.collect import TopicLog
from episode_assets.recording.containers.container import IN_FILE, Container, PackedChunk
from episode_assets.recording.encodings.decoders import Decoder, find_decoder
from episode_assets.recording.inventory import TopicInfo
from episode_assets.recording.pictures.images import Duplicate, ImageStream, StoredPictures
from episode_assets.recording.tables import StoredColumns, checked_table, column, write_table

OFFSETS = "offsets.parquet"
CHUNKS = "chunks.parquet"
SCHEMAS = "schemas.parquet"

_PLACED_ROLES = ("rgb", "depth", "point_cloud")
_OFFSETS_SCHEMA = pa.schema(
    [
        ("role", pa.string()),
        ("topic", pa.string()),
        ("message_number", pa.int64()),
        ("stamp_ns", pa.int64()),
        ("log_time_ns", pa.int64()),
        ("chunk", pa.int64()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("group_start", pa.int8()),
        ("is_after_hole", pa.bool_()),
    ]
)


def write_places(directory: Path, chosen: Mapping[str, Sequence[TopicLog]], container: Container) -> None:
    """Write where every picture and cloud lies, repeated stamps included, in file order per topic."""
    placed = [(role, log) for role in _PLACED_ROLES for log in chosen[role]]
    begins = np.cumsum([0, *(len(log.stamp) for _, log in placed)]).tolist()

    def part(rows: slice) -> dict[str, Any]:
        table = pa.concat_tables(
            [
                _places_of(role, log, max(rows.start - begin, 0), min(rows.stop - begin, len(log.stamp)))
                for (role, log), begin in zip(placed, begins[:-1], strict=True)
                if begin < rows.stop and rows.start < begin + len(log.stamp)
            ]
            or [_OFFSETS_SCHEMA.empty_table()]
        )
        return {name: table.column(name).combine_chunks() for name in table.column_names}

    write_rows(directory / OFFSETS, Rows(begins[-1], part))
    pieces = (piece for _, log in placed for piece in log.chunk.pieces(1))
    used = {number for piece in pieces for number in np.unique(piece).tolist()} - {IN_FILE}
    packed = [chunk for chunk in container.packed if chunk.number in used]
    write_table(
        directory / CHUNKS,
        {
            "chunk": pa.array([chunk.number for chunk in packed], pa.int64()),
            "offset": pa.array([chunk.offset for chunk in packed], pa.int64()),
            "packed_bytes": pa.array([chunk.packed_bytes for chunk in packed], pa.int64()),
            "unpacked_bytes": pa.array([chunk.unpacked_bytes for chunk in packed], pa.int64()),
            "compression": pa.array([chunk.compression for chunk in packed], pa.string()),
        },
    )
    write_table(
        directory / SCHEMAS,
        {
            "topic": pa.array([log.topic for _, log in placed], pa.string()),
            "schema": pa.array([log.schema for _, log in placed], pa.string()),
            "data": pa.array([log.schema_data for _, log in placed], pa.binary()),
        },
    )


def _places_of(role: str, log: TopicLog, start: int, stop: int) -> pa.Table:
    """Return the rows `[start, stop)` of a topic."""
    count = stop - start
    columns: dict[str, Any] = {"role": pa.array([role] * count), "topic": pa.array([log.topic] * count)}
    for name, values in (
        ("message_number", log.number),
        ("stamp_ns", log.stamp),
        ("log_time_ns", log.log),
        ("chunk", log.chunk),
        ("offset", log.offset),
        ("length", log.length),
        ("group_start", log.group_start),
    ):
        columns[name] = values.read(start, stop)
    columns["is_after_hole"] = _holes(log, start, stop)
    return pa.table(columns, schema=_OFFSETS_SCHEMA)


def _read_only(values: NDArray[np.int64]) -> NDArray[np.int64]:
    values.flags.writeable = False
    return values


def _holes(log: TopicLog, start: int, stop: int) -> NDArray[np.bool_]:
    """Return for each kept message whether the one before it does not decode, or the file is damaged in between."""
    numbers, damages = (
        np.diff(values.read(start - 1, stop)) if start else np.diff(values.read(0, stop), prepend=first)
        for values, first in ((log.number, -1), (log.damages, 0))
    )
    return (numbers > 1) | (damages > 0)


class Places:
    """The places that a scan wrote into a directory; each table is read when it is first needed.

    Of the pictures only the columns of the topic that is asked for are held, since an hour has 200,000 of them.

    Raises:
        ArtifactDamaged: A table cannot be read.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @cached_property
    def _offsets(self) -> StoredColumns:
        return StoredColumns(self._directory / OFFSETS)

    @cached_property
    def _packed(self) -> dict[int, PackedChunk]:
        rows = checked_table(self._directory / CHUNKS).to_pylist()
        return {
            row["chunk"]: PackedChunk(
                row["chunk"], row["offset"], row["packed_bytes"], row["unpacked_bytes"], row["compression"]
            )
            for row in rows
        }

    @cached_property
    def _schemas(self) -> dict[tuple[str, str], bytes]:
        rows = checked_table(self._directory / SCHEMAS).to_pylist()
        return {(row["topic"], row["schema"]): row["data"] for row in rows}

    def image_stream(self, role: str, info: TopicInfo, *, source: str, source_bytes: int) -> ImageStream:
        """Return the pictures of a topic that fills a role, in the order of their stamps."""
        decoder = self._decoder(info)
        stored = self._stored(role, info.topic)
        order = np.argsort(stored.stamp_ns, kind="stable")
        repeated = np.zeros(len(order), dtype=np.bool_)
        repeated[1:] = np.diff(stored.stamp_ns[order]) == 0
        left_out, rows = order[repeated], order[~repeated]
        duplicates = tuple(
            Duplicate(int(number), int(stamp))
            for number, stamp in zip(stored.message_number[left_out], stored.stamp_ns[left_out], strict=True)
        )
        number, stamp, log_time = (
            _read_only(values[rows])
            for values in (stored.message_number, stored.stamp_ns, stored.log_time_ns)
        )
        return ImageStream(
            role,
            info.topic,
            info.frame_id,
            source,
            source_bytes,
            number,
            stamp,
            log_time,
            duplicates,
            tuple(np.setdiff1d(np.arange(info.count), stored.message_number).tolist()),
            stored,
            rows,
            self._packed,
            decoder,
        )

    def cloud_stream(self, info: TopicInfo, *, source: str) -> CloudStream:
        """Return the clouds of a topic, in the order of their stamps."""
        return cloud_stream(
            info.topic,
            info.frame_id,
            source,
            stored=self._stored("point_cloud", info.topic),
            packed=self._packed,
            decoder=self._decoder(info),
        )

    def _decoder(self, info: TopicInfo) -> Decoder:
        decoder = find_decoder(
            info.message_encoding, info.schema_encoding, info.schema, self._schemas[info.topic, info.schema]
        )
        assert isinstance(decoder, Decoder)
        return decoder

    def _stored(self, role: str, topic: str) -> StoredPictures:
        """Return the places of a topic; a row group at a time, since all words of an hour take 100 MB."""
        names = [item.name for item in fields(StoredPictures)]
        parts: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
        for rows in self._offsets.pieces():
            mine = _is_in(rows, "role", role) & _is_in(rows, "topic", topic)
            if mine.any():
                for name in names:
                    parts[name].append(column(rows, name)[mine])
        columns = {
            name: np.concatenate(found) if found else column(self._offsets, name)[:0]
            for name, found in parts.items()
        }
        return StoredPictures(**columns)


def _is_in(rows: StoredColumns, name: str, value: str) -> NDArray[np.bool_]:
    return np.array(pc.equal(rows.column(name), value).to_numpy(), dtype=np.bool_)
