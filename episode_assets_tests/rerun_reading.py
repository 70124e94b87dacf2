"""Reads Rerun files with the rerun package's own reader, for tests: what is at which entity, when.

It knows nothing of how the package writes them.
"""

from __future__ import annotations

import struct
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pyarrow as pa


class Row(NamedTuple):
    """What one component of one entity holds from a moment on; no times where it always holds."""

    frame: int | None
    time_ns: int | None
    value: list[Any]


class RerunReading:
    """An opened file; `store` is the rerun package's own index of it."""

    def __init__(self, path: Path) -> None:
        from rerun.chunk import RrdReader

        reader = RrdReader(path)
        (self.recording,) = reader.recordings()
        self.blueprints = reader.blueprints()
        self.chunks = list(reader.stream(store=self.recording))
        self.blueprint_chunks = [chunk for entry in self.blueprints for chunk in reader.stream(store=entry)]
        self.size = path.stat().st_size

    @property
    def entities(self) -> set[str]:
        """Paths that hold something, without the file's own properties."""
        return {chunk.entity_path for chunk in self.chunks if not chunk.entity_path.startswith("/__")}

    def has(self, entity: str, component: str) -> bool:
        return bool(self.rows(entity, component))

    def rows(self, entity: str, component: str) -> list[Row]:
        """Everything of one component that changes over time, in order."""
        found: list[Row] = []
        for chunk in self.chunks:
            if chunk.entity_path == f"/{entity}" and not chunk.is_static:
                found += rows_of(chunk.to_record_batch(), component)
        return sorted(found, key=lambda row: row.time_ns or 0)

    def still(self, entity: str, component: str) -> list[Any] | None:
        """One component that holds at all times; None where there is none."""
        for chunk in self.chunks:
            batch = chunk.to_record_batch()
            if chunk.entity_path == f"/{entity}" and chunk.is_static and component in batch.schema.names:
                value: list[Any] = batch.column(component)[0].as_py()
                return value
        return None

    def words(self) -> str:
        """All of it as text, for searching; blobs are left out."""
        parts = []
        for chunk in [*self.chunks, *self.blueprint_chunks]:
            batch = chunk.to_record_batch()
            parts.append(f"{chunk.entity_path} {batch.schema.to_string(show_schema_metadata=True)}")
            light = [name for name in batch.schema.names if not name.endswith((":blob", ":sample", "time"))]
            parts.append(str(batch.select(light).to_pydict()))
        return "\n".join(parts)


def rows_of(batch: pa.RecordBatch, component: str) -> list[Row]:
    if component not in batch.schema.names:
        return []
    count = batch.num_rows
    times = (
        batch.column("time").cast(pa.int64()).to_pylist() if "time" in batch.schema.names else [None] * count
    )
    frames = batch.column("frame").to_pylist() if "frame" in batch.schema.names else [None] * count
    column = batch.column(component)
    is_blob = component.endswith((":blob", ":sample"))
    values = [blob_of(item) if is_blob else item.as_py() for item in column]
    return [Row(*row) for row in zip(frames, times, values, strict=True)]


def blob_of(item: Any) -> list[bytes]:
    return [np.asarray(part.values).astype(np.uint8).tobytes() for part in item]


def decoded(samples: list[bytes], codec: str = "h264") -> list[np.ndarray]:
    """Decode the samples of a video stream as a viewer would: bytes only, no file around them. RGB pictures."""
    context = av.CodecContext.create(codec, "r")
    frames = [frame for sample in samples for frame in context.decode(av.Packet(sample))]
    frames += context.decode(None)
    return [frame.to_ndarray(format="rgb24") for frame in frames]


def colours_in(path: Path) -> list[np.ndarray]:
    """Every picture of the file's videos and every table of point, line and mesh colours, (..., 3) uint8.

    Of a file that was not finished, what it holds so far.
    """
    found: list[np.ndarray] = []
    samples: dict[str, list[Row]] = {}
    for chunk in chunks_so_far(path):
        batch = chunk.to_record_batch()
        samples.setdefault(chunk.entity_path, []).extend(rows_of(batch, "VideoStream:sample"))
        coloured = [name for name in batch.schema.names if name.endswith(("colors", "albedo_factor"))]
        found += [unpacked(batch.column(name)) for name in coloured]
    for rows in samples.values():
        found += decoded([row.value[0] for row in sorted(rows, key=lambda row: row.time_ns or 0)])
    return found


def chunks_so_far(path: Path) -> Iterator[Any]:
    """Yield the chunks of all recordings in a file, up to the last one that is whole."""
    from rerun.chunk import RrdReader

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        copy = Path(folder, "whole.rrd")
        copy.write_bytes(whole_messages(path.read_bytes()))
        reader = RrdReader(copy)
        for entry in reader.recordings():
            yield from reader.stream(store=entry)


def whole_messages(data: bytes) -> bytes:
    """Cut a file behind its last whole message: 12 bytes of header, then kind and length of each before its bytes."""
    end = 12
    while end + 16 <= len(data):
        (length,) = struct.unpack_from("<Q", data, end + 8)
        if end + 16 + length > len(data):
            break
        end += 16 + length
    return data[:end]


def unpacked(column: pa.Array) -> np.ndarray:
    """Return the RGB of a column of packed RGBA colours, (n, 3) uint8."""
    packed = np.array(column.flatten().to_pylist(), np.uint32)
    return np.stack([packed >> 24, packed >> 16 & 255, packed >> 8 & 255], axis=-1).astype(np.uint8)
