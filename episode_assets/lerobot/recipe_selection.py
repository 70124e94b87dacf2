"""Which recordings may enter a dataset, by what people have said about them beside the recording.

Decided when a dataset is packed, never before: a consent taken back leaves the next version without computing anything
anew. Quality verdict and score are choices of the recipe itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from episode_assets.lerobot.choices import check_types


@dataclass(frozen=True)
class Selection:
    """Conditions that a recording has to meet, all of them; an empty one lets everybody in."""

    recording_ids: tuple[str, ...] = field(
        default=(), metadata={"help": "Recordings that may enter; none named lets all in"}
    )
    without_recording_ids: tuple[str, ...] = field(
        default=(), metadata={"help": "Recordings that must not enter; this is how one is removed"}
    )
    tasks: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "Task texts that may enter, `*` and `?` stand for letters; other episodes stay out"
        },
    )
    tags: tuple[str, ...] = field(
        default=(), metadata={"help": "Tags that a recording must have, all of them"}
    )
    without_tags: tuple[str, ...] = field(
        default=(), metadata={"help": "Tags that a recording must not have, none of them"}
    )
    consent: tuple[str, ...] = field(
        default=(),
        metadata={"help": "Words of consent that may enter, such as research; nothing said stays out"},
    )
    licences: tuple[str, ...] = field(
        default=(), metadata={"help": "Licences that may enter, such as cc-by-4.0; nothing said stays out"}
    )

    def __post_init__(self) -> None:
        check_types(self, section="selection")
