"""Recordings inside a file that is compressed as a whole."""

from __future__ import annotations

import bz2
import gzip
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import lz4.frame  # type: ignore[import-untyped]
import pytest
import zstandard

from episode_assets.errors import BadRecording
from episode_assets.recording import inspect, scan_recording
from episode_assets.recording.containers.compressed import CompressedSource
from episode_assets.recording.containers.opening import open_walk
from episode_assets.recording.containers.source import Source
from episode_assets_tests.recording.rig import write_rig

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": zstandard.ZstdCompressor().compress,
    "gzip": partial(gzip.compress, mtime=0),  # the time of day would give the tests another name each second
    "bz2": lambda content: bz2.compress(content, 1),
    "lz4": lz4.frame.compress,
}


def test_the_sample_file_gives_the_messages_of_the_recording_inside(data: Path) -> None:
    inventory = inspect(str(data / "damaged" / "whole_file.mcap.zstd"))

    assert inventory.messages == 14
    assert {info.topic: info.count for info in inventory.topics} == {"/rosout": 10, "/diagnostics_agg": 4}
    assert not inventory.truncated
    assert inventory.size_bytes == 1902


@pytest.mark.parametrize("inside", ["damaged/good.mcap", "damaged/good.bag"])
@pytest.mark.parametrize("name", sorted(PACKERS))
def test_a_compressed_recording_reads_like_the_one_inside(
    name: str, inside: str, data: Path, tmp_path: Path
) -> None:
    file = tmp_path / f"recording.{name}"
    file.write_bytes(PACKERS[name]((data / inside).read_bytes()))

    plain, through = inspect(str(data / inside)), inspect(str(file))

    assert [(t.topic, t.schema, t.count) for t in through.topics] == [
        (t.topic, t.schema, t.count) for t in plain.topics
    ]
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("name", sorted(PACKERS))
def test_a_scan_refuses_a_compressed_recording_with_a_remedy(name: str, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "recording.mcap"
    file.write_bytes(PACKERS[name]((data / "damaged" / "good.mcap").read_bytes()))

    with pytest.raises(BadRecording, match=f"compressed with {name}.*episode-assets repair") as caught:
        scan_recording(str(file), tmp_path, recording_id="rec-1")

    assert caught.value.is_permanent


@pytest.mark.parametrize("name", sorted(PACKERS))
def test_a_cut_compressed_recording_keeps_what_unpacks(name: str, tmp_path: Path) -> None:
    plain = write_rig(tmp_path / "rig.mcap", frames=200, chunk_bytes=20_000)
    messages = inspect(str(plain)).messages
    packed = PACKERS[name](plain.read_bytes())
    file = tmp_path / "cut.mcap"
    file.write_bytes(packed[: len(packed) * 9 // 10])

    inventory = inspect(str(file))

    assert inventory.truncated
    assert messages // 2 < inventory.messages < messages


@pytest.mark.parametrize("name", sorted(PACKERS))
def test_a_stream_that_is_broken_from_the_start_is_named(name: str, data: Path, tmp_path: Path) -> None:
    packed = bytearray(PACKERS[name]((data / "damaged" / "good.mcap").read_bytes()))
    packed[4:40] = b"\xff" * 36
    file = tmp_path / "broken.mcap"
    file.write_bytes(packed)

    with pytest.raises(BadRecording, match=f"compressed with {name} and does not unpack"):
        inspect(str(file))


def test_a_file_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bomb.mcap"
    file.write_bytes(zstandard.ZstdCompressor().compress(bytes(70 << 20)))
    assert file.stat().st_size < 10_000

    with pytest.raises(BadRecording, match=r"unpack to more than .* refused"):
        inspect(str(file))


def test_several_frames_one_behind_the_other_are_one_file(data: Path, tmp_path: Path) -> None:
    content = (data / "damaged" / "good.mcap").read_bytes()
    file = tmp_path / "frames.mcap"
    file.write_bytes(
        b"".join(PACKERS["zstd"](content[at : at + 1000]) for at in range(0, len(content), 1000))
    )

    assert inspect(str(file)).messages == 14


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (PACKERS["gzip"](PACKERS["zstd"](b"twice")), "zstd inside"),
        (PACKERS["gzip"](b"SQLite format 3\x00" + bytes(100)), "sqlite3 inside"),
        (PACKERS["gzip"](b"hello"), "a text file"),
    ],
    ids=["zstd", "sqlite3", "text"],
)
def test_what_cannot_be_read_through_a_compression_is_named(
    content: bytes, word: str, tmp_path: Path
) -> None:
    file = tmp_path / "odd.gz"
    file.write_bytes(content)

    with pytest.raises(BadRecording, match=word):
        inspect(str(file))


@pytest.mark.parametrize("name", sorted(PACKERS))
def test_any_stretch_of_a_compressed_file_is_read_in_any_order(name: str, tmp_path: Path) -> None:
    content = b"".join(number.to_bytes(4, "big") for number in range(200_000))
    file = tmp_path / "numbers"
    file.write_bytes(PACKERS[name](content))

    with Source(str(file)) as packed, CompressedSource(packed, name) as source:
        assert source.size == len(content)
        for offset, length in ((700_000, 10), (0, 5), (3, 500_000), (500_003, 64), (799_990, 100)):
            assert source.read_at(offset, length) == content[offset : offset + length]
        assert not source.read_into(799_990, memoryview(bytearray(100)))


def test_the_walk_through_a_compression_yields_the_messages_of_the_plain_file(
    data: Path, tmp_path: Path
) -> None:
    plain = data / "ros1" / "turtles_lz4.bag"
    file = tmp_path / "turtles.bag.gz"
    with plain.open("rb") as source, gzip.open(file, "wb", compresslevel=1) as target:
        shutil.copyfileobj(source, target)

    found = []
    for path in (plain, file):
        with Source(str(path)) as opened:
            walk = open_walk(opened, max_chunk_bytes=1 << 26, through_compression=True)
            found.append([(m.channel_id, m.log_time_ns, bytes(m.payload)) for m in walk.messages()])

    assert found[0] == found[1]
    assert len(found[0]) == 8647
