"""The container and its messages look like the phone app's, to readers that know nothing of us."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from mcap.records import Chunk, DataEnd, Header, Message, MessageIndex, Metadata
from mcap.stream_reader import StreamReader

from episode_assets.demo import DemoConfig, DemoTruth, write_demo
from episode_assets.errors import BadConfig
from episode_assets_tests.demo.independent_reader import Written, read_everything, stamp_ns

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "recordings" / "table_scene.mcap"
REQUIRED = {
    "/camera/rgb/compressed",
    "/camera/depth",
    "/camera/camera_info",
    "/camera/pose",
    "/tf",
    "/device/imu",
    "/camera/tracking_state",
    "/map/point_cloud",
    "/map/mesh",
    "/map/mesh_cloud",
    "/trajectory",
}


def records(path: Path) -> list[object]:
    with path.open("rb") as stream:
        return list(StreamReader(stream, emit_chunks=True, validate_crcs=True).records)


def test_every_required_topic_holds_messages(small):
    _, written = small

    assert set(written.topics) >= REQUIRED


def test_stamps_are_log_times_in_device_uptime(small):
    _, written = small

    for topic, messages in written.topics.items():
        logged = [time for name, time in written.order if name == topic]
        assert [stamp_ns(message) for message in messages] == logged
        assert all(1e13 < time < 1e17 for time in logged)


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample recordings are not beside this checkout")
def test_schemas_and_channels_equal_those_of_the_phone_app(small):
    _, written = small
    sample = read_summary(SAMPLE)

    def table(summary):
        types = {
            number: (schema.name, schema.encoding, schema.data) for number, schema in summary.schemas.items()
        }
        return {
            channel.topic: (channel.message_encoding, types[channel.schema_id])
            for channel in summary.channels.values()
        }

    assert table(written.summary) == table(sample)


def read_summary(path: Path):
    from mcap.reader import make_reader

    with path.open("rb") as stream:
        return make_reader(stream).get_summary()


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample recordings are not beside this checkout")
def test_a_sampled_frame_is_written_in_the_order_of_the_phone_app(small):
    _, written = small
    sample = read_everything(SAMPLE)

    def second_frame(order):
        starts = [position for position, (topic, _) in enumerate(order) if topic == "/camera/camera_info"]
        return [topic for topic, _ in order[starts[1] : starts[2]] if topic != "/device/imu"]

    assert second_frame(written.order) == second_frame(sample.order)


def test_definitions_precede_uncompressed_chunks_and_metadata_closes(tmp_path):
    path = tmp_path / "demo.mcap"
    write_demo(path, config=DemoConfig(seconds=3, width=640, height=360, with_hands=False))

    found = records(path)

    kinds = [type(record).__name__ for record in found]
    header = found[0]
    assert isinstance(header, Header)
    assert (header.profile, header.library) == ("ros2", "fpv_labs/1.0")
    first_chunk, data_end = kinds.index("Chunk"), kinds.index("DataEnd")
    assert set(kinds[1:first_chunk]) == {"Schema", "Channel"}
    assert set(kinds[first_chunk : data_end - 1]) == {"Chunk", "MessageIndex"}
    assert isinstance(found[data_end - 1], Metadata)
    chunks = [record for record in found if isinstance(record, Chunk)]
    assert all(chunk.compression == "" and chunk.uncompressed_crc == 0 for chunk in chunks)
    assert all(chunk.message_end_time - chunk.message_start_time < 6e8 for chunk in chunks)
    assert max(len(chunk.data) for chunk in chunks) < 524_288 + 200_000
    ends = [record for record in found if isinstance(record, DataEnd)]
    assert [end.data_section_crc for end in ends] == [0]


def test_every_message_index_leads_to_its_message(tmp_path):
    path = tmp_path / "demo.mcap"
    write_demo(path, config=DemoConfig(seconds=1, width=64, height=48))

    chunk = None
    checked = 0
    for record in records(path):
        if isinstance(record, Chunk):
            chunk = record
        if isinstance(record, MessageIndex):
            assert chunk is not None
            for time, offset in record.records:
                assert chunk.data[offset] == 5
                body = chunk.data[offset + 9 :]
                assert int.from_bytes(body[:2], "little") == record.channel_id
                assert int.from_bytes(body[6:14], "little") == time
                checked += 1

    assert checked == len(read_everything(path).order)


def test_one_sequence_number_runs_over_all_topics(tmp_path):
    path = tmp_path / "demo.mcap"
    write_demo(path, config=DemoConfig(seconds=0.5, width=64, height=48))

    with path.open("rb") as stream:
        numbers = [record.sequence for record in StreamReader(stream).records if isinstance(record, Message)]

    assert numbers == list(range(len(numbers)))


def test_imu_samples_make_log_time_step_back_but_never_within_a_topic(small):
    _, written = small
    times = [time for _, time in written.order]

    steps_back = [after - before for before, after in pairwise(times) if after < before]

    assert steps_back
    assert min(steps_back) > -11_000_000
    for topic in written.topics:
        assert np.all(np.diff(written.stamps(topic)) > 0)


def test_counts_agree_with_the_rates(longer):
    truth, written = longer
    seconds, lost = 12, 1.5

    counts = {topic: len(messages) for topic, messages in written.topics.items()}

    assert (
        counts["/camera/tracking_state"] == counts["/device/metrics"] == counts["/arkit/imu"] == 60 * seconds
    )
    assert counts["/device/imu"] == 100 * seconds
    assert (
        counts["/camera/rgb/compressed"] == len(truth.stamp_ns) == pytest.approx(15 * (seconds - lost), abs=1)
    )
    for topic in ("/camera/depth", "/camera/camera_info", "/camera/pose", "/tf"):
        assert counts[topic] == counts["/camera/rgb/compressed"]
    for topic in (
        "/camera/depth/camera_info",
        "/map/mesh",
        "/map/mesh_cloud",
        "/device/camera_imu_extrinsics",
    ):
        assert counts[topic] == 1


def test_nothing_of_the_camera_is_written_while_tracking_is_lost(longer):
    truth, written = longer
    states = np.array([message.state for message in written.topics["/camera/tracking_state"]])
    lost = written.stamps("/camera/tracking_state")[states != 2]

    assert (lost[0], lost[-1]) == tuple(truth.lost_ns[0])
    assert len(truth.lost_ns) == 1
    for topic in ("/camera/rgb/compressed", "/camera/depth", "/camera/pose", "/tf", "/camera/camera_info"):
        stamps = written.stamps(topic)
        assert not np.any((stamps >= lost[0]) & (stamps <= lost[-1]))
    assert np.array_equal(np.flatnonzero(truth.gap_before), [np.searchsorted(truth.stamp_ns, lost[-1])])


def test_the_trajectory_holds_each_pose_once_until_its_last_tick(longer):
    _, written = longer
    messages = written.topics["/trajectory"]

    union = [stamp_ns(pose) for message in messages for pose in message.poses]

    stamps = written.stamps("/trajectory")
    assert len(messages[0].poses) == 1
    assert np.all(np.diff(stamps) >= 5e9)
    poses = written.stamps("/camera/pose")
    assert union == poses[poses <= stamps[-1]].tolist()


def test_a_rate_of_thirty_is_gated_out_of_sixty(tmp_path):
    path = tmp_path / "demo.mcap"

    truth = write_demo(path, config=DemoConfig(seconds=1, width=64, height=48, fps=30))

    assert len(truth.stamp_ns) == 30
    assert np.median(np.diff(truth.stamp_ns)) == pytest.approx(1e9 / 30, rel=0.02)


@pytest.mark.parametrize(
    ("omitted", "topics"),
    [
        ("with_depth", {"/camera/depth", "/camera/depth/camera_info"}),
        ("with_imu", {"/device/imu", "/arkit/imu", "/device/imu/intrinsics"}),
        ("with_pose", {"/camera/pose", "/tf", "/trajectory", "/map/point_cloud"}),
        ("with_mesh", {"/map/mesh", "/map/mesh_cloud"}),
        ("with_camera_info", {"/camera/camera_info"}),
        ("with_tracking_state", {"/camera/tracking_state"}),
        ("with_rgb", {"/camera/rgb/compressed"}),
    ],
)
def test_an_omitted_stream_keeps_its_channel_and_has_no_message(tmp_path, omitted, topics):
    path = tmp_path / "demo.mcap"
    everything = {"seconds": 0.3, "width": 64, "height": 48, "with_hands": False, "with_face": False}

    write_demo(path, config=DemoConfig(**everything, **{omitted: False}))

    written = read_everything(path)
    assert not topics & set(written.topics)
    assert topics <= {channel.topic for channel in written.summary.channels.values()}
    assert len(written.summary.channels) == 17


def test_no_seconds_make_a_valid_recording_without_messages(tmp_path):
    path = tmp_path / "demo.mcap"

    truth = write_demo(path, config=DemoConfig(seconds=0))

    written = read_everything(path)
    assert written.order == []
    assert written.summary.statistics is not None
    assert written.summary.statistics.message_count == 0
    assert truth.hand_joints_cam.shape == (0, 2, 21, 3)


def test_equal_configurations_give_equal_bytes_and_another_seed_does_not(tmp_path):
    config = {"seconds": 0.5, "width": 96, "height": 64}

    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_demo(tmp_path / name, config=DemoConfig(**config, seed=seed))

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_a_failing_watcher_leaves_no_file(tmp_path):
    def stop(stage: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_demo(tmp_path / "demo.mcap", config=DemoConfig(seconds=1, width=64, height=48), progress=stop)

    assert list(tmp_path.iterdir()) == []


def test_progress_counts_the_pictures(tmp_path):
    seen = []

    truth = write_demo(
        tmp_path / "demo.mcap",
        config=DemoConfig(seconds=0.4, width=64, height=48),
        progress=lambda stage, done, total: seen.append((done, total)),
    )

    assert seen == [(done, len(truth.stamp_ns)) for done in range(len(truth.stamp_ns) + 1)]


def test_a_corrupt_frame_cannot_be_decoded_and_its_neighbours_can(tmp_path):
    import cv2

    write_demo(
        tmp_path / "demo.mcap", config=DemoConfig(seconds=0.3, width=64, height=48, corrupt_frames=(2,))
    )

    written = read_everything(tmp_path / "demo.mcap")
    pictures = [
        cv2.imdecode(np.asarray(message.data), cv2.IMREAD_COLOR)
        for message in written.topics["/camera/rgb/compressed"]
    ]
    assert [picture is not None for picture in pictures] == [number != 2 for number in range(len(pictures))]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("seconds", -1),
        ("fps", 24),
        ("width", 8),
        ("jpeg_quality", 0),
        ("lost_interval_s", (3.0, 2.0)),
        ("face_marker", (0, 256, 0)),
        ("imu_hz", 120),
        ("depth_width", 4),
    ],
)
def test_an_option_out_of_range_is_named(option, value):
    with pytest.raises(BadConfig, match=option):
        DemoConfig(**{option: value})


def test_the_truth_survives_saving(small, tmp_path):
    truth, _ = small

    truth.save(tmp_path / "truth.npz")

    loaded = DemoTruth.load(tmp_path / "truth.npz")
    for name, column in vars(truth).items():
        assert np.array_equal(column, getattr(loaded, name), equal_nan=column.dtype.kind == "f")


def test_metadata_says_what_was_written(longer):
    truth, written = longer

    assert written.metadata["rgb_encoded_count"] == str(len(truth.stamp_ns))
    assert written.metadata["rgb_start_ns"] == str(truth.stamp_ns[0])
    assert written.metadata["tracking_loss_events"] == "1"
    assert json.loads(written.metadata["depth_supported"]) is True
    assert isinstance(written, Written)
