"""Ways to damage a dataset that has passed verification: one function per kind, each changes as little as it can."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Damage = Callable[[Path], object]

CAMERA = "observation.images.ego"
DATA = "data/chunk-000/file-000.parquet"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
TASKS = "meta/tasks.parquet"
VIDEO = f"videos/{CAMERA}/chunk-000/file-000.mp4"
V2_DATA = "data/chunk-000/episode_000001.parquet"
V2_VIDEO = f"videos/chunk-000/{CAMERA}/episode_000001.mp4"


def document(path: str, change: Callable[[Any], object]) -> Damage:
    """Change a JSON document."""

    def damage(root: Path) -> None:
        found = json.loads((root / path).read_text(encoding="utf-8"))
        change(found)
        (root / path).write_text(json.dumps(found), encoding="utf-8")

    return damage


def info(**values: Any) -> Damage:
    """Change keys of info.json."""
    return document("meta/info.json", lambda found: found.update(values))


def feature(key: str, **values: Any) -> Damage:
    """Change an entry of a feature."""
    return document("meta/info.json", lambda found: found["features"][key].update(values))


def camera_fact(**values: Any) -> Damage:
    """Change what info.json says of the camera's stream; dots are written as double underscores."""
    changed = {name.replace("__", "."): value for name, value in values.items()}
    return document("meta/info.json", lambda found: found["features"][CAMERA]["info"].update(changed))


def statistic(key: str, name: str, value: Any) -> Damage:
    """Change or, with None, remove a statistic of the dataset."""

    def change(found: Any) -> None:
        found[key].pop(name)
        if value is not None:
            found[key][name] = value

    return document("meta/stats.json", change)


def line(path: str, number: int, change: Callable[[Any], object]) -> Damage:
    """Change one line of a file of JSON lines."""

    def damage(root: Path) -> None:
        lines = (root / path).read_text(encoding="utf-8").splitlines()
        found = json.loads(lines[number])
        change(found)
        lines[number] = json.dumps(found)
        (root / path).write_text("\n".join(lines) + "\n", encoding="utf-8")

    return damage


def column(path: str, name: str, change: Callable[[list[Any]], Any]) -> Damage:
    """Change a column of a table and keep its row groups; an Arrow array changes the type as well."""

    def damage(root: Path) -> None:
        table = pq.read_table(root / path)
        changed = change(table[name].to_pylist())
        kind = changed.type if isinstance(changed, pa.Array) else table.schema.field(name).type
        place = table.schema.get_field_index(name)
        rewrite(root / path, table.set_column(place, pa.field(name, kind), pa.array(changed, kind)))

    return damage


def rewrite(path: Path, table: Any) -> None:
    """Write a table over an old one, with its row groups."""
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    with pq.ParquetWriter(path, table.schema) as writer:
        start = 0
        for rows in groups:
            writer.write_table(table.slice(start, rows), row_group_size=max(rows, 1))
            start += rows


def put(position: int, value: Any) -> Callable[[list[Any]], list[Any]]:
    """Return a change of one row."""

    def change(values: list[Any]) -> list[Any]:
        values[position] = value
        return values

    return change


def added_column(key: str, dtype: str, values: Callable[[int], Any], kind: Any) -> Damage:
    """Add a column with its feature, and the statistics of a counter."""

    def damage(root: Path) -> None:
        table = pq.read_table(root / DATA)
        rewrite(root / DATA, table.append_column(key, pa.array(map(values, range(len(table))), kind)))
        entry = {"dtype": dtype, "shape": [1], "names": None}
        document("meta/info.json", lambda found: found["features"].update({key: entry}))(root)

    return damage


def cut(path: str, rest: int) -> Damage:
    """Keep the first bytes of a file."""
    return lambda root: (root / path).write_bytes((root / path).read_bytes()[:rest])


def removed(*paths: str) -> Damage:
    """Remove files."""
    return lambda root: [(root / path).unlink() for path in paths]


