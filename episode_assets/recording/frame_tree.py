"""The frame tree of a recording, from the logs of its tf topics: the stream of its edges, and where the camera sits.

What follows from the edges is worked out in `frames` (camera in its link) and `pose_from_tf` (link in the world).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.collect import POSE_WIDTH, TopicLog
from episode_assets.recording.frames import edges_by_child, find_link_from_optical
from episode_assets.recording.inventory import LinkFromOptical
from episode_assets.recording.pose_from_tf import EdgeSamples, PoseFromTf, pose_from_tf
from episode_assets.recording.roles import is_static
from episode_assets.recording.streams import TfStream


def tf_stream(members: Sequence[TopicLog]) -> TfStream:
    """Return the edges of all tf topics, united and sorted by stamp; a repeated edge at one stamp is kept once."""
    stamps = _joined(members, "stamp")
    values = np.concatenate([log.numbers(POSE_WIDTH) for log in members] or [np.empty((0, POSE_WIDTH))])
    pairs = [pair for log in members for pair in log.texts]
    static = np.concatenate(
        [np.full(len(log.stamp), is_static(log.topic)) for log in members] or [np.empty(0, bool)]
    )
    index = _first_of_each(stamps, _edge_numbers(pairs))
    parents, children = (tuple(str(pairs[row][end]) for row in index.tolist()) for end in (0, 1))
    return TfStream(stamps[index], parents, children, values[index, :3], values[index, 3:], static[index])


def _edge_numbers(pairs: Sequence[tuple[object, ...]]) -> NDArray[np.int64]:
    """Return a number for each pair of frames, the same for the same pair."""
    known: dict[tuple[object, ...], int] = {}
    return np.array([known.setdefault(pair, len(known)) for pair in pairs], dtype=np.int64)


def _first_of_each(stamps: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows in the order of their stamps (stable), of those with one stamp and edge the first."""
    together = np.lexsort((edges, stamps))
    is_first = np.ones(len(together), np.bool_)
    is_first[1:] = (np.diff(stamps[together]) != 0) | (np.diff(edges[together]) != 0)
    rows = np.sort(together[is_first])
    return np.asarray(rows[np.argsort(stamps[rows], kind="stable")], dtype=np.int64)


def link_of(
    chosen: Mapping[str, Sequence[TopicLog]], library: str, derived: PoseFromTf | None
) -> LinkFromOptical:
    """Return how the camera sits in the frame of the poses."""
    pose = chosen["pose"]
    if derived is not None:
        pose_frame, pose_child = derived.frames[0], derived.frames[-1]
    else:
        pose_frame, pose_child = (pose[0].frame_id, pose[0].child_frame_id) if pose else ("", "")
    return find_link_from_optical(
        edges_by_child(tf_stream(chosen["tf"])),
        optical=_optical_frame(chosen),
        pose_frame=pose_frame.strip("/"),
        pose_child=pose_child.strip("/"),
        library=library,
    )


def derive_pose(chosen: Mapping[str, Sequence[TopicLog]]) -> PoseFromTf | str:
    """Return the poses of the camera from the frame tree, or why it gives none."""
    return pose_from_tf(edge_samples(chosen["tf"]), _optical_frame(chosen))


def edge_samples(members: Sequence[TopicLog]) -> tuple[EdgeSamples, ...]:
    """Return the edges with all their samples; an edge that is also sent as static counts as moving."""
    rows: dict[tuple[str, str], list[int]] = {}
    pairs = (pair for log in members for pair in log.texts)
    for row, (parent, child) in enumerate(pairs):
        # Older transforms write a frame with a leading slash: it is the same frame.
        rows.setdefault((str(parent).strip("/"), str(child).strip("/")), []).append(row)
    stamps, numbers, logged = (_joined(members, name) for name in ("stamp", "number", "log"))
    static = np.repeat([is_static(log.topic) for log in members], [len(log.stamp) for log in members])
    values = np.concatenate([log.numbers(POSE_WIDTH) for log in members] or [np.empty((0, POSE_WIDTH))])
    edges = []
    for (parent, child), positions in rows.items():
        mine = np.array(positions, dtype=np.int64)
        if not static[mine].all():
            mine = mine[~static[mine]]
        _, first = np.unique(stamps[mine], return_index=True)
        at = mine[first]
        edges.append(
            EdgeSamples(
                parent, child, stamps[at], numbers[at], logged[at], values[at], bool(static[at].all())
            )
        )
    return tuple(edges)


def _optical_frame(chosen: Mapping[str, Sequence[TopicLog]]) -> str:
    picture = chosen["rgb"] or chosen["depth"]
    return picture[0].frame_id.strip("/") if picture else ""


def _joined(members: Sequence[TopicLog], name: str) -> NDArray[np.int64]:
    parts = [getattr(log, name).all() for log in members]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)
