from __future__ import annotations

import json
import re
import struct
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.reader import NonSeekingReader
from mcap.records import Schema
from mcap_protobuf.decoder import DecoderFactory as ProtobufFactory
from mcap_ros1.decoder import DecoderFactory as Ros1Factory
from mcap_ros2.decoder import DecoderFactory as Ros2Factory
from rosbags.typesys import Stores, get_types_from_idl, get_typestore  # noqa: TID253

from episode_assets.recording.encodings.decoding import Undecodable
from episode_assets.recording.encodings.generic import Reader, find_reader
from episode_assets.recording.encodings.rows import UndecodableMessageError
from episode_assets_tests.recording.encodings import ROS1, ROS2, as_dict, random_message
from episode_assets_tests.recording.scene.trees import Message, Stamp
from episode_assets_tests.recording.test_encodings_foxglove import CASES, described, written

quick = settings(max_examples=50, deadline=None)


class JsonFactory:
    def decoder_for(self, encoding: str, schema: Schema | None) -> Any:
        return json.loads if encoding == "json" else None


FACTORIES = {"cdr": Ros2Factory, "ros1": Ros1Factory, "protobuf": ProtobufFactory, "json": JsonFactory}


def stored(file: Path) -> Iterator[tuple[Schema | None, Any, bytes]]:
    """Schema, channel and payload of every message, read by the other library."""
    with file.open("rb") as handle:
        for schema, channel, message in NonSeekingReader(handle).iter_messages(log_time_order=False):
            yield schema, channel, message.data


def recording(place: Path) -> Path:
    return next(iter(place.rglob("*.mcap"))) if place.is_dir() else place


def reader_of(schema: Schema | None, encoding: str) -> Reader | Undecodable:
    name, language, data = (schema.name, schema.encoding, schema.data) if schema else ("", "", b"")
    return find_reader(encoding, language, name, data)


def two_part_names(schema: Schema) -> Schema:
    """The schema as the other library wants it: it takes no three-part names inside the text."""
    text = re.sub(rb"\b(\w+)/msg/(\w+)", rb"\1/\2", schema.data)
    return Schema(id=schema.id, name=schema.name, encoding=schema.encoding, data=text)


def assert_same(ours: Any, theirs: Any, where: str) -> None:
    if isinstance(ours, dict):
        assert list(ours) == _names(theirs), where
        for name, value in ours.items():
            assert_same(value, _field(theirs, name), f"{where}.{name}")
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), where
        for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(mine, other, f"{where}[{number}]")
    elif isinstance(ours, np.ndarray):
        other = list(theirs) if not isinstance(theirs, str) else list(theirs.encode("latin-1"))
        np.testing.assert_array_equal(ours, np.array(other, dtype=ours.dtype), err_msg=where)
    else:
        assert ours == theirs or (np.isnan(ours) and np.isnan(theirs)), where


def _names(message: Any) -> list[str]:
    if isinstance(message, dict):
        return list(message)
    if hasattr(message, "DESCRIPTOR"):
        return [field.name for field in message.DESCRIPTOR.fields]
    shown = {"secs": "sec", "nsecs": "nanosec"}
    return [shown.get(name, name) for name in message.__slots__ if not name.startswith("structure_")]


_SPELLINGS = {"sec": ("secs",), "nanosec": ("nsecs",)}


def _field(message: Any, name: str) -> Any:
    if isinstance(message, dict):
        return message[name]
    if hasattr(message, "HasField") and message.DESCRIPTOR.fields_by_name[name].has_presence:
        return getattr(message, name) if message.HasField(name) else None
    return next(
        getattr(message, spelled)
        for spelled in (name, *_SPELLINGS.get(name, ()))
        if hasattr(message, spelled)
    )


