"""Files damaged at random places: every message that is intact comes back, nothing but a named error is raised.

What is intact is worked out here from the bytes of the whole file, by a small parser that shares nothing with the
reader under test.
"""

from __future__ import annotations

import os
import random
import shutil
import struct
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import lz4.frame
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.writer import CompressionType, IndexType, Writer

from episode_assets.errors import EpisodeAssetsError
from episode_assets.recording import inspect, scan_recording
from episode_assets.recording.containers.container import Container
from episode_assets.recording.containers.source import Source
from episode_assets.recording.containers.walk import Walk
from episode_assets_tests.conftest import Demo

MAGIC_BYTES = 8
CHUNK, MESSAGE, MESSAGE_INDEX, DATA_END = 6, 5, 7, 15
LIMIT = 1 << 24


class Found(NamedTuple):
    """A message as the file holds it; `safe_end` is the byte up to which the file has to be whole to give it back."""

    log_time_ns: int
    payload: bytes
    start: int
    safe_end: int


@dataclass(frozen=True)
class Kind:
    """A way to write a file."""

    compression: CompressionType = CompressionType.NONE
    crcs: bool = True
    summary: bool = True
    chunked: bool = True

    def __str__(self) -> str:
        flags = [("crc", self.crcs), ("summary", self.summary), ("chunked", self.chunked)]
        return "-".join([self.compression.name.lower(), *(name for name, on in flags if on)])


KINDS = (
    Kind(),
    Kind(crcs=False),
    Kind(summary=False),
    Kind(compression=CompressionType.ZSTD),
    Kind(compression=CompressionType.ZSTD, crcs=False, summary=False),
    Kind(compression=CompressionType.LZ4),
    Kind(compression=CompressionType.LZ4, crcs=False, summary=False),
    Kind(chunked=False),
    Kind(chunked=False, summary=False),
)


def records(content: bytes, at: int = MAGIC_BYTES) -> Iterator[tuple[int, int, int]]:
    """Yield opcode, start and end of the records outside chunks."""
    while at < len(content) - MAGIC_BYTES:
        opcode, length = struct.unpack_from("<BQ", content, at)
        yield opcode, at, at + 9 + length
        at += 9 + length


def messages_of(content: bytes) -> list[Found]:
    found: list[Found] = []
    for opcode, start, end in records(content):
        if opcode == MESSAGE:
            found.append(_message(content[start:end], start, end))
        if opcode != CHUNK:
            continue
        (name_length,) = struct.unpack_from("<I", content, start + 9 + 28)
        name = content[start + 41 : start + 41 + name_length].decode()
        data_at = start + 41 + name_length + 8
        data = content[data_at:end]
        if name:
            data = zstandard.decompress(data) if name == "zstd" else lz4.frame.decompress(data)
        at = 0
        while at < len(data):
            inner, length = struct.unpack_from("<BQ", data, at)
            behind = at + 9 + length
            if inner == MESSAGE:
                found.append(_message(data[at:behind], start, end if name else data_at + behind))
            at = behind
    return found


def _message(record: bytes, start: int, safe_end: int) -> Found:
    (log_time_ns,) = struct.unpack_from("<Q", record, 9 + 6)
    return Found(log_time_ns, record[31:], start, safe_end)


def write(file: Path, kind: Kind, *, messages: int = 400, seed: int = 1) -> Path:
    """Write small and large payloads; some look like the start of records."""
    chance = random.Random(seed)
    index_types = IndexType.ALL if kind.summary else IndexType.MESSAGE
    writer = Writer(
        str(file), chunk_size=6000, compression=kind.compression, use_chunking=kind.chunked,
        enable_crcs=kind.crcs, index_types=index_types, repeat_channels=kind.summary,
        repeat_schemas=kind.summary, use_statistics=kind.summary, use_summary_offsets=kind.summary,
    )  # fmt: skip
    writer.start("ros2", "fuzz")
    schema = writer.register_schema("pkg/msg/Thing", "ros2msg", b"int32 a\n" * 4)
    channels = [writer.register_channel(f"/topic_{n}", "cdr", schema) for n in range(4)]
    for number in range(messages):
        payload = chance.choice(
            [
                chance.randbytes(chance.randrange(40)),
                chance.randbytes(chance.randrange(2000)),
                bytes(chance.randrange(500)),
                struct.pack("<I", number) * chance.randrange(200),
                struct.pack("<BQ", chance.choice([2, 4, 5, 6, 7, 15]), chance.randrange(300)) * 9,
            ]
        )
        writer.add_message(chance.choice(channels), 10**9 + number, payload, 10**9, number)
        if number % 150 == 149:
            writer.add_metadata(f"note {number}", {"a": "b" * 20})
            writer.add_attachment(1, 2, "notes.txt", "text/plain", chance.randbytes(100))
    writer.finish()
    return file


