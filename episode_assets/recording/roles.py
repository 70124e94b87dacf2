"""Which topic fills which role: by configuration, else by the layout of a known recorder, else by type and content.

The words that speak for or against a topic are data at the top, the known recorders in `layouts`. Every choice states
its reason; a choice that could not be made without guessing stays open, is marked ambiguous, and lists its candidates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from episode_assets.errors import AmbiguousStream, MissingStream
from episode_assets.recording.config import ROLES, RecordingConfig
from episode_assets.recording.inventory import RoleChoice
from episode_assets.recording.layouts import LAYOUTS, Layout
from episode_assets.recording.pose_from_tf import FIXED_FRAMES

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
FIRST_PERSON_WORDS = frozenset({"head", "ego", "egocentric", "glasses", "helmet", "chest", "main", "front"})
ELSEWHERE_WORDS = frozenset(
    {"wrist", "gripper", "hand", "external", "third", "side", "rear", "back", "overhead"}
)
NOT_THE_CAMERA = frozenset(
    {"goal", "target", "setpoint", "hand", "gripper", "object", "marker", "initialpose"}
)
STATIC_WORDS = frozenset({"static", "extrinsics"})

PATH_WORDS = frozenset({"path", "trajectory", "trajectories"})
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
    "trajectory": frozenset({"trajectory", "poses"}),
    "hands": frozenset({"poses"}),
    "annotations": frozenset({"text"}),
}

_ROLES_TOLD_BY_NAME: Mapping[str, Mapping[str, frozenset[str]]] = {
    "poses": {"trajectory": PATH_WORDS, "hands": HAND_WORDS},
    "text": {"annotations": ANNOTATION_WORDS},
}
"""Kinds that serve for anything, so that only the name or the configuration tells which role a topic has."""

UNITED_ROLES = frozenset({"tf", "trajectory", "hands", "annotations"})
"""Roles whose rows are kept together, whatever their topics and types."""

_NEARLY_ALL = 0.9
"""Counts above this share of the largest count as equal: a few lost messages are no reason to choose."""


@dataclass(frozen=True)
class Candidate:
    """What the choice of roles knows about a topic.

    Attributes:
        topic: Name as written.
        kind: Kind of its rows.
        count: Its messages.
        frame_id: Frame named by its first message.
        child_frame_id: Frame that its poses move, where named.
        schema: Its type as written.
        is_depth: Whether its first picture has one channel of 16 or 32 bits.
        picture_size: Width and height, where the messages state them.
        has_acceleration: Whether an IMU gives finite accelerations.
        has_turn_rates: Whether an IMU gives finite turn rates.
        triangles: Triangles after merging, of mesh topics.
    """

    topic: str
    kind: str
    count: int
    frame_id: str = ""
    child_frame_id: str = ""
    schema: str = ""
    is_depth: bool = False
    picture_size: tuple[int, int] | None = None
    has_acceleration: bool = False
    has_turn_rates: bool = False
    triangles: int = 0

    @property
    def words(self) -> frozenset[str]:
        """The words of the topic's name, in lower case."""
        return words_of(self.topic)


def words_of(name: str) -> frozenset[str]:
    """Return the words of a name, in lower case."""
    return frozenset(re.split(r"[^a-z0-9]+", name.lower()))


class Choice(NamedTuple):
    """Who fills a role, and why; `equals` are those between whom nothing decides."""

    picked: tuple[Candidate, ...]
    reason: str
    equals: tuple[Candidate, ...] = ()


class Criterion(NamedTuple):
    """Something that speaks for a candidate: the words to say so, and a score."""

    words: str
    score: Callable[[Candidate], Any]


Chosen: TypeAlias = dict[str, tuple[Candidate, ...]]
Chooser: TypeAlias = Callable[[Sequence[Candidate], Chosen], Choice]


def choose_roles(
    candidates: Sequence[Candidate], config: RecordingConfig, *, where: str | None = None
) -> Mapping[str, RoleChoice]:
    """Return the choice for every role, in the order of `ROLES`; ambiguous ones stay unfilled.

    Raises:
        MissingStream: A configured topic is not in the recording, has no messages, or has a type that its role
            cannot use.
    """
    configured = config.topic_map()
    known = _known_recorder(candidates, configured)
    chosen: Chosen = {}
    choices: dict[str, RoleChoice] = {}
    for role in ROLES:
        fitting = _fitting(role, candidates)
        if role in configured:
            picked = tuple(_configured(role, topic, candidates, where) for topic in configured[role])
            choice = Choice(picked, "configured")
        elif role in known:
            choice = known[role]
        else:
            choice = _CHOOSERS[role](fitting, {**chosen, "all": tuple(candidates)})
        chosen[role] = choice.picked
        choices[role] = RoleChoice(
            role,
            tuple(dict.fromkeys(c.topic for c in choice.picked)),
            choice.reason,
            tuple(dict.fromkeys(c.topic for c in fitting)),
            is_ambiguous=bool(choice.equals),
        )
    return choices