@pytest.mark.parametrize(
    ("file", "messages"),
    [
        ("ros2/all_types_mcap", 188),
        ("ros2/array_msgs", 2),
        ("ros2/base_msgs", 3),
        ("rosbag2/mcap/loose/only_topics.mcap", 7),
        ("ros1/turtles_zstd.mcap", 8647),
        ("protobuf/pose_and_json.mcap", 293),
        ("protobuf/vec3.mcap", 5),
        ("protobuf/log.mcap", 6),
        ("json/camera.mcap", 30),
        ("json/mouse.mcap", 111),
        ("damaged/good.mcap", 14),
    ],
)
def test_messages_decode_as_by_the_decoders_of_others(data: Path, file: str, messages: int) -> None:
    path = recording(data / file)
    ours: dict[int, Reader] = {}
    theirs: dict[int, Any] = {}
    count = 0
    for schema, channel, payload in stored(path):
        if channel.id not in ours:
            found = reader_of(schema, channel.message_encoding)
            assert isinstance(found, Reader), found
            ours[channel.id] = found
            fixed = two_part_names(schema) if schema and channel.message_encoding == "cdr" else schema
            theirs[channel.id] = FACTORIES[channel.message_encoding]().decoder_for(
                channel.message_encoding, fixed
            )
        value = ours[channel.id].decode(memoryview(payload))
        assert_same(value, theirs[channel.id](payload), f"{channel.topic} {count}")
        count += 1
    assert count == messages


def test_a_phone_recording_decodes_as_by_others(table_scene_file: Path) -> None:
    seen: dict[int, int] = {}
    for schema, channel, payload in stored(table_scene_file):
        seen[channel.id] = seen.get(channel.id, 0) + 1
        if seen[channel.id] > 2 or schema is None:
            continue
        found = reader_of(schema, "cdr")
        assert isinstance(found, Reader)
        other = Ros2Factory().decoder_for("cdr", two_part_names(schema))
        assert other is not None
        assert_same(found.decode(memoryview(payload)), other(payload), channel.topic)
        stamped = getattr(other(payload), "header", None)
        expected = stamped.stamp.sec * 10**9 + stamped.stamp.nanosec if stamped else 0
        assert found.stamp_ns(memoryview(payload)) == expected
    assert len(seen) == 16


@pytest.fixture
def table_scene_file(data: Path) -> Path:
    return data / "recordings" / "table_scene.mcap"


@pytest.mark.parametrize(
    ("file", "decoded", "reasons"),
    [
        ("rosbag2/mcap/loose/topics_and_services.mcap", 7, {"`---` line": 6}),
        ("rosbag2/mcap/loose/only_services.mcap", 0, {"`---` line": 12}),
        ("rosbag2/mcap/wrong_encoding", 0, {"message encoding 'wrong_format'": 7}),
        ("ros2/unknown_schema_encoding.mcap", 0, {"schema encoding 'cdr'": 1}),
        ("damaged/bad_payload.mcap", 0, {"payload of 4 bytes is no sensor_msgs/msg/PointCloud2": 3}),
    ],
)
def test_what_cannot_be_decoded_is_named_and_costs_its_channel_only(
    data: Path, file: str, decoded: int, reasons: dict[str, int]
) -> None:
    path = recording(data / file)
    good, bad = 0, dict.fromkeys(reasons, 0)
    for schema, channel, payload in stored(path):
        found = reader_of(schema, channel.message_encoding)
        try:
            if isinstance(found, Reader):
                found.decode(memoryview(payload))
                good += 1
                continue
            why = found.reason
        except UndecodableMessageError as error:
            why = str(error)
        (reason,) = [reason for reason in reasons if reason in why]
        bad[reason] += 1
    assert (good, bad) == (decoded, reasons)


ROS_TYPES = [
    "sensor_msgs/msg/Imu",
    "sensor_msgs/msg/PointCloud2",
    "sensor_msgs/msg/JointState",
    "diagnostic_msgs/msg/DiagnosticArray",
    "visualization_msgs/msg/MarkerArray",
    "std_msgs/msg/Empty",
    "geometry_msgs/msg/Polygon",
]
every_type = pytest.mark.parametrize(
    ("encoding", "name"), [(encoding, name) for encoding in ("cdr", "ros1") for name in ROS_TYPES]
)