@pytest.fixture(scope="module", params=KINDS, ids=str)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Kind, Path]:
    return request.param, write(tmp_path_factory.mktemp("fuzz") / "whole.mcap", request.param)


def walk(file: Path, *, limit: int = LIMIT) -> tuple[list[tuple[int, bytes]], Container]:
    with Source(str(file)) as source:
        walked = Walk(source, max_chunk_bytes=limit, with_digest=False)
        return [(m.log_time_ns, bytes(m.payload)) for m in walked.messages()], walked.container


def holds_in_order(returned: list[tuple[int, bytes]], expected: list[Found]) -> bool:
    rest = iter(returned)
    return all((item.log_time_ns, item.payload) in rest for item in expected)


def test_the_whole_file_gives_what_the_other_parser_finds(case: tuple[Kind, Path]) -> None:
    returned, box = walk(case[1])

    assert returned == [(item.log_time_ns, item.payload) for item in messages_of(case[1].read_bytes())]
    assert len(returned) == 400
    assert (box.damage_total, box.truncated, box.salvaged_messages) == (0, False, 0)


def check_cuts(file: Path, copy: Path, offsets: list[int], *, is_packed: bool) -> None:
    whole = messages_of(file.read_bytes())
    shutil.copyfile(file, copy)
    for offset in sorted(offsets, reverse=True):
        os.truncate(copy, offset)

        returned, box = walk(copy)

        intact = sum(item.safe_end <= offset for item in whole)
        assert returned == [(item.log_time_ns, item.payload) for item in whole[: len(returned)]]
        assert len(returned) >= intact if is_packed else len(returned) == intact
        assert box.truncated
        assert box.cut_offset is not None
        assert box.cut_offset <= offset
        in_whole_records = sum(item.safe_end <= box.cut_offset for item in whole)
        assert len(returned) - box.salvaged_messages == in_whole_records


def test_a_cut_loses_only_what_lies_behind_it(case: tuple[Kind, Path], tmp_path: Path) -> None:
    kind, file = case
    chance = random.Random(2)
    offsets = [chance.randrange(MAGIC_BYTES, file.stat().st_size - 1) for _ in range(60)]

    check_cuts(file, tmp_path / "cut.mcap", offsets, is_packed=kind.compression is not CompressionType.NONE)


def test_the_demo_recording_cut_at_300_places_keeps_what_lies_before(
    small_demo: Demo, tmp_path: Path
) -> None:
    file = small_demo.path
    chance = random.Random(3)
    offsets = [chance.randrange(MAGIC_BYTES, file.stat().st_size - 1) for _ in range(300)]

    check_cuts(file, tmp_path / "cut.mcap", offsets, is_packed=False)


def damaged(content: bytes, chance: random.Random) -> tuple[bytes, int, int]:
    """Return the content with a run of wrong bytes, and where it starts and ends."""
    count = chance.choice([1, 1, 1, 2, 4, 16, 64])
    at = chance.randrange(MAGIC_BYTES, len(content) - count)
    changed = bytearray(content)
    for place in range(at, at + count):
        changed[place] ^= chance.choice([1 << chance.randrange(8), chance.randrange(1, 256)])
    return bytes(changed), at, at + count


def swallowed(changed: bytes, at: int, spans: list[tuple[int, int]]) -> tuple[int, int]:
    """Return what a damaged record covers where its wrong length ends, by chance, where another record begins.

    Nothing tells such a record from a whole one: records of unknown kinds are passed over, as the format asks.
    """
    end = at + 9 + int(struct.unpack_from("<Q", changed, at + 1)[0])
    return (at, end) if any(start == end for start, _ in spans) else (at, at)


