"""Which topic fills which role: by type first, then by content, then by name; configuration overrides.

The words that speak for or against a topic are data at the top. Every choice states its reason, and a choice that
cannot be made without guessing stays open and lists its candidates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from episode_assets.errors import MissingStream
from episode_assets.recording.config import ROLES, RecordingConfig
from episode_assets.recording.inventory import RoleChoice

COLOUR_WORDS = frozenset({"rgb", "color", "colour", "image"})
NOT_COLOUR_WORDS = frozenset({"depth", "disparity", "confidence", "mask", "segmentation"})
SECOND_RATE_PICTURES = frozenset(
    {
        "thumbnail",
        "preview",
        "left",
        "right",
        "infra",
        "infra1",
        "infra2",
        "ir",
        "slam",
        "grey",
        "gray",
        "mono",
        "eye",
    }
)
FIXED_FRAMES = frozenset({"world", "map", "odom", "earth"})
NOT_THE_CAMERA = frozenset(
    {"goal", "target", "setpoint", "hand", "gripper", "object", "marker", "initialpose"}
)
STATIC_WORDS = frozenset({"static", "extrinsics"})

HAND_WORDS = frozenset({"hand", "hands", "finger", "fingers", "joints"})
ANNOTATION_WORDS = frozenset(
    {
        "task",
        "tasks",
        "annotation",
        "annotations",
        "event",
        "events",
        "label",
        "labels",
        "instruction",
        "subtask",
    }
)

KINDS_OF_ROLE: Mapping[str, frozenset[str]] = {
    **{role: frozenset({role}) for role in ROLES},
    "rgb": frozenset({"image"}),
    "depth": frozenset({"image"}),
    "depth_camera_info": frozenset({"camera_info"}),
    "hands": frozenset({"poses"}),
    "annotations": frozenset({"text"}),
}


@dataclass(frozen=True)
class Candidate:
    """What the choice of roles knows about a topic.

    Attributes:
        topic: Name as written.
        kind: Kind of its rows.
        count: Its messages.
        frame_id: Frame named by its first message.
        is_depth: Whether its first picture has one channel of 16 or 32 bits.
        picture_size: Width and height, where the messages state them.
        has_acceleration: Whether an IMU gives finite accelerations.
        triangles: Triangles after merging, of mesh topics.
    """

    topic: str
    kind: str
    count: int
    frame_id: str = ""
    is_depth: bool = False
    picture_size: tuple[int, int] | None = None
    has_acceleration: bool = False
    triangles: int = 0

    @property
    def words(self) -> frozenset[str]:
        """The words of the topic's name, in lower case."""
        return frozenset(re.split(r"[^a-z0-9]+", self.topic.lower()))


Chosen: TypeAlias = dict[str, tuple[Candidate, ...]]
Chooser: TypeAlias = Callable[[Sequence[Candidate], Chosen], tuple[tuple[Candidate, ...], str]]


def choose_roles(
    candidates: Sequence[Candidate], config: RecordingConfig, *, where: str | None = None
) -> Mapping[str, RoleChoice]:
    """Return the choice for every role, in the order of `ROLES`.

    Raises:
        MissingStream: A configured topic is not in the recording, has no messages, or has a type that its role
            cannot use.
    """
    configured = config.topic_map()
    chosen: Chosen = {}
    choices: dict[str, RoleChoice] = {}
    for role in ROLES:
        fitting = sorted(
            (c for c in candidates if c.kind in KINDS_OF_ROLE[role] and c.count), key=lambda c: c.topic
        )
        if role in configured:
            picked = tuple(_configured(role, topic, candidates, where) for topic in configured[role])
            reason = "configured"
        else:
            picked, reason = _CHOOSERS[role](fitting, chosen)
        chosen[role] = picked
        choices[role] = RoleChoice(
            role, tuple(c.topic for c in picked), reason, tuple(c.topic for c in fitting)
        )
    return choices


def is_static(topic: str) -> bool:
    """Whether the edges of a tf topic hold for all time, told by its name."""
    return bool(Candidate(topic, "tf", 0).words & STATIC_WORDS)


def _configured(role: str, topic: str, candidates: Sequence[Candidate], where: str | None) -> Candidate:
    named = [c for c in candidates if c.topic == topic]
    usable = [c for c in named if c.kind in KINDS_OF_ROLE[role] and c.count]
    if usable:
        return usable[0]
    found = "of another type or empty" if named else "not in the recording"
    options = ", ".join(c.topic for c in candidates if c.kind in KINDS_OF_ROLE[role]) or "none"
    raise MissingStream(
        f"topic {topic!r} is configured for role {role} and is {found}",
        where=where,
        remedy=f"change the topic map; topics of a fitting type: {options}",
    )


def _best(
    fitting: Sequence[Candidate], rank: Callable[[Candidate], tuple[Any, ...]], reason: str
) -> tuple[tuple[Candidate, ...], str]:
    if not fitting:
        return (), "no topic of a fitting type has messages"
    best = max(fitting, key=rank)
    equals = [c for c in fitting if rank(c) == rank(best)]
    if len(equals) == 1:
        return (best,), "the only topic of a fitting type" if len(fitting) == 1 else reason
    if len({c.frame_id for c in equals}) == 1 and equals[0].frame_id:
        # The same camera in several transports (raw and compressed): the shortest name is the untouched one.
        return (
            min(equals, key=lambda c: (len(c.topic), c.topic)),
        ), f"{reason}; first of several from one sensor"
    return (), f"ambiguous between {', '.join(c.topic for c in equals)}; set it in the topic map"