def ros_payload(encoding: str, name: str, seed: int) -> tuple[Any, memoryview]:
    store = ROS2 if encoding == "cdr" else ROS1
    message = random_message(store, name, np.random.default_rng(seed))
    write = store.serialize_cdr if encoding == "cdr" else store.serialize_ros1
    return as_dict(store, message), memoryview(bytes(write(message, name)))


def ros_reader(encoding: str, name: str, text: bytes | None = None) -> Reader:
    key = encoding, name, text
    if key not in _READERS:
        store, version = (ROS2, 2) if encoding == "cdr" else (ROS1, 1)
        if text is None:
            text = store.generate_msgdef(name, ros_version=version)[0].encode()
        found = find_reader(encoding, f"ros{version}msg", name, text)
        assert isinstance(found, Reader), found
        _READERS[key] = found
    return _READERS[key]


_READERS: dict[Any, Reader] = {}


@every_type
@pytest.mark.parametrize("has_text", [True, False])
@given(seed=st.integers(0, 2**32))
@quick
def test_any_ros_message_comes_back_with_or_without_its_schema_text(
    encoding: str, name: str, has_text: bool, seed: int
) -> None:
    message, payload = ros_payload(encoding, name, seed)
    value = ros_reader(encoding, name, None if has_text else b"").decode(payload)
    assert_same(value, message, name)


@every_type
@given(data=st.data())
@quick
def test_damaged_ros_payloads_give_a_value_or_the_named_error(
    encoding: str, name: str, data: st.DataObject
) -> None:
    payload = bytearray(ros_payload(encoding, name, data.draw(st.integers(0, 20)))[1])
    for _ in range(data.draw(st.integers(0, 4)) if payload else 0):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    payload = payload[: data.draw(st.integers(0, len(payload)))]
    _attempt(ros_reader(encoding, name), memoryview(payload))


@pytest.mark.parametrize("encoding", ["protobuf", "json", "cdr", "ros1"])
@given(schema=st.sampled_from(list(CASES)), payload=st.binary(max_size=200), data=st.data())
@settings(max_examples=100, deadline=None)
def test_made_up_and_damaged_payloads_give_a_value_or_the_named_error(
    encoding: str, schema: str, payload: bytes, data: st.DataObject
) -> None:
    key = encoding, schema
    if key not in _READERS:
        found = find_reader(*described(encoding, schema))
        assert isinstance(found, Reader)
        _READERS[key] = found
    _attempt(_READERS[key], memoryview(payload))
    good = bytearray(written(encoding, data.draw(CASES[schema])[0]))
    if good:
        good[data.draw(st.integers(0, len(good) - 1))] ^= data.draw(st.integers(1, 255))
    _attempt(_READERS[key], memoryview(good))


def _attempt(reader: Reader, payload: memoryview) -> None:
    for read in (reader.decode, reader.stamp_ns):
        try:
            read(payload)
        except UndecodableMessageError as error:
            assert str(error)


LYING = {
    "float64[] values": b"\xff\xff\xff\x7f",
    "string[] values": b"\xff\xff\xff\x7f",
    "string value": b"\xff\xff\xff\xff",
    "geometry_msgs/Point[] values": b"\xff\xff\xff\x7f",
    "std_msgs/Empty[] values": b"\xff\xff\xff\x7f",
    "uint8[] values": b"\xff\xff\xff\xff",
}


@pytest.mark.parametrize("encoding", ["cdr", "ros1"])
@pytest.mark.parametrize("text", list(LYING))
def test_a_length_that_lies_takes_no_memory(encoding: str, text: str) -> None:
    reader = ros_reader(encoding, "own_msgs/msg/Own", text.encode())
    payload = memoryview((b"\0\1\0\0" if encoding == "cdr" else b"") + LYING[text] + bytes(64))
    tracemalloc.start()
    try:
        with pytest.raises(UndecodableMessageError):
            reader.decode(payload)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_schema_of_endless_arrays_is_refused_before_code_is_made_of_it() -> None:
    found = find_reader("cdr", "ros2msg", "own_msgs/Own", b"geometry_msgs/Point[1000000000] points")
    assert isinstance(found, Undecodable)
    assert "array of 1000000000 items" in found.reason