def check_damage(kind: Kind, file: Path, copy: Path, *, seed: int, rounds: int) -> None:
    content = file.read_bytes()
    whole = messages_of(content)
    spans = [(start, end) for _, start, end in records(content)]
    first_chunk_end = next((end for op, start, end in records(content) if op in (CHUNK, DATA_END)), 0)
    chance = random.Random(seed)
    for number in range(rounds):
        changed, start, end = damaged(content, chance)
        copy.write_bytes(changed)

        returned, box = walk(copy)

        touched = {at for at, behind in spans if at < end and start < behind}
        before = [item for item in whole if item.safe_end <= start and item.start not in touched]
        shown = [(item.log_time_ns, item.payload) for item in before]
        assert returned[: len(before)] == shown, (number, start, end)
        # Without a summary, the only definition of the channels may be what was hit.
        if kind.summary or start >= first_chunk_end:
            hidden = [swallowed(changed, at, spans) for at in touched]
            untouched = [
                item
                for item in whole
                if item.start not in touched and not any(at < item.start < end for at, end in hidden)
            ]
            assert holds_in_order(returned, untouched), (number, start, end)
        # A record that became one of somebody's own is passed over without a word, as the format asks; in a
        # chunk without checksum that can be any record.
        may_be_private = any(changed[at] >= 0x80 for at in touched) or (kind.chunked and not kind.crcs)
        assert len(returned) >= len(whole) or box.damage_total > 0 or may_be_private


def test_wrong_bytes_cost_only_the_records_that_they_hit(case: tuple[Kind, Path], tmp_path: Path) -> None:
    check_damage(*case, tmp_path / "wrong.mcap", seed=4, rounds=60)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_wrong_bytes_cost_only_the_records_that_they_hit_at_length(
    seed: int, case: tuple[Kind, Path], tmp_path: Path
) -> None:
    check_damage(*case, tmp_path / "wrong.mcap", seed=100 + seed, rounds=500)


@pytest.mark.parametrize("with_summary", [True, False])
@pytest.mark.parametrize("compression", list(CompressionType)[:3], ids=lambda kind: kind.name.lower())
def test_shuffled_chunks_give_the_same_messages(
    compression: CompressionType, with_summary: bool, tmp_path: Path
) -> None:
    file = write(tmp_path / "whole.mcap", Kind(compression=compression))
    content = file.read_bytes()
    groups: list[bytes] = []
    head, tail = b"", b""
    for opcode, start, end in records(content):
        if opcode == CHUNK:
            groups.append(content[start:end])
        elif opcode == MESSAGE_INDEX:
            groups[-1] += content[start:end]
        elif opcode == DATA_END:
            tail = content[start:] if with_summary else content[start:end] + footer() + content[:MAGIC_BYTES]
            break
        elif not groups:
            head += content[start:end]
    random.Random(5).shuffle(groups)
    file.write_bytes(content[:MAGIC_BYTES] + head + b"".join(groups) + tail)

    returned, box = walk(file)

    assert sorted(returned) == sorted((item.log_time_ns, item.payload) for item in messages_of(content))
    assert not box.damage_total
    assert inspect(str(file)).messages == len(returned)


def footer() -> bytes:
    return struct.pack("<BQQQI", 2, 20, 0, 0, 0)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=40))
def test_every_way_to_read_damaged_files_fails_by_name_only(
    flips: list[tuple[float, int]], case: tuple[Kind, Path], tmp_path: Path
) -> None:
    content = bytearray(case[1].read_bytes())
    for share, bits in flips:
        content[MAGIC_BYTES + int(share * (len(content) - MAGIC_BYTES - 1))] ^= bits
    file = tmp_path / "wrong.mcap"
    file.write_bytes(content)

    walk(file)
    try:
        inspect(str(file))
    except EpisodeAssetsError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("seed", range(12))
