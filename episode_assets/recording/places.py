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


def write_places(directory: Path, chosen: Mapping[str, Sequence[TopicLog]], container: Container) -> None:
    """Write where every picture and cloud lies, repeated stamps included, in file order per topic."""
    placed = [(role, log) for role in _PLACED_ROLES for log in chosen[role]]
    columns: dict[str, Any] = {
        "role": pa.array([role for role, log in placed for _ in range(len(log.stamp))], pa.string()),
        "topic": pa.array([log.topic for _, log in placed for _ in range(len(log.stamp))], pa.string()),
    }
    for name, attribute in (
        ("message_number", "number"),
        ("stamp_ns", "stamp"),
        ("log_time_ns", "log"),
        ("chunk", "chunk"),
        ("offset", "offset"),
        ("length", "length"),
    ):
        columns[name] = _joined([np.array(getattr(log, attribute), dtype=np.int64) for _, log in placed])
    columns["group_start"] = _joined([np.array(log.group_start, dtype=np.int64) for _, log in placed]).astype(
        np.int8
    )
    columns["is_after_hole"] = _joined([_holes(log) for _, log in placed]).astype(np.bool_)
    write_table(directory / OFFSETS, columns)
    used = set(np.unique(columns["chunk"]).tolist()) - {IN_FILE}
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


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _read_only(values: NDArray[np.int64]) -> NDArray[np.int64]:
    values.flags.writeable = False
    return values


def _holes(log: TopicLog) -> NDArray[np.bool_]:
    """Return for each kept message whether the one before it does not decode, or the file is damaged in between."""
    numbers, damages = np.array(log.number, dtype=np.int64), np.array(log.damages, dtype=np.int64)
    return (np.diff(numbers, prepend=-1) > 1) | (np.diff(damages, prepend=0) > 0)


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
        mine = self._is_in("role", role) & self._is_in("topic", topic)
        return StoredPictures(*(column(self._offsets, item.name)[mine] for item in fields(StoredPictures)))

    def _is_in(self, name: str, value: str) -> NDArray[np.bool_]:
        return np.array(pc.equal(self._offsets.column(name), value).to_numpy(), dtype=np.bool_)