@given(text=st.text(max_size=80) | st.from_regex(r"([a-z]{1,5}(8|16|32|64)?(\[\d*\])? [a-z]{1,4}\n?){1,4}"))
@quick
def test_made_up_schema_texts_give_a_reader_or_a_reason(text: str) -> None:
    for language in ("ros2msg", "ros2idl"):
        found = find_reader("cdr", language, "own_msgs/msg/Own", text.encode("utf-8", "surrogatepass"))
        if isinstance(found, Reader):
            _attempt(found, memoryview(b"\0\1\0\0" + bytes(40)))


OWN_IDL = """\
================================================================================
IDL: own_msgs/msg/Own
#include "own_msgs/msg/Part.idl"
#include "std_msgs/msg/Header.idl"
module own_msgs {
  module msg {
    module Own_Constants { const uint8 LEFT = 1; };
    @verbatim (language="comment", text= "a type of nobody's interfaces")
    struct Own {
      std_msgs::msg::Header header;
      sequence<own_msgs::msg::Part> parts;
      double weights[3];
      sequence<string, 4> names;
      boolean flag;
    };
  };
};

================================================================================
IDL: own_msgs/msg/Part
module own_msgs { module msg { struct Part { int16 number; sequence<float> values; }; }; };
"""


@given(seed=st.integers(0, 2**32))
@quick
def test_types_of_ones_own_are_read_by_their_idl(seed: int) -> None:
    store = get_typestore(Stores.ROS2_HUMBLE)
    for block in OWN_IDL.split("=" * 80 + "\n")[1:]:
        store.register(get_types_from_idl(re.sub(r"(#include|IDL:).*\n", "", block)))
    message = random_message(store, "own_msgs/msg/Own", np.random.default_rng(seed))
    payload = memoryview(bytes(store.serialize_cdr(message, "own_msgs/msg/Own")))
    key = "idl"
    if key not in _READERS:
        found = find_reader("cdr", "ros2idl", "own_msgs/msg/Own", OWN_IDL.encode())
        assert isinstance(found, Reader), found
        _READERS[key] = found
    assert_same(_READERS[key].decode(payload), as_dict(store, message), "own")
    stamp = message.header.stamp
    assert _READERS[key].stamp_ns(payload) == stamp.sec * 10**9 + stamp.nanosec


@pytest.mark.parametrize(
    "text",
    [
        b"std_msgs/msg/Header header\nown_msgs/msg/Part part\n===\nMSG: own_msgs/msg/Part\nfloat64 x",
        b"std_msgs/Header header\r\nPart part\r\n=====\r\nMSG: own_msgs/Part\r\nfloat64 x\r\n",
        b"Header header # stamp\nown_msgs/Part part\n" + b"=" * 80 + b"\nMSG: own_msgs/Part\nfloat64 x\n\n",
    ],
)
def test_schema_texts_are_read_as_recorders_write_them(text: bytes) -> None:
    reader = ros_reader("cdr", "own_msgs/msg/Own", text)
    payload = b"\0\1\0\0" + struct.pack("<iII", 5, 6, 2) + b"a\0" + bytes(2) + struct.pack("<d", 2.5)
    assert reader.stamp_ns(memoryview(payload)) == 5_000_000_006
    assert reader.decode(memoryview(payload)) == {
        "header": {"stamp": {"sec": 5, "nanosec": 6}, "frame_id": "a"},
        "part": {"x": 2.5},
    }


def test_a_byte_of_ros2_is_unsigned_and_one_of_ros1_signed() -> None:
    assert ros_reader("cdr", "own_msgs/msg/Own", b"byte x").decode(memoryview(b"\0\1\0\0\xff")) == {"x": 255}
    assert ros_reader("ros1", "own_msgs/Own", b"byte x").decode(memoryview(b"\xff")) == {"x": -1}


@pytest.mark.parametrize("encoding", ["cdr", "ros1"])
def test_ros_messages_that_begin_with_a_time_carry_it_as_their_stamp(encoding: str) -> None:
    found = find_reader(*described(encoding, "Log"))
    assert isinstance(found, Reader)
    message = Message("Log", {"timestamp": Stamp(5_000_000_006), "message": "a"})
    assert found.stamp_ns(written(encoding, message)) == 5_000_000_006


