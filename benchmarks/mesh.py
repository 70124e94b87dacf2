"""What the mesh of the scene costs: CPU time per picture, size and memory, from markers and fused from depth.

Usage: python benchmarks/mesh.py [SECONDS ...] [--triangles N]

Records a room of each length (default 60 and 300 s) at 1280 x 720 and 15 pictures a second with a depth sensor of 256 x
192, encodes its pictures without looking for faces, and makes both meshes with the settings as they are, each in a
process of its own. The recorder's mesh is a dense one of N triangles (default 200,000) over walls, floor and table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from mcap.reader import make_reader
from mcap.writer import Writer

from benchmarks.process_cost import peak_mb
from episode_assets.anonymization import FaceBlurConfig, blur_recording
from episode_assets.demo import DemoConfig, write_demo
from episode_assets.demo.messages import mesh_marker
from episode_assets.recording import RecordingView, scan_recording
from episode_assets.scene import SceneMeshConfig, build_scene_mesh

RECORDING_ID = "bench-0123abcd"
NO_FACES = "benchmarks.no_faces:make"
CONFIGS = {"marker": SceneMeshConfig(source="marker"), "fusion": SceneMeshConfig(source="fusion")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", nargs="*", type=float, default=[60.0, 300.0])
    parser.add_argument("--triangles", type=int, default=200_000)
    parser.add_argument("--one", nargs=2, metavar=("SOURCE", "FOLDER"))
    options = parser.parse_args()
    if options.one:
        measure(options.one[0], Path(options.one[1]))
        return
    print(
        "length s | source | pictures | CPU s | ms per picture | vertices | triangles | seen | peak MB, at start"
    )
    for seconds in options.seconds:
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder), seconds, options.triangles)
            for source in CONFIGS:
                subprocess.run([sys.executable, "-m", "benchmarks.mesh", "--one", source, folder], check=True)


def prepare(folder: Path, seconds: float, triangles: int) -> None:
    """Record, put the dense mesh in the place of the demo's, scan, and encode."""
    demo, source = folder / "demo.mcap", folder / "recording.mcap"
    write_demo(demo, config=DemoConfig(seconds=seconds, depth="phone", with_face=False))
    with_mesh(demo, source, dense_room(triangles))
    demo.unlink()
    for name in ("raw", "blurred"):
        (folder / name).mkdir()
    scan_recording(str(source), folder / "raw", recording_id=RECORDING_ID)
    config = FaceBlurConfig(detector=NO_FACES, audit_detector=NO_FACES, preset="ultrafast")
    outcome = blur_recording(view_of(folder), folder / "blurred", config=config)
    (folder / "privacy.json").write_text(json.dumps(dict(outcome.privacy or {})), encoding="utf-8")


def view_of(folder: Path) -> RecordingView:
    return RecordingView.open(folder / "raw", str(folder / "recording.mcap"))


def dense_room(triangles: int) -> np.ndarray:
    """Return corners (3N, 3) of an uneven floor, of a back wall, and of a table top, in even cells."""
    cells = round(np.sqrt(triangles / 6))
    steps = np.linspace(0, 1, cells + 1)
    a, b = np.meshgrid(steps, steps, indexing="ij")
    bump = 0.01 * np.sin(40 * a) * np.sin(40 * b)
    sheets = (
        np.stack([5.2 * a - 2.6, bump - 1.35, 4.2 * b - 3.2], axis=-1),
        np.stack([5.2 * a - 2.6, 2.65 * b - 1.35, bump - 3.2], axis=-1),
        np.stack([1.6 * a - 0.8, 0.1 * bump - 0.6, 0.91 * b - 1.25], axis=-1),
    )
    return np.concatenate([corners_of(sheet) for sheet in sheets])


def corners_of(sheet: np.ndarray) -> np.ndarray:
    first, second, third, fourth = (
        part.reshape(-1, 3) for part in (sheet[:-1, :-1], sheet[1:, :-1], sheet[:-1, 1:], sheet[1:, 1:])
    )
    return np.stack([first, third, second, second, third, fourth], axis=1).reshape(-1, 3)


def with_mesh(source: Path, out: Path, corners: np.ndarray) -> None:
    """Copy a recording with another mesh in its marker."""
    with source.open("rb") as stream, out.open("wb") as target:
        writer = Writer(target)
        writer.start(profile="ros2", library="benchmark")
        channels: dict[int, int] = {}
        for schema, channel, item in make_reader(stream).iter_messages():
            assert schema is not None
            if channel.id not in channels:
                name = writer.register_schema(schema.name, schema.encoding, schema.data)
                channels[channel.id] = writer.register_channel(channel.topic, channel.message_encoding, name)
            is_mesh = channel.topic == "/map/mesh"
            data = mesh_marker(item.log_time, corners, colour=None) if is_mesh else item.data
            writer.add_message(channels[channel.id], item.log_time, data, item.publish_time)
        writer.finish()


def measure(source: str, folder: Path) -> None:
    """Make one mesh in this process and print a row of the table."""
    view = view_of(folder)
    privacy = json.loads((folder / "privacy.json").read_text(encoding="utf-8"))
    out = folder / source
    out.mkdir()
    at_start, began = peak_mb("self"), time.process_time()
    outcome = build_scene_mesh(view, folder / "blurred", out, config=CONFIGS[source], privacy=privacy)
    cpu_s, summary, pictures = time.process_time() - began, outcome.summary, len(view.rgb)
    print(
        f"{pictures / 15:.0f} | {source} | {pictures} | {cpu_s:.2f} | {1000 * cpu_s / pictures:.2f} | "
        f"{summary['vertices']} | {summary['triangles']} | {summary['coloured_ratio']} | "
        f"{peak_mb('self'):.0f}, {at_start:.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
