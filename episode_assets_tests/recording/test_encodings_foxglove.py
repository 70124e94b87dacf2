from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap_protobuf.schema import build_file_descriptor_set
from scipy.spatial.transform import Rotation  # noqa: TID253  # an independent rotation

from episode_assets.recording.encodings import rows as r
from episode_assets.recording.encodings.decoders import Decoder, Undecodable, find_decoder
from episode_assets_tests.recording.encodings import plain, ros_object
from episode_assets_tests.recording.scene import json_text, protobuf
from episode_assets_tests.recording.scene.foxglove_ros2 import STORE
from episode_assets_tests.recording.scene.trees import Choice, Message, Stamp

ENCODINGS = ("protobuf", "json", "cdr", "ros1")
quick = settings(max_examples=50, deadline=None)

words = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
doubles = st.floats(allow_nan=False, allow_infinity=False)
u32 = st.integers(0, 2**32 - 1)
stamps = st.integers(0, (2**31 - 1) * 10**9).map(Stamp)
octets = st.binary(max_size=60)
triples = st.tuples(doubles, doubles, doubles)
quadruples = st.tuples(doubles, doubles, doubles, doubles)
CODES = {1: "u1", 2: "i1", 3: "u2", 4: "i2", 5: "u4", 6: "i4", 7: "f4", 8: "f8"}


def vector(kind: str, values: Any) -> Message:
    return Message(kind, dict(zip("xyzw", values, strict=False)))


def pose(place: Any) -> Message:
    parts = {"position": vector("Vector3", place[0]), "orientation": vector("Quaternion", place[1])}
    return Message("Pose", parts)


places = st.tuples(triples, quadruples)
Case = tuple[Message, list[r.Row]]


def case(kind: str, fields: dict[str, Any], *rows: r.Row) -> Case:
    return Message(kind, fields), list(rows)


def _picture(kind: str) -> Callable[..., Case]:
    def build(stamp: Stamp, frame: str, data: bytes, name: str) -> Case:
        row = r.ImageRow(stamp.ns, frame, name, memoryview(data), None, None, None, False)
        return case(kind, {"timestamp": stamp, "frame_id": frame, "data": data, "format": name}, row)

    return build


def _raw(stamp: Stamp, frame: str, size: tuple[int, int, int], name: str, data: bytes) -> Case:
    fields = {"width": size[0], "height": size[1], "step": size[2], "encoding": name, "data": data}
    row = r.ImageRow(stamp.ns, frame, name, memoryview(data), *size, False)
    return case("RawImage", {"timestamp": stamp, "frame_id": frame, **fields}, row)


def _calibration(stamp: Stamp, frame: str, size: tuple[int, int], k: list[float], d: list[float]) -> Case:
    fields = {"width": size[0], "height": size[1], "distortion_model": "plumb_bob", "K": k, "D": d}
    row = r.CameraInfoRow(stamp.ns, frame, *size, "plumb_bob", tuple(k), tuple(d))
    return case("CameraCalibration", {"timestamp": stamp, "frame_id": frame, **fields}, row)


def _pose_in_frame(stamp: Stamp, frame: str, place: Any) -> Case:
    fields = {"timestamp": stamp, "frame_id": frame, "pose": pose(place)}
    return case("PoseInFrame", fields, r.PoseRow(stamp.ns, frame, "", *place))


def _poses(stamp: Stamp, frame: str, several: list[Any]) -> Case:
    fields = {"timestamp": stamp, "frame_id": frame, "poses": [pose(place) for place in several]}
    numbers = np.array([[*t, *q] for t, q in several]).reshape(-1, 7)
    return case("PosesInFrame", fields, r.PosesRow(stamp.ns, frame, numbers))


def _edge(stamp: Stamp, parent: str, child: str, place: Any) -> Case:
    translation, rotation = vector("Vector3", place[0]), vector("Quaternion", place[1])
    names = {"parent_frame_id": parent, "child_frame_id": child}
    fields = {"timestamp": stamp, **names, "translation": translation, "rotation": rotation}
    return case("FrameTransform", fields, r.TransformRow(stamp.ns, parent, child, *place))


edges = st.builds(_edge, stamps, words, words, places)


def _edges(several: list[Case]) -> Case:
    rows = [row for _, found in several for row in found]
    return case("FrameTransforms", {"transforms": [message for message, _ in several]}, *rows)