def test_a_scan_of_a_damaged_demo_fails_by_name_only(seed: int, small_demo: Demo, tmp_path: Path) -> None:
    content = small_demo.path.read_bytes()
    chance = random.Random(seed)
    for _ in range(chance.choice([1, 10, 300])):
        content, _, _ = damaged(content, chance)
    file = tmp_path / "wrong.mcap"
    file.write_bytes(content[: chance.randrange(len(content) // 2, len(content))])
    (tmp_path / "out").mkdir()

    try:
        scan_recording(str(file), tmp_path / "out", recording_id="rec-00000000")
    except EpisodeAssetsError as error:
        assert "\n" not in str(error)


def chunk(name: bytes, data: bytes, unpacked_bytes: int, *, crc: int = 0, length: int | None = None) -> bytes:
    body = struct.pack("<QQQII", 0, 0, unpacked_bytes, crc, len(name)) + name
    body += struct.pack("<Q", len(data)) + data
    return struct.pack("<BQ", CHUNK, len(body) if length is None else length) + body


def bombs() -> dict[str, bytes]:
    zeros = bytes(1 << 28)
    packed = zstandard.compress(zeros)
    huge = 1 << 45
    return {
        "zstd that unpacks to more than it states": chunk(b"zstd", packed, 1000),
        "lz4 that unpacks to more than it states": chunk(b"lz4", lz4.frame.compress(zeros), 1000),
        "zstd that unpacks to more than allowed": chunk(b"zstd", packed, len(zeros)),
        "a chunk that states an absurd size": chunk(b"zstd", packed, huge),
        "a chunk of an absurd length": chunk(b"", b"abc", huge, length=huge),
        "a message of an absurd length": struct.pack("<BQ", MESSAGE, huge) + bytes(100),
        "a metadata record of an absurd length": struct.pack("<BQ", 12, huge) + b"\xff" * 100,
        "a schema with absurd lengths inside": struct.pack("<BQHI", 3, 40, 1, 1 << 31) + bytes(34),
        "an attachment with absurd lengths inside": struct.pack("<BQQQI", 9, 60, 1, 1, 1 << 31) + bytes(40),
    }


@pytest.mark.parametrize("name", list(bombs()))
def test_sizes_that_lie_take_no_memory(name: str, tmp_path: Path) -> None:
    file = write(tmp_path / "whole.mcap", Kind(), messages=50)
    content = file.read_bytes()
    (data_end,) = [start for opcode, start, _ in records(content) if opcode == DATA_END]
    file.write_bytes(content[:data_end] + bombs()[name] + content[data_end:])
    del content

    tracemalloc.start()
    returned, box = walk(file, limit=1 << 22)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(returned) == 50
    assert peak < 3 << 22
    assert box.damage_total


def test_a_record_that_starts_inside_a_false_head_is_found(tmp_path: Path) -> None:
    """The first message claims four bytes less, so that its end and the next record together look like a head."""
    file = write(tmp_path / "whole.mcap", Kind(chunked=False), messages=50)
    content = bytearray(file.read_bytes())
    whole = messages_of(bytes(content))
    first = next(item for item in whole if len(item.payload) > 300)
    content[first.start + 1 : first.start + 9] = struct.pack("<Q", 22 + len(first.payload) - 4)
    file.write_bytes(content)

    returned, _ = walk(file)

    assert holds_in_order(returned, [item for item in whole if item is not first])


def test_a_long_stretch_of_bytes_that_look_like_records_is_passed_once(tmp_path: Path) -> None:
    """Every byte of the stretch could begin a record; a search that starts again at each would never end."""
    file = write(tmp_path / "whole.mcap", Kind(), messages=50)
    content = file.read_bytes()
    (data_end,) = [start for opcode, start, _ in records(content) if opcode == DATA_END]
    stretch = struct.pack("<BQ", 5, 40) * 100_000
    file.write_bytes(content[:data_end] + b"\0" + stretch + content[data_end:])

    with Source(str(file)) as source:
        walked = Walk(source, max_chunk_bytes=LIMIT, with_digest=False)
        assert sum(1 for _ in walked.messages()) == 50
        assert source.bytes_read < 4 * source.size
    (damage,) = walked.container.damage
    assert (damage.kind, damage.offset, damage.length) == ("bad_record", data_end, len(stretch) + 1)
