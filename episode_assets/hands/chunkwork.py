"""What one worker does with one chunk: decode, follow hands, sample depth under their joints.

Runs in a spawned process with its own networks. Everything that needs the whole recording happens in the parent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.chunks import Chunk
from episode_assets.hands.anchoring import sample_depth
from episode_assets.hands.backends import Loaded, load_backend
from episode_assets.hands.config import HandPoseConfig
from episode_assets.hands.depth_view import DepthView, Shot, Size, depth_pixels, depth_view
from episode_assets.hands.following import follower_of
from episode_assets.hands.joining import Piece
from episode_assets.hands.sightings import Sightings
from episode_assets.hands.turning import stood_upright, turn_sightings
from episode_assets.recording import (
    ImageMessage,
    PairedReading,
    RecordingView,
    UndecodableImage,
    depth_or_none,
    nearest,
)
from episode_assets.video import Picture, decode_pictures, picture_to_rgb

_SECOND_NS = 1_000_000_000
_KEPT_DEPTH_BYTES = 64 << 20
"""Depth of a chunk that is kept, as it was recorded, from when its compressed chunks are read for the pictures."""


@dataclass(frozen=True)
class ChunkResult:
    """What a worker found in one chunk.

    Attributes:
        piece: Sightings, also of the margins; depths are sampled in the chunk's own frames only.
        sizes: (C, 2) int32 width and height of the chunk's own pictures; 0 where a picture does not decode.
        is_key: (C,) bool, the whole picture was searched.
        undecodable_depth: Depth frames that were wanted and do not decode.
        depth_misfits: Frames whose depth has another shape than the picture or the calibration says.
    """

    piece: Piece
    sizes: NDArray[np.int32]
    is_key: NDArray[np.bool_]
    undecodable_depth: int
    depth_misfits: int


@dataclass(frozen=True)
class HandWorker:
    """Makes the function that works on chunks; small and picklable, the networks are loaded by the call.

    Attributes:
        directory: Where the recording was scanned into.
        source: The recording.
        config: Settings.
        turns: How far the scene is turned in its pictures, see `turning`.
    """

    directory: Path
    source: str
    config: HandPoseConfig
    turns: int = 0

    def __call__(self) -> Callable[[Chunk], ChunkResult]:
        """Load networks and open the recording in this process."""
        cv2.setNumThreads(1)
        backend = load_backend(self.config)
        view = RecordingView.open(self.directory, self.source)

        def work(chunk: Chunk) -> ChunkResult:
            return process_chunk(view, chunk, backend=backend, config=self.config, turns=self.turns)

        return work


def process_chunk(
    view: RecordingView, chunk: Chunk, *, backend: Loaded, config: HandPoseConfig, turns: int = 0
) -> ChunkResult:
    """Find the hands of one chunk, in pictures whose scene is turned by so many quarter turns."""
    follower = follower_of(backend, config)
    sizes: dict[int, Size] = {}
    stamps_ns = view.rgb.stamp_ns
    beside = None if view.depth is None else PairedReading(view.rgb, view.depth, most_bytes=_KEPT_DEPTH_BYTES)
    for step, picture in decode_pictures(beside or view.rgb, chunk.lead_start, chunk.tail_stop):
        if isinstance(picture, Picture) and step.position is not None:
            sizes[step.position], pixels = _scaled(picture, config.work_side_px)
            follower.feed(step.position, int(stamps_ns[step.position]), stood_upright(pixels, turns))
    sightings = in_picture_pixels(follower.sightings(), sizes, config.work_side_px, turns)
    depths = _DepthSampler(view, beside, config)
    sightings = depths.fill(sightings, chunk, sizes)
    own = range(chunk.start, chunk.stop)
    keys = set(follower.key_positions)
    return ChunkResult(
        Piece(sightings, chunk.start, chunk.stop),
        np.array([sizes.get(position, (0, 0)) for position in own], np.int32).reshape(-1, 2),
        np.array([position in keys for position in own], bool),
        depths.undecodable,
        depths.misfits,
    )


def work_size(size: Size, side_px: int) -> Size:
    """Return the size at which pictures are looked at: no longer side above `side_px`."""
    scale = min(1.0, side_px / max(size))
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)


def _scaled(picture: Picture, side_px: int) -> tuple[Size, NDArray[np.uint8]]:
    size = (picture.true_width, picture.true_height)
    target = work_size(size, side_px)
    return size, picture_to_rgb(picture, size=None if target == size else target)


def in_picture_pixels(sightings: Sightings, sizes: dict[int, Size], side_px: int, turns: int) -> Sightings:
    """Bring joints and regions from the pictures that were looked at to those that were recorded."""
    recorded = np.array([sizes[int(p)] for p in sightings.position], np.float64).reshape(-1, 2)
    looked_at = np.array([work_size(sizes[int(p)], side_px) for p in sightings.position], np.float64).reshape(
        -1, 2
    )
    sightings = turn_sightings(sightings, turns, looked_at)
    scale = recorded / looked_at
    region = sightings.region.astype(np.float64)
    region[:, :2] = (region[:, :2] + 0.5) * scale - 0.5
    region[:, 2] *= scale.mean(axis=1)
    joints = (sightings.joints_px.astype(np.float64) + 0.5) * scale[:, None] - 0.5
    return replace(sightings, region=region.astype(np.float32), joints_px=joints.astype(np.float32))


class _DepthSampler:
    """Reads the depth frames that hands need, each once, and samples them under the joints."""

    def __init__(self, view: RecordingView, stream: PairedReading | None, config: HandPoseConfig) -> None:
        self._view = view
        self._stream = stream
        self._config = config
        self.undecodable = 0
        self.misfits = 0

    def fill(self, sightings: Sightings, chunk: Chunk, sizes: dict[int, Size]) -> Sightings:
        """Return the sightings with depths in the chunk's own frames, where the stream has them."""
        stream, depth = self._stream, self._view.depth
        if (
            stream is None
            or depth is None
            or not len(sightings)
            or depth_view(self._view) is DepthView.UNKNOWN
        ):
            return sightings
        paired = nearest_depth(self._view, sightings.position, self._config)
        own = (sightings.position >= chunk.start) & (sightings.position < chunk.stop) & (paired >= 0)
        wanted = np.unique(paired[own])
        filled = sightings.depth_m.copy()
        for start, stop in _stretches(wanted):
            for position, message in stream.read_past_damage(start, stop):
                rows = np.flatnonzero(own & (paired == position))
                for frame in np.unique(sightings.position[rows]).tolist():
                    same = rows[sightings.position[rows] == frame]
                    picture = Shot(int(self._view.rgb.stamp_ns[frame]), sizes[frame])
                    stamp_ns = int(depth.stamp_ns[position])
                    filled[same] = self._sampled(message, stamp_ns, sightings.take(same), picture)
        return replace(sightings, depth_m=filled)

    def _sampled(
        self, message: ImageMessage | UndecodableImage, stamp_ns: int, rows: Sightings, picture: Shot
    ) -> NDArray[np.float32]:
        nothing = np.full((len(rows), 21), np.nan, np.float32)
        depth_mm = depth_or_none(message)
        if depth_mm is None:
            self.undecodable += 1
            return nothing
        depth = Shot(stamp_ns, (depth_mm.shape[1], depth_mm.shape[0]))
        pixels = depth_pixels(self._view, rows.joints_px.astype(np.float64), picture, depth)
        if pixels is None:
            self.misfits += 1
            return nothing
        return sample_depth(
            depth_mm,
            pixels,
            near_m=self._config.depth_near_m,
            far_m=self._config.depth_far_m,
            quantile=self._config.depth_quantile,
        )


def nearest_depth(
    view: RecordingView, positions: NDArray[np.int64], config: HandPoseConfig
) -> NDArray[np.int64]:
    """Return for positions of pictures the position of the depth frame nearest in time, -1 where none is near."""
    if view.depth is None:
        return np.full(len(positions), -1, np.int64)
    return nearest(
        view.depth.stamp_ns,
        view.rgb.stamp_ns[positions],
        tolerance_ns=round(config.depth_tolerance_s * _SECOND_NS),
    )


def _stretches(positions: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield half-open ranges that cover increasing positions without holes."""
    for part in np.split(positions, np.flatnonzero(np.diff(positions) > 1) + 1):
        if len(part):
            yield int(part[0]), int(part[-1]) + 1
