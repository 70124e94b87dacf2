"""What one computation of an asset leaves behind: its files by role, what it skipped, and what it noticed.

Every room's main function writes into a directory that it is given and returns an `Outcome`; `storage` turns it
into a manifest and publishes the directory. A room never publishes by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeAlias

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"


@dataclass(frozen=True)
class Skipped:
    """Something a user may look for and will not find.

    Attributes:
        name: The file, group or stream, named as it would be in the artifact (`mesh.ply`, `annotation.hdf5:/imu`).
        code: A stable word for scripts, such as `no_imu_messages`.
        detail: The reason in words.
    """

    name: str
    code: str
    detail: str

    @property
    def line(self) -> str:
        """The item as readers of the Stera layout expect it: name and reason in one text."""
        return f"{self.name} ({self.detail})"


@dataclass(frozen=True)
class Note:
    """Something that was done, but not exactly as asked, or that a reader of the artifact should know.

    Attributes:
        code: A stable word for scripts, such as `truncated`.
        detail: The observation in words, with values.
        stream: The role or topic concerned, if one is.
        count: How often it happened.
        frame_start: First frame of the bundle that it concerns; None where it has no place among the frames.
        frame_end: Last such frame, inclusive.
        t_start: Time of the first one, seconds from frame 0.
        t_end: Time of the last one.
    """

    code: str
    detail: str
    stream: str | None = None
    count: int = 1
    frame_start: int | None = None
    frame_end: int | None = None
    t_start: float | None = None
    t_end: float | None = None


@dataclass(frozen=True)
class ModelUse:
    """A weight file that took part: registry name, SHA-256 of the untouched file (hex), SPDX licence."""

    name: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class FileFacts:
    """What a file of pictures holds.

    Attributes:
        frames: Number of its pictures.
        duration_s: Time from the first picture to the last, seconds.
    """

    frames: int
    duration_s: float


@dataclass(frozen=True)
class Outcome:
    """The result record of one computation.

    Attributes:
        core: Paths relative to the directory, in any order, that make up the content digest.
        view: Paths that are hashed and listed but outside the digest (previews, timings).
        saved: Names of what was saved, for people (`rgb.mp4`, `annotation.hdf5:/depth`).
        skipped: What is not there, and why.
        warnings: What a reader should know.
        models: Weight files that took part.
        summary: Small numbers and words for the UI and `status`; strict JSON, no paths, no names of people.
        privacy: The audit verdict where pixels are concerned; key `audit` is `passed` or `failed`.
        facts: What files of pictures hold, by path.
        source: What may be told about the recording itself; never its name, place or device.
        datasets: Every dataset inside the files: path, shape, dtype; units and number of valid rows where they apply.
        upstream_models: Weight files that took part in the inputs, for artifacts that travel without them.
    """

    core: tuple[str, ...]
    view: tuple[str, ...] = ()
    saved: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[Note, ...] = ()
    models: tuple[ModelUse, ...] = ()
    summary: Mapping[str, Json] = field(default_factory=dict)
    privacy: Mapping[str, Json] | None = None
    facts: Mapping[str, FileFacts] = field(default_factory=dict)
    source: Mapping[str, Json] | None = None
    datasets: tuple[Mapping[str, Json], ...] = ()
    upstream_models: tuple[ModelUse, ...] = ()

    @property
    def audit_passed(self) -> bool:
        """Whether the computation carries a passed privacy audit."""
        return self.privacy is not None and self.privacy.get("audit") == "passed"

    def described(self) -> dict[str, Json]:
        """Return everything but the file lists as plain JSON, in the manifest's own keys."""
        return {
            "saved": list(self.saved),
            "skipped": [asdict(item) for item in self.skipped],
            "warnings": [asdict(item) for item in self.warnings],
            "models": [asdict(item) for item in self.models],
            "summary": dict(self.summary),
            "privacy": None if self.privacy is None else dict(self.privacy),
        }