def _cloud(
    stamp: Stamp, frame: str, place: Any, fields: list[tuple[str, int, int]], points: list[bytes]
) -> Case:
    packed = [
        Message("PackedElementField", {"name": name, "offset": at, "type": Choice("", "", code)})
        for name, at, code in fields
    ]
    parts = {"point_stride": 16, "fields": packed, "data": b"".join(points), "pose": pose(place)}
    known = tuple(r.CloudField(name, at, CODES[code], 1) for name, at, code in fields)
    data = memoryview(b"".join(points))
    row = r.CloudRow(stamp.ns, frame, len(points), 1, known, 16, 16 * len(points), False, data, *place)
    return case("PointCloud", {"timestamp": stamp, "frame_id": frame, **parts}, row)


def _log(stamp: Stamp, text: str) -> Case:
    fields = {"timestamp": stamp, "level": Choice("", "", 2), "message": text, "name": "node"}
    return case("Log", fields, r.TextRow(stamp.ns, "", text))


fields_of_points = st.tuples(words, u32, st.integers(1, 8))
sixteen = st.binary(min_size=16, max_size=16)
CASES: dict[str, st.SearchStrategy[Case]] = {
    "CompressedImage": st.builds(_picture("CompressedImage"), stamps, words, octets, words),
    "CompressedVideo": st.builds(_picture("CompressedVideo"), stamps, words, octets, words),
    "RawImage": st.builds(_raw, stamps, words, st.tuples(u32, u32, u32), words, octets),
    "CameraCalibration": st.builds(
        _calibration,
        stamps,
        words,
        st.tuples(u32, u32),
        st.lists(doubles, min_size=9, max_size=9),
        st.lists(doubles, max_size=8),
    ),
    "PoseInFrame": st.builds(_pose_in_frame, stamps, words, places),
    "PosesInFrame": st.builds(_poses, stamps, words, st.lists(places, max_size=4)),
    "FrameTransform": edges,
    "FrameTransforms": st.builds(_edges, st.lists(edges, max_size=4)),
    "PointCloud": st.builds(
        _cloud, stamps, words, places, st.lists(fields_of_points, max_size=4), st.lists(sixteen, max_size=4)
    ),
    "Log": st.builds(_log, stamps, words),
}
"""A message of each schema with arbitrary values, and the rows that it must give."""

STORE.register({"foxglove_msgs/msg/CompressedVideo": STORE.fielddefs["foxglove_msgs/msg/CompressedImage"]})


def written(encoding: str, message: Message) -> memoryview:
    name = f"foxglove_msgs/msg/{message.type}"
    if encoding == "protobuf":
        return memoryview(protobuf.instance(message).SerializeToString())
    if encoding == "json":
        return memoryview(json_text.payload(message))
    one = ros_object(STORE, name, message)
    write = STORE.serialize_cdr if encoding == "cdr" else STORE.serialize_ros1
    return memoryview(bytes(write(one, name)))


def described(encoding: str, schema: str) -> tuple[str, str, str, bytes]:
    if encoding == "protobuf":
        kind = getattr(import_module(f"foxglove_schemas_protobuf.{schema}_pb2"), schema)
        descriptors = build_file_descriptor_set(kind).SerializeToString()
        return "protobuf", "protobuf", f"foxglove.{schema}", descriptors
    if encoding == "json":
        return "json", "jsonschema", f"foxglove.{schema}", b"{}"
    version = 2 if encoding == "cdr" else 1
    text = STORE.generate_msgdef(f"foxglove_msgs/msg/{schema}", ros_version=version)[0].encode()
    name = f"foxglove_msgs/{'msg/' if version == 2 else ''}{schema}"
    return encoding, f"ros{version}msg", name, text


def decoder_of(encoding: str, schema: str) -> Decoder:
    key = encoding, schema
    if key not in _DECODERS:
        found = find_decoder(*described(encoding, schema))
        assert isinstance(found, Decoder), found
        _DECODERS[key] = found
    return _DECODERS[key]


_DECODERS: dict[tuple[str, str], Decoder] = {}
every_case = pytest.mark.parametrize(
    ("encoding", "schema"), [(encoding, schema) for encoding in ENCODINGS for schema in CASES]
)


@every_case
@given(data=st.data())
@quick
def test_every_schema_comes_back_value_by_value(encoding: str, schema: str, data: st.DataObject) -> None:
    message, rows = data.draw(CASES[schema])
    assert plain(decoder_of(encoding, schema).rows(written(encoding, message))) == plain(rows)


