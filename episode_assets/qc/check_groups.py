"""Which checks belong together, for readers who want one answer per subject."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeVar

Group = Literal["pictures", "streams", "depth", "pose", "imu", "hands", "privacy"]

GROUPS: Mapping[Group, str] = {
    "pictures": "exposure, sharpness, frozen and covered pictures, calibration",
    "streams": "gaps, order of stamps, offsets between streams, truncation",
    "depth": "how much of the depth is measured, and whether it changes",
    "pose": "tracking, jumps and validity of poses, the map",
    "imu": "gravity, saturation and plausibility of the IMU",
    "hands": "presence and anatomy of hands, swapped sides, speed",
    "privacy": "the audit of the blurred video, and whatever nobody audited",
}

_OF_STREAM: Mapping[str, Group] = {
    "rgb": "pictures",
    "depth": "depth",
    "pose": "pose",
    "tracking": "pose",
    "mesh": "pose",
    "imu": "imu",
    "hands": "hands",
}

Answer = TypeVar("Answer", bound=Mapping[str, object])


def group_of(id_: str, stream: str) -> Group:
    """Return the group of a check."""
    if id_ == "privacy":
        return "privacy"
    if id_.endswith("_gap"):
        return "streams"
    return _OF_STREAM.get(stream, "streams")


def answers_in(group: Group, checks: Iterable[Answer]) -> list[Answer]:
    """Return the checks of a group out of those of `qc.json`."""
    return [check for check in checks if group_of(str(check["id"]), str(check["stream"])) == group]