def _rgb(fitting: Sequence[Candidate], chosen: Chosen) -> tuple[tuple[Candidate, ...], str]:
    del chosen
    pictures = [c for c in fitting if not c.is_depth and not c.words & NOT_COLOUR_WORDS]
    return _best(
        pictures,
        lambda c: (not c.words & SECOND_RATE_PICTURES, c.count, len(c.words & COLOUR_WORDS) > 0),
        "picture type, not second-rate by name, most messages, colour by name",
    )


def _depth(fitting: Sequence[Candidate], chosen: Chosen) -> tuple[tuple[Candidate, ...], str]:
    frame = chosen["rgb"][0].frame_id if chosen["rgb"] else ""
    pictures = [c for c in fitting if c.is_depth]
    return _best(
        pictures,
        lambda c: ("depth" in c.words or "depth" in c.frame_id, bool(frame) and c.frame_id == frame, c.count),
        "one channel of 16 or 32 bits, depth by name, frame of the colour camera, most messages",
    )


def _camera_info_of(picture_role: str) -> Chooser:
    def choose(fitting: Sequence[Candidate], chosen: Chosen) -> tuple[tuple[Candidate, ...], str]:
        if not chosen[picture_role]:
            return (), f"no topic fills role {picture_role}"
        picture = chosen[picture_role][0]
        wants_depth = picture_role == "depth"
        taken = chosen.get("camera_info", ())
        free = [c for c in fitting if c not in taken]
        related = [
            c for c in free if c.frame_id == picture.frame_id or _shared_path(c, picture) or len(fitting) == 1
        ]
        return _best(
            related,
            lambda c: (
                bool(c.frame_id) and c.frame_id == picture.frame_id,
                ("depth" in c.words) == (wants_depth and "depth" in picture.words),
                _shared_path(c, picture),
                c.picture_size is not None and c.picture_size == picture.picture_size,
                c.count,
            ),
            f"frame of {picture.topic}, depth by name, longest common topic path, size, most messages",
        )

    return choose


def _shared_path(one: Candidate, other: Candidate) -> int:
    pairs = zip(one.topic.strip("/").split("/"), other.topic.strip("/").split("/"), strict=False)
    shared = 0
    for left, right in pairs:
        if left != right:
            break
        shared += 1
    return shared


def _pose(fitting: Sequence[Candidate], chosen: Chosen) -> tuple[tuple[Candidate, ...], str]:
    del chosen
    fixed = [c for c in fitting if not c.words & NOT_THE_CAMERA]
    return _best(
        fixed,
        lambda c: (
            c.frame_id.strip("/") in FIXED_FRAMES,
            bool(c.words & {"camera", "cam"}),
            c.count,
            "pose" in c.words,
        ),
        "pose in a fixed frame, camera by name, most messages",
    )


def _imu(fitting: Sequence[Candidate], chosen: Chosen) -> tuple[tuple[Candidate, ...], str]:
    del chosen
    return _best(fitting, lambda c: (c.has_acceleration, c.count), "finite accelerations, highest rate")


def _most_messages(fitting: Sequence[Candidate], chosen: Chosen) -> tuple[tuple[Candidate, ...], str]:
    del chosen
    return _best(fitting, lambda c: (c.count,), "most messages")


def _mesh(fitting: Sequence[Candidate], chosen: Chosen) -> tuple[tuple[Candidate, ...], str]:
    del chosen
    meshes = [c for c in fitting if c.triangles]
    return _best(meshes, lambda c: (c.triangles, c.count), "most triangles after merging")


def _all_of_them(fitting: Sequence[Candidate], chosen: Chosen) -> tuple[tuple[Candidate, ...], str]:
    del chosen
    if not fitting:
        return (), "no topic of a fitting type has messages"
    return tuple(fitting), "all topics of a fitting type"


def _named_after(words: frozenset[str]) -> Chooser:
    def choose(fitting: Sequence[Candidate], chosen: Chosen) -> tuple[tuple[Candidate, ...], str]:
        del chosen
        named = tuple(c for c in fitting if c.words & words)
        return (
            named,
            "all topics of a fitting type with the word in their name" if named else "no topic by name",
        )

    return choose


_CHOOSERS: Mapping[str, Chooser] = {
    "rgb": _rgb,
    "depth": _depth,
    "camera_info": _camera_info_of("rgb"),
    "depth_camera_info": _camera_info_of("depth"),
    "pose": _pose,
    "tf": _all_of_them,
    "imu": _imu,
    "tracking": _most_messages,
    "trajectory": _all_of_them,
    "mesh": _mesh,
    "point_cloud": _all_of_them,
    "hands": _named_after(HAND_WORDS),
    "annotations": _named_after(ANNOTATION_WORDS),
}
