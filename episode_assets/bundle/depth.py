"""Depth in the annotation file: pairing with pictures, holes where faces were, packing one frame at a time.

Depth images are held one at a time, whatever the length of the recording. Decoding the messages belongs to
`recording`; where the faces are is told by `faces`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import h5py
import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle.annotation import AnnotationFile
from episode_assets.bundle.faces import FaceBoxes
from episode_assets.bundle.frames import FrameTable
from episode_assets.errors import ArtifactDamaged
from episode_assets.recording import ImageMessage, ImageStream, UndecodableImage, decode_depth, nearest


def _fastest_deflate() -> Callable[[memoryview, int], bytes]:
    """Return isal's zlib, or the standard one where it has no wheel: the same container at a sixth of the speed."""
    try:
        from isal import isal_zlib
    except ImportError:
        return lambda data, level: zlib.compress(data, max(level, 1))
    compress: Callable[[memoryview, int], bytes] = isal_zlib.compress
    return compress


DEFLATE = _fastest_deflate()

NEIGHBOUR_DT_NS = 10_000_000
"""Beyond this distance between depth and picture the boxes of the picture on the other side count as well.

A face crosses less than the margin that the blur adds around it in 10 ms; a depth frame 60 ms away shows it elsewhere.
"""

SAME_VIEW_RATIO = 0.02
"""Largest relative difference of aspect ratios at which both images are taken to show the same field of view."""


@dataclass(frozen=True)
class DepthPairing:
    """Which depth frame belongs to which picture.

    Attributes:
        position: (F,) int64, row of the depth stream, -1 where none is near enough; never decreases where valid.
        reused: How many pictures share their depth frame with an earlier picture.
        unused: How many depth frames no picture picked.
    """

    position: NDArray[np.int64]
    reused: int
    unused: int


@dataclass
class DepthCount:
    """What happened to the depth frames of one bundle; filled while they are written."""

    valid: NDArray[np.bool_]
    height: int = 0
    width: int = 0
    undecodable: int = 0
    other_size: int = 0
    hole_pixels: int = 0
    hole_frames: int = 0
    blanked_frames: int = 0
    checksums: dict[int, int] = field(default_factory=dict)


def pair_depth(depth: ImageStream, frames: FrameTable, *, tolerance_s: float) -> DepthPairing:
    """Give every picture the depth frame with the nearest stamp, ties to the earlier one."""
    position = nearest(depth.stamp_ns, frames.stamp_ns, tolerance_ns=round(tolerance_s * 1e9))
    picked = position[position >= 0]
    distinct = len(np.unique(picked))
    return DepthPairing(position, reused=len(picked) - distinct, unused=len(depth.stamp_ns) - distinct)


def packed_depth(image_mm: NDArray[np.uint16], level: int) -> bytes:
    """Return the bytes of one HDF5 chunk: byte shuffle of 2-byte values, then a zlib stream.

    Args:
        image_mm: (H, W) uint16.
        level: Effort, 0 to 3.
    """
    flat = np.ascontiguousarray(image_mm, dtype="<u2").reshape(-1)
    shuffled = np.empty((2, flat.size), dtype=np.uint8)
    np.bitwise_and(flat, 0xFF, out=shuffled[0], casting="unsafe")
    np.right_shift(flat, 8, out=shuffled[1], casting="unsafe")
    return DEFLATE(shuffled.data, level)


