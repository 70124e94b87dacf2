"""Ordinary ROS 2 rigs, in every packing, and the choice of roles."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from episode_assets.errors import BadConfig, BadRecording, MissingStream
from episode_assets.geometry import world_from_optical
from episode_assets.recording import RecordingConfig, RecordingView, decode_depth, inspect, scan_recording
from episode_assets.recording.containers.source import Source
from episode_assets_tests.recording import rig as ros
from episode_assets_tests.recording.rig import EPOCH_NS, Rig, write_rig

PACKINGS = [
    {"compression": ""},
    {"compression": "lz4", "chunk_bytes": 8192},
    {"compression": "zstd", "chunk_bytes": 8192},
    {"chunked": False},
    {"compression": "zstd", "repeat_channels": False, "repeat_schemas": False},
    {"compression": "lz4", "use_statistics": False, "use_summary_offsets": False},
]


@pytest.mark.parametrize("packing", PACKINGS, ids=str)
def test_every_packing_gives_the_same_streams(
    packing: dict[str, object], tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    view = view_of(write_rig(tmp_path / "rig.mcap", **packing))

    pictures = list(view.rgb.read())
    assert [bytes(p.data) for p in pictures] == [ros.jpeg(n) for n in range(20)]
    assert [p.message_number for p in pictures] == list(range(20))
    assert view.rgb.stamp_ns.tolist() == [EPOCH_NS + n * 50_000_000 for n in range(20)]
    assert view.depth is not None
    assert [int(decode_depth(m)[0, 0]) for m in view.depth.read()] == [500 + n for n in range(20)]
    assert view.imu is not None
    assert view.imu.gravity == "included"
    assert len(view.imu.stamp_ns) == 100
    assert view.inventory.clock == "epoch"


def test_the_camera_pose_of_a_rig_follows_its_frame_tree(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    view = view_of(write_rig(tmp_path / "rig.mcap"))
    assert view.pose is not None
    rotation, source = view.link_from_optical

    R, t = world_from_optical(
        view.pose.quaternion_xyzw, view.pose.translation, rotation, offset_m=view.optical_offset_m
    )

    assert source == "tf"
    assert np.allclose(R[0] @ [0, 0, 1], [1, 0, 0], atol=1e-9)
    assert np.allclose(R[0] @ [1, 0, 0], [0, -1, 0], atol=1e-9)
    assert np.allclose(t[5], [0.15, 0, 0.2])


def test_the_scan_reads_each_byte_once_and_digests_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_rig(tmp_path / "rig.mcap", frames=60)
    sources: list[Source] = []
    opened = Source.__init__

    def counted(self: Source, uri: str) -> None:
        opened(self, uri)
        sources.append(self)

    monkeypatch.setattr(Source, "__init__", counted)
    (tmp_path / "out").mkdir()
    scan_recording(str(file), tmp_path / "out", recording_id="rec-1")

    first_look = 64
    assert sum(source.bytes_read for source in sources) == file.stat().st_size + first_look
    view = RecordingView.open(tmp_path / "out", str(file))
    assert view.inventory.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_same_file_gives_the_same_bytes_under_any_name(tmp_path: Path) -> None:
    first = write_rig(tmp_path / "first.mcap")
    second = tmp_path / "named after somebody.mcap"
    second.write_bytes(first.read_bytes())
    digests = []
    for file in (first, second):
        out = tmp_path / f"out {file.stem}"
        out.mkdir()
        outcome = scan_recording(str(file), out, recording_id="rec-1")
        digests.append({name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in outcome.core})

    assert digests[0] == digests[1]


def test_consecutive_reads_unpack_a_chunk_once(
    tmp_path: Path, view_of: Callable[..., RecordingView], monkeypatch: pytest.MonkeyPatch
) -> None:
    from episode_assets.recording.containers import payloads

    view = view_of(write_rig(tmp_path / "rig.mcap", compression="zstd", chunk_bytes=16384, frames=40))
    unpacked: list[int] = []
    really = payloads.unpack_again

    def counted(compression: str, data: bytes, size: int) -> bytes | memoryview:
        unpacked.append(size)
        return really(compression, data, size)

    monkeypatch.setattr(payloads, "unpack_again", counted)
    assert sum(1 for _ in view.rgb.read(5, 35)) == 30

    assert 1 < len(unpacked) <= view.inventory.chunks


def test_image_streams_travel_to_other_processes(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    stream = pickle.loads(pickle.dumps(view_of(write_rig(tmp_path / "rig.mcap")).rgb))

    assert [m.message_number for m in stream.read(3, 5)] == [3, 4]


def test_a_file_that_shrank_after_the_scan_is_named(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    file = write_rig(tmp_path / "rig.mcap")
    view = view_of(file)
    file.write_bytes(file.read_bytes()[:5000])

    with pytest.raises(BadRecording, match="shorter than when it was scanned"):
        list(view.rgb.read())


def test_repeated_stamps_are_kept_once_and_listed(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    rig = Rig(tmp_path / "rig.mcap")
    for number, stamp in enumerate([3, 1, 2, 2, 4]):
        rig.add("/camera/image/compressed", ros.compressed_image(EPOCH_NS + stamp * 10**8, ros.jpeg(number)))

    rgb = view_of(rig.close()).rgb

    assert rgb.message_number.tolist() == [1, 2, 0, 4]
    assert [(d.message_number, d.stamp_ns) for d in rgb.duplicates] == [(3, EPOCH_NS + 2 * 10**8)]


def test_messages_without_a_stamp_take_the_log_time(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    rig = Rig(tmp_path / "rig.mcap")
    rig.add("/camera/image/compressed", ros.compressed_image(0, ros.jpeg(0)), log_time_ns=77)

    assert view_of(rig.close()).rgb.stamp_ns.tolist() == [77]


def _stereo(file: Path) -> Path:
    rig = Rig(file)
    for number in range(4):
        for name in ("a", "b"):
            stamp = EPOCH_NS + number * 10**8
            rig.add(f"/cam_{name}/image", ros.compressed_image(stamp, ros.jpeg(number), frame=f"cam_{name}"))
    return rig.close()


def test_two_equal_cameras_are_ambiguous_until_one_is_configured(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    file = _stereo(tmp_path / "rig.mcap")

    with pytest.raises(MissingStream, match="ambiguous between /cam_a/image, /cam_b/image"):
        _ = view_of(file).rgb
    view = view_of(file, topics=("rgb=/cam_b/image",))
    assert (view.rgb.topic, view.inventory.roles["rgb"].reason) == ("/cam_b/image", "configured")


def test_colour_is_chosen_before_infrared_thumbnails_and_depth(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "rig.mcap")
    grey, deep = np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint16)
    for number in range(6):
        stamp = EPOCH_NS + number * 10**8
        rig.add("/camera/infra1/image_rect_raw", ros.image(stamp, grey, "mono8", frame="ir"))
        rig.add("/camera/infra1/image_rect_raw", ros.image(stamp + 1, grey, "mono8", frame="ir"))
        rig.add("/camera/color/image_raw", ros.image(stamp, np.zeros((8, 8, 3), np.uint8), "rgb8"))
        rig.add("/camera/color/image_raw/compressed", ros.compressed_image(stamp, ros.jpeg(0)))
        rig.add("/camera/depth/image_rect_raw", ros.image(stamp, deep, "16UC1", frame="depth"))
        rig.add("/camera/aligned_depth_to_color/image_raw", ros.image(stamp, deep, "16UC1"))
        rig.add("/camera/color/camera_info", ros.camera_info(stamp))
        rig.add("/camera/aligned_depth_to_color/camera_info", ros.camera_info(stamp))
        rig.add("/camera/depth/camera_info", ros.camera_info(stamp, frame="depth"))

    roles = inspect(str(rig.close())).roles

    assert roles["rgb"].topics == ("/camera/color/image_raw",)
    assert roles["depth"].topics == ("/camera/aligned_depth_to_color/image_raw",)
    assert roles["camera_info"].topics == ("/camera/color/camera_info",)
    assert roles["depth_camera_info"].topics == ("/camera/aligned_depth_to_color/camera_info",)


def test_a_role_can_be_left_unfilled_by_configuration(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    view = view_of(write_rig(tmp_path / "rig.mcap"), topics=("depth=",))

    assert view.depth is None
    assert view.has_rgb


@pytest.mark.parametrize("entry", ["rgb=/nowhere", "rgb=/odom"])
def test_a_configured_topic_that_does_not_fit_lists_those_that_do(entry: str, tmp_path: Path) -> None:
    file = write_rig(tmp_path / "rig.mcap")

    with pytest.raises(MissingStream, match="/camera/color/image_raw/compressed"):
        inspect(str(file), config=RecordingConfig(topics=(entry,)))


@pytest.mark.parametrize(
    "options",
    [
        {"topics": ("colour=/x",)},
        {"topics": ("rgb",)},
        {"topics": ("rgb=/a", "rgb=/b")},
        {"max_chunk_mib": 0},
    ],
    ids=str,
)
def test_a_wrong_configuration_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(BadConfig):
        RecordingConfig(**options)  # type: ignore[arg-type]


def test_path_messages_are_united_and_the_pose_topic_wins(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    rig = Rig(tmp_path / "rig.mcap")
    s = EPOCH_NS
    rig.add("/trajectory", ros.path(s, {s: (0, 0, 0), s + 1: (1, 0, 0)}))
    rig.add("/trajectory", ros.path(s + 9, {s + 1: (1, 0, 0), s + 2: (2, 0, 0)}))
    rig.add("/camera/pose", ros.pose_stamped(s + 2, (2, 5, 0)))

    trajectory = view_of(rig.close()).trajectory

    assert trajectory is not None
    assert trajectory.stamp_ns.tolist() == [s, s + 1, s + 2]
    assert trajectory.translation.tolist() == [[0, 0, 0], [1, 0, 0], [2, 5, 0]]


def test_markers_merge_by_id_with_actions_and_pose(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    triangle = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=float)
    quarter = (0, 0, np.sqrt(0.5), np.sqrt(0.5))
    rig = Rig(tmp_path / "rig.mcap")
    for message in (
        ros.marker(triangle + 5, number=1),
        ros.marker(np.vstack([triangle, triangle]), number=2, colours=6),
        ros.marker(triangle, number=1, translation=(0, 0, 1), xyzw=quarter),
        ros.marker(triangle, number=3),
        ros.marker(np.empty((0, 3)), number=3, action=2),
        ros.marker(triangle, number=4, kind=5),
    ):
        rig.add("/map/mesh", message, log_time_ns=EPOCH_NS)

    mesh = view_of(rig.close()).mesh

    assert mesh is not None
    assert mesh.triangles.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert np.allclose(mesh.vertices[:3], [[0, 0, 1], [0, 1, 1], [-1, 0, 1]])
    assert np.allclose(mesh.vertices[3:], np.vstack([triangle, triangle]))


def test_an_array_of_markers_is_read_through_textures_and_colours(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    triangle = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=float)
    rig = Rig(tmp_path / "rig.mcap")
    markers = [ros.marker(triangle + n, number=n, colours=3) for n in range(3)]
    rig.add("/mesh", ros.T.MarkerArray(markers), log_time_ns=EPOCH_NS)

    mesh = view_of(rig.close()).mesh

    assert mesh is not None
    assert np.allclose(mesh.vertices.reshape(3, 3, 3), [triangle, triangle + 1, triangle + 2])


def test_a_rig_written_by_another_library_reads_the_same(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    """Two-part type names and another CDR encoder."""
    writer_module = pytest.importorskip("mcap_ros2.writer", reason="mcap-ros2-support is not installed")
    file = tmp_path / "rig.mcap"
    writer = writer_module.Writer(str(file))
    text, _ = ros.STORE.generate_msgdef("sensor_msgs/msg/CompressedImage", ros_version=2)
    schema = writer.register_msgdef("sensor_msgs/CompressedImage", text)
    for number in range(3):
        message = {
            "header": {"stamp": {"sec": 5, "nanosec": number}, "frame_id": "cam"},
            "format": "jpeg",
            "data": list(ros.jpeg(number)),
        }
        writer.write_message("/image", schema, message, log_time=number)
    writer.finish()

    rgb = view_of(file).rgb

    assert rgb.stamp_ns.tolist() == [5 * ros.S + n for n in range(3)]
    assert [bytes(m.data) for m in rgb.read()] == [ros.jpeg(n) for n in range(3)]


def test_inspecting_by_index_and_by_walking_agree(tmp_path: Path) -> None:
    file = write_rig(tmp_path / "rig.mcap", compression="zstd", chunk_bytes=8192)
    plain = write_rig(tmp_path / "plain.mcap", compression="zstd", chunk_bytes=8192, use_statistics=False)

    indexed, walked = inspect(str(file)), inspect(str(plain))

    assert (indexed.basis, walked.basis) == ("index", "scan")
    assert indexed.messages == walked.messages
    assert {r: c.topics for r, c in indexed.roles.items()} == {r: c.topics for r, c in walked.roles.items()}
    assert [(t.topic, t.count, t.picture_format) for t in indexed.topics] == [
        (t.topic, t.count, t.picture_format) for t in walked.topics
    ]


def test_a_missing_frame_tree_is_said_and_not_hidden(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "rig.mcap", library="rig")
    rig.add("/camera/image/compressed", ros.compressed_image(EPOCH_NS, ros.jpeg(0)))
    rig.add("/camera/pose", ros.pose_stamped(EPOCH_NS, (0, 0, 0)))
    (tmp_path / "out").mkdir()

    outcome = scan_recording(str(rig.close()), tmp_path / "out", recording_id="rec-1")

    assert "camera_frame_assumed" in {note.code for note in outcome.warnings}
