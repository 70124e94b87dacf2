"""Which streams of a recording tell more of people than pictures that are blurred: voices, places, words, other views.

They are told by type, and by the words of the topic where the type says nothing. What is listed here is left out of
everything downstream unless somebody asks for it; a kind that nobody can ask for stays in the recording for good.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from episode_assets.recording.inventory import Inventory, TopicInfo
from episode_assets.recording.roles import words_of

KINDS: Mapping[str, str] = {
    "audio": "sound",
    "location": "places on the globe",
    "text": "free text",
    "pictures": "pictures that nobody has blurred",
    "body": "signals of the body",
    "device": "names of devices",
}
"""Kinds of personal streams, and what they hold in words."""

_PACKAGES: Mapping[str, str] = {
    **dict.fromkeys(("audio_common_msgs", "audio_msgs", "sound_play", "hark_msgs"), "audio"),
    **dict.fromkeys(("gps_common", "gps_msgs", "nmea_msgs", "geographic_msgs", "ublox_msgs"), "location"),
    "diagnostic_msgs": "device",
}
_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("RawAudio", "CompressedAudio", "AudioData", "AudioStamped"), "audio"),
    **dict.fromkeys(("NavSatFix", "NavSatStatus", "LocationFix", "LocationFixes", "GPSFix"), "location"),
    **dict.fromkeys(("String", "Log"), "text"),
    **dict.fromkeys(
        ("Image", "CompressedImage", "RawImage", "CompressedVideo", "FFMPEGPacket"),
        "pictures",
    ),
}
_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("audio", "microphone", "mic", "voice", "speech"), "audio"),
    **dict.fromkeys(("gps", "gnss", "navsat", "geolocation"), "location"),
    **dict.fromkeys(("gaze", "pupil", "heartrate", "ppg", "ecg", "eeg", "emg"), "body"),
}


@dataclass(frozen=True)
class PersonalTopic:
    """One topic with personal content.

    Attributes:
        topic: Its name as written; it may itself tell something.
        kind: One of `KINDS`.
        messages: How many it has.
    """

    topic: str
    kind: str
    messages: int


def personal_topics(inventory: Inventory) -> tuple[PersonalTopic, ...]:
    """Return the topics with personal content that fill no role but that of annotations, those with messages only."""
    found = ((info, _kind_of(info)) for info in inventory.topics if info.count)
    return tuple(PersonalTopic(info.topic, kind, info.count) for info, kind in found if kind is not None)


def _kind_of(info: TopicInfo) -> str | None:
    if info.role == "annotations":
        return "text"
    if info.role is not None:
        return None
    parts = re.split(r"[/.]", info.schema)  # of a name without a package both are that name
    words = sorted(words_of(info.topic) & _WORDS.keys())
    told = (_PACKAGES.get(parts[0]), _TYPES.get(parts[-1]), _WORDS[words[0]] if words else None)
    return next((kind for kind in told if kind is not None), None)
