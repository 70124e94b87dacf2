"""Depth in the annotation file: pairing with pictures, and packing one frame at a time.

Depth images are held one at a time, whatever the length of the recording. Decoding the messages belongs to
`recording`, removing faces to `holes`.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import h5py
import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle.annotation import AnnotationFile
from episode_assets.errors import ArtifactDamaged
from episode_assets.footage import DepthHoles, FrameTable
from episode_assets.recording import ImageStream, depth_or_none, nearest


def _fastest_deflate() -> Callable[[memoryview, int], bytes]:
    """Return isal's zlib, or the standard one where it has no wheel: the same container at a sixth of the speed."""
    try:
        from isal import isal_zlib
    except ImportError:
        return lambda data, level: zlib.compress(data, max(level, 1))
    compress: Callable[[memoryview, int], bytes] = isal_zlib.compress
    return compress


DEFLATE = _fastest_deflate()

SIZED_FRAMES = 65
"""Depth frames that are asked for the size of all. An odd number, so that two sizes are never equally frequent."""


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
    """What happened to the depth frames of one bundle; filled while they are written.

    Attributes:
        valid: (F,) bool, the picture has a depth image.
        height: Rows of every image.
        width: Columns.
        undecodable: Depth messages that do not decode.
        other_size: Pictures left without depth because the size had changed.
        checksums: CRC-32 of a few images, by frame, to be compared with what reads back.
    """

    valid: NDArray[np.bool_]
    height: int
    width: int
    undecodable: int = 0
    other_size: int = 0
    checksums: dict[int, int] = field(default_factory=dict)


def pair_depth(depth: ImageStream, frames: FrameTable, *, tolerance_s: float) -> DepthPairing:
    """Give every picture the depth frame with the nearest stamp, ties to the earlier one."""
    position = nearest(depth.stamp_ns, frames.stamp_ns, tolerance_ns=round(tolerance_s * 1e9))
    picked = position[position >= 0]
    distinct = len(np.unique(picked))
    return DepthPairing(position, reused=len(picked) - distinct, unused=len(depth.stamp_ns) - distinct)


class DepthPacker:
    """Packs depth images of one size; what they are shuffled into is kept, since fresh memory costs more than that.

    Args:
        height: Rows of every image.
        width: Columns.
        level: Effort, 0 to 3.
    """

    def __init__(self, height: int, width: int, level: int) -> None:
        self._planes = np.empty((2, height * width), dtype=np.uint8)
        self._level = level

    def pack(self, image_mm: NDArray[np.uint16]) -> bytes:
        """Return the bytes of one HDF5 chunk: byte shuffle of 2-byte values, then a zlib stream."""
        flat = np.ascontiguousarray(image_mm, dtype="<u2").reshape(-1)
        np.bitwise_and(flat, 0xFF, out=self._planes[0], casting="unsafe")
        np.right_shift(flat, 8, out=self._planes[1], casting="unsafe")
        return DEFLATE(self._planes.data, self._level)


def usual_depth_shape(depth: ImageStream, pairing: DepthPairing) -> tuple[int, int] | None:
    """Return (height, width) of most of the paired depth frames; None when none of them decodes.

    At most `SIZED_FRAMES` of them are asked, spread evenly; only where none of these decodes, all. Of sizes that are
    equally frequent it is the one that comes first.
    """
    paired = np.unique(pairing.position[pairing.position >= 0])
    spread = np.linspace(0, len(paired) - 1, min(len(paired), SIZED_FRAMES)).round().astype(np.int64)
    sizes = Counter(_sizes(depth, paired[spread]))
    if not sizes:
        sizes = Counter(islice(_sizes(depth, paired), 1))
    return sizes.most_common(1)[0][0] if sizes else None


def _sizes(depth: ImageStream, positions: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    for _, message in depth.read_at(positions.tolist()):
        image = depth_or_none(message, copy=False)
        if image is not None:
            yield image.shape[0], image.shape[1]


def write_depth(
    file: AnnotationFile,
    depth: ImageStream,
    pairing: DepthPairing,
    frames: FrameTable,
    holes: DepthHoles | None,
    count: DepthCount,
    *,
    level: int,
    also: Callable[[int, NDArray[np.uint16]], None] | None = None,
) -> Iterator[int]:
    """Write `/depth/frames` in one pass over the depth stream; yields how many pictures are done.

    Fills `count`; `also` is called with each picture that has depth, in order, and the image as it is written, which
    it must not keep: the next one is made in its place. The datasets beside the frames are written by
    `write_depth_tables` once the count is final.

    Raises:
        ArtifactDamaged: What was written does not read back through the ordinary path.
    """
    wanted = np.flatnonzero(pairing.position >= 0)
    sample = {int(wanted[i]) for i in (0, len(wanted) // 2, -1)}
    dataset = _create(file, len(frames), (count.height, count.width), level)
    packer = DepthPacker(count.height, count.width, level)
    cut = np.empty((count.height, count.width), np.uint16)
    done = 0
    for pictures, image in _paired_images(depth, pairing):
        done += len(pictures)
        if image is None:
            count.undecodable += 1
        elif image.shape != (count.height, count.width):
            count.other_size += len(pictures)
        else:
            for frame in pictures:
                dt_ns = int(depth.stamp_ns[pairing.position[frame]]) - int(frames.stamp_ns[frame])
                kept = image if holes is None else holes.cut(image, frame, dt_ns, out=cut)
                dataset.id.write_direct_chunk((frame, 0, 0), packer.pack(kept))
                count.valid[frame] = True
                if also is not None:
                    also(frame, kept)
                if frame in sample:
                    count.checksums[frame] = zlib.crc32(kept.tobytes())
        yield done
    _verify(dataset, count)


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
    depth: ImageStream, pairing: DepthPairing
) -> Iterator[tuple[list[int], NDArray[np.uint16] | None]]:
    """Yield each picked depth image, read once and in order, with the pictures it serves; None if undecodable."""
    wanted = np.flatnonzero(pairing.position >= 0)
    if len(wanted) == 0:
        return
    picked = pairing.position[wanted]
    first, last = int(picked[0]), int(picked[-1])
    bounds = np.searchsorted(picked, np.arange(first, last + 2))
    for position, message in depth.read_past_damage(first, last + 1):
        start, stop = int(bounds[position - first]), int(bounds[position - first + 1])
        if start < stop:
            yield wanted[start:stop].tolist(), depth_or_none(message, copy=False)


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
