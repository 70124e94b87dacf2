"""Hands, annotations, untimed paths, point clouds, mesh pieces, unset rotations, attachments: every message counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foxglove_schemas_protobuf.PackedElementField_pb2 import PackedElementField
from foxglove_schemas_protobuf.PointCloud_pb2 import PointCloud
from foxglove_schemas_protobuf.SceneUpdate_pb2 import SceneUpdate
from mcap_protobuf.writer import Writer as ProtobufWriter

from episode_assets.errors import BadRecording, SourceChanged
from episode_assets.recording import Cloud, RecordingView, UndecodableCloud, inspect
from episode_assets.recording.scan import notes_of
from episode_assets_tests.recording import rig as ros
from episode_assets_tests.recording.rig import EPOCH_NS, Rig, S

T = ros.T
UNSET = (0, 0, 0, 0)
ROS_TYPES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}


def _poses(stamp: int, places: Any, *, frame: str = "camera") -> Any:
    return T.PoseArray(ros.header(stamp, frame), [ros.pose(place) for place in places])


def _codes(view: RecordingView) -> dict[str, int]:
    return {note.code: note.count for note in notes_of(view.inventory)}


# Hands, paths, texts


def test_joints_of_all_hand_topics_are_kept_repeated_stamps_included(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    rig = Rig(tmp_path / "rig.mcap")
    rig.add("/right_hand/joints", _poses(EPOCH_NS + 1, [(1, 0, 0), (2, 0, 0)], frame="right"))
    rig.add("/left_hand/joints", _poses(EPOCH_NS + 1, [(3, 0, 0)]))
    rig.add("/left_hand/joints", _poses(EPOCH_NS + 1, [(4, 0, 0), (5, 0, 0)]))
    rig.add("/left_hand/joints", _poses(EPOCH_NS, []))
    rig.add("/left_hand/joints", _poses(EPOCH_NS, [(6, 0, 0)]))
    rig.add("/particles", _poses(EPOCH_NS, [(9, 9, 9)]))
    view = view_of(rig.close())

    hands = view.hands

    assert hands is not None
    assert hands.stamp_ns.tolist() == [EPOCH_NS] + [EPOCH_NS + 1] * 5
    assert hands.translation[:, 0].tolist() == [6, 3, 4, 5, 1, 2]
    assert hands.pose_index.tolist() == [0, 0, 0, 1, 0, 1]
    assert hands.message_number.tolist() == [3, 0, 1, 1, 0, 0]
    assert hands.topic == ("/left_hand/joints",) * 4 + ("/right_hand/joints",) * 2
    assert hands.frame_id == ("camera",) * 4 + ("right",) * 2
    assert view.inventory.roles["trajectory"].topics == ()
    assert "/particles" in view.inventory.roles["trajectory"].candidates


def test_a_path_without_stamps_of_its_own_is_no_trajectory_over_time(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    rig = Rig(tmp_path / "rig.mcap")
    rig.add("/planned_path", _poses(EPOCH_NS, [(n, 0, 0) for n in range(3)], frame="map"))
    view = view_of(rig.close())

    assert view.trajectory is None
    assert view.untimed_trajectory is not None
    assert view.untimed_trajectory.translation[:, 0].tolist() == [0, 1, 2]
    assert set(view.untimed_trajectory.stamp_ns.tolist()) == {EPOCH_NS}


def test_a_configured_topic_of_any_name_can_hold_hands(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    rig = Rig(tmp_path / "rig.mcap")
    rig.add("/mocap", _poses(EPOCH_NS, [(1, 2, 3)]))

    hands = view_of(rig.close(), topics=("hands=/mocap",)).hands

    assert hands is not None
    assert hands.translation.tolist() == [[1, 2, 3]]


def test_texts_about_the_task_are_kept_and_others_are_not(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    rig = Rig(tmp_path / "rig.mcap")
    for number, words in enumerate(["take the glass", "x" * 70_000, "put it down"]):
        rig.add("/task/events", T.String(words), log_time_ns=EPOCH_NS + (2 - number) * S)
    rig.add("/rosout_text", T.String("a secret"), log_time_ns=EPOCH_NS)
    view = view_of(rig.close())

    annotations = view.annotations

    assert annotations is not None
    assert annotations.text == ("put it down", "x" * 65_536, "take the glass")
    assert annotations.stamp_ns.tolist() == [EPOCH_NS, EPOCH_NS + S, EPOCH_NS + 2 * S]
    assert annotations.message_number.tolist() == [2, 1, 0]
    assert _codes(view)["cut_texts"] == 1
    assert not any(b"a secret" in file.read_bytes() for file in view.directory.rglob("*.*"))


# Rotations that are none


def test_poses_without_a_rotation_are_kept_counted_and_not_normalised(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    rig = Rig(tmp_path / "rig.mcap")
    for number, turn in enumerate([(0, 0, 0, 1), UNSET, (float("nan"),) * 4]):
        rig.add("/camera/pose", ros.pose_stamped(EPOCH_NS + number * S, (number, 0, 0), turn))
    view = view_of(rig.close())

    assert view.pose is not None
    assert view.pose.translation[:, 0].tolist() == [0, 1, 2]
    assert view.pose.quaternion_xyzw[1].tolist() == [0, 0, 0, 0]
    assert _codes(view)["unset_rotations"] == 2


# Meshes


def test_pieces_in_another_frame_are_left_out_and_counted(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    triangle = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=float)
    rig = Rig(tmp_path / "rig.mcap")
    other = ros.marker(triangle + 9, number=2)
    other.header.frame_id = "gripper"
    for message in (ros.marker(triangle, number=1), other):
        rig.add("/map/mesh", message, log_time_ns=EPOCH_NS)
    view = view_of(rig.close())

    assert view.mesh is not None
    assert (view.mesh.frame_id, view.mesh.vertices.tolist()) == ("world", triangle.tolist())
    assert _codes(view)["mesh_in_other_frames"] == 1


def test_an_entity_of_a_scene_replaces_all_that_had_its_id(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    def update(**shifts: float) -> SceneUpdate:
        message = SceneUpdate()
        for name, shift in shifts.items():
            entity = message.entities.add(id=name, frame_id="world")
            for piece in range(2 if name == "room" else 1):
                primitive = entity.triangles.add()
                primitive.pose.position.x = shift + piece
                primitive.pose.orientation.w = 1
                for x, y in ((0, 0), (1, 0), (0, 1)):
                    primitive.points.add(x=x, y=y)
        return message

    gone = SceneUpdate()
    gone.deletions.add(type=0, id="cup")
    with (tmp_path / "scene.mcap").open("wb") as file:
        writer = ProtobufWriter(file)
        for at, message in enumerate([update(room=0, cup=50), update(room=10, table=90), gone]):
            writer.write_message("/scene", message, log_time=EPOCH_NS + at, publish_time=EPOCH_NS + at)
        writer.finish()

    mesh = view_of(tmp_path / "scene.mcap").mesh

    assert mesh is not None
    assert sorted(mesh.vertices[::3, 0].tolist()) == [10, 11, 90]


# Point clouds


def _cloud(
    table: np.ndarray,
    *,
    order: str = "<",
    shape: tuple[int, int] | None = None,
    row_gap: int = 0,
    **changes: Any,
) -> Any:
    """A PointCloud2 of a structured array, whose bytes numpy lays out."""
    names = table.dtype.names or ()
    step = table.dtype.itemsize
    height, width = shape or (1, len(table))
    rows = table.reshape(height, width)
    data = b"".join(row.tobytes() + b"\xff" * row_gap for row in rows)
    fields = [
        T.PointField(name, int(table.dtype.fields[name][1]), ROS_TYPES[table.dtype[name].str[1:]], 1)
        for name in names
    ]  # type: ignore[index]
    values = {"point_step": step, "row_step": width * step + row_gap, "data": np.frombuffer(data, np.uint8)}
    values |= changes
    return T.PointCloud2(
        ros.header(EPOCH_NS, "world"), height, width, fields, order == ">", values["point_step"],
        values["row_step"], values["data"], True,
    )  # fmt: skip


def _read(file: Path, view_of: Callable[..., RecordingView]) -> list[Cloud | UndecodableCloud]:
    (stream,) = view_of(file).point_clouds
    return list(stream.read())


def _one(tmp_path: Path, view_of: Callable[..., RecordingView], message: Any) -> Cloud | UndecodableCloud:
    rig = Rig(tmp_path / "rig.mcap")
    rig.add("/cloud", message)
    (cloud,) = _read(rig.close(), view_of)
    return cloud


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("real", ["f4", "f8"])
def test_points_come_out_of_any_layout_without_colours(
    order: str, real: str, tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    dtype = np.dtype(
        {
            "names": ["intensity", "rgb", "y", "x", "z", "ring"],
            "formats": [order + "u2", order + "f4", *[order + real] * 3, "u1"],
            "offsets": [1, 4, 8, 16, 24, 33],
            "itemsize": 36,
        }
    )
    table = np.zeros(6, dtype)
    for name, start in (("x", 0), ("y", 10), ("z", 20), ("intensity", 300)):
        table[name] = np.arange(6) + start
    table["y"][4] = np.nan
    table["rgb"] = 7.5

    cloud = _one(tmp_path, view_of, _cloud(table, order=order, shape=(2, 3), row_gap=5))

    assert isinstance(cloud, Cloud)
    assert cloud.points.dtype == np.dtype(real)
    kept = [0, 1, 2, 3, 5]
    assert cloud.points.tolist() == [[n, n + 10, n + 20] for n in kept]
    assert set(cloud.values) == {"intensity"}
    assert cloud.values["intensity"].tolist() == [300 + n for n in kept]
    assert cloud.values["intensity"].dtype == np.dtype("u2")
    assert cloud.dropped == 1


XYZ = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4")])


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (_cloud(np.zeros(3, XYZ), data=np.zeros(20, np.uint8)), "20 bytes for 1 x 3 points that need 36"),
        (_cloud(np.zeros(3, XYZ), point_step=8), "does not fit into points of 8 bytes"),
        (_cloud(np.zeros(3, XYZ), row_step=12), "rows of 12 bytes for 3 points of 12"),
        (_cloud(np.zeros(3, [("x", "<f4"), ("y", "<f4")])), "points without z"),
        (_cloud(np.zeros(3, [("x", "<i4"), ("y", "<i4"), ("z", "<i4")])), "not floating-point numbers"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_cloud_that_contradicts_itself_is_named_and_the_next_one_read(
    message: Any, reason: str, tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    rig = Rig(tmp_path / "rig.mcap", compression="zstd")
    for cloud in (message, _cloud(np.ones(2, XYZ))):
        rig.add("/cloud", cloud)

    broken, whole = _read(rig.close(), view_of)

    assert isinstance(broken, UndecodableCloud)
    assert reason in broken.reason
    assert isinstance(whole, Cloud)
    assert whole.points.tolist() == [[1, 1, 1]] * 2


def test_an_empty_cloud_has_no_points(tmp_path: Path, view_of: Callable[..., RecordingView]) -> None:
    cloud = _one(tmp_path, view_of, _cloud(np.zeros(0, XYZ)))

    assert isinstance(cloud, Cloud)
    assert (cloud.points.shape, cloud.dropped) == ((0, 3), 0)


def test_the_pose_of_a_cloud_moves_its_points(tmp_path: Path, view_of: Callable[..., RecordingView]) -> None:
    table = np.array([(1, 2, 3, 9), (np.inf, 0, 0, 9)], [*[(name, "<f4") for name in "xyz"], ("rgba", "<u4")])
    message = PointCloud(frame_id="lidar", point_stride=16, data=table.tobytes())
    for place, name in enumerate(("x", "y", "z", "rgba")):
        kind = PackedElementField.UINT32 if name == "rgba" else PackedElementField.FLOAT32
        message.fields.append(PackedElementField(name=name, offset=4 * place, type=kind))
    message.pose.position.z = 10
    message.pose.orientation.z = message.pose.orientation.w = np.sqrt(0.5)
    with (tmp_path / "cloud.mcap").open("wb") as file:
        writer = ProtobufWriter(file)
        writer.write_message("/lidar", message, log_time=EPOCH_NS, publish_time=EPOCH_NS)
        writer.finish()

    (cloud,) = _read(tmp_path / "cloud.mcap", view_of)

    assert isinstance(cloud, Cloud)
    assert np.allclose(cloud.points, [[-2, 1, 13]])
    assert (dict(cloud.values), cloud.dropped) == ({}, 1)


def test_clouds_of_the_phone_are_all_there(table_scene: RecordingView) -> None:
    mesh_cloud, features = table_scene.point_clouds

    (vertices,) = mesh_cloud.read()
    assert isinstance(vertices, Cloud)
    assert table_scene.mesh is not None
    distinct = np.unique(table_scene.mesh.vertices.astype(np.float32), axis=0)
    assert np.array_equal(np.unique(vertices.points, axis=0), distinct)
    clouds = [cloud for cloud in features.read() if isinstance(cloud, Cloud)]
    assert len(clouds) == len(features) == 111
    assert all((cloud.values["confidence"] == 1).all() and len(cloud.points) for cloud in clouds)
    assert [cloud.stamp_ns for cloud in clouds[40:50]] == features.stamp_ns[40:50].tolist()
    assert [cloud.message_number for cloud in features.read(5, 7)] == [5, 6]


def test_messages_that_are_no_clouds_leave_no_stream(
    data: Path, view_of: Callable[..., RecordingView]
) -> None:
    view = view_of(data / "damaged" / "bad_payload.mcap")

    assert view.point_clouds == ()
    info = view.inventory.topic("/sensor/lidar/points")
    assert info is not None
    assert info.is_bad


# Attachments


def test_attachments_are_listed_with_their_place_and_read_from_the_recording(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    rig = Rig(tmp_path / "rig.mcap")
    rig.add("/imu", ros.imu(EPOCH_NS, (0, 0, 9.81)))
    for name, content in (("notes für später.txt", b"words"), ("empty", b""), ("big.bin", bytes(200_000))):
        rig.writer.add_attachment(5, 7, name, "text/plain", content)
    file = rig.close()
    view = view_of(file)

    assert [(a.place.name, a.read()) for a in view.attachments] == [
        ("notes für später.txt", b"words"),
        ("empty", b""),
        ("big.bin", bytes(200_000)),
    ]
    first = view.inventory.attachments[0]
    assert (first.media_type, first.create_time_ns, first.log_time_ns, first.length) == (
        "text/plain",
        5,
        7,
        5,
    )
    assert first.crc != 0
    places = {(a.name, a.offset, a.length) for a in view.inventory.attachments}
    assert {(a.name, a.offset, a.length) for a in inspect(str(file)).attachments} == places
    assert not any(b"words" in kept.read_bytes() for kept in view.directory.rglob("*.*"))


def test_an_attachment_that_changed_is_refused(tmp_path: Path, view_of: Callable[..., RecordingView]) -> None:
    rig = Rig(tmp_path / "rig.mcap")
    rig.add("/imu", ros.imu(EPOCH_NS, (0, 0, 9.81)))
    rig.writer.add_attachment(0, 0, "a.txt", "text/plain", b"the right words")
    file = rig.close()
    (attachment,) = view_of(file).attachments

    file.write_bytes(file.read_bytes().replace(b"the right words", b"the wrong words"))
    with pytest.raises(BadRecording, match="does not match its checksum"):
        attachment.read()
    file.write_bytes(file.read_bytes()[: attachment.place.offset + 3])
    with pytest.raises(SourceChanged, match="ends before attachment"):
        attachment.read()
