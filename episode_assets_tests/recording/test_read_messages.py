from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import NonSeekingReader
from mcap.writer import CompressionType, Writer

from episode_assets.errors import BadRecording, MissingStream
from episode_assets.recording import UndecodableMessage, read_messages
from episode_assets_tests.recording import rig
from episode_assets_tests.recording.scene import mixed
from episode_assets_tests.recording.scene.scene import film_scene


@pytest.mark.parametrize(
    ("name", "count", "undecodable"),
    [
        ("ros2/all_types_mcap", 188, 0),
        ("ros2/all_types_sqlite3", 188, 0),
        ("ros2/vehicle.mcap", 3513, 0),
        ("rosbag2/mcap/wbag", 6074, 0),
        ("rosbag2/mcap/convert_a", 150, 0),
        ("rosbag2/mcap/loose/topics_and_services.mcap", 13, 6),
        ("rosbag2/mcap/wrong_encoding", 7, 7),
        ("ros1/turtles.bag", 8647, 0),
        ("ros1/turtles_bz2.bag", 8647, 0),
        ("ros1/turtles_unchunked.mcap", 8647, 0),
        ("protobuf/pose_and_json.mcap", 293, 0),
        ("json/camera.mcap", 30, 0),
        ("damaged/whole_file.mcap.zstd", 14, 0),
        ("damaged/bad_payload.mcap", 3, 3),
        ("ros2/unknown_schema_encoding.mcap", 1, 1),
        ("ros1/no_messages.bag", 0, 0),
    ],
)
def test_every_message_of_every_container_comes_and_decodes_or_says_why_not(
    data: Path, name: str, count: int, undecodable: int
) -> None:
    seen = bad = 0
    for message in read_messages(str(data / name)):
        seen += 1
        try:
            assert isinstance(message.decode(), dict)
        except UndecodableMessage as error:
            assert message.topic in str(error)
            bad += 1
    assert (seen, bad) == (count, undecodable)


def test_messages_come_in_file_order_with_their_numbers_and_payloads(data: Path) -> None:
    file = data / "recordings" / "table_scene.mcap"
    numbers: Counter[str] = Counter()
    with file.open("rb") as handle:
        expected = NonSeekingReader(handle).iter_messages(log_time_order=False)
        for ours, (schema, channel, theirs) in zip(read_messages(str(file)), expected, strict=True):
            assert schema is not None
            assert (ours.topic, ours.schema, ours.message_encoding) == (channel.topic, schema.name, "cdr")
            assert (ours.message_number, ours.log_time_ns) == (numbers[ours.topic], theirs.log_time)
            assert bytes(ours.payload) == theirs.data
            numbers[ours.topic] += 1
    assert numbers["/camera/rgb/compressed"] == 111


def test_a_stamp_is_the_headers_where_there_is_one_and_else_the_log_time(tmp_path: Path) -> None:
    made = rig.Rig(tmp_path / "stamps.mcap")
    made.add("/pose", rig.pose_stamped(5_000_000_006, (0, 0, 0)), log_time_ns=77)
    made.add("/unset", rig.pose_stamped(0, (0, 0, 0)), log_time_ns=78)
    made.add("/word", rig.T.String("hello"), log_time_ns=79)
    made.add_bytes("/pose", "geometry_msgs/msg/PoseStamped", b"\0\1", log_time_ns=80)
    stamps = [message.stamp_ns for message in read_messages(str(made.close()))]
    assert stamps == [5_000_000_006, 78, 79, 80]


def test_only_the_topics_asked_for_come(data: Path) -> None:
    reader = read_messages(str(data / "ros1" / "turtles.bag"), topics=["/rosout", "/tf_static"])
    assert Counter(message.topic for message in reader) == {"/rosout": 10, "/tf_static": 1}
    assert reader.counts == {"/rosout": 10, "/tf_static": 1}


def test_a_topic_that_is_not_there_is_named_at_the_end(data: Path) -> None:
    reader = read_messages(str(data / "ros1" / "turtles_zstd.mcap"), topics=["/rosout", "/nothing"])
    assert sum(1 for _ in zip(range(10), reader, strict=False)) == 10
    with pytest.raises(MissingStream, match=r"no topic /nothing.*topics of the recording: /rosout"):
        next(reader)


def test_damage_is_passed_over_and_known_at_the_end(data: Path) -> None:
    reader = read_messages(str(data / "recordings" / "table_scene_truncated.mcap"))
    assert sum(1 for _ in reader) >= 1781
    assert reader.is_truncated
    assert [damage.kind for damage in reader.damage] == ["cut"]