def written(path: str, content: bytes = b"x") -> Damage:
    """Add a file."""

    def damage(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)

    return damage


def one_row_group(path: str) -> Damage:
    """Write all rows of a table as one row group."""
    return lambda root: pq.write_table(pq.read_table(root / path), root / path)


def second_record_file(root: Path) -> None:
    """Move the last record of the episode table into a file of its own, which lacks a column."""
    table = pq.read_table(root / EPISODES)
    last = table.slice(len(table) - 1).drop_columns(["recording_id"])
    place = last.schema.get_field_index("meta/episodes/file_index")
    last = last.set_column(place, last.schema.field(place), pa.array([1]))
    pq.write_table(table.slice(0, len(table) - 1), root / EPISODES)
    pq.write_table(last, (root / EPISODES).with_name("file-001.parquet"))


@contextmanager
def replaced(path: Path) -> Iterator[tuple[Any, Any]]:
    """Yield a video to read from and the one that takes its place."""
    source = path.with_suffix(".old.mp4")
    shutil.move(path, source)
    with av.open(str(source)) as container, av.open(str(path), "w") as out:
        yield container, out
    source.unlink()


def muxed(path: str, stamp: Callable[[int], float], *, last: float = 1.0) -> Damage:
    """Write the packets of a video again with other stamps, both in frames; `last` is the duration of the last one."""

    def damage(root: Path) -> None:
        with replaced(root / path) as (container, out):
            stream = container.streams.video[0]
            copy = out.add_stream_from_template(stream, opaque=True)
            packets = [packet for packet in container.demux(stream) if packet.size]
            copy.time_base = Fraction(1, 512 * 15)
            for number, packet in enumerate(packets):
                is_last = number == len(packets) - 1
                packet.stream, packet.time_base = copy, Fraction(1, 512 * 15)
                packet.pts = packet.dts = round(stamp(number) * 512)
                packet.duration = round(512 * (last if is_last else 1.0))
                out.mux_one(packet)

    return damage


def encoded(path: str, frames: int, **options: str) -> Damage:
    """Write another video of black pictures that move."""

    def damage(root: Path) -> None:
        with av.open(str(root / path), "w") as out:
            stream = out.add_stream(
                "libx264", rate=15, options={"bf": "0", "g": "15", "sc_threshold": "0", **options}
            )
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for packet in _packets(stream, frames):
                out.mux(packet)

    return damage


def _packets(stream: Any, frames: int) -> Iterator[Any]:
    for number in range(frames):
        pixels = np.roll(np.tile(np.arange(64, dtype=np.uint8), (48, 1)), number, axis=1)
        yield stream.encode(av.VideoFrame.from_ndarray(np.stack([pixels] * 3, axis=-1), format="rgb24"))
    yield stream.encode(None)


def with_sound(path: str) -> Damage:
    """Add a track of silence."""

    def damage(root: Path) -> None:
        with replaced(root / path) as (container, out):
            stream = container.streams.video[0]
            copy = out.add_stream_from_template(stream, opaque=True)
            sound = out.add_stream("aac", rate=8000)
            for packet in container.demux(stream):
                if packet.size:
                    packet.stream = copy
                    out.mux_one(packet)
            silence = av.AudioFrame(format="fltp", layout="mono", samples=1024)
            silence.sample_rate, silence.pts = 8000, 0
            silence.planes[0].update(bytes(silence.planes[0].buffer_size))
            for packet in (*sound.encode(silence), *sound.encode(None)):
                out.mux(packet)

    return damage


def overwritten_packet(path: str, frame: int) -> Damage:
    """Put noise in the place of a packet: the file still opens and its packets can be counted."""

    def damage(root: Path) -> None:
        with av.open(str(root / path)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
        content = bytearray((root / path).read_bytes())
        start = packets[frame].pos + 5  # behind the length and the type of its unit
        content[start : start + packets[frame].size - 5] = b"\xff" * (packets[frame].size - 5)
        (root / path).write_bytes(content)

    return damage
