"""One scene in several message encodings, each written by a library of its own, reads as the same streams."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import av
import foxglove.messages
import numpy as np
import pytest
from foxglove_schemas_protobuf.Pose_pb2 import Pose
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory
from numpy.typing import NDArray

from episode_assets.outcome import Outcome
from episode_assets.recording import RecordingView, inspect, read_messages, scan_recording
from episode_assets.video import Picture, decode_pictures, picture_to_rgb
from episode_assets_tests.recording.scene.columns import Columns, columns_of, difference, true_columns
from episode_assets_tests.recording.scene.encodings import ENCODINGS, Encoding
from episode_assets_tests.recording.scene.scene import TOPICS, Scene, film_scene

VIDEO_DB = 40.0

TOLD_BY_NAME = frozenset({"hands", "annotations"})
"""Roles whose messages are of types that serve for anything: only the topic tells."""

STAMPED_INSIDE = frozenset({"tf", "mesh"})
"""Streams whose messages are, in some encodings, lists of stamped things without a stamp of their own."""

NAMES = [encoding.name for encoding in ENCODINGS]


@dataclass(frozen=True)
class Read:
    """What the project reads from the scene in one encoding."""

    encoding: Encoding
    outcome: Outcome
    view: RecordingView
    columns: dict[str, Columns]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return film_scene()


@pytest.fixture(scope="module")
def reads(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Read]:
    return {encoding.name: read(encoding, scene, tmp_path_factory.mktemp("scene")) for encoding in ENCODINGS}


def read(encoding: Encoding, scene: Scene, folder: Path) -> Read:
    file, scan = folder / encoding.file_name, folder / "scan"
    scan.mkdir()
    encoding.write(file, scene)
    outcome = scan_recording(str(file), scan, recording_id="scene-00000000")
    view = RecordingView.open(scan, str(file))
    return Read(encoding, outcome, view, columns_of(view))


def cell(stream: str, found: Read, true: Columns, scene: Scene) -> str:
    """Say in a word how a stream of one encoding compares to the truth."""
    if stream in found.encoding.no_schema:
        return "unexpected" if stream in found.columns else "no schema"
    if stream not in found.columns:
        return "missing"
    columns = dict(found.columns[stream])
    is_video = found.encoding.is_video and stream == "rgb"
    if is_video:
        # What a video holds is compared as pictures; everything that is said about them has to be the same.
        columns["payload"] = true["payload"]
    worst = difference(columns, true)
    if worst:
        return f"differs by {worst:g}"
    return f"{worst_decibels(decoded_here(found.view), scene):.1f} dB" if is_video else "equal"


def worst_decibels(pictures: list[NDArray[np.uint8]], scene: Scene) -> float:
    """Return the smallest ratio of signal to noise over all pictures of the scene."""
    return min(decibels(*pair) for pair in zip(pictures, scene.pictures, strict=True))


def decibels(found: NDArray[np.uint8], true: NDArray[np.uint8]) -> float:
    """Peak signal to noise ratio of two pictures of 8 bits."""
    error = np.mean((found.astype(np.float64) - true) ** 2)
    return float(10 * np.log10(255**2 / error))


def decoded_here(view: RecordingView) -> list[NDArray[np.uint8]]:
    """Return the pictures of a view, blue first, decoded by the project."""
    pictures = [picture for _, picture in decode_pictures(view.rgb, 0, len(view.rgb))]
    assert [type(picture) for picture in pictures] == [Picture] * len(view.rgb)
    return [picture_to_rgb(picture)[:, :, ::-1] for picture in pictures if isinstance(picture, Picture)]


def decoded_elsewhere(file: str) -> list[NDArray[np.uint8]]:
    """Return the pictures of a file of video, blue first, by the decoders of mcap and libav alone."""
    decoder = av.CodecContext.create("h264", "r")
    pictures = []
    with Path(file).open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        for _, _, _, message in reader.iter_decoded_messages(topics=TOPICS["rgb"]):
            pictures += decoder.decode(av.Packet(message.data))
    return [frame.to_ndarray(format="bgr24") for frame in [*pictures, *decoder.decode(None)]]


def as_text(cells: dict[str, dict[str, str]]) -> list[str]:
    """Return the table, an encoding in each column, and below it why something is not there."""
    rows = [["", *cells], *([stream, *(cells[name][stream] for name in cells)] for stream in TOPICS)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    reasons = {stream: why for encoding in ENCODINGS for stream, why in encoding.no_schema.items()}
    return [
        *("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows),
        *(f"no schema, {stream}: {why}" for stream, why in reasons.items()),
    ]


def test_all_encodings_of_a_scene_give_equal_streams(
    scene: Scene, reads: dict[str, Read], request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    true = true_columns(scene)

    cells = {
        name: {stream: cell(stream, found, true[stream], scene) for stream in TOPICS}
        for name, found in reads.items()
    }

    terminal = request.config.pluginmanager.getplugin("terminalreporter")
    with capsys.disabled():
        for line in ("", *as_text(cells)):
            terminal.write_line(line)
    expected = {
        encoding.name: {stream: "no schema" if stream in encoding.no_schema else "equal" for stream in TOPICS}
        for encoding in ENCODINGS
    }
    coded = cells["h264 video"].pop("rgb")
    assert float(coded.removesuffix(" dB")) >= VIDEO_DB
    del expected["h264 video"]["rgb"]
    assert cells == expected


@pytest.mark.parametrize("name", NAMES)
def test_roles_are_chosen_alike_in_every_encoding(name: str, reads: dict[str, Read]) -> None:
    found = reads[name]

    chosen = {role: choice.topics for role, choice in found.view.inventory.roles.items()}

    missing = found.encoding.no_schema
    assert chosen == {role: () if role in missing else (topic,) for role, topic in TOPICS.items()}


@pytest.mark.parametrize("encoding", ENCODINGS, ids=NAMES)
def test_roles_follow_from_content_where_names_say_nothing(
    encoding: Encoding, scene: Scene, tmp_path: Path
) -> None:
    nameless = {role: f"/topic_{number}" for number, role in enumerate(sorted(TOPICS))}

    found = read(encoding, replace(scene, topics=nameless), tmp_path)

    chosen = {role: choice.topics for role, choice in found.view.inventory.roles.items()}
    missing = {*encoding.no_schema, *TOLD_BY_NAME}
    assert chosen == {role: () if role in missing else (topic,) for role, topic in nameless.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_look_sees_the_same_roles_as_a_scan(name: str, reads: dict[str, Read]) -> None:
    view = reads[name].view

    seen = inspect(view.source)

    assert {role: choice.topics for role, choice in seen.roles.items()} == {
        role: choice.topics for role, choice in view.inventory.roles.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_no_message_of_any_encoding_is_lost_or_remarked_upon(
    name: str, scene: Scene, reads: dict[str, Read]
) -> None:
    found = reads[name]
    written = [event.stream for event in scene.events if event.stream not in found.encoding.no_schema]

    counts = {info.topic: info.count for info in found.view.inventory.topics}

    assert counts == {TOPICS[stream]: written.count(stream) for stream in set(written)}
    assert [info for info in found.view.inventory.topics if info.undecodable or info.cannot_decode] == []
    assert found.outcome.warnings == ()


@pytest.mark.parametrize("name", NAMES)
def test_what_follows_from_the_streams_is_the_same(name: str, scene: Scene, reads: dict[str, Read]) -> None:
    encoding, view = reads[name].encoding, reads[name].view
    rgb = view.inventory.role("rgb")

    assert rgb is not None
    assert [(gap.start_ns, gap.end_ns) for gap in rgb.gaps] == [scene.gap_ns]
    assert view.inventory.clock == "epoch"
    assert view.metadata == (scene.metadata if encoding.has_metadata else {})
    rotation, source = view.link_from_optical
    assert (rotation.diagonal().tolist(), source) == ([1, -1, -1], "tf")


@pytest.mark.parametrize("name", NAMES)
def test_a_script_gets_every_message_in_the_order_of_the_file(
    name: str, scene: Scene, reads: dict[str, Read]
) -> None:
    found = reads[name]
    events = [event for event in scene.events if event.stream not in found.encoding.no_schema]

    messages = list(read_messages(found.view.source))

    assert [(m.topic, m.log_time_ns) for m in messages] == [(e.topic, e.log_ns) for e in events]
    pairs = zip(messages, events, strict=True)
    assert [e for m, e in pairs if m.stamp_ns != e.stamp_ns and e.stream not in STAMPED_INSIDE] == []
    (annotation, _) = (m.decode() for m in messages if m.topic == TOPICS["annotations"])
    assert scene.texts[0][1] in annotation.values()
    assert not any(field.startswith("_") for m in messages for field in m.decode())


def test_video_holds_the_pictures_for_another_decoder_too(scene: Scene, reads: dict[str, Read]) -> None:
    pictures = decoded_elsewhere(reads["h264 video"].view.source)

    assert worst_decibels(pictures, scene) >= VIDEO_DB


def test_a_difference_in_the_last_bit_of_any_column_is_seen(scene: Scene) -> None:
    for columns in true_columns(scene).values():
        for name, column in columns.items():
            array = isinstance(column, np.ndarray)
            changed = column.copy() if array else [*column][:-1]
            if array:
                changed.flat[-1] = np.nextafter(changed.flat[-1], np.inf) if column.dtype.kind == "f" else 1
            assert difference({**columns, name: changed}, columns) > 0


def test_what_is_left_out_has_no_schema_in_either_foxglove_package() -> None:
    schemas = {
        *vars(foxglove.messages),
        *(path.name for path in files("foxglove_schemas_protobuf").iterdir()),
    }

    words = ("imu", "inertial", "track", "path", "trajector")
    assert "PosesInFrame" in schemas
    assert [name for name in schemas if any(word in name.lower() for word in words)] == ["__path__"]
    assert "timestamp" not in Pose.DESCRIPTOR.fields_by_name
