"""ROS 1 bags: whole, not closed, cut and damaged ones; written and read again by rosbags as the other side."""

from __future__ import annotations

import bz2
import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import fsspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rosbags.rosbag1 import Reader, Writer  # noqa: TID253  # the other side of every test here

from episode_assets.errors import BadRecording, EpisodeAssetsError
from episode_assets.recording import inspect
from episode_assets.recording.containers.container import Container
from episode_assets.recording.containers.opening import open_walk
from episode_assets.recording.containers.payloads import PayloadReader
from episode_assets.recording.containers.source import Source
from episode_assets_tests.recording.conftest import DATA

LIMIT = 64 << 20
STRING = "std_msgs/msg/String"
STRING_MD5 = "992ce8a1687cec8c8bd883ec73ca41d1"
BAG_HEAD_END = 4117
TURTLES = ("turtles.bag", "turtles_lz4.bag", "turtles_bz2.bag")
UNCLOSED_INDEX_POS = struct.pack("<I", 18) + b"index_pos=" + bytes(8)


class Seen(NamedTuple):
    topic: str
    kind: str
    time_ns: int
    payload: bytes


def walked(file: Path, *, limit: int = LIMIT) -> tuple[list[Seen], Container]:
    with Source(str(file)) as source:
        walk = open_walk(source, max_chunk_bytes=limit)
        seen = []
        for message in walk.messages():
            channel = walk.container.channels[message.channel_id]
            kind = walk.container.schemas[channel.schema_id].name
            seen.append(Seen(channel.topic, kind, message.log_time_ns, bytes(message.payload)))
        assert walk.sha256() == hashlib.sha256(file.read_bytes()).hexdigest()
    return seen, walk.container


def kinds(container: Container) -> list[str]:
    return [damage.kind for damage in container.damage]


def write_bag(
    file: Path, *, messages: int = 60, compression: str = "none", chunk_bytes: int = 1000, topics: int = 2
) -> Path:
    """A bag of many small chunks; message n says "message n" and some filling."""
    writer = Writer(file)
    if compression != "none":
        writer.set_compression(Writer.CompressionFormat[compression.upper()])
    writer.chunk_threshold = chunk_bytes
    with writer:
        connections = [
            writer.add_connection(f"/talk_{n}", STRING, msgdef="string data\n", md5sum=STRING_MD5)
            for n in range(topics)
        ]
        for number in range(messages):
            text = f"message {number} ".encode() + bytes(range(32, 120))
            data = struct.pack("<I", len(text)) + text
            writer.write(connections[number % topics], 1_700_000_000_000_000_000 + number, data)
    return file


def chunk_starts(file: Path) -> list[int]:
    """Where chunk records start, by the index that rosbags reads."""
    with Reader(file) as reader:
        return sorted(info.pos for info in reader.chunk_infos)


def size_fields(data: bytes | bytearray, start: int) -> tuple[int, int]:
    """Where the unpacked and the packed size of a chunk are written."""
    (header_length,) = struct.unpack_from("<I", data, start)
    return data.index(b"size=", start) + 5, start + 4 + header_length


def numbers(seen: list[Seen]) -> list[int]:
    return [int(message.payload[4:].split()[1]) for message in seen]


@pytest.mark.parametrize(
    "name", [*(f"ros1/{name}" for name in TURTLES), "damaged/good.bag", "damaged/scan_only.bag"]
)
def test_every_payload_of_a_bag_is_what_rosbags_reads(name: str, data: Path) -> None:
    with Reader(data / name) as reader:
        theirs = [
            Seen(connection.topic, connection.msgtype.replace("/msg/", "/"), time, bytes(payload))
            for connection, time, payload in reader.messages()
        ]

    ours, container = walked(data / name)

    # rosbags gives them in the order of time, the walk in the order of the file.
    assert sorted(ours) == sorted(theirs)
    assert container.damage_total == 0
    assert not container.truncated


def test_one_recording_in_five_containers_has_the_same_messages(data: Path) -> None:
    found = {name: sorted(walked(data / "ros1" / name)[0]) for name in (*TURTLES, "turtles_zstd.mcap")}
    found["turtles_unchunked.mcap"] = sorted(walked(data / "ros1" / "turtles_unchunked.mcap")[0])

    assert {name: len(messages) for name, messages in found.items()} == dict.fromkeys(found, 8647)
    assert all(messages == found["turtles.bag"] for messages in found.values())


def test_connections_of_one_topic_are_one_topic_of_the_inventory(data: Path) -> None:
    _, container = walked(data / "ros1" / "turtles.bag")
    topics = [channel.topic for channel in container.channels.values()]

    assert (topics.count("/tf"), topics.count("/rosout")) > (1, 1)
    names = [info.topic for info in inspect(str(data / "ros1" / "turtles.bag")).topics]
    assert len(names) == len(set(names)) == 9


