"""What a recording holds: topics, roles, rates, gaps, damage; as records and as `inventory.json`.

The inventory knows all metadata of the recording and stays in `raw_mcap`; what may travel on is decided in
`allowed_metadata`. It never holds the file's name or address, so that a renamed file is the same recording.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from episode_assets.recording.containers.container import AttachmentPlace, Damage
from episode_assets.recording.sync import SyncInfo
from episode_assets.recording.timeline import Clock, LogOffset
from episode_assets.recording.wall_clock import TimeUnit, WallClock

SCHEMA = "episode_assets.inventory"
SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Gap:
    """A hole in a stream, by the one gap rule.

    Attributes:
        start_ns: Stamp of the last message before it.
        end_ns: Stamp of the first message after it.
    """

    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class TopicInfo:
    """One topic with one type.

    Attributes:
        topic: Its name as written in the file.
        schema: Type name as written.
        schema_encoding: For example ros2msg.
        message_encoding: For example cdr.
        count: Messages that the file holds, undecodable ones included.
        payload_bytes: Sum of the payload sizes; 0 when only the index was read.
        role: Role it was chosen for, or None.
        undecodable: Messages that could not be decoded; 0 for topics that nobody needs.
        first_error: What was wrong with the first of them.
        cannot_decode: Why no message of this topic can be decoded, or None.
        is_bad: Whether more messages are undecodable than configured.
        frame_id: Frame named by the first decoded message, or empty.
        child_frame_id: Frame that poses of this topic move, where its type names one, or empty.
        picture_format: Format of the first picture of image topics, or empty.
        time_basis: `stamp` (message headers) or `log_time`, for the figures below.
        first_ns: Smallest stamp; None without messages.
        last_ns: Largest stamp; None without messages.
        median_step_ns: Median difference of the sorted stamps; 0 for fewer than two messages.
        repeated_stamps: Messages whose stamp occurred before.
        backward_steps: Messages whose stamp is below their predecessor's in file order.
        largest_backward_step_ns: The largest of those steps.
        log_backward_steps: Messages whose log time is below their predecessor's in file order.
        gaps: Holes in time order, by the one gap rule.
        log_offset: Log time minus stamp; None where messages have no stamps, or many as those of paths, or only the
            index was read.
        without_stamp: Rows that took the log time since their header has no stamp, where others have one.
        unset_rotations: Poses whose quaternion is zero or not finite; they are kept and have no rotation.
        cut_texts: Texts that were longer than what is kept of one.
        left_out_pieces: Pieces of a mesh in another frame than its first one, which are left out.
    """

    topic: str
    schema: str
    schema_encoding: str
    message_encoding: str
    count: int
    payload_bytes: int = 0
    role: str | None = None
    undecodable: int = 0
    first_error: str | None = None
    cannot_decode: str | None = None
    is_bad: bool = False
    frame_id: str = ""
    child_frame_id: str = ""
    picture_format: str = ""
    time_basis: str = "log_time"
    first_ns: int | None = None
    last_ns: int | None = None
    median_step_ns: int = 0
    repeated_stamps: int = 0
    backward_steps: int = 0
    largest_backward_step_ns: int = 0
    log_backward_steps: int = 0
    gaps: tuple[Gap, ...] = ()
    log_offset: LogOffset | None = None
    without_stamp: int = 0
    unset_rotations: int = 0
    cut_texts: int = 0
    left_out_pieces: int = 0

    @property
    def rate_hz(self) -> float | None:
        """Messages per second from the median step; None where it cannot be told."""
        return 1e9 / self.median_step_ns if self.median_step_ns > 0 else None


@dataclass(frozen=True)
class RoleChoice:
    """Which topics fill a role, and why.

    Attributes:
        role: One of `ROLES`.
        topics: Chosen topics; empty when none fits or the choice is ambiguous.
        reason: Why these, or why none.
        candidates: All topics whose type fits.
        is_ambiguous: Whether several topics could fill the role and nothing decides; `reason` names them.
        frames: For poses that were put together from the frame tree, its frames from the fixed one to the link.
        left_out: How many stamps of such poses are left out, since an edge is not known there.
    """

    role: str
    topics: tuple[str, ...]
    reason: str
    candidates: tuple[str, ...] = ()
    is_ambiguous: bool = False
    frames: tuple[str, ...] = ()
    left_out: int = 0

    @property
    def is_filled(self) -> bool:
        """Whether the recording has a stream of this role."""
        return bool(self.topics or self.frames)


@dataclass(frozen=True)
class LinkFromOptical:
    """The rotation from the optical frame to the frame of the poses.

    Attributes:
        rotation: Nine numbers in row order.
        offset_m: Origin of the optical frame in the link, metres.
        source: `tf` (read from the recording), `profile` (layout of a known recorder), `assumed`.
        detail: How it was found.
    """

    rotation: tuple[float, ...]
    offset_m: tuple[float, float, float]
    source: str
    detail: str


@dataclass(frozen=True)
class Inventory:
    """What one recording holds.

    Attributes:
        basis: `scan` (every byte was read) or `index` (the file's own summary; times are log times).
        size_bytes: Size of the file.
        sha256: Digest of the whole file in hex; None after a look at the index only.
        profile: Profile named in the header.
        library: Writer named in the header.
        chunks: Whole chunks.
        compressions: Compressions that occur; `none` for uncompressed chunks.
        messages: Readable messages.
        clock: `epoch` or `relative` (device uptime and the like: show seconds from the start).
        first_ns: Smallest log time; None without messages.
        last_ns: Largest log time; None without messages.
        backward_steps: Messages whose log time is below that of their predecessor in the file.
        largest_backward_step_ns: The largest of those steps.
        truncated: whether the file ends before its closing marker.
        cut_offset: Byte at which the first incomplete record starts, if truncated.
        damage: Stretches that could not be read (the first hundred).
        damage_total: How many there are.
        topics: All topics with their types, in the order of their names, empty ones included.
        roles: What was chosen for each role.
        gravity: `included`, `removed` or `unknown` in the acceleration of the IMU.
        link_from_optical: Rotation between camera and pose frames; None when the index only was read.
        metadata: All metadata records by name; private, never handed on as a whole.
        attachments: Each attachment with its place in the file; their bytes stay there, and are private.
        salvaged_messages: How many of the messages lie in chunks that are cut or broken, before the break. They
            are counted like the others, in their topics as well.
        repeated_metadata: Names of metadata records that occur again; the last of each name is kept.
        has_statistics: Whether the file holds a record of its own counts; they are never taken for counted ones.
        wall_clock: How stamps become wall-clock time, or None where nothing tells.
        log_time_unit: What log times count, where stamps since 1970 tell; anything but `ns` is a fault of the writer.
        sync: How the stamps of pictures and other roles fit; empty when only the index was read.
    """

    basis: str
    size_bytes: int
    sha256: str | None
    profile: str
    library: str
    chunks: int
    compressions: tuple[str, ...]
    messages: int
    clock: Clock
    first_ns: int | None
    last_ns: int | None
    backward_steps: int
    largest_backward_step_ns: int
    truncated: bool
    cut_offset: int | None
    damage: tuple[Damage, ...]
    damage_total: int
    topics: tuple[TopicInfo, ...]
    roles: Mapping[str, RoleChoice]
    gravity: str
    link_from_optical: LinkFromOptical | None
    metadata: Mapping[str, Mapping[str, str]]
    attachments: tuple[AttachmentPlace, ...]
    salvaged_messages: int = 0
    repeated_metadata: tuple[str, ...] = ()
    has_statistics: bool = False
    wall_clock: WallClock | None = None
    log_time_unit: TimeUnit = "ns"
    sync: tuple[SyncInfo, ...] = ()

    def topic(self, name: str) -> TopicInfo | None:
        """Return the topic with that name; with several types under one name, the one that is used or has most."""
        found = [info for info in self.topics if info.topic == name]
        return max(found, key=lambda info: (info.role is not None, info.count), default=None)

    def role(self, role: str) -> TopicInfo | None:
        """Return the (first) topic that fills a role, or None."""
        choice = self.roles.get(role)
        return self.topic(choice.topics[0]) if choice and choice.topics else None

    def to_json(self) -> dict[str, Any]:
        """Return the inventory as plain JSON values."""
        return {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Inventory:
        """Return the inventory of `to_json`'s values."""
        fields = {key: value for key, value in data.items() if key not in {"schema", "schema_version"}}
        link, wall_clock = fields["link_from_optical"], fields["wall_clock"]
        return cls(
            **{
                **fields,
                "compressions": tuple(fields["compressions"]),
                "damage": tuple(_damage_from_json(item) for item in fields["damage"]),
                "topics": tuple(_topic_from_json(item) for item in fields["topics"]),
                "roles": {role: _choice_from_json(item) for role, item in fields["roles"].items()},
                "link_from_optical": None if link is None else _link_from_json(link),
                "attachments": tuple(AttachmentPlace(**item) for item in fields["attachments"]),
                "repeated_metadata": tuple(fields["repeated_metadata"]),
                "wall_clock": None if wall_clock is None else WallClock(**wall_clock),
                "sync": tuple(SyncInfo(**item) for item in fields["sync"]),
            }
        )

    def dumps(self) -> str:
        """Return the bytes of `inventory.json`: sorted keys, one trailing newline."""
        return json.dumps(self.to_json(), indent=2, sort_keys=True, allow_nan=False) + "\n"


def _damage_from_json(item: Mapping[str, Any]) -> Damage:
    return Damage(**{**item, "topics": tuple(item.get("topics", ()))})


def _topic_from_json(item: Mapping[str, Any]) -> TopicInfo:
    offset = item["log_offset"]
    return TopicInfo(
        **{
            **item,
            "gaps": tuple(Gap(**gap) for gap in item["gaps"]),
            "log_offset": None if offset is None else LogOffset(**offset),
        }
    )


def _choice_from_json(item: Mapping[str, Any]) -> RoleChoice:
    lists = {name: tuple(item[name]) for name in ("topics", "candidates", "frames")}
    return RoleChoice(**{**item, **lists})


def _link_from_json(item: Mapping[str, Any]) -> LinkFromOptical:
    x, y, z = item["offset_m"]
    return LinkFromOptical(tuple(item["rotation"]), (x, y, z), item["source"], item["detail"])