@every_case
@given(data=st.data())
@quick
def test_damaged_payloads_give_rows_or_the_named_error(
    encoding: str, schema: str, data: st.DataObject
) -> None:
    payload = bytearray(written(encoding, data.draw(CASES[schema])[0]))
    for _ in range(data.draw(st.integers(0, 4)) if payload else 0):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    payload = payload[: data.draw(st.integers(0, len(payload)))]
    try:
        decoder_of(encoding, schema).rows(memoryview(payload))
    except r.UndecodableMessageError as error:
        assert str(error)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(schema=st.sampled_from([*CASES, "SceneUpdate"]), payload=st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_made_up_payloads_give_rows_or_the_named_error(encoding: str, schema: str, payload: bytes) -> None:
    try:
        decoder_of(encoding, schema).rows(memoryview(payload))
    except r.UndecodableMessageError as error:
        assert str(error)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    "timestamp", "frame_id", "data", "format", "width", "height", "step", "K", "D", "pose", "poses", "position",
    "orientation", "transforms", "fields", "point_stride", "type", "sec", "nsec", "x", "w", "entities", "deletions",
    "triangles", "points", "indices", "message",
)  # fmt: skip


@given(
    schema=st.sampled_from([*CASES, "SceneUpdate"]),
    value=st.recursive(
        json_values,
        lambda inner: (
            st.dictionaries(st.sampled_from(NAMES), inner, max_size=6) | st.lists(inner, max_size=3)
        ),
        max_leaves=20,
    ),
)
@settings(max_examples=200, deadline=None)
def test_json_of_the_wrong_types_gives_rows_or_the_named_error(schema: str, value: Any) -> None:
    try:
        rows = decoder_of("json", schema).rows(memoryview(json.dumps(value).encode()))
    except r.UndecodableMessageError as error:
        assert str(error)
    else:
        assert all(0 <= row.stamp_ns < 1 << 63 for row in rows)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ("RawImage", '{"width": -1}'),
        ("RawImage", '{"width": 4294967296}'),
        ("RawImage", '{"width": 1.5}'),
        ("RawImage", '{"width": "640"}'),
        ("RawImage", '{"width": true}'),
        ("RawImage", '{"width": NaN}'),
        ("RawImage", '{"width": Infinity}'),
        ("RawImage", '{"width": 1e999}'),
        ("RawImage", '{"data": "not base64!"}'),
        ("RawImage", '{"data": "AAA"}'),
        ("RawImage", '{"data": [1, 2]}'),
        ("RawImage", '{"timestamp": {"sec": -1, "nsec": 0}}'),
        ("RawImage", '{"timestamp": {"sec": 1, "nsec": 1000000000}}'),
        ("RawImage", '{"timestamp": {"sec": 9300000000, "nsec": 0}}'),
        ("RawImage", '{"timestamp": "2024-01-01T00:00:00Z"}'),
        ("PoseInFrame", '{"pose": {"position": {"x": NaN}}}'),
        ("PoseInFrame", '{"pose": {"position": {"x": "1"}}}'),
        ("PoseInFrame", f'{{"pose": {{"position": {{"x": 1{"0" * 400}}}}}}}'),
        ("PoseInFrame", '{"pose": [1, 2, 3]}'),
        ("CameraCalibration", '{"K": [1, 2, 3]}'),
        ("CameraCalibration", '{"K": "123456789"}'),
        ("CameraCalibration", '{"K": {"0": 1}}'),
        ("PointCloud", '{"data": "AAAA", "point_stride": 0}'),
        ("PointCloud", '{"fields": [{"name": "x", "type": 9}]}'),
        ("SceneUpdate", '{"entities": [{"triangles": [{"points": [{"x": 1}], "indices": [0, 0, 1]}]}]}'),
        ("SceneUpdate", '{"entities": [{"triangles": [{"points": [{"x": 1}], "indices": [0, 0, -1]}]}]}'),
        ("SceneUpdate", '{"entities": [{"triangles": [{"points": [], "indices": [0.5]}]}]}'),
        ("Log", '{"message": 5}'),
        ("Log", "[]"),
        ("Log", '"text"'),
        ("Log", "{"),
        ("Log", "[" * 100_000),
    ],
)
def test_a_json_value_that_cannot_be_is_named(schema: str, text: str) -> None:
    with pytest.raises(r.UndecodableMessageError):
        decoder_of("json", schema).rows(memoryview(text.encode()))


