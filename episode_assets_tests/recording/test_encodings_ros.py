from __future__ import annotations

import contextlib
import json
import pickle
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.recording.encodings import rows as r
from episode_assets.recording.encodings.decoders import Decoder, Undecodable, find_decoder
from episode_assets.recording.encodings.rows import UndecodableMessageError
from episode_assets_tests.recording.encodings import EXPECTED, ROS1, ROS2, plain, random_message

quick = settings(max_examples=50, deadline=None)
ROS1_ONLY = {"tf/msg/tfMessage"}
CASES = [
    (encoding, name)
    for encoding in ("cdr", "ros1")
    for name in sorted(EXPECTED)
    if not (encoding == "cdr" and name in ROS1_ONLY)
]


def decoder_of(encoding: str, name: str, text: bytes | None = None) -> Decoder:
    store, version, schema = (ROS2, 2, "ros2msg") if encoding == "cdr" else (ROS1, 1, "ros1msg")
    if text is None:
        text = store.generate_msgdef(name, ros_version=version)[0].encode()
    short = name if encoding == "cdr" else name.replace("/msg/", "/")
    found = find_decoder(encoding, schema, short, text)
    assert isinstance(found, Decoder)
    return found


def written(encoding: str, name: str, seed: int) -> tuple[Any, memoryview]:
    store = ROS2 if encoding == "cdr" else ROS1
    message = random_message(store, name, np.random.default_rng(seed))
    if name.endswith("PointCloud2"):
        for number, field in enumerate(message.fields):
            field.datatype = 1 + (seed + number) % 8
    if encoding == "cdr":
        data = store.serialize_cdr(message, name, little_endian=seed % 2 == 0)
    else:
        data = store.serialize_ros1(message, name)
    return message, memoryview(bytes(data))


@pytest.mark.parametrize(("encoding", "name"), CASES)
@given(seed=st.integers(0, 2**32))
@quick
def test_what_rosbags_writes_comes_back_value_by_value(encoding: str, name: str, seed: int) -> None:
    message, payload = written(encoding, name, seed)
    assert plain(decoder_of(encoding, name).rows(payload)) == plain(EXPECTED[name](message))


