"""The writer as a whole: the same bytes every time, honest lists, and named errors for inputs that do not fit."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from episode_assets.bundle import BundleConfig
from episode_assets.errors import ArtifactDamaged, BadConfig, NothingToExport
from episode_assets_tests.bundle.conftest import Maker
from episode_assets_tests.bundle.recordings import Box, Hand, Scene


def digests(path: Path) -> dict[str, str]:
    return {
        str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def test_the_same_input_gives_the_same_bytes(make: Maker) -> None:
    scene = Scene(frames=8)
    first = make(scene, boxes=(Box(2, 4, 4, 20, 20),), hands=(Hand(3),))
    time.sleep(1.1)  # a stored time of writing would differ now

    second = make(scene, boxes=(Box(2, 4, 4, 20, 20),), hands=(Hand(3),))

    assert digests(first.path) == digests(second.path)


def test_every_file_is_listed_as_core(make: Maker) -> None:
    made = make(Scene(frames=5), hands=(Hand(3),))

    assert set(made.outcome.core) == set(digests(made.path))
    assert len(made.outcome.core) == len(set(made.outcome.core))


def test_saved_uses_the_names_that_readers_of_the_layout_know(make: Maker) -> None:
    made = make(Scene(frames=5), hands=(Hand(3),))

    assert {
        "rgb.mp4",
        "thumbnail.jpg",
        "mesh.ply",
        "calibrations/",
        "annotation.hdf5:/depth",
        "annotation.hdf5:/cam-pose",
        "annotation.hdf5:/imu",
        "annotation.hdf5:/hand-pose",
        "annotation.hdf5:/metadata",
    } <= set(made.outcome.saved)
    assert made.outcome.skipped == ()


def test_meta_lists_the_datasets_with_shapes_and_units(make: Maker) -> None:
    import h5py

    made = make(Scene(frames=5, depth_missing=frozenset({4})), config=BundleConfig(depth_tolerance_s=0.01))
    meta = json.loads((made.path / "meta.json").read_text())
    listed = {entry["path"]: entry for entry in meta["datasets"]}

    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        found: dict[str, list[int]] = {}
        file.visititems(
            lambda name, item: (
                found.update({f"/{name}": list(item.shape)}) if isinstance(item, h5py.Dataset) else None
            )
        )
    assert {path: entry["shape"] for path, entry in listed.items()} == found
    assert listed["/depth/frames"]["units"] == "mm"
    assert listed["/depth/frames"]["valid_count"] == 4
    assert meta["num_frames"] == 5
    assert meta["files"]["rgb.mp4"] == (made.path / "rgb.mp4").stat().st_size


def test_the_picture_table_names_every_frame(make: Maker) -> None:
    made = make(Scene(frames=6), dropped=frozenset({2}))

    table = pq.read_table(made.path / "frames.parquet")

    assert table["message_number"].to_pylist() == [0, 1, 3, 4, 5]
    assert table["frame_index"].to_pylist() == [0, 1, 2, 3, 4]
    assert table["depth_message_number"].to_pylist() == [0, 1, 3, 4, 5]
    assert set(table.column_names) >= {
        "recording_id",
        "stamp_ns",
        "log_time_ns",
        "pts_us",
        "is_key",
        "gap_before",
    }


def one_packet_less(blurred: Path) -> None:
    source, shorter = blurred / "rgb.mp4", blurred / "short.mp4"
    with av.open(str(source)) as old, av.open(str(shorter), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [packet for packet in old.demux(video=0) if packet.size]
        for packet in packets[:-1]:
            packet.stream = stream
            new.mux(packet)
    shorter.replace(source)


def changed(name: str, column: str, change: Callable[[np.ndarray], object]) -> Callable[[Path], None]:
    def damage(blurred: Path) -> None:
        table = pq.read_table(blurred / name)
        at = table.column_names.index(column)
        values = pa.array(change(table[column].to_numpy()), table.schema.field(column).type)
        pq.write_table(table.set_column(at, column, values), blurred / name)

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (one_packet_less, "5 frames, the table of pictures 6"),
        (lambda blurred: (blurred / "rgb.mp4").unlink(), "missing or empty"),
        (lambda blurred: (blurred / "rgb.mp4").write_bytes(b""), "missing or empty"),
        (lambda blurred: (blurred / "frames.parquet").write_bytes(b"PAR1"), "frames.parquet"),
        (lambda blurred: (blurred / "faces.parquet").unlink(), "faces.parquet"),
        (changed("frames.parquet", "stamp_ns", lambda stamps: stamps[::-1]), "stamps do not increase"),
        (changed("frames.parquet", "stamp_ns", lambda s: s + np.arange(6) * 20_000), "away from its stamp"),
        (changed("frames.parquet", "message_number", lambda numbers: numbers * 0), "message numbers repeat"),
        (changed("frames.parquet", "recording_id", lambda ids: ["other"] * 6), "belongs to 'other'"),
        (changed("faces.parquet", "message_number", lambda numbers: numbers + 90), "no picture of the video"),
    ],
)
def test_inputs_that_contradict_each_other_are_refused(
    make: Maker, damage: Callable[[Path], object], message: str
) -> None:
    with pytest.raises(ArtifactDamaged, match=message):
        make(Scene(frames=6), boxes=(Box(1, 2, 2, 9, 9),), prepare=damage)


def test_a_video_without_frames_has_nothing_to_export(make: Maker) -> None:
    def emptied(blurred: Path) -> None:
        table = pq.read_table(blurred / "frames.parquet")
        pq.write_table(table.slice(0, 0), blurred / "frames.parquet")

    with pytest.raises(NothingToExport):
        make(Scene(frames=4), prepare=emptied)


@pytest.mark.parametrize(
    "options",
    [
        {"depth_faces": "blur"},
        {"depth_tolerance_s": -0.1},
        {"pose_tolerance_s": 2.0},
        {"depth_compression": 9},
        {"thumbnail_quality": 0},
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(BadConfig, match=next(iter(options))):
        BundleConfig(**options)  # type: ignore[arg-type]