@pytest.mark.parametrize(("encoding", "payload"), [("json", b"{}"), ("protobuf", b"")])
def test_what_was_not_sent_reads_as_nothing_and_poses_as_the_identity(encoding: str, payload: bytes) -> None:
    still = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    expected = {
        "PoseInFrame": [r.PoseRow(0, "", "", *still)],
        "FrameTransform": [r.TransformRow(0, "", "", *still)],
        "FrameTransforms": [],
        "PosesInFrame": [r.PosesRow(0, "", np.empty((0, 7)))],
        "CameraCalibration": [r.CameraInfoRow(0, "", 0, 0, "", (0.0,) * 9, ())],
        "PointCloud": [r.CloudRow(0, "", 0, 1, (), 0, 0, False, memoryview(b""), *still)],
        "SceneUpdate": [],
        "Log": [r.TextRow(0, "", "")],
    }
    for schema, rows in expected.items():
        assert plain(decoder_of(encoding, schema).rows(memoryview(payload))) == plain(rows), schema


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_a_rotation_that_was_left_unset_stays_all_zero(encoding: str) -> None:
    empty = Message("Pose", {"position": vector("Vector3", (1.0,)), "orientation": Message("Quaternion", {})})
    (row,) = decoder_of(encoding, "PoseInFrame").rows(
        written(encoding, Message("PoseInFrame", {"pose": empty}))
    )
    assert row == r.PoseRow(0, "", "", (1.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0))


CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.5]])
TURN = (0.1, -0.2, 0.3, 0.5)


def _piece(indices: list[int], place: Any) -> Message:
    fields: dict[str, Any] = {"points": [vector("Point3", corner.tolist()) for corner in CORNERS]}
    red = Message("Color", {"r": 1.0, "g": 0.0, "b": 0.0, "a": 1.0})
    return Message(
        "TriangleListPrimitive",
        {**fields, "pose": pose(place), "indices": indices, "colors": [red] * 4, "color": red},
    )


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_triangles_of_a_scene_are_expanded_and_placed(encoding: str) -> None:
    pieces = [_piece([0, 1, 2, 0, 2, 3], ((1.0, 2.0, 3.0), TURN)), _piece([], ((0.0, 0.0, 5.0), (0.0,) * 4))]
    entities = [
        Message("SceneEntity", {"timestamp": Stamp(7), "frame_id": "map", "id": "room", "triangles": pieces}),
        Message("SceneEntity", {"frame_id": "map", "id": "gone", "triangles": []}),
    ]
    deletions = [
        Message("SceneEntityDeletion", {"timestamp": Stamp(5), "type": Choice("", "", 0), "id": "old"}),
        Message("SceneEntityDeletion", {"timestamp": Stamp(6), "type": Choice("", "", 1)}),
    ]
    message = Message("SceneUpdate", {"deletions": deletions, "entities": entities})
    rows = decoder_of(encoding, "SceneUpdate").rows(written(encoding, message))
    assert [(row.stamp_ns, row.namespace, row.action, row.type, len(row.points)) for row in rows] == [
        (5, "old", 2, 11, 0),
        (6, "", 3, 11, 0),
        (7, "room", 0, 11, 9),
        (0, "gone", 0, 11, 0),
    ]
    turned = Rotation.from_quat(TURN).apply(CORNERS[[0, 1, 2, 0, 2, 3]]) + np.array([1, 2, 3])
    np.testing.assert_allclose(rows[2].points[:6], turned, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(rows[2].points[6:], CORNERS[:3] + np.array([0, 0, 5]))
    assert (rows[2].translation, rows[2].quaternion_xyzw) == ((0, 0, 0), (0, 0, 0, 1))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_decoders_travel_to_other_processes(encoding: str) -> None:
    message, rows = _pose_in_frame(Stamp(5), "map", ((1.0, 2.0, 3.0), TURN))
    decoder = pickle.loads(pickle.dumps(decoder_of(encoding, "PoseInFrame")))
    assert plain(decoder.rows(written(encoding, message))) == plain(rows)


def _descriptors(*fields: tuple[str, int], name: str = "PoseInFrame", repeated: bool = False) -> bytes:
    file = FileDescriptorProto(name="own.proto", package="foxglove", syntax="proto3")
    message = file.message_type.add(name=name)
    for number, (field, kind) in enumerate(fields, start=1):
        message.field.add(name=field, number=number, type=kind, label=3 if repeated else 1)
    return FileDescriptorSet(file=[file]).SerializeToString()


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"text", _descriptors(("x", 1), name="Other")])
def test_descriptors_that_do_not_define_the_type_cost_one_channel(data: bytes) -> None:
    found = find_decoder("protobuf", "protobuf", "foxglove.PoseInFrame", data)
    assert isinstance(found, Undecodable)
    assert "foxglove.PoseInFrame" in found.reason


