"""One way to a mesh for all tests of the scene: a demo recording, blurred where its truth says that a face is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mcap.reader import make_reader
from mcap.writer import Writer

from episode_assets.anonymization import blur_recording
from episode_assets.demo import DemoConfig, DemoTruth, write_demo
from episode_assets.outcome import Json, Outcome
from episode_assets.ply import Mesh, read_ply
from episode_assets.recording import RecordingView, scan_recording
from episode_assets.scene import SceneMeshConfig, build_scene_mesh
from episode_assets_tests.bundle.recordings import STORE, mesh_marker
from episode_assets_tests.drawn_faces import BLUR, drawn_faces

RECORDING_ID = "kitchen-0123abcd"
MESH_TOPIC = "/map/mesh"


@dataclass(frozen=True)
class Built:
    """A mesh and how it was made."""

    directory: Path
    outcome: Outcome

    @property
    def mesh(self) -> Mesh:
        return read_ply(self.directory / "mesh.ply", remedy="none")

    @property
    def colours(self) -> np.ndarray:
        colours = self.mesh.colours
        assert colours is not None
        return colours.astype(int)

    @property
    def document(self) -> dict[str, Any]:
        return json.loads((self.directory / "mesh.json").read_text())

    def skipped(self) -> dict[str, str]:
        return {item.name: item.code for item in self.outcome.skipped}


@dataclass(frozen=True)
class Place:
    """A recording, its scan and its blurred video below one folder."""

    folder: Path
    source: Path
    raw: Path
    blurred: Path
    config: DemoConfig
    truth: DemoTruth
    privacy: Mapping[str, Json]

    @property
    def view(self) -> RecordingView:
        return RecordingView.open(self.raw, str(self.source))

    def build(self, directory: Path, config: SceneMeshConfig = SceneMeshConfig(), **options: Any) -> Built:  # noqa: B008
        directory.mkdir()
        options = {"privacy": self.privacy, **options}
        outcome = build_scene_mesh(self.view, self.blurred, directory, config=config, **options)
        return Built(directory, outcome)

    def with_markers(self, folder: Path, markers: Sequence[Any], *, without: Sequence[str] = ()) -> Place:
        """Return the same recording with other mesh markers in it, and perhaps without some topics."""
        (folder / "raw").mkdir(parents=True)
        source = folder / "recording.mcap"
        rewrite(self.source, source, markers, {MESH_TOPIC, *without})
        scan_recording(str(source), folder / "raw", recording_id=RECORDING_ID)
        return Place(folder, source, folder / "raw", self.blurred, self.config, self.truth, self.privacy)


def make_place(folder: Path, **options: Any) -> Place:
    """Record, scan and blur; `options` are those of `DemoConfig`."""
    for name in ("raw", "blurred"):
        (folder / name).mkdir(parents=True)
    config = DemoConfig(**{"seconds": 3.0, "width": 320, "height": 180, "with_face": False, **options})
    source = folder / "demo.mcap"
    truth = write_demo(source, config=config)
    scan_recording(str(source), folder / "raw", recording_id=RECORDING_ID)
    view = RecordingView.open(folder / "raw", str(source))
    outcome = blur_recording(view, folder / "blurred", config=BLUR, redactions=drawn_faces(truth))
    assert outcome.privacy is not None
    assert outcome.privacy["audit"] == "passed", outcome.privacy
    return Place(folder, source, folder / "raw", folder / "blurred", config, truth, outcome.privacy)


def marker(corners: Any, **options: Any) -> Callable[[int], Any]:
    """Return what makes a mesh marker at a stamp; `options` are those of `mesh_marker`."""
    return lambda stamp_ns: mesh_marker(stamp_ns, np.asarray(corners, dtype=np.float64), **options)


def rewrite(source: Path, out: Path, markers: Sequence[Any], without: set[str]) -> None:
    """Copy a recording without some topics, and add mesh markers at its end."""
    with source.open("rb") as stream, out.open("wb") as target:
        writer = Writer(target)
        writer.start(profile="ros2", library="test")
        channels: dict[str, int] = {}
        last_ns = 0
        for schema, channel, item in make_reader(stream).iter_messages():
            last_ns = item.log_time
            if channel.topic in without or schema is None:
                continue
            if channel.topic not in channels:
                name = writer.register_schema(schema.name, schema.encoding, schema.data)
                channels[channel.topic] = writer.register_channel(
                    channel.topic, channel.message_encoding, name
                )
            writer.add_message(channels[channel.topic], item.log_time, item.data, item.publish_time)
        _write_markers(writer, markers, last_ns)
        writer.finish()


def _write_markers(writer: Writer, markers: Sequence[Any], last_ns: int) -> None:
    kind = "visualization_msgs/msg/Marker"
    text, _ = STORE.generate_msgdef(kind, ros_version=2)
    channel = writer.register_channel(
        MESH_TOPIC, "cdr", writer.register_schema(kind, "ros2msg", text.encode())
    )
    for number, make in enumerate(markers, start=1):
        stamp_ns = last_ns + number
        data = bytes(STORE.serialize_cdr(make(stamp_ns), kind))
        writer.add_message(channel, stamp_ns, data, stamp_ns)
