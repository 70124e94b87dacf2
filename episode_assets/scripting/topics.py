"""Topic names that a script gives, and which streams a recording of the phone app has."""

from __future__ import annotations

from dataclasses import dataclass, fields

from episode_assets.errors import MissingStream
from episode_assets.recording import Inventory

EXPECTED_ROLES = (
    "rgb",
    "depth",
    "camera_info",
    "pose",
    "tracking",
    "imu",
    "mesh",
    "point_cloud",
    "tf",
    "trajectory",
)
"""Roles that a complete recording of the phone app fills."""


@dataclass(frozen=True)
class TopicConfig:
    """Topics of a recording whose names do not tell what they are; empty where the recording is left to tell."""

    rgb: str = ""
    depth: str = ""
    camera_pose: str = ""
    rgb_camera_info: str = ""
    depth_camera_info: str = ""
    imu: str = ""
    tracking_state: str = ""
    tf: str = ""
    point_cloud: str = ""
    mesh: str = ""
    mesh_cloud: str = ""
    trajectory: str = ""

    def topic_map(self) -> tuple[str, ...]:
        """Return the entries of `RecordingConfig.topics`."""
        return tuple(
            f"{_ROLES.get(item.name, item.name)}={getattr(self, item.name)}"
            for item in fields(self)
            if getattr(self, item.name)
        )


_ROLES = {
    "camera_pose": "pose",
    "rgb_camera_info": "camera_info",
    "tracking_state": "tracking",
    "mesh_cloud": "point_cloud",
}


def require_all(inventory: Inventory, *, where: str) -> None:
    """Return if the recording has all that the phone app records; raises MissingStream with what it lacks."""
    missing = [role for role in EXPECTED_ROLES if not inventory.roles[role].is_filled]
    if missing:
        present = ", ".join(sorted(info.topic for info in inventory.topics if info.count))
        raise MissingStream(
            f"the recording has no {', '.join(missing)}; topics with messages: {present or 'none'}",
            where=where,
            remedy="leave check_format out to read what there is",
        )