@pytest.mark.parametrize("name", TURTLES)
def test_each_payload_is_found_again_at_its_place(name: str, data: Path) -> None:
    with Source(str(data / "ros1" / name)) as source:
        walk = open_walk(source, max_chunk_bytes=LIMIT)
        places = [(m.chunk, m.offset, bytes(m.payload)) for m in walk.messages()]
        packed = {chunk.number: chunk for chunk in walk.container.packed}
        with PayloadReader(source, packed) as payloads:
            for chunk, offset, payload in places[::97]:
                assert bytes(payloads.get(chunk, offset, len(payload))) == payload


def test_a_remote_bag_reads_like_a_local_one(data: Path) -> None:
    file = data / "ros1" / "turtles_lz4.bag"
    fsspec.filesystem("memory").pipe("/bags/turtles.bag", file.read_bytes())

    here, there = inspect(str(file)), inspect("memory://bags/turtles.bag")

    assert there.topics == here.topics
    assert there.messages == 8647


def test_a_bag_that_was_not_closed_gives_all_its_messages_and_says_so(data: Path) -> None:
    inventory = inspect(str(data / "damaged" / "unindexed.bag"))

    assert {info.topic: info.count for info in inventory.topics} == {"/rosout_agg": 10, "/diagnostics_agg": 4}
    assert inventory.truncated
    assert [damage.kind for damage in inventory.damage] == ["bag_without_index"]
    assert "not closed" in inventory.damage[0].detail


def test_a_bag_cut_inside_its_first_chunk_keeps_the_messages_before_the_cut(data: Path) -> None:
    whole, _ = walked(data / "damaged" / "unindexed.bag")

    saved, container = walked(data / "damaged" / "truncated.bag")

    assert saved == whole[: len(saved)]
    assert len(saved) == container.salvaged_messages == 3
    assert kinds(container) == ["bag_without_index", "cut"]
    assert container.cut_offset == BAG_HEAD_END