def test_parts_of_a_bag_are_one_recording_whose_numbers_run_on(data: Path) -> None:
    numbers = [
        m.message_number for m in read_messages(str(data / "rosbag2" / "mcap" / "wbag")) if m.topic == "AAA"
    ]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 500


def test_a_file_that_is_no_recording_is_refused_by_name(data: Path) -> None:
    with pytest.raises(BadRecording):
        next(read_messages(str(data / "damaged" / "not_a_bag.bag")))


def test_bytes_are_read_once_and_nothing_is_decoded_that_nobody_asks_for(data: Path) -> None:
    file = data / "recordings" / "table_scene.mcap"
    reader = read_messages(str(file))
    assert sum(1 for _ in reader) == 2913
    assert reader.bytes_read <= 1.01 * file.stat().st_size


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    def peak(megabytes: int) -> int:
        made = rig.Rig(tmp_path / f"long_{megabytes}.mcap")
        picture = rig.compressed_image(rig.S, bytes(1 << 19))
        for number in range(2 * megabytes):
            made.add("/image", picture, log_time_ns=number)
        file = made.close()
        tracemalloc.start()
        try:
            for message in read_messages(str(file)):
                message.decode()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)  # imports and generated code
    assert peak(40) < peak(10) + (1 << 20)


def test_every_encoding_in_one_file_and_bad_channels_cost_themselves_only(tmp_path: Path) -> None:
    file = tmp_path / "mixed.mcap"
    _write_mixed(file)
    decoded: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for message in read_messages(str(file)):
        try:
            decoded[message.topic] = message.decode()
        except UndecodableMessage as error:
            reasons[message.topic] = error.what
    assert decoded == {
        "/json": {"task": "pour"},
        "/ros1": {"data": "hello"},
        "/ros2": {"data": "hello"},
        "/idl": {"data": "hello"},
    }
    assert sorted(reasons) == ["/broken json", "/flat", "/lying protobuf", "/no schema", "/service"]
    assert "message encoding 'flatbuffer'" in reasons["/flat"]
    assert "descriptors of own.Type" in reasons["/lying protobuf"]
    assert "no schema" in reasons["/no schema"]
    assert "`---` line" in reasons["/service"]


def _write_mixed(file: Path) -> None:
    writer = Writer(str(file), compression=CompressionType.ZSTD)
    writer.start()
    hello = rig.T.String("hello")
    cdr = bytes(rig.STORE.serialize_cdr(hello, "std_msgs/msg/String"))
    ros1 = bytes(rig.STORE.serialize_ros1(hello, "std_msgs/msg/String"))
    idl = b"module std_msgs { module msg { struct String { string data; }; }; };"
    channels: dict[str, tuple[str, tuple[str, str, bytes] | None, bytes]] = {
        "/flat": ("flatbuffer", ("own.Type", "flatbuffer", b"\1"), b"\1\2"),
        "/lying protobuf": ("protobuf", ("own.Type", "protobuf", b"\xff\xff"), b"\1\2"),
        "/no schema": ("cdr", None, cdr),
        "/service": ("cdr", ("own/srv/Add_Event", "ros2msg", b"int64 a\n---\nint64 sum\n"), cdr),
        "/broken json": ("json", None, b'{"cut'),
        "/json": ("json", None, json.dumps({"task": "pour"}).encode()),
        "/ros1": ("ros1", ("std_msgs/String", "ros1msg", b"string data"), ros1),
        "/ros2": ("cdr", ("std_msgs/msg/String", "ros2msg", b"string data"), cdr),
        "/idl": ("cdr", ("std_msgs/msg/String", "ros2idl", idl), cdr),
    }
    for number, (topic, (encoding, schema, payload)) in enumerate(channels.items()):
        schema_id = writer.register_schema(*schema) if schema else 0
        channel = writer.register_channel(topic, encoding, schema_id)
        writer.add_message(channel, number, payload, number)
    writer.finish()


def test_the_scene_in_mixed_encodings_decodes_whole(tmp_path: Path) -> None:
    file = tmp_path / "scene.mcap"
    mixed.write(file, film_scene())
    encodings: Counter[str] = Counter()
    for message in read_messages(str(file)):
        message.decode()
        encodings[message.message_encoding] += 1
    assert {"cdr", "ros1", "protobuf", "json"} <= set(encodings)


def test_pictures_come_as_arrays_of_their_bytes(tmp_path: Path) -> None:
    made = rig.Rig(tmp_path / "one.mcap")
    made.add("/image", rig.compressed_image(rig.S, b"\xff\xd8abc"))
    (message,) = read_messages(str(made.close()))
    np.testing.assert_array_equal(message.decode()["data"], np.frombuffer(b"\xff\xd8abc", np.uint8))
