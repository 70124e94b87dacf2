"""How fast depth goes into the annotation file on one core, and how small it gets.

Compares the package's packing with HDF5's own gzip on depth with sensor-like noise and dropouts. `in situ` is all that
a bundle does with it: reading messages from a recording, decoding them, cutting a face box out of each, packing and
writing; `of it packed` leaves out what reading and decoding alone cost. Prints MB of raw depth per CPU second, of the
best of several rounds, and the ratio of the sizes; compare rows of one run, since other load on the cores slows all.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import h5py
import numpy as np
from mcap.writer import CompressionType, Writer
from numpy.typing import NDArray

from episode_assets.bundle.annotation import AnnotationFile
from episode_assets.bundle.depth import DepthCount, DepthPacker, pair_depth, write_depth
from episode_assets.demo.messages import depth_image
from episode_assets.demo.schemas import schema_text
from episode_assets.footage import DepthHoles, FaceBoxes, FrameTable
from episode_assets.recording import RecordingView, depth_or_none, scan_recording

SIZES = ((192, 256), (480, 640))
FRAMES = 120
ROUNDS = 7


def noisy_depth(rows: int, columns: int) -> list[NDArray[np.uint16]]:
    """Return waves of 4 mm noise with blobs of missing values."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:rows, :columns]
    waves = 900 + 400 * np.sin(x / 40) + 300 * np.cos(y / 30)
    images = []
    for _ in range(FRAMES):
        image = waves + rng.normal(0, 4, waves.shape)
        image[cv2.GaussianBlur(rng.random(waves.shape), (0, 0), 4) > 0.55] = 0
        images.append(image.astype(np.uint16))
    return images


def direct(path: Path, images: list[NDArray[np.uint16]]) -> None:
    with h5py.File(path, "w") as file:
        rows, columns = images[0].shape
        dataset = file.create_dataset(
            "frames",
            (len(images), rows, columns),
            "<u2",
            chunks=(1, rows, columns),
            shuffle=True,
            compression="gzip",
            compression_opts=1,
        )
        packer = DepthPacker(rows, columns, 1)
        for frame, image in enumerate(images):
            dataset.id.write_direct_chunk((frame, 0, 0), packer.pack(image))


def gzip_4(path: Path, images: list[NDArray[np.uint16]]) -> None:
    with h5py.File(path, "w") as file:
        shape = images[0].shape
        dataset = file.create_dataset(
            "frames", (len(images), *shape), "<u2", chunks=(1, *shape), compression="gzip", compression_opts=4
        )
        for frame, image in enumerate(images):
            dataset[frame] = image


def in_situ(path: Path, view: RecordingView, shape: tuple[int, int]) -> float:
    """Write the depth of a recording as a bundle does; returns CPU seconds."""
    depth = view.depth
    assert depth is not None
    F = len(depth)
    number, nothing = np.arange(F), np.zeros(F, np.uint8)
    frames = FrameTable(
        recording_id=view.recording_id,
        message_number=number,
        stamp_ns=depth.stamp_ns,
        log_time_ns=depth.stamp_ns,
        pts_us=depth.stamp_ns // 1000,
        is_key=nothing.astype(np.bool_),
        gap_before=nothing.astype(np.bool_),
        width=shape[1],
        height=shape[0],
    )
    boxes = FaceBoxes(
        frame_index=number,
        rectangle_px=np.tile(np.array([[10, 10, 40, 50]], np.int32), (F, 1)),
        score=nothing.astype(np.float32),
        track=number,
        source=nothing,
        label=nothing,
    )
    pairing = pair_depth(depth, frames, tolerance_s=0.1)
    count = DepthCount(np.zeros(F, np.bool_), *shape)
    start = time.process_time()
    with AnnotationFile(path) as file:
        holes = DepthHoles(frames, boxes, *shape, None, None)
        for _ in write_depth(file, depth, pairing, frames, holes, count, level=1):
            pass
    assert count.valid.all()
    return time.process_time() - start


def read_alone(view: RecordingView) -> float:
    """Read and decode the depth of a recording; returns CPU seconds."""
    depth = view.depth
    assert depth is not None
    start = time.process_time()
    for message in depth.read_past_damage(0, len(depth)):
        assert depth_or_none(message[1], copy=False) is not None
    return time.process_time() - start


def recorded(path: Path, images: list[NDArray[np.uint16]]) -> RecordingView:
    """Write images as a recording of depth alone, in chunks without compression like the phone app's, and scan it."""
    with path.open("wb") as stream:
        writer = Writer(stream, compression=CompressionType.NONE)
        writer.start(profile="ros2", library="benchmark")
        schema = writer.register_schema(
            "sensor_msgs/msg/Image", "ros2msg", schema_text("sensor_msgs/msg/Image").encode()
        )
        channel = writer.register_channel("/camera/depth", "cdr", schema)
        for number, image in enumerate(images):
            stamp_ns = (number + 1) * 66_666_667
            writer.add_message(channel, stamp_ns, depth_image(stamp_ns, image), stamp_ns)
        writer.finish()
    scan = path.with_suffix("")
    scan.mkdir()
    scan_recording(str(path), scan, recording_id="measured-00000000")
    return RecordingView.open(scan, str(path))


def measured(
    write: Callable[[Path, list[NDArray[np.uint16]]], None], images: list[NDArray[np.uint16]]
) -> str:
    raw = sum(image.nbytes for image in images)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "depth.hdf5"

        def seconds() -> float:
            start = time.process_time()
            write(path, images)
            return time.process_time() - start

        speed = raw / 1e6 / least(seconds)
        with h5py.File(path, "r") as file:
            assert all(np.array_equal(file["frames"][i], image) for i, image in enumerate(images))
        return f"{speed:7.0f} MB/s   ratio {raw / path.stat().st_size:.2f}"


def least(seconds: Callable[[], float]) -> float:
    """Return the least of several measurements: other load on the cores only adds."""
    return min(seconds() for _ in range(ROUNDS))


def main() -> None:
    for rows, columns in SIZES:
        images = noisy_depth(rows, columns)
        raw_mb = sum(image.nbytes for image in images) / 1e6
        for name, write in (("direct", direct), ("gzip 4", gzip_4)):
            print(f"{columns}x{rows}  {name:14s}{measured(write, images)}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            view, path = recorded(Path(folder) / "depth.mcap", images), Path(folder) / "depth.hdf5"
            whole, read = (
                least(partial(in_situ, path, view, (rows, columns))),
                least(partial(read_alone, view)),
            )
        print(f"{columns}x{rows}  {'in situ':14s}{raw_mb / whole:7.0f} MB/s")
        print(f"{columns}x{rows}  {'of it packed':14s}{raw_mb / (whole - read):7.0f} MB/s", flush=True)


if __name__ == "__main__":
    main()
