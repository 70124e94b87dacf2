"""Camera poses from the frame tree, for recordings without a pose topic: one row per stamp of the fastest moving edge.

Nothing is guessed: where the tree does not lead from a fixed frame to the camera, there is a reason and no pose. What a
frame tree says about the camera's place in its link belongs to `frames`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.frames import turned_each
from episode_assets.recording.interpolation import interpolate_positions, interpolate_rotations
from episode_assets.recording.timeline import Stamps, median_step_ns

FIXED_FRAMES = frozenset({"world", "map", "odom"})
_CAMERA_LINK = "camera_link"
_MOVES_BEYOND = 1e-9
_SHORTEST_QUATERNION = 1e-6


@dataclass(frozen=True, eq=False)
class EdgeSamples:
    """All samples of one edge, sorted by stamp, each stamp once: `p_parent = R p_child + t`.

    Attributes:
        parent: Frame above.
        child: Frame below.
        stamp_ns: (N,) int64.
        message_number: (N,) int64 number of the message that brought the sample.
        log_time_ns: (N,) int64.
        values: (N, 7) float64 translation in metres and quaternion x, y, z, w.
        is_static: Whether it was sent as holding for all time.
    """

    parent: str
    child: str
    stamp_ns: Stamps
    message_number: NDArray[np.int64]
    log_time_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    is_static: bool

    @property
    def is_constant(self) -> bool:
        """Whether every sample says the same."""
        return self.is_static or bool(np.ptp(self.values, axis=0).max() <= _MOVES_BEYOND)


@dataclass(frozen=True, eq=False)
class PoseFromTf:
    """Poses of a link in a fixed frame, put together from edges.

    Attributes:
        frames: Names from the fixed frame down to the link.
        stamp_ns: (N,) int64, those of the fastest moving edge.
        message_number: (N,) int64 number of the message of that edge.
        log_time_ns: (N,) int64.
        values: (N, 7) float64 translation in metres and unit quaternion x, y, z, w.
        is_interpolated: (N,) bool, whether a slower edge lies between two of its samples there.
        left_out: Stamps without a pose, since a slower edge is not known there.
    """

    frames: tuple[str, ...]
    stamp_ns: Stamps
    message_number: NDArray[np.int64]
    log_time_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    is_interpolated: NDArray[np.bool_]
    left_out: int


class NoPoseError(Exception):
    """Why the frame tree gives no pose; never leaves this module."""


def pose_from_tf(edges: Sequence[EdgeSamples], optical: str) -> PoseFromTf | str:
    """Return the poses of the camera along the frame tree, or why there are none.

    The poses are those of the frame above the optical one where it sits in there fixed, else of the optical frame.

    Args:
        edges: All edges of the tree, one per pair of parent and child.
        optical: Frame that the pictures name; empty where there are none.
    """
    by_child: dict[str, list[EdgeSamples]] = {}
    for edge in edges:
        by_child.setdefault(edge.child, []).append(edge)
    try:
        chain = _chain(by_child, _camera_frame(by_child, optical))
        clock = _clock(chain)
        if chain[-1].is_constant and chain[-1] is not clock:
            _held(chain[-1], 1)  # what the camera's place in its link is taken from has to be usable too
            chain = chain[:-1]
        return _along(chain, clock)
    except NoPoseError as reason:
        return str(reason)


def _camera_frame(by_child: Mapping[str, Sequence[EdgeSamples]], optical: str) -> str:
    if optical in by_child:
        return optical
    links = [frame for frame in by_child if frame.endswith(_CAMERA_LINK)]
    if len(links) == 1:
        return links[0]
    named = f"the frame {optical!r} of the pictures" if optical else "a frame of pictures"
    raise NoPoseError(f"the frame tree does not hold {named}")


def _chain(by_child: Mapping[str, Sequence[EdgeSamples]], frame: str) -> list[EdgeSamples]:
    """Return the edges from the topmost fixed frame down to a frame."""
    chain: list[EdgeSamples] = []
    visited = {frame}
    while frame in by_child:
        above = by_child[frame]
        if len(above) > 1:
            parents = " and ".join(sorted(edge.parent for edge in above))
            raise NoPoseError(f"frame {frame} has several parents in the frame tree: {parents}")
        chain.insert(0, above[0])
        frame = above[0].parent
        if frame in visited:
            raise NoPoseError(f"the frame tree runs in a circle at {frame}")
        visited.add(frame)
    fixed = [place for place, edge in enumerate(chain) if edge.parent in FIXED_FRAMES]
    if not fixed:
        raise NoPoseError(
            f"no fixed frame ({', '.join(sorted(FIXED_FRAMES))}) above the camera: the frame tree ends at {frame}"
        )
    return chain[fixed[0] :]


def _clock(chain: Sequence[EdgeSamples]) -> EdgeSamples:
    """Return the moving edge with the shortest median step and the most samples, which gives the stamps."""
    sent = [edge for edge in chain if not edge.is_static and len(edge.stamp_ns) > 1]
    moving = [edge for edge in sent if not edge.is_constant] or sent
    if not moving:
        raise NoPoseError(f"no edge between {chain[0].parent} and {chain[-1].child} moves")
    return min(moving, key=lambda edge: (median_step_ns(edge.stamp_ns), -len(edge.stamp_ns)))


def _along(chain: Sequence[EdgeSamples], clock: EdgeSamples) -> PoseFromTf:
    stamps = clock.stamp_ns
    translation, rotation = np.zeros((len(stamps), 3)), np.tile([0.0, 0.0, 0.0, 1.0], (len(stamps), 1))
    known = np.ones(len(stamps), dtype=np.bool_)
    between = np.zeros(len(stamps), dtype=np.bool_)
    for edge in chain:
        values, is_known, is_interpolated = _at(edge, stamps)
        translation = translation + turned_each(values[:, :3], rotation)
        rotation = _product(rotation, values[:, 3:])
        known &= is_known
        between |= is_interpolated
    if not known.any():
        raise NoPoseError("the edges of the frame tree are never known at one time")
    return PoseFromTf(
        (chain[0].parent, *(edge.child for edge in chain)),
        stamps[known],
        clock.message_number[known],
        clock.log_time_ns[known],
        np.hstack([translation, rotation])[known],
        between[known],
        int((~known).sum()),
    )


def _at(
    edge: EdgeSamples, stamps_ns: Stamps
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    if edge.is_constant:
        return _held(edge, len(stamps_ns))
    position = interpolate_positions(edge.stamp_ns, edge.values[:, :3], stamps_ns)
    rotation = interpolate_rotations(edge.stamp_ns, edge.values[:, 3:], stamps_ns)
    return (
        np.hstack([position.values, rotation.values]),
        position.is_known & rotation.is_known,
        position.is_interpolated | rotation.is_interpolated,
    )


def _held(edge: EdgeSamples, count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    value = edge.values[0].copy()
    length = float(np.linalg.norm(value[3:]))
    if not np.isfinite(value).all() or length <= _SHORTEST_QUATERNION:
        raise NoPoseError(f"the edge {edge.parent} > {edge.child} has no usable rotation")
    value[3:] /= length
    nowhere = np.zeros(count, dtype=np.bool_)
    return np.tile(value, (count, 1)), ~nowhere, nowhere


def _product(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quaternions (N, 4) of doing the second turn, then the first."""
    one, w1, other, w2 = first[:, :3], first[:, 3:], second[:, :3], second[:, 3:]
    axis = w1 * other + w2 * one + np.cross(one, other)
    return np.hstack([axis, w1 * w2 - np.sum(one * other, axis=1, keepdims=True)])