@pytest.mark.parametrize(("encoding", "name"), CASES)
@given(data=st.data())
@quick
def test_damaged_payloads_give_rows_or_the_named_error(encoding: str, name: str, data: st.DataObject) -> None:
    decoder = decoder_of(encoding, name)
    payload = bytearray(written(encoding, name, data.draw(st.integers(0, 50)))[1])
    for _ in range(data.draw(st.integers(0, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    payload = payload[: data.draw(st.integers(0, len(payload)))]
    try:
        decoder.rows(memoryview(payload))
    except UndecodableMessageError as error:
        assert str(error)


@pytest.mark.parametrize(("encoding", "name"), CASES)
@given(payload=st.binary(max_size=300))
@quick
def test_made_up_payloads_give_rows_or_the_named_error(encoding: str, name: str, payload: bytes) -> None:
    try:
        decoder_of(encoding, name).rows(memoryview(payload))
    except UndecodableMessageError as error:
        assert str(error)


@pytest.mark.parametrize(("encoding", "name"), [case for case in CASES if "Marker" not in case[1]])
def test_an_empty_schema_text_stands_for_the_standard_definition(encoding: str, name: str) -> None:
    message, payload = written(encoding, name, 6)
    assert plain(decoder_of(encoding, name, b"").rows(payload)) == plain(EXPECTED[name](message))


@pytest.mark.parametrize("encoding", ["cdr", "ros1"])
def test_marker_arrays_without_a_schema_text_are_read_by_todays_definition(encoding: str) -> None:
    name = "visualization_msgs/msg/MarkerArray"
    message, payload = written(encoding, name, 4)
    assert len(message.markers) > 1
    assert plain(decoder_of(encoding, name, b"").rows(payload)) == plain(EXPECTED[name](message))


def test_a_ros1_time_reaches_beyond_the_year_2038() -> None:
    _, payload = written("ros1", "sensor_msgs/msg/Imu", 1)
    later = bytes(payload[:4]) + struct.pack("<II", 4_000_000_000, 7) + bytes(payload[12:])
    (row,) = decoder_of("ros1", "sensor_msgs/msg/Imu").rows(memoryview(later))
    assert row.stamp_ns == 4_000_000_000_000_000_007


@pytest.mark.parametrize("encoding", ["cdr", "ros1"])
def test_decoders_travel_to_other_processes(encoding: str) -> None:
    message, payload = written(encoding, "sensor_msgs/msg/Imu", 3)
    decoder = pickle.loads(pickle.dumps(decoder_of(encoding, "sensor_msgs/msg/Imu")))
    assert plain(decoder.rows(payload)) == plain(EXPECTED["sensor_msgs/msg/Imu"](message))


@pytest.mark.parametrize(
    ("encoding", "schema_encoding", "reason"),
    [
        ("cdr", "cdr", "schema encoding 'cdr'"),
        ("ros1", "ros2msg", "schema encoding 'ros2msg'"),
        ("cdr", "", "no schema"),
        ("wrong_format", "ros2msg", "message encoding 'wrong_format'"),
        ("flatbuffer", "flatbuffer", "message encoding 'flatbuffer'"),
    ],
)
def test_encodings_nobody_reads_are_refused_by_name(encoding: str, schema_encoding: str, reason: str) -> None:
    assert find_decoder(encoding, schema_encoding, "sensor_msgs/Imu") == Undecodable(reason)


TRACKING_IDL = """
#include "std_msgs/msg/Header.idl"
module stera_msgs { module msg {
    @verbatim (language="comment", text= "What the tracker says (uint8 reason;)" "\\n" "second line")
    struct TrackingState {
      std_msgs::msg::Header header;

      @verbatim (language="comment", text= "0 (not available), 1, 2")
      uint8 state; // the state
      /* why */
      @unit (value="none")
      uint8 reason;
      string state_str;
    };
}; };
"""


@pytest.mark.parametrize(
    ("schema_encoding", "text", "is_readable"),
    [
        ("ros2msg", "std_msgs/msg/Header header\nuint8 state # now\n# why\nuint8 reason\nstring a", True),
        ("ros2msg", "std_msgs/msg/Header header\nuint8 STATE_LOST=0\nuint8 state\n\nuint8 reason", True),
        ("ros2msg", "std_msgs/msg/Header header\nuint32 state\nuint8 reason", False),
        ("ros2msg", "std_msgs/msg/Header header\nuint8 state\nstring name\nuint8 reason", False),
        ("ros2idl", TRACKING_IDL, True),
        ("ros2idl", TRACKING_IDL.replace("uint8 state;", "float state;"), False),
        ("ros2idl", TRACKING_IDL.replace("uint8 state;", "uint8 state; string between;"), False),
    ],
)
def test_a_tracking_state_is_read_only_where_its_schema_has_the_known_fields(
    schema_encoding: str, text: str, is_readable: bool
) -> None:
    found = find_decoder("cdr", schema_encoding, "stera_msgs/msg/TrackingState", text.encode())
    assert isinstance(found, Decoder) == is_readable
    assert is_readable or "uint8 state" in found.reason  # type: ignore[union-attr]


MARKER_IDL = """
module visualization_msgs { module msg { struct MarkerArray {
  sequence<visualization_msgs::msg::Marker> markers; }; }; };
module visualization_msgs { module msg { struct Marker {
  std_msgs::msg::Header header; string ns; sequence<geometry_msgs::msg::Point> points;
  string texture_resource; sensor_msgs::msg::CompressedImage texture;
  string text; string mesh_resource; visualization_msgs::msg::MeshFile mesh_file; }; }; };
"""


def test_the_layout_of_marker_arrays_is_told_by_idl_too() -> None:
    name = "visualization_msgs/msg/MarkerArray"
    message, payload = written("cdr", name, 4)
    new = find_decoder("cdr", "ros2idl", name, MARKER_IDL.encode())
    assert isinstance(new, Decoder)
    assert plain(new.rows(payload)) == plain(EXPECTED[name](message))
    short = MARKER_IDL.replace("texture_resource", "x").replace("mesh_file", "y")
    old = find_decoder("cdr", "ros2idl", name, short.encode())
    assert isinstance(old, Decoder)
    with pytest.raises(UndecodableMessageError):
        old.rows(payload)


@pytest.mark.parametrize("head", [b"\0\2", b"\0\3", b"\0\6", b"\0\7", b"\0\x0b", b"\1\1"])
def test_other_encapsulations_than_plain_cdr_are_refused_by_name(head: bytes) -> None:
    payload = memoryview(head + bytes(written("cdr", "std_msgs/msg/String", 1)[1][2:]))
    with pytest.raises(UndecodableMessageError, match=f"encapsulation {head.hex(' ')} is not plain CDR"):
        decoder_of("cdr", "std_msgs/msg/String").rows(payload)


@pytest.mark.parametrize(("encoding", "name"), CASES)
def test_lengths_that_lie_take_no_memory(encoding: str, name: str) -> None:
    decoder = decoder_of(encoding, name)
    good = bytes(written(encoding, name, 2)[1])
    tracemalloc.start()
    try:
        for at in range(4 if encoding == "cdr" else 0, len(good) - 3):
            payload = good[:at] + b"\xff\xff\xff\x7f" + good[at + 4 :]
            with contextlib.suppress(UndecodableMessageError):
                decoder.rows(memoryview(payload))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


JSON_STAMP = {"stamp": {"sec": 5, "nanosec": 6}, "frame_id": "map"}
JSON_POSE = {"position": {"x": 1, "y": 2.5, "z": 3}, "orientation": {"x": 0, "y": 0, "z": 0, "w": 1}}
UNIT = (0.0, 0.0, 0.0, 1.0)
NOT_GIVEN = [-1.0] + [0.0] * 8


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (
            "geometry_msgs/msg/PoseStamped",
            {"header": JSON_STAMP, "pose": JSON_POSE},
            r.PoseRow(5_000_000_006, "map", "", (1.0, 2.5, 3.0), UNIT),
        ),
        (
            "nav_msgs/Odometry",
            {"header": JSON_STAMP, "child_frame_id": "base", "pose": {"pose": JSON_POSE}},
            r.PoseRow(5_000_000_006, "map", "base", (1.0, 2.5, 3.0), UNIT),
        ),
        (
            "tf2_msgs/TFMessage",
            {
                "transforms": [
                    {
                        "header": {"stamp": {"secs": 7, "nsecs": 8}, "frame_id": "a"},
                        "child_frame_id": "b",
                        "transform": {"translation": {"x": 1}, "rotation": JSON_POSE["orientation"]},
                    }
                ]
            },
            r.TransformRow(7_000_000_008, "a", "b", (1.0, 0.0, 0.0), UNIT),
        ),
        (
            "sensor_msgs/Imu",
            {
                "header": JSON_STAMP,
                "orientation": JSON_POSE["orientation"],
                "orientation_covariance": NOT_GIVEN,
                "angular_velocity": {"x": 1, "y": 2, "z": 3},
                "linear_acceleration": {"x": 0, "y": 0, "z": 9.81},
                "linear_acceleration_covariance": [0.0] * 9,
            },
            r.ImuRow(5_000_000_006, "map", None, (1.0, 2.0, 3.0), (0.0, 0.0, 9.81)),
        ),
        (
            "sensor_msgs/msg/CameraInfo",
            {
                "header": JSON_STAMP,
                "width": 4,
                "height": 3,
                "distortion_model": "plumb_bob",
                "K": [1] * 9,
                "D": [],
            },
            r.CameraInfoRow(5_000_000_006, "map", 4, 3, "plumb_bob", (1.0,) * 9, ()),
        ),
        (
            "sensor_msgs/CompressedImage",
            {"header": JSON_STAMP, "format": "jpeg", "data": "/9g="},
            r.ImageRow(5_000_000_006, "map", "jpeg", memoryview(b"\xff\xd8"), None, None, None, False),
        ),
        (
            "sensor_msgs/Image",
            {"header": JSON_STAMP, "width": 2, "height": 1, "step": 2, "encoding": "mono8", "data": "AQI="},
            r.ImageRow(5_000_000_006, "map", "mono8", memoryview(b"\1\2"), 2, 1, 2, False),
        ),
        ("std_msgs/String", {"data": "pour"}, r.TextRow(0, "", "pour")),
    ],
)
def test_ros_types_are_read_from_json_too(name: str, value: Any, expected: r.Row) -> None:
    decoder = find_decoder("json", "jsonschema", name, b"{}")
    assert isinstance(decoder, Decoder)
    assert plain(decoder.rows(memoryview(json.dumps(value).encode()))) == plain([expected])
    for bad in (
        "[]",
        '{"header": 5}',
        '{"transforms": [{}]}',
        '{"pose": 1, "data": 2, "K": 3, "orientation": 4}',
    ):
        with contextlib.suppress(UndecodableMessageError):
            decoder.rows(memoryview(bad.encode()))