def test_a_bag_cut_before_its_first_message_is_named(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "cut.bag"
    file.write_bytes((data / "damaged" / "truncated.bag").read_bytes()[: BAG_HEAD_END + 60])

    with pytest.raises(
        BadRecording, match=r"a ROS 1 bag without index.*inside its chunk 1.*no message is readable"
    ):
        inspect(str(file))


@pytest.mark.parametrize("compression", ["none", "bz2", "lz4"])
def test_a_bag_of_a_recorder_that_died_reads_to_its_last_bytes(tmp_path: Path, compression: str) -> None:
    """While a chunk is open, its head says 0 bytes."""
    file = write_bag(tmp_path / "a.bag", compression=compression)
    last = chunk_starts(file)[-1]
    data = bytearray(file.read_bytes())
    size_at, length_at = size_fields(data, last)
    (length,) = struct.unpack_from("<I", data, length_at)
    data[size_at : size_at + 4] = data[length_at : length_at + 4] = bytes(4)
    index_at = data.index(b"index_pos=") + 10
    data[index_at : index_at + 8] = bytes(8)
    file.write_bytes(data[: length_at + 4 + length])

    seen, container = walked(file)

    assert numbers(seen) == list(range(60))
    assert container.truncated
    assert kinds(container)[0] == "bag_without_index"


@pytest.mark.parametrize("compression", ["none", "bz2", "lz4"])
def test_a_broken_chunk_in_the_middle_costs_its_own_messages_only(tmp_path: Path, compression: str) -> None:
    file = write_bag(tmp_path / "a.bag", compression=compression)
    whole, _ = walked(file)
    start, end = chunk_starts(file)[2:4]
    data = bytearray(file.read_bytes())
    data[start + 60 : start + 110] = bytes(50)
    file.write_bytes(data)

    seen, container = walked(file)

    lost = set(whole) - set(seen)
    assert 0 < len(lost) < 12
    assert [message for message in whole if message in set(seen)] == seen
    assert kinds(container) == ["bad_chunk"]
    (damage,) = container.damage
    assert start <= damage.offset < end
    assert (damage.messages, damage.is_estimate) == (len(lost), False)
    assert damage.topics == ("/talk_0", "/talk_1")


def test_a_chunk_that_claims_an_absurd_size_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    file = write_bag(tmp_path / "a.bag", compression="lz4")
    start = chunk_starts(file)[1]
    data = bytearray(file.read_bytes())
    at, _ = size_fields(data, start)
    data[at : at + 4] = struct.pack("<I", 0xFFFF_FFF0)
    file.write_bytes(data)

    seen, container = walked(file)

    assert kinds(container) == ["chunk_too_large"]
    assert 40 < len(seen) < 60


def test_a_chunk_that_unpacks_to_more_than_it_claims_is_refused(tmp_path: Path) -> None:
    file = write_bag(tmp_path / "a.bag", compression="bz2", messages=6, chunk_bytes=1 << 20)
    data = file.read_bytes()
    _, at = size_fields(data, chunk_starts(file)[0])
    (length,) = struct.unpack_from("<I", data, at)
    bomb = bz2.compress(bytes(50 << 20))
    file.write_bytes(data[:at] + struct.pack("<I", len(bomb)) + bomb + data[at + 4 + length :])

    seen, container = walked(file)

    assert len(seen) <= 6
    assert (container.damage[0].kind, "another size" in container.damage[0].detail) == ("bad_chunk", True)


def test_a_garbled_record_is_passed_over_to_the_next_chunk(tmp_path: Path) -> None:
    file = write_bag(tmp_path / "a.bag")
    start = chunk_starts(file)[2]
    data = bytearray(file.read_bytes())
    data[start : start + 8] = b"\xff" * 8
    file.write_bytes(data)

    seen, container = walked(file)

    assert 45 < len(seen) < 60
    assert numbers(seen)[-1] == 59
    assert kinds(container) == ["bad_record"]


def test_connections_of_a_broken_chunk_are_taken_from_the_index(tmp_path: Path) -> None:
    file = write_bag(tmp_path / "a.bag")
    data = bytearray(file.read_bytes())
    first = chunk_starts(file)[0]
    _, length_at = size_fields(data, first)
    data[length_at + 4 : length_at + 24] = b"\xff" * 20
    file.write_bytes(data)

    seen, container = walked(file)

    assert {message.topic for message in seen} == {"/talk_0", "/talk_1"}
    assert kinds(container) == ["bad_chunk"]
    assert numbers(seen)[-1] == 59


def test_a_bag_whose_index_is_cut_is_marked_and_keeps_all_messages(tmp_path: Path) -> None:
    file = write_bag(tmp_path / "a.bag")
    file.write_bytes(file.read_bytes()[:-30])

    seen, container = walked(file)

    assert numbers(seen) == list(range(60))
    assert container.truncated


@pytest.mark.parametrize("left", range(9))
def test_a_bag_cut_right_behind_the_start_of_its_index_is_read_to_an_end(tmp_path: Path, left: int) -> None:
    file = write_bag(tmp_path / "a.bag")
    data = file.read_bytes()
    (index_pos,) = struct.unpack_from("<Q", data, data.index(b"index_pos=") + 10)
    file.write_bytes(data[: index_pos + left])

    seen, container = walked(file)

    assert numbers(seen) == list(range(60))
    assert kinds(container) == ["cut"]


def test_a_bag_cut_between_two_records_is_marked(tmp_path: Path) -> None:
    file = write_bag(tmp_path / "a.bag")
    file.write_bytes(file.read_bytes()[: chunk_starts(file)[3]])

    seen, container = walked(file)

    assert numbers(seen) == list(range(len(seen)))
    assert 0 < len(seen) < 60
    assert container.truncated
    assert kinds(container) == ["cut"]


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("bags")
    return {name: write_bag(place / f"{name}.bag", compression=name) for name in ("none", "bz2", "lz4")}


SOME_FILES = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@SOME_FILES
@given(compression=st.sampled_from(["none", "bz2", "lz4"]), share=st.floats(0, 1))
def test_a_bag_cut_anywhere_keeps_every_message_of_its_whole_chunks(
    compression: str, share: float, bags: dict[str, Path], tmp_path: Path
) -> None:
    whole = bags[compression].read_bytes()
    cut = int(share * len(whole))
    file = tmp_path / "cut.bag"
    file.write_bytes(whole[:cut])
    ends = [*chunk_starts(bags[compression])[1:], len(whole)]

    try:
        seen, container = walked(file)
    except BadRecording:
        assert cut < 13
        return

    per_chunk = numbers_by_chunk(bags[compression])
    sure = [n for end, members in zip(ends, per_chunk, strict=True) if end <= cut for n in members]
    assert numbers(seen)[: len(sure)] == sure
    assert numbers(seen) == list(range(len(seen)))
    assert container.truncated == (cut < len(whole))


@SOME_FILES
@given(
    compression=st.sampled_from(["none", "bz2", "lz4"]),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12),
)
def test_flipped_bytes_never_give_a_raw_exception(
    compression: str, flips: list[tuple[float, int]], bags: dict[str, Path], tmp_path: Path
) -> None:
    data = bytearray(bags[compression].read_bytes())
    for share, value in flips:
        data[int(share * (len(data) - 1))] = value
    file = tmp_path / "flipped.bag"
    file.write_bytes(data)

    try:
        inventory = inspect(str(file))
    except EpisodeAssetsError:
        return
    assert inventory.messages <= 60


def numbers_by_chunk(file: Path) -> list[list[int]]:
    with Reader(file) as reader:
        counts = [
            sum(info.connection_counts.values()) for info in sorted(reader.chunk_infos, key=lambda c: c.pos)
        ]
    return [list(part) for part in _split(range(60), counts)]


def _split(values: range, counts: list[int]) -> Iterator[range]:
    at = 0
    for count in counts:
        yield values[at : at + count]
        at += count


def test_the_sample_bags_lie_where_the_tests_look() -> None:
    if not DATA.is_dir():
        pytest.skip(f"sample recordings are not at {DATA}")
    assert all((DATA / "ros1" / name).is_file() for name in TURTLES)
