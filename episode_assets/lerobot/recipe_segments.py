"""Where the tasks of a dataset come from, and whether episodes are cut at them.

What each source says is read in `task_sidecar`, `task_annotations` and `hand_motion`; what becomes of it is decided
in `segments`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from episode_assets.lerobot.choices import check_types, require
from episode_assets.lerobot.recipe_motion import MotionChoice


@dataclass(frozen=True)
class SegmentChoice:
    """The choices behind tasks, subtasks and the cuts between them."""

    source: Literal["auto", "task", "sidecar", "annotations", "motion"] = field(
        default="auto",
        metadata={
            "help": "auto: the file *.tasks.json beside a recording, else its task text; task: the text alone; "
            "sidecar: the file, without which a recording is left out; annotations: the recording's own annotation "
            "topics, free text of people; motion: moments at which the hands rest"
        },
    )
    use: Literal["cut", "tasks", "subtasks"] = field(
        default="cut",
        metadata={
            "help": "cut: every segment is an episode of its own; tasks: episodes are not cut there, and each row has "
            "the task that is being done; subtasks: segments only name parts of episodes"
        },
    )
    outside: Literal["leave_out", "keep"] = field(
        default="leave_out",
        metadata={"help": "Frames in no segment: leave_out, or keep as episodes with the recording's task"},
    )
    topics: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "Annotation topics that count; none: those whose name holds task, instruction, annotation"
        },
    )
    fallback: str = field(
        default="", metadata={"help": "Task of a segment without words; empty takes the recording's task"}
    )
    captioner: str = field(
        default="",
        metadata={
            "help": "Import path package.module:factory of who describes segments without words; empty: nobody"
        },
    )
    captioner_model: str = field(
        default="",
        metadata={"help": "Name and revision of the captioner's model; recorded with every caption"},
    )
    prompt: str = field(
        default="", metadata={"help": "What the captioner is asked; recorded with every caption"}
    )
    caption_frames: int = field(
        default=8, metadata={"help": "Blurred pictures that the captioner sees of a segment, 1 to 256"}
    )
    language: bool = field(
        default=False,
        metadata={"help": "Format v3.0: a column language_persistent with the subtasks of each episode"},
    )
    motion: MotionChoice = field(
        default_factory=MotionChoice, metadata={"help": "How moments of rest are found, for source motion"}
    )

    def __post_init__(self) -> None:
        check_types(self, section="segments")
        require(1 <= self.caption_frames <= 256, "segments.caption_frames", self.caption_frames, "1 to 256")
        is_named = not self.captioner or all(part.strip() for part in self.captioner.partition(":"))
        require(
            is_named, "segments.captioner", self.captioner, "an import path such as package.module:factory"
        )
        require(
            not self.captioner or bool(self.captioner_model),
            "segments.captioner_model",
            self.captioner_model,
            "a name and revision, since a captioner is set and a changed model changes the texts",
        )
