"""The settings of the recording room.

Add a field here when a choice changes what is read from a recording. Which topic names and types each role accepts
is data in `roles`; which metadata keys may travel is data in `allowed_metadata`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from episode_assets.errors import BadConfig

ROLES = (
    "rgb",
    "depth",
    "camera_info",
    "depth_camera_info",
    "pose",
    "tf",
    "imu",
    "tracking",
    "trajectory",
    "mesh",
    "point_cloud",
    "hands",
    "annotations",
)
"""What a topic can be to this package, in the order in which roles are chosen."""

MANY_TOPIC_ROLES = frozenset({"tf", "point_cloud", "trajectory", "hands", "annotations"})
"""Roles that several topics may share; their messages are united."""


@dataclass(frozen=True)
class RecordingConfig:
    """How a recording is read; every field affects the bytes of `raw_mcap`."""

    topics: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "topic map as 'role=/topic' entries that override the choice by type and name; "
            "'role=' leaves a role unfilled; tf, trajectory, point_cloud, hands and annotations may be given "
            f"several times. Roles: {', '.join(ROLES)}"
        },
    )
    max_chunk_mib: int = field(
        default=512,
        metadata={
            "help": "largest chunk that is unpacked, in MiB, 1..65536; a chunk that claims more is refused "
            "before memory is taken, and counted as damage. Higher reads odder files with more memory"
        },
    )
    bad_stream_ratio: float = field(
        default=0.01,
        metadata={
            "help": "share of undecodable messages, 0..1, above which a stream is marked bad in the inventory; "
            "lower is stricter"
        },
    )

    def __post_init__(self) -> None:
        """Check every field; raises BadConfig."""
        if not 1 <= self.max_chunk_mib <= 65536:
            raise BadConfig(f"max_chunk_mib must be 1..65536, got {self.max_chunk_mib}")
        if not 0 <= self.bad_stream_ratio <= 1:
            raise BadConfig(f"bad_stream_ratio must be 0..1, got {self.bad_stream_ratio}")
        self.topic_map()

    def topic_map(self) -> Mapping[str, tuple[str, ...]]:
        """Return the configured topics by role; an empty tuple means that the role is to stay unfilled."""
        chosen: dict[str, list[str]] = {}
        for entry in self.topics:
            role, separator, topic = entry.partition("=")
            if not separator or role not in ROLES:
                raise BadConfig(
                    f"topics entry {entry!r} is not 'role=/topic'",
                    remedy=f"use one of the roles {', '.join(ROLES)}",
                )
            chosen.setdefault(role, []).extend([topic] if topic else [])
            if len(chosen[role]) > 1 and role not in MANY_TOPIC_ROLES:
                raise BadConfig(f"role {role} is given {len(chosen[role])} topics and takes one")
        return {role: tuple(topics) for role, topics in chosen.items()}