def require_clear(choices: Mapping[str, RoleChoice], *, where: str | None = None) -> None:
    """Return if every role is either filled or has no candidate; raises AmbiguousStream with all that are open."""
    unclear = [choice for choice in choices.values() if choice.is_ambiguous]
    if unclear:
        raise AmbiguousStream(
            "; ".join(f"{choice.role} is {choice.reason}" for choice in unclear),
            where=where,
            remedy="name one in `topics`, for example "
            + ", ".join(f"'{choice.role}={choice.candidates[0]}'" for choice in unclear)
            + f", or leave the role unfilled with '{unclear[0].role}='",
        )


def is_static(topic: str) -> bool:
    """Whether the edges of a tf topic hold for all time, told by its name."""
    return bool(words_of(topic) & STATIC_WORDS)


def is_pose_in_fixed_frame(candidate_frame: str) -> bool:
    """Whether poses in this frame are poses in the world."""
    return candidate_frame.strip("/") in FIXED_FRAMES | {"earth"}


def told_by_name(kind: str | None, topic: str) -> bool:
    """Whether rows of a topic can fill a role without being configured; false for text and pose sets of any name."""
    roles = _ROLES_TOLD_BY_NAME.get(kind or "")
    return roles is None or any(words_of(topic) & words for words in roles.values())


