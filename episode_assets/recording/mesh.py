"""The scene mesh as recorders send it: triangle lists in markers, merged by (namespace, id).

A marker with an id seen before replaces the older one, action 2 deletes one, action 3 deletes all. Colours of
markers are raw pixels and are not read at all. Welding and cleaning belong to `scene` and `bundle`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.encodings.rows import MarkerRow
from episode_assets.recording.frames import rotated

TRIANGLE_LIST = 11
_DELETE, _DELETE_ALL = 2, 3


@dataclass(frozen=True, eq=False)
class MeshSoup:
    """Triangles without shared corners, in the world frame, without colours.

    Attributes:
        vertices: (N, 3) float64 metres, in the frame `frame_id`; N is 3 M.
        triangles: (M, 3) int32 indices into `vertices`.
        frame_id: Frame that the markers name.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int32]
    frame_id: str


class MeshMerger:
    """Follows the markers of one topic and knows the mesh that they add up to.

    Pieces in another frame than the first lie somewhere else: they are left out and counted.
    """

    def __init__(self) -> None:
        self._pieces: dict[tuple[str, int], NDArray[np.float64]] = {}
        self.frame_id = ""
        self.left_out = 0

    def add(self, marker: MarkerRow) -> None:
        """Apply one marker; kinds other than triangle lists only take away what had their id."""
        key = (marker.namespace, marker.id)
        if marker.action == _DELETE_ALL:
            self._pieces.clear()
            return
        self._pieces.pop(key, None)
        if marker.action != _DELETE and marker.type == TRIANGLE_LIST:
            self.frame_id = self.frame_id or marker.frame_id
            if marker.frame_id == self.frame_id:
                self._pieces[key] = _placed(marker)
            else:
                self.left_out += 1

    @property
    def triangle_count(self) -> int:
        """Triangles in the mesh so far."""
        return sum(len(points) // 3 for points in self._pieces.values())

    def vertices(self) -> NDArray[np.float64]:
        """Return the corners (3M, 3) of all pieces in the order of (namespace, id)."""
        pieces = [self._pieces[key] for key in sorted(self._pieces)]
        return np.concatenate(pieces) if pieces else np.empty((0, 3))


def soup(vertices: NDArray[np.float64], frame_id: str) -> MeshSoup:
    """Return the mesh of corners (3M, 3) in consecutive triples."""
    triangles = np.arange(len(vertices), dtype=np.int32).reshape(-1, 3)
    for array in (vertices, triangles):
        array.flags.writeable = False
    return MeshSoup(vertices, triangles, frame_id)


def _placed(marker: MarkerRow) -> NDArray[np.float64]:
    points = marker.points[: len(marker.points) // 3 * 3]
    scale = np.array(marker.scale)
    if np.isfinite(scale).all() and (scale != 0).all():
        points = points * scale
    if any(marker.quaternion_xyzw):  # a zero quaternion is an unset one: no turn
        points = rotated(points, marker.quaternion_xyzw)
    placed = points + np.array(marker.translation)
    whole = np.isfinite(placed.reshape(-1, 9)).all(axis=1)
    return np.asarray(placed.reshape(-1, 9)[whole].reshape(-1, 3))
