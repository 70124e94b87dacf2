"""A topic whose messages change their encoding within the file: nothing is mixed up, and nothing is lost in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mcap.writer import Writer

from episode_assets.outcome import Outcome
from episode_assets.recording import RecordingView, scan_recording
from episode_assets_tests.recording.scene import ros, ros1, ros2, ros2_idl
from episode_assets_tests.recording.scene.columns import columns_of, difference, true_columns
from episode_assets_tests.recording.scene.scene import Scene, film_scene

LATER = 14
"""Pictures before the change: more than behind it."""


@pytest.fixture(scope="module")
def scene() -> Scene:
    return film_scene()


@pytest.fixture(scope="module")
def scanned(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, RecordingView]:
    folder = tmp_path_factory.mktemp("changing")
    file = folder / "changing.mcap"
    write_changing(file, scene)
    outcome = scan_recording(str(file), folder, recording_id="changing-00000000")
    return outcome, RecordingView.open(folder, str(file))


def write_changing(path: Path, scene: Scene) -> None:
    """Write the scene in ROS 2 up to a moment and in ROS 1 from there on, in the same topics."""
    writer, channels = Writer(str(path)), dict[tuple[str, str], int]()
    writer.start()
    for event in scene.events:
        message = ros.MESSAGES[event.stream](scene, event.index, event.stamp_ns)
        is_early = event.stamp_ns < scene.frame_ns[LATER]
        name, definition, payload = (
            ("ros2msg", ros2.definition, ros2_idl.payload)
            if is_early
            else ("ros1msg", ros1.definition, ros1.payload)
        )
        if (event.topic, name) not in channels:
            schema = writer.register_schema(message.type, name, definition(message.type).encode())
            encoding = "cdr" if is_early else "ros1"
            channels[event.topic, name] = writer.register_channel(event.topic, encoding, schema)
        writer.add_message(channels[event.topic, name], event.log_ns, payload(message), event.log_ns)
    writer.finish()


def test_streams_of_one_kind_take_the_type_with_most_messages(
    scene: Scene, scanned: tuple[Outcome, RecordingView]
) -> None:
    _, view = scanned

    assert [bytes(message.data) for message in view.rgb.read()] == list(scene.jpegs[:LATER])
    assert view.depth is not None
    assert len(list(view.depth.read())) == LATER
    assert view.imu is not None
    later = scene.imu_ns >= scene.frame_ns[LATER]
    assert np.array_equal(view.imu.stamp_ns, scene.imu_ns[later])
    (clouds,) = view.point_clouds
    assert len(list(clouds.read())) == LATER


def test_what_is_left_out_is_said_with_its_count(
    scene: Scene, scanned: tuple[Outcome, RecordingView]
) -> None:
    outcome, _ = scanned

    said = {note.stream: note for note in outcome.warnings if note.code == "other_type"}

    assert said["/camera/rgb"].count == len(scene.frame_ns) - LATER
    assert "10 messages of type 'sensor_msgs/msg/CompressedImage' in ros1" in said["/camera/rgb"].detail
    assert said["/device/imu"].count == int((scene.imu_ns < scene.frame_ns[LATER]).sum())
    assert set(said).isdisjoint({"/tf", "/trajectory", "/hands/joints", "/task/annotation"})


@pytest.mark.parametrize("stream", ["tf", "trajectory", "hands", "annotations"])
def test_streams_that_unite_topics_unite_types_too(
    stream: str, scene: Scene, scanned: tuple[Outcome, RecordingView]
) -> None:
    _, view = scanned

    assert difference(columns_of(view)[stream], true_columns(scene)[stream]) == 0