def _fitting(role: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    return sorted((c for c in candidates if c.kind in KINDS_OF_ROLE[role] and c.count), key=lambda c: c.topic)


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


# Known recorders


def _known_recorder(
    candidates: Sequence[Candidate], configured: Mapping[str, tuple[str, ...]]
) -> dict[str, Choice]:
    """Return what the layout of a known recorder fills; nothing where none applies, or several cameras have it."""
    for layout in LAYOUTS:
        cameras = {
            camera: filled
            for camera in sorted(_cameras(layout, candidates))
            if _may_be(filled := _filled(layout, camera, candidates), layout, configured)
        }
        camera = _one_camera(list(cameras))
        if camera is not None:
            reason = f"layout: {layout.name}" + (f" at {camera}" if len(cameras) > 1 else "")
            return {role: Choice((candidate,), reason) for role, candidate in cameras[camera].items()}
        if cameras:
            return {}
    return {}


def _cameras(layout: Layout, candidates: Sequence[Candidate]) -> frozenset[str]:
    found = (layout.cameras("rgb", c.topic) for c in candidates if c.kind == "image" and c.count)
    return frozenset[str]().union(*found)


def _filled(layout: Layout, camera: str, candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    filled: dict[str, Candidate] = {}
    for role in layout.topics:
        usable = {c.topic: c for c in _fitting(role, candidates) if _can_be(role, c)}
        names = [name for name in layout.names(role, camera) if name in usable]
        if names:
            filled[role] = usable[names[0]]
    return filled


def _can_be(role: str, candidate: Candidate) -> bool:
    if role == "pose":
        return is_pose_in_fixed_frame(candidate.frame_id)
    return role not in {"rgb", "depth"} or candidate.is_depth == (role == "depth")


def _may_be(
    filled: Mapping[str, Candidate], layout: Layout, configured: Mapping[str, tuple[str, ...]]
) -> bool:
    """Whether a layout applies to a camera: its signature is there, and no other camera is configured."""
    contradicts = any(
        role in filled and configured.get(role) and filled[role].topic not in configured[role]
        for role in ("rgb", "depth")
    )
    return not contradicts and all(role in filled for role in layout.signature)


def _one_camera(cameras: Sequence[str]) -> str | None:
    """Return the only camera, or the only one that is worn by its name; None where that does not tell."""
    if len(cameras) < 2:
        return cameras[0] if cameras else None
    score = {camera: _first_person(words_of(camera)) for camera in cameras}
    best = [camera for camera in cameras if score[camera] == max(score.values())]
    return best[0] if len(best) == 1 else None


# Choice by type and content


def _narrow(fitting: Sequence[Candidate], criteria: Sequence[Criterion]) -> Choice:
    """Keep the best by one criterion after the other; the reason names those that decided."""
    if not fitting:
        return Choice((), "no topic of a fitting type has messages")
    if len(fitting) == 1:
        return Choice(tuple(fitting), "the only topic of a fitting type")
    left, decided = list(fitting), []
    for words, score in criteria:
        best = max(score(c) for c in left)
        kept = [c for c in left if score(c) == best]
        decided += [words] if len(kept) < len(left) else []
        left = kept
    reason = ", ".join(decided)
    if len(left) == 1:
        return Choice(tuple(left), reason)
    if _says_the_same(left):
        first = min(left, key=lambda c: (len(c.topic), c.topic))
        return Choice((first,), ", ".join([*decided, "first of several from one sensor"]))
    names = ", ".join(c.topic for c in left)
    return Choice((), f"ambiguous between {names}; set it in the topic map", tuple(left))


def _says_the_same(equals: Sequence[Candidate]) -> bool:
    """Whether candidates are one sensor in several transports (raw and compressed): the shortest name is the untouched.

    Poses in one fixed frame are of one thing only where they name what moves.
    """
    first = equals[0]
    if first.kind == "pose" and not first.child_frame_id:
        return False
    return bool(first.frame_id) and {(c.frame_id, c.child_frame_id) for c in equals} == {
        (first.frame_id, first.child_frame_id)
    }


def _often(fitting: Sequence[Candidate]) -> Criterion:
    most = max((c.count for c in fitting), default=0)
    return Criterion("most messages", lambda c: c.count >= _NEARLY_ALL * most)


def _first_person(words: frozenset[str]) -> int:
    return len(words & FIRST_PERSON_WORDS) - len(words & ELSEWHERE_WORDS)


def _rgb(fitting: Sequence[Candidate], chosen: Chosen) -> Choice:
    pictures = [c for c in fitting if not c.is_depth and not c.words & NOT_COLOUR_WORDS]
    first_rate = [c for c in pictures if not c.words & SECOND_RATE_PICTURES]
    neighbours = [c for c in chosen["all"] if c.kind == "camera_info" or c.is_depth]
    return _narrow(
        pictures,
        (
            Criterion("not second-rate by name", lambda c: not c.words & SECOND_RATE_PICTURES),
            Criterion("worn by name", lambda c: _first_person(c.words)),
            _often(first_rate or pictures),
            Criterion("colour by name", lambda c: bool(c.words & COLOUR_WORDS)),
            Criterion(
                "calibration or depth in its frame",
                lambda c: any(n.frame_id == c.frame_id for n in neighbours),
            ),
            Criterion("left picture of a pair", lambda c: "right" not in c.words),
        ),
    )


def _depth(fitting: Sequence[Candidate], chosen: Chosen) -> Choice:
    picture = chosen["rgb"][0] if chosen["rgb"] else Candidate("", "image", 0)
    pictures = [c for c in fitting if c.is_depth]
    return _narrow(
        pictures,
        (
            Criterion("depth by name", lambda c: "depth" in c.words or "depth" in c.frame_id),
            Criterion(
                "frame of the colour camera", lambda c: bool(c.frame_id) and c.frame_id == picture.frame_id
            ),
            Criterion("longest common topic path with the pictures", lambda c: _shared_path(c, picture)),
            _often(pictures),
        ),
    )


def _camera_info_of(picture_role: str) -> Chooser:
    def choose(fitting: Sequence[Candidate], chosen: Chosen) -> Choice:
        if not chosen[picture_role]:
            return Choice((), f"no topic fills role {picture_role}")
        picture = chosen[picture_role][0]
        is_depth = picture_role == "depth" and "depth" in picture.words
        free = [c for c in fitting if c not in chosen.get("camera_info", ())]
        if picture_role == "rgb":
            free = [c for c in free if not _speaks_of_depth(c, picture)]
        related = [
            c for c in free if c.frame_id == picture.frame_id or _shared_path(c, picture) or len(fitting) == 1
        ]
        return _narrow(
            related,
            (
                Criterion(
                    f"frame of {picture.topic}", lambda c: bool(c.frame_id) and c.frame_id == picture.frame_id
                ),
                Criterion("depth by name", lambda c: ("depth" in c.words) == is_depth),
                Criterion("longest common topic path", lambda c: _shared_path(c, picture)),
                Criterion(
                    "size", lambda c: c.picture_size is not None and c.picture_size == picture.picture_size
                ),
                _often(related),
            ),
        )

    return choose


def _speaks_of_depth(calibration: Candidate, picture: Candidate) -> bool:
    """Return whether a calibration is the depth camera's; one of pictures of the same size serves both."""
    same_size = calibration.picture_size is not None and calibration.picture_size == picture.picture_size
    return "depth" in calibration.words and not same_size


def _shared_path(one: Candidate, other: Candidate) -> int:
    pairs = zip(one.topic.strip("/").split("/"), other.topic.strip("/").split("/"), strict=False)
    shared = 0
    for left, right in pairs:
        if left != right:
            break
        shared += 1
    return shared


def _pose(fitting: Sequence[Candidate], chosen: Chosen) -> Choice:
    del chosen
    free = [c for c in fitting if not c.words & NOT_THE_CAMERA]
    return _narrow(
        free,
        (
            Criterion("pose in a fixed frame", lambda c: is_pose_in_fixed_frame(c.frame_id)),
            Criterion(
                "camera by name",
                lambda c: bool((c.words | words_of(c.child_frame_id)) & {"camera", "cam"}),
            ),
            _often(free),
            Criterion("pose by name", lambda c: "pose" in c.words),
            Criterion("plain pose", lambda c: "Covariance" not in c.schema),
        ),
    )


def _imu(fitting: Sequence[Candidate], chosen: Chosen) -> Choice:
    picture = chosen["rgb"][0] if chosen["rgb"] else Candidate("", "image", 0)
    with_acceleration = [c for c in fitting if c.has_acceleration]
    return _narrow(
        fitting,
        (
            Criterion("finite accelerations", lambda c: c.has_acceleration),
            Criterion("turn rates as well", lambda c: c.has_turn_rates),
            _often(with_acceleration or fitting),
            Criterion("longest common topic path with the pictures", lambda c: _shared_path(c, picture)),
            Criterion("camera by name", lambda c: bool(c.words & {"camera", "cam"})),
            Criterion("worn by name", lambda c: _first_person(c.words)),
        ),
    )


def _tracking(fitting: Sequence[Candidate], chosen: Chosen) -> Choice:
    del chosen
    return _narrow(fitting, (_often(fitting), Criterion("camera by name", lambda c: "camera" in c.words)))


def _mesh(fitting: Sequence[Candidate], chosen: Chosen) -> Choice:
    del chosen
    meshes = [c for c in fitting if c.triangles]
    return _narrow(
        meshes,
        (
            Criterion("most triangles after merging", lambda c: c.triangles),
            Criterion("most messages", lambda c: c.count),
        ),
    )


def _all_of_them(fitting: Sequence[Candidate], chosen: Chosen) -> Choice:
    del chosen
    if not fitting:
        return Choice((), "no topic of a fitting type has messages")
    return Choice(tuple(fitting), "all topics of a fitting type")


def _trajectory(fitting: Sequence[Candidate], chosen: Chosen) -> Choice:
    del chosen
    paths = tuple(c for c in fitting if c.kind == "trajectory")
    if paths:
        return Choice(paths, "all topics of a type with timed poses")
    return _named(fitting, PATH_WORDS)


def _named_after(words: frozenset[str]) -> Chooser:
    def choose(fitting: Sequence[Candidate], chosen: Chosen) -> Choice:
        del chosen
        return _named(fitting, words)

    return choose


def _named(fitting: Sequence[Candidate], words: frozenset[str]) -> Choice:
    named = tuple(c for c in fitting if c.words & words)
    if named:
        return Choice(named, "all topics of a fitting type with the word in their name")
    return Choice((), "no topic by name" if fitting else "no topic of a fitting type has messages")


_CHOOSERS: Mapping[str, Chooser] = {
    "rgb": _rgb,
    "depth": _depth,
    "camera_info": _camera_info_of("rgb"),
    "depth_camera_info": _camera_info_of("depth"),
    "pose": _pose,
    "tf": _all_of_them,
    "imu": _imu,
    "tracking": _tracking,
    "trajectory": _trajectory,
    "mesh": _mesh,
    "point_cloud": _all_of_them,
    "hands": _named_after(HAND_WORDS),
    "annotations": _named_after(ANNOTATION_WORDS),
}