@given(data=st.binary(max_size=200))
@quick
def test_made_up_descriptors_give_a_decoder_or_a_reason(data: bytes) -> None:
    found = find_decoder("protobuf", "protobuf", "foxglove.PoseInFrame", data)
    assert isinstance(found, (Decoder, Undecodable))


@given(flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5))
@quick
def test_damaged_descriptors_give_a_decoder_or_a_reason(flips: list[tuple[int, int]]) -> None:
    data = bytearray(described("protobuf", "PoseInFrame")[3])
    for at, value in flips:
        data[at % len(data)] = value
    found = find_decoder("protobuf", "protobuf", "foxglove.PoseInFrame", bytes(data))
    payload = written("protobuf", _pose_in_frame(Stamp(5), "map", ((1.0, 2.0, 3.0), TURN))[0])
    if isinstance(found, Decoder):
        try:
            found.rows(payload)
        except r.UndecodableMessageError as error:
            assert str(error)


@pytest.mark.parametrize("kind", [1, 3, 8, 9, 12])
@pytest.mark.parametrize("repeated", [False, True])
def test_descriptors_that_lie_about_types_cost_messages_and_nothing_else(kind: int, repeated: bool) -> None:
    names = ("timestamp", "frame_id", "pose")
    for name in names:
        data = _descriptors((name, kind), repeated=repeated)
        found = find_decoder("protobuf", "protobuf", "foxglove.PoseInFrame", data)
        assert isinstance(found, Decoder)
        value = b"\x0a\x01a" if kind in {9, 12} else b"\x09" + bytes(8) if kind == 1 else b"\x08\x01"
        try:
            (row,) = found.rows(memoryview(value))
        except r.UndecodableMessageError as error:
            assert name in str(error) or "type" in str(error)
        else:
            assert name == "frame_id" or kind == 1
            assert isinstance(row, r.PoseRow)


def test_two_files_may_define_one_name_differently() -> None:
    one = find_decoder("protobuf", "protobuf", "foxglove.Log", _descriptors(("message", 9), name="Log"))
    fields = (("message", 13), ("name", 9))
    other = find_decoder("protobuf", "protobuf", "foxglove.Log", _descriptors(*fields, name="Log"))
    assert isinstance(one, Decoder)
    assert isinstance(other, Decoder)
    assert list(one.rows(memoryview(b"\x0a\x02hi"))) == [r.TextRow(0, "", "hi")]
    with pytest.raises(r.UndecodableMessageError, match="message"):
        other.rows(memoryview(b"\x08\x05"))


@pytest.mark.parametrize(
    ("encoding", "schema_encoding"), [("protobuf", ""), ("protobuf", "jsonschema"), ("json", "protobuf")]
)
def test_a_schema_of_another_language_is_refused_by_name(encoding: str, schema_encoding: str) -> None:
    found = find_decoder(encoding, schema_encoding, "foxglove.Log", b"")
    assert isinstance(found, Undecodable)
    assert "schema" in found.reason


@pytest.mark.parametrize("encoding", ["cdr", "ros1"])
def test_foxglove_types_without_their_schema_text_are_refused_by_name(encoding: str) -> None:
    schema_encoding = described(encoding, "Log")[1]
    found = find_decoder(encoding, schema_encoding, "foxglove_msgs/msg/PoseInFrame", b"")
    assert isinstance(found, Undecodable)
    assert "it has no text" in found.reason


def test_json_objects_of_unknown_schemas_are_kept_as_their_text() -> None:
    found = find_decoder("json", "jsonschema", "MouseEvent", b"{}")
    assert isinstance(found, Decoder)
    assert found.kind == "text"
    assert list(found.rows(memoryview(b' {"task": "pour"} \n'))) == [r.TextRow(0, "", '{"task": "pour"}')]
    for payload in (b"", b"5", b"[1]", b"\xff{}", b'{"cut'):
        with pytest.raises(r.UndecodableMessageError):
            found.rows(memoryview(payload))