def write_depth(
    file: AnnotationFile,
    depth: ImageStream,
    pairing: DepthPairing,
    frames: FrameTable,
    boxes: FaceBoxes,
    count: DepthCount,
    *,
    holes: bool,
    level: int,
) -> Iterator[int]:
    """Write `/depth/frames` in one pass over the depth stream; yields the number of pictures done after each.

    Fills `count`. The datasets beside the frames are written by `write_depth_tables` once it is final. Nothing is
    created when no depth frame decodes.

    Raises:
        ArtifactDamaged: What was written does not read back through the ordinary path.
    """
    wanted = np.flatnonzero(pairing.position >= 0)
    sample = {int(wanted[i]) for i in (0, len(wanted) // 2, -1)} if len(wanted) else set()
    dataset: h5py.Dataset | None = None
    for done, (frame, image) in enumerate(_paired_images(depth, pairing, wanted, count), start=1):
        if image is not None and dataset is None:
            count.height, count.width = image.shape
            dataset = _create(file, len(frames), image.shape, level)
        if image is not None and dataset is not None and _has_first_size(image, count):
            kept = _with_holes(image, frame, depth, pairing, frames, boxes, count) if holes else image
            dataset.id.write_direct_chunk((frame, 0, 0), packed_depth(kept, level))
            count.valid[frame] = True
            if frame in sample:
                count.checksums[frame] = zlib.crc32(kept.tobytes())
        yield done
    if dataset is not None:
        _verify(dataset, count)


def _has_first_size(image: NDArray[np.uint16], count: DepthCount) -> bool:
    is_same = image.shape == (count.height, count.width)
    count.other_size += not is_same
    return is_same


def _create(file: AnnotationFile, F: int, shape: tuple[int, ...], level: int) -> h5py.Dataset:
    # The recorded filters are what makes the chunks that bypass them readable everywhere.
    return file.root.create_dataset(
        "/depth/frames",
        shape=(F, *shape),
        dtype="<u2",
        chunks=(1, *shape),
        shuffle=True,
        compression="gzip",
        compression_opts=max(level, 1),
        track_times=False,
        fillvalue=0,
    )


def _paired_images(
    depth: ImageStream, pairing: DepthPairing, wanted: NDArray[np.int64], count: DepthCount
) -> Iterator[tuple[int, NDArray[np.uint16] | None]]:
    """Yield every paired picture with its decoded depth, reading each depth message once and in order."""
    if len(wanted) == 0:
        return
    cursor = 0
    first, last = int(pairing.position[wanted[0]]), int(pairing.position[wanted[-1]])
    for position, message in _messages(depth, first, last + 1):
        if int(pairing.position[wanted[cursor]]) != position:
            continue
        image = None if message is None else _decoded(message)
        count.undecodable += image is None
        while cursor < len(wanted) and int(pairing.position[wanted[cursor]]) == position:
            yield int(wanted[cursor]), image
            cursor += 1
        if cursor == len(wanted):
            return


def _messages(depth: ImageStream, start: int, stop: int) -> Iterator[tuple[int, ImageMessage | None]]:
    """Read positions `[start, stop)` in order; None stands for a message that is damaged in itself."""
    while start < stop:
        try:
            for message in depth.read(start, stop):
                yield start, message
                start += 1
        except UndecodableImage:
            yield start, None
            start += 1


def _decoded(message: ImageMessage) -> NDArray[np.uint16] | None:
    try:
        return decode_depth(message)
    except UndecodableImage:
        return None


def _with_holes(
    image: NDArray[np.uint16],
    frame: int,
    depth: ImageStream,
    pairing: DepthPairing,
    frames: FrameTable,
    boxes: FaceBoxes,
    count: DepthCount,
) -> NDArray[np.uint16]:
    dt_ns = int(depth.stamp_ns[pairing.position[frame]]) - int(frames.stamp_ns[frame])
    rectangles = boxes.of_frames(_frames_around(frame, dt_ns, len(frames)))
    if len(rectangles) == 0:
        return image
    areas = depth_rectangles(rectangles, picture=(frames.width, frames.height), depth=image.shape)
    if areas is None:
        areas = [(0, 0, image.shape[1], image.shape[0])]
        count.blanked_frames += 1
    holed = image.copy()
    for x0, y0, x1, y1 in areas:
        holed[y0:y1, x0:x1] = 0
    removed = int(np.count_nonzero(image)) - int(np.count_nonzero(holed))
    count.hole_pixels += removed
    count.hole_frames += removed > 0
    return holed


def _frames_around(frame: int, dt_ns: int, F: int) -> Sequence[int]:
    if abs(dt_ns) <= NEIGHBOUR_DT_NS:
        return (frame,)
    other = frame + (1 if dt_ns > 0 else -1)
    return (frame, other) if 0 <= other < F else (frame,)


def depth_rectangles(
    rectangles_px: NDArray[np.int32], *, picture: tuple[int, int], depth: tuple[int, ...]
) -> list[tuple[int, int, int, int]] | None:
    """Map rectangles of the picture to the depth image, grown outward to whole depth pixels.

    Both images show the same field of view when their aspect ratios agree, so pixel edges scale by the ratio of the
    sizes: u_d + 0.5 = (u + 0.5) W_d / W.

    Args:
        rectangles_px: (B, 4) int32 x0, y0, x1, y1, half-open.
        picture: True picture size (width, height).
        depth: Depth shape (height, width).

    Returns:
        Half-open rectangles in depth pixels, or None when the aspect ratios differ and the mapping is not known.
    """
    (width, height), (rows, columns) = picture, depth[:2]
    if abs((columns / rows) / (width / height) - 1.0) > SAME_VIEW_RATIO:
        return None
    areas = []
    for x0, y0, x1, y1 in rectangles_px.tolist():
        left, right = x0 * columns // width, -(-x1 * columns // width)
        top, bottom = y0 * rows // height, -(-y1 * rows // height)
        areas.append((max(left, 0), max(top, 0), min(right, columns), min(bottom, rows)))
    return areas


def _verify(dataset: h5py.Dataset, count: DepthCount) -> None:
    for frame, checksum in count.checksums.items():
        if zlib.crc32(dataset[frame].tobytes()) != checksum:
            raise ArtifactDamaged(
                f"depth frame {frame} does not read back as it was written",
                where="annotation.hdf5:/depth/frames",
                remedy="check the disk and the h5py installation, then run again",
            )


def write_depth_tables(
    file: AnnotationFile,
    depth: ImageStream,
    pairing: DepthPairing,
    count: DepthCount,
    *,
    K: NDArray[np.float64] | None,
    K_source: str | None,
) -> None:
    """Write what stands beside `/depth/frames`: true stamps, message numbers, validity, intrinsics."""
    valid = count.valid
    F = len(valid)
    stamps = np.where(valid, depth.stamp_ns[pairing.position], -1).astype(np.int64)
    numbers = np.where(valid, depth.message_number[pairing.position], -1).astype(np.int32)
    seconds = np.where(valid, stamps / 1e9, 0.0)
    found = int(valid.sum())
    file.listed(
        "/depth/frames", (F, count.height, count.width), np.dtype("uint16"), units="mm", valid_count=found
    )
    file.put("/depth/timestamps", seconds, units="s", valid_count=found)
    file.put("/depth/timestamps_ns", stamps, units="ns", valid_count=found)
    file.put("/depth/source_index", numbers, valid_count=found)
    file.put("/depth/valid", valid, valid_count=found)
    attributes: dict[str, str | int] = {"units": "mm", "height": count.height, "width": count.width}
    if K is not None and K_source is not None:
        file.put("/depth/K", K, units="px")
        attributes["K_source"] = K_source
    file.describe("/depth", attributes)
