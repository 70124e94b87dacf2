"""Which session metadata may travel downstream of `raw_mcap`.

The list is an allow-list: a key that nobody has judged does not pass. Names and models of devices, places, paths
and free text never belong here.
"""

from __future__ import annotations

from collections.abc import Mapping

ALLOWED_KEYS = frozenset(
    {
        "resolution",
        "camera_resolution",
        "recording_resolution",
        "rgb_target_fps",
        "fps",
        "imu_reference_frame",
        "session_duration_seconds",
        "tracking_loss_events",
        "tracking_pause_count",
        "depth_supported",
        "mesh_supported",
        "rgb_encoded_count",
        "depth_captured_count",
        "total_imu_samples",
        "rgb_start_ns",
        "rgb_end_ns",
    }
)

ALLOWED_PREFIXES = ("camera_imu_extrinsic.",)

LONGEST_VALUE = 200
"""Longer values are free text, whatever their key says."""

KNOWN_PROFILES = frozenset({"", "ros1", "ros2"})
"""Profiles that the MCAP registry knows; any other text was made up by whoever wrote the file."""

MISSING_TEXT = "null"
"""The phone app writes this text where a value is absent."""


def allowed(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the entries that may travel, without those that are absent by the app's own spelling."""
    return {
        key: value
        for key, value in sorted(metadata.items())
        if value != MISSING_TEXT
        and len(value) <= LONGEST_VALUE
        and (key in ALLOWED_KEYS or key.startswith(ALLOWED_PREFIXES))
    }


def allowed_profile(profile: str) -> str | None:
    """Return the profile of an MCAP header where it is a known word, else `None`."""
    return profile if profile in KNOWN_PROFILES else None
