"""How the camera sits in the frame that the poses describe: from the recording's frame tree, or said to be assumed.

Three conventions circulate for the phone app alone, so a constant is never substituted silently: the result carries
its source.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from episode_assets.recording.inventory import LinkFromOptical
from episode_assets.recording.streams import TfStream

PHONE_LIBRARY = "fpv_labs"
PHONE_LINK = "camera_link"
PHONE_ROTATION = np.diag([1.0, -1.0, -1.0])
"""AR camera axes (X right, Y up, Z backward) from optical axes; recorded by the app on iOS."""
BODY_ROTATION = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Body axes (X forward, Y left, Z up) from optical axes, ROS REP 103."""
_MOVES_BEYOND = 1e-6


@dataclass(frozen=True, eq=False)
class Edge:
    """One edge of the frame tree by its first message, and whether its value ever changes."""

    parent: str
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    moves: bool


def turned_each(vectors: NDArray[np.float64], quaternions_xyzw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vectors (N, 3), each turned by its own unit quaternion (N, 4) x, y, z, w."""
    axis, w = quaternions_xyzw[:, :3], quaternions_xyzw[:, 3:]
    twice = 2 * np.cross(axis, vectors)
    return np.asarray(vectors + w * twice + np.cross(axis, twice))


def rotated(points: NDArray[np.float64], quaternion_xyzw: ArrayLike) -> NDArray[np.float64]:
    """Return points (N, 3) turned by one quaternion x, y, z, w, which need not be normalised; NaN where it is zero."""
    q = np.asarray(quaternion_xyzw, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x_y_z, w = q[:3] / np.linalg.norm(q), q[3] / np.linalg.norm(q)
        twice = 2 * np.cross(x_y_z, points)
        return np.asarray(points + w * twice + np.cross(x_y_z, twice))


def edges_by_child(tf: TfStream) -> dict[str, Edge]:
    """Return the edge above each frame. A frame with two parents keeps the first that was sent.

    Older transforms write a frame with a leading slash: it is the same frame, named without.
    """
    known: dict[tuple[str, str], int] = {}
    pairs = zip(tf.parent, tf.child, strict=True)
    codes = (known.setdefault((parent.strip("/"), child.strip("/")), len(known)) for parent, child in pairs)
    code_of_row = np.fromiter(codes, np.int32, len(tf.stamp_ns))
    edges: dict[str, Edge] = {}
    for (parent, child), code in known.items():
        is_mine = code_of_row == code
        first = int(np.argmax(is_mine))
        rotation = rotated(np.eye(3), tf.quaternion_xyzw[first]).T
        if child not in edges and np.isfinite(rotation).all():
            ranges = [
                np.ptp(values[is_mine], axis=0).max() for values in (tf.translation, tf.quaternion_xyzw)
            ]
            moves = bool(np.max(ranges) > _MOVES_BEYOND)
            edges[child] = Edge(parent, rotation, tf.translation[first].copy(), moves)
    return edges


def find_link_from_optical(
    edges: dict[str, Edge], *, optical: str, pose_frame: str, pose_child: str, library: str
) -> LinkFromOptical:
    """Return the pose of the optical frame in the link that the poses move.

    Walks up from the optical frame to the frame that the pose messages name, or else to the last one below a moving
    edge or below the fixed frame of the poses.
    """
    chain = _chain(edges, optical, pose_frame, pose_child)
    if chain is not None:
        rotation, offset, link = chain
        return _found(rotation, offset, "tf", f"frame tree, {link} from {optical}")
    if library.startswith(PHONE_LIBRARY):
        return _found(PHONE_ROTATION, np.zeros(3), "profile", "no frame tree; layout of the phone app")
    if optical.endswith("optical_frame"):
        return _found(BODY_ROTATION, np.zeros(3), "assumed", "no frame tree; X forward, Y left, Z up assumed")
    return _found(
        np.eye(3), np.zeros(3), "assumed", "no frame tree; poses taken as those of the optical frame"
    )


def rotation_between(edges: dict[str, Edge], frame: str, other: str) -> NDArray[np.float64] | None:
    """Return the rotation (3, 3) that carries vectors of one frame into another that it is fixed to, or None.

    A frame without a name is not known to be any other.
    """
    transform = transform_between(edges, frame, other)
    return None if transform is None else transform[:3, :3]


def transform_between(edges: dict[str, Edge], frame: str, other: str) -> NDArray[np.float64] | None:
    """Return the transform (4, 4) that carries points of one frame into another that it is fixed to, or None.

    A frame without a name is not known to be any other.
    """
    if not frame or not other:
        return None
    above, above_other = _fixed_above(edges, frame), _fixed_above(edges, other)
    shared = next((name for name in above if name in above_other), None)
    if shared is None:
        return None
    transform, back = np.eye(4), above_other[shared][:3, :3].T
    transform[:3, :3] = back @ above[shared][:3, :3]
    transform[:3, 3] = back @ (above[shared][:3, 3] - above_other[shared][:3, 3])
    return transform


def _fixed_above(edges: dict[str, Edge], frame: str) -> dict[str, NDArray[np.float64]]:
    """Return the transforms (4, 4) from a frame into itself and all frames above that it never moves against."""
    transform = np.eye(4)
    found = {frame: transform}
    while frame in edges and not edges[frame].moves and edges[frame].parent not in found:
        edge = edges[frame]
        step = np.eye(4)
        step[:3, :3], step[:3, 3] = edge.rotation, edge.translation
        transform, frame = step @ transform, edge.parent
        found[frame] = transform
    return found


def _chain(
    edges: dict[str, Edge], optical: str, pose_frame: str, pose_child: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], str] | None:
    if optical not in edges and optical != pose_child:
        return None
    rotation, offset, frame = np.eye(3), np.zeros(3), optical
    visited = {optical}
    while frame in edges and frame != pose_child:
        edge = edges[frame]
        if not pose_child and (edge.moves or edge.parent in {pose_frame, "world", "map", "odom"}):
            break
        rotation, offset = edge.rotation @ rotation, edge.rotation @ offset + edge.translation
        frame = edge.parent
        if frame in visited:
            return None
        visited.add(frame)
    if pose_child and frame != pose_child:
        return None
    return rotation, offset, frame


def _found(
    rotation: NDArray[np.float64], offset: NDArray[np.float64], source: str, detail: str
) -> LinkFromOptical:
    numbers = tuple(float(value) + 0.0 for value in np.round(rotation, 12).ravel())
    x, y, z = (float(value) + 0.0 for value in np.round(offset, 12))
    return LinkFromOptical(numbers, (x, y, z), source, detail)