def test_ros1_seconds_reach_beyond_the_year_2038() -> None:
    reader = ros_reader("ros1", "own_msgs/Own", b"time when\nduration long")
    value = reader.decode(memoryview(struct.pack("<IIii", 4_000_000_000, 7, -3, 9)))
    assert value == {"when": {"sec": 4_000_000_000, "nanosec": 7}, "long": {"sec": -3, "nanosec": 9}}


def test_fields_keep_their_names_even_where_python_has_them_as_words() -> None:
    value = ros_reader("ros1", "own_msgs/Own", b"uint8 from\nuint8 in").decode(memoryview(b"\1\2"))
    assert value == {"from": 1, "in": 2}


def _own_protobuf() -> tuple[Any, bytes]:
    file = FileDescriptorProto(name="own.proto", package="own", syntax="proto3")
    part = file.message_type.add(name="Part")
    part.field.add(name="x", number=1, type=1, label=1)
    own = file.message_type.add(name="Own")
    entry = own.nested_type.add(name="TableEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=9, label=1)
    entry.field.add(name="value", number=2, type=11, label=1, type_name=".own.Part")
    for number, (name, kind, label) in enumerate(
        [
            ("part", 11, 1), ("parts", 11, 3), ("numbers", 2, 3), ("names", 9, 3), ("flags", 8, 3),
            ("data", 12, 1), ("count", 4, 1), ("blobs", 12, 3),
        ],
        start=1,
    ):  # fmt: skip
        own.field.add(
            name=name, number=number, type=kind, label=label, type_name=".own.Part" if kind == 11 else None
        )
    own.field.add(name="table", number=20, type=11, label=3, type_name=".own.Own.TableEntry")
    pool = DescriptorPool()
    pool.Add(file)
    kind = GetMessageClass(pool.FindMessageTypeByName("own.Own"))
    return kind, FileDescriptorSet(file=[file]).SerializeToString()


def test_protobuf_of_every_shape_comes_as_plain_values() -> None:
    kind, descriptors = _own_protobuf()
    message = kind(
        parts=[{"x": 1.0}, {}], numbers=[0.5], names=["a"], flags=[True], data=b"\1\2", count=2**64 - 1
    )
    message.blobs.append(b"\3")
    message.table["k"].x = 4.0
    found = find_reader("protobuf", "protobuf", "own.Own", descriptors)
    assert isinstance(found, Reader)
    value = found.decode(memoryview(message.SerializeToString()))
    arrays = {name: value.pop(name) for name in ("numbers", "flags", "data")}
    (blob,) = value.pop("blobs")
    assert value == {
        "part": None,
        "parts": [{"x": 1.0}, {"x": 0.0}],
        "names": ["a"],
        "count": 2**64 - 1,
        "table": {"k": {"x": 4.0}},
    }
    assert {name: (array.dtype.name, array.tolist()) for name, array in arrays.items()} == {
        "numbers": ("float32", [0.5]),
        "flags": ("bool", [True]),
        "data": ("uint8", [1, 2]),
    }
    assert blob.tolist() == [3]
    assert found.stamp_ns(memoryview(message.SerializeToString())) == 0


@pytest.mark.parametrize(
    ("text", "stamp_ns"),
    [
        ('{"timestamp": {"sec": 5, "nsec": 6}}', 5_000_000_006),
        ('{"header": {"stamp": {"sec": 5, "nanosec": 6}}}', 5_000_000_006),
        ('{"header": {"stamp": {"secs": 5, "nsecs": 6}}}', 5_000_000_006),
        ('{"timestamp": 12.5}', 0),
        ('{"header": "text"}', 0),
        ("{}", 0),
    ],
)
def test_a_json_message_carries_the_stamp_of_its_timestamp_or_header(text: str, stamp_ns: int) -> None:
    found = find_reader("json", "", "", b"")
    assert isinstance(found, Reader)
    assert found.stamp_ns(memoryview(text.encode())) == stamp_ns
