"""Which frame given joints are in: the camera's, the world's, or one that hangs firmly on either of them.

Nothing is guessed: a frame that moves against both, or that the frame tree does not know, is an error with its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadRecording
from episode_assets.geometry import compose, inverse
from episode_assets.hands.precomputed import Frame
from episode_assets.recording import RecordingView
from episode_assets.recording.frames import Edge, edges_by_child

Floats = NDArray[np.float64]
Transform: TypeAlias = tuple[Floats, Floats]
"""Rotation (3, 3) and translation (3,): `p_a = R p_b + t`."""

_REMEDY = "set precomputed.frame to camera or world if the joints are in one of these all the same"


@dataclass(frozen=True, eq=False)
class Place:
    """Where a frame is.

    Attributes:
        is_world: Whether it is fixed in the world, else on the camera.
        transform: From it into the world or the camera's optical frame.
    """

    is_world: bool
    transform: Transform


HERE: Transform = (np.eye(3), np.zeros(3))
CAMERA = Place(False, HERE)
WORLD = Place(True, HERE)


def place_of(view: RecordingView, frame_id: str, setting: Frame, *, where: str) -> Place:
    """Return where the joints of a topic or file are.

    Args:
        view: The recording, for its frame tree.
        frame_id: What the messages or the file state; may be empty.
        setting: Whether that counts.
        where: The topic or file, for the message.

    Raises:
        BadRecording: The frame is not stated, not known, or moves against camera and world.
    """
    if setting != "stated":
        return WORLD if setting == "world" else CAMERA
    name = frame_id.strip("/")
    if not name:
        raise BadRecording("the frame of the hands is not stated", where=where, remedy=_REMEDY)
    edges = edges_by_child(view.tf) if view.tf is not None else {}
    above = _fixed_ancestors(edges, name)
    for target, place in _known(view, edges).items():
        if target in above:
            return Place(place.is_world, compose(place.transform, above[target]))
    known = ", ".join(sorted(_known(view, edges)))
    raise BadRecording(
        f"the hands are in the frame {name!r}, which is not tied firmly to {known or 'any known frame'}",
        where=where,
        remedy=_REMEDY,
    )


def _known(view: RecordingView, edges: dict[str, Edge]) -> dict[str, Place]:
    """Return the frames whose place is known: the world, the camera, its link, and what carries the camera firmly."""
    known: dict[str, Place] = {}
    if view.pose is not None:
        known[view.pose.frame_id.strip("/")] = WORLD
    for optical in _optical_names(view):
        for name, ancestor_from_optical in _fixed_ancestors(edges, optical).items():
            known.setdefault(name, Place(False, inverse(ancestor_from_optical)))
    if view.pose is not None:
        link_from_optical = (view.link_from_optical[0], view.optical_offset_m)
        known.setdefault(view.pose.child_frame_id.strip("/"), Place(False, inverse(link_from_optical)))
    known.pop("", None)
    return known


def _optical_names(view: RecordingView) -> tuple[str, ...]:
    rgb = view.inventory.role("rgb")
    stated = (
        rgb.frame_id if rgb else "",
        view.camera_info.frame_id if view.camera_info is not None else "",
    )
    return tuple(dict.fromkeys(name.strip("/") for name in stated if name.strip("/")))


def _fixed_ancestors(edges: dict[str, Edge], name: str) -> dict[str, Transform]:
    """Return the frame itself and those above it as far as no edge moves: `p_ancestor = R p_frame + t`."""
    found: dict[str, Transform] = {name: HERE}
    ancestor_from_frame, frame = HERE, name
    while frame in edges and not edges[frame].moves and edges[frame].parent not in found:
        edge = edges[frame]
        ancestor_from_frame = compose((edge.rotation, edge.translation), ancestor_from_frame)
        frame = edge.parent
        found[frame] = ancestor_from_frame
    return found
