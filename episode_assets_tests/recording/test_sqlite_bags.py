"""ROS 2 bags in SQLite storage: whole, unmerged, cut and hostile ones; rosbags reads and writes the other side."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer  # noqa: TID253  # the other side of every test here

from episode_assets.errors import BadRecording, EpisodeAssetsError, NothingToExport
from episode_assets.recording import inspect, scan_recording
from episode_assets.recording.containers.container import IN_ROWS, Container, StoredMessage
from episode_assets.recording.containers.opening import open_walk
from episode_assets.recording.containers.payloads import PayloadReader
from episode_assets.recording.containers.source import Source
from episode_assets_tests.recording.rig import STORE, T, pose_stamped

PAGE = 4096
START_NS = 1_700_000_000_000_000_000


def walked(file: Path, *, limit: int = 64 << 20) -> tuple[list[StoredMessage], Container]:
    with Source(str(file)) as source:
        walk = open_walk(source, max_chunk_bytes=limit)
        seen = list(walk.messages())
        assert walk.sha256() == hashlib.sha256(file.read_bytes()).hexdigest()
    return seen, walk.container


def rows(seen: list[StoredMessage]) -> list[tuple[int, int, bytes]]:
    return [(message.offset, message.log_time_ns, bytes(message.payload)) for message in seen]


def kinds(container: Container) -> list[str]:
    return [damage.kind for damage in container.damage]


def write_bag(directory: Path, *, messages: int = 20, text_bytes: int = 500, packed: bool = False) -> Path:
    """A bag as rosbags writes it: strings that say their number, and poses."""
    bag = Writer(directory, version=9, storage_plugin=StoragePlugin.SQLITE3)
    if packed:
        bag.set_compression(CompressionMode.MESSAGE, CompressionFormat.ZSTD)
    with bag as writer:
        words = writer.add_connection("/words", "std_msgs/msg/String", typestore=STORE)
        poses = writer.add_connection("/pose", "geometry_msgs/msg/PoseStamped", typestore=STORE)
        for number in range(messages):
            stamp = START_NS + number * 1_000_000
            filling = hashlib.shake_128(bytes([number % 256])).hexdigest(text_bytes // 2)
            text = T.String(data=f"message {number} {filling}")
            writer.write(words, stamp, bytes(STORE.serialize_cdr(text, text.__msgtype__)))
            pose = pose_stamped(stamp, (number, 0, 0))
            writer.write(poses, stamp, bytes(STORE.serialize_cdr(pose, pose.__msgtype__)))
    return next(directory.glob("*.db3"))


def make_database(file: Path, *statements: str) -> Path:
    database = sqlite3.connect(file)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()
    return file


TOPICS = "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, serialization_format TEXT)"
A_TOPIC = "INSERT INTO topics VALUES (1, '/words', 'std_msgs/msg/String', 'cdr')"
ENDLESS_VIEW = (
    "CREATE VIEW messages AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT i AS id, 1 AS topic_id, i AS timestamp, x'00' AS data FROM n"
)
MESSAGES = "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, data BLOB)"


def test_every_message_is_what_rosbags_reads(data: Path) -> None:
    directory = data / "ros2" / "all_types_sqlite3"
    with Reader(directory) as reader:
        theirs = [(c.topic, c.msgtype, time, bytes(payload)) for c, time, payload in reader.messages()]

    seen, container = walked(next(directory.glob("*.db3")))

    ours = []
    for message in seen:
        channel = container.channels[message.channel_id]
        kind = container.schemas[channel.schema_id].name
        ours.append((channel.topic, kind, message.log_time_ns, bytes(message.payload)))
    assert sorted(ours) == sorted(theirs)
    assert len(ours) == 188


def test_definitions_are_taken_from_the_file_where_it_has_them(tmp_path: Path, data: Path) -> None:
    _, container = walked(write_bag(tmp_path / "bag"))
    texts = {schema.name: (schema.encoding, schema.data) for schema in container.schemas.values()}
    assert texts["std_msgs/msg/String"] == ("ros2msg", b"string data\n")

    _, older = walked(data / "rosbag2" / "sqlite3" / "split_without_metadata" / "multiple_files_0.db3")
    assert [(s.name, s.encoding, s.data) for s in older.schemas.values()] == [
        ("std_msgs/msg/String", "ros2msg", b"")
    ]


def test_each_payload_is_found_again_by_its_row(tmp_path: Path) -> None:
    file = write_bag(tmp_path / "bag")
    seen, _ = walked(file)

    with Source(str(file)) as source, PayloadReader(source, {}) as payloads:
        for message in reversed(seen):
            assert message.chunk == IN_ROWS
            assert payloads.get(IN_ROWS, message.offset, len(message.payload)) == message.payload


def test_messages_packed_one_by_one_are_unpacked(tmp_path: Path) -> None:
    plain, _ = walked(write_bag(tmp_path / "plain"))
    file = write_bag(tmp_path / "packed", packed=True)
    with Reader(file.parent) as reader:
        assert reader.compression_mode == "message"

    seen, container = walked(file)

    assert rows(seen) == rows(plain)
    assert container.damage_total == 0
    with Source(str(file)) as source, PayloadReader(source, {}) as payloads:
        assert payloads.get(IN_ROWS, 5, len(plain[4].payload)) == plain[4].payload


def test_a_packed_message_that_claims_an_absurd_size_is_refused(tmp_path: Path) -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(3_000_000)).hex()
    file = make_database(
        tmp_path / "bomb.db3", TOPICS, A_TOPIC, MESSAGES, f"INSERT INTO messages VALUES (1, 1, 5, x'{bomb}')"
    )

    seen, container = walked(file, limit=1 << 20)

    assert seen == []
    assert "claims 3000000 bytes" in container.damage[0].detail


def test_a_row_that_changed_since_the_scan_is_named(tmp_path: Path) -> None:
    file = write_bag(tmp_path / "bag")
    seen, _ = walked(file)
    database = sqlite3.connect(file)
    database.execute("DELETE FROM messages WHERE id = 3")
    database.commit()
    database.close()

    with (
        Source(str(file)) as source,
        PayloadReader(source, {}) as payloads,
        pytest.raises(BadRecording, match="row 3 no longer holds"),
    ):
        payloads.get(IN_ROWS, 3, len(seen[2].payload))


@pytest.mark.parametrize(
    "name", ["empty_bag/empty_bag_0", "talker/talker", "wrong_encoding/wrong_rmw_test_0"]
)
def test_reading_a_file_in_wal_mode_leaves_nothing_beside_it(name: str, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "copy.db3"
    shutil.copyfile(data / "rosbag2" / "sqlite3" / f"{name}.db3", file)
    before = file.read_bytes()
    assert before[18] == 2  # WAL mode

    inspect(str(file))

    assert [path.name for path in tmp_path.iterdir()] == ["copy.db3"]
    assert file.read_bytes() == before


def test_a_file_on_a_read_only_medium_is_read(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "copy.db3"
    shutil.copyfile(data / "rosbag2" / "sqlite3" / "talker" / "talker.db3", file)
    file.chmod(0o444)
    os.chmod(tmp_path, 0o555)  # noqa: PTH101  # pathlib's chmod would be the same
    try:
        assert inspect(str(file)).messages == 20
    finally:
        os.chmod(tmp_path, 0o755)  # noqa: PTH101


def test_rows_that_were_never_merged_are_named(tmp_path: Path) -> None:
    file = tmp_path / "killed.db3"
    recorder = sqlite3.connect(file)
    recorder.execute("PRAGMA journal_mode = WAL")
    for statement in (TOPICS, A_TOPIC, MESSAGES, "INSERT INTO messages VALUES (1, 1, 5, x'00')"):
        recorder.execute(statement)
    recorder.commit()
    recorder.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    recorder.execute("INSERT INTO messages VALUES (2, 1, 6, x'00')")
    recorder.commit()

    inventory = inspect(str(file))
    recorder.close()

    assert inventory.messages == 1
    assert inventory.truncated
    (damage,) = inventory.damage
    assert damage.kind == "not_merged"
    assert "-wal" in damage.detail


@pytest.mark.parametrize("text_bytes", [500, 5000])
def test_a_cut_database_gives_the_rows_before_the_cut_and_no_half_ones(
    tmp_path: Path, text_bytes: int
) -> None:
    file = write_bag(tmp_path / "bag", messages=100, text_bytes=text_bytes)
    whole, _ = walked(file)
    cut = tmp_path / "cut.db3"
    middle = file.stat().st_size // PAGE // 2 * PAGE

    for size in range(middle, middle + 3 * PAGE, 613):
        cut.write_bytes(file.read_bytes()[: size // PAGE * PAGE])
        sure, _ = walked(cut)
        cut.write_bytes(file.read_bytes()[:size])
        seen, container = walked(cut)

        assert rows(sure)[:40] == rows(whole)[:40]
        assert set(rows(sure)) <= set(rows(seen)) < set(rows(whole))
        assert container.truncated
        assert kinds(container)[0] == "cut"


def test_a_damaged_page_in_the_middle_costs_the_rows_around_it(tmp_path: Path) -> None:
    file = write_bag(tmp_path / "bag", messages=400)
    whole, _ = walked(file)
    data = bytearray(file.read_bytes())
    page = data.index(b"message 200 ") // PAGE
    data[page * PAGE : (page + 1) * PAGE] = b"\xff" * PAGE
    file.write_bytes(data)

    seen, container = walked(file)

    assert "bad_rows" in kinds(container)
    assert len(whole) - 60 < len(seen) < len(whole)
    assert [message for message in whole if message in seen] == seen
    assert not container.truncated


@pytest.mark.parametrize(
    "statements",
    [
        (),
        ("CREATE TABLE cookies(id INTEGER)",),
        (TOPICS, A_TOPIC),
        (MESSAGES,),
        (TOPICS, "CREATE TABLE messages(id INTEGER)"),
        (
            TOPICS,
            A_TOPIC,
            ENDLESS_VIEW,
        ),
    ],
    ids=["no_table", "other_tables", "no_messages", "no_topics", "other_columns", "endless_view"],
)
def test_a_database_that_is_no_bag_is_named(tmp_path: Path, statements: tuple[str, ...]) -> None:
    file = make_database(tmp_path / "other.db3", "CREATE TABLE filler(id INTEGER)", *statements)

    with pytest.raises(BadRecording, match="no readable ROS 2 bag") as caught:
        inspect(str(file))

    assert caught.value.remedy


def test_rows_without_time_payload_or_topic_are_counted_and_passed_over(tmp_path: Path) -> None:
    file = make_database(
        tmp_path / "odd.db3",
        TOPICS,
        A_TOPIC,
        MESSAGES,
        "INSERT INTO messages VALUES (1, 1, 5, x'01'), (2, 1, NULL, x'02'), (3, 1, 7, 'text'), (4, 9, 8, x'04')",
        "INSERT INTO messages VALUES (5, 1, -9, x'05'), (6, 1, 10, x'06')",
    )

    seen, container = walked(file)

    assert [bytes(message.payload) for message in seen] == [b"\x01", b"\x06"]
    assert kinds(container) == ["bad_record", "bad_record", "unknown_channel", "bad_record"]


def test_a_payload_over_the_limit_is_never_taken_into_memory(tmp_path: Path) -> None:
    file = make_database(
        tmp_path / "large.db3",
        TOPICS,
        A_TOPIC,
        MESSAGES,
        "INSERT INTO messages VALUES (1, 1, 5, x'01'), (2, 1, 6, zeroblob(3000000)), (3, 1, 7, x'03')",
    )

    seen, container = walked(file, limit=1 << 20)

    assert [message.offset for message in seen] == [1, 3]
    assert kinds(container) == ["bad_rows"]
    assert "rows 2 to 2 are unreadable" in container.damage[0].detail


def test_a_bag_without_messages_is_valid_and_has_nothing_to_export(data: Path, tmp_path: Path) -> None:
    file = str(data / "rosbag2" / "sqlite3" / "empty_bag" / "empty_bag_0.db3")

    assert [(info.topic, info.count) for info in inspect(file).topics] == [
        ("/parameter_events", 0),
        ("/rosout", 0),
    ]
    with pytest.raises(NothingToExport):
        scan_recording(file, tmp_path, recording_id="rec-1")


def test_a_remote_database_is_refused_with_a_remedy(data: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/sqlite/talker.db3", (data / "rosbag2" / "sqlite3" / "talker" / "talker.db3").read_bytes())

    with pytest.raises(BadRecording, match=r"only be read from a local disk.*copy it to a disk"):
        inspect("memory://sqlite/talker.db3")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    share=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=30),
)
def test_cut_and_flipped_databases_never_give_a_raw_exception(
    share: float, flips: list[tuple[float, int]], bag: Path, tmp_path: Path
) -> None:
    data = bytearray(bag.read_bytes())
    for place, value in flips:
        data[int(place * (len(data) - 1))] = value
    file = tmp_path / "damaged.db3"
    file.write_bytes(data[: max(1, int(share * len(data)))])

    try:
        inventory = inspect(str(file))
    except EpisodeAssetsError:
        return
    assert inventory.messages <= 80


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bag(tmp_path_factory.mktemp("sqlite") / "bag", messages=40)


def test_the_streams_of_a_sqlite_bag_are_read(view_of: Callable[..., object], tmp_path: Path) -> None:
    view = view_of(write_bag(tmp_path / "bag"))

    assert view.pose.translation[:, 0].tolist() == [float(n) for n in range(20)]  # type: ignore[attr-defined]
