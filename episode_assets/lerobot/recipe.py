"""What a dataset is made of: one YAML file, read and checked once.

A new choice is a field here with a default that keeps old datasets as they are. What a choice does is written where
it is used (cuts, rows, shards); this module only knows which values are allowed.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from episode_assets.errors import BadConfig

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
_CAMERA = re.compile(r"^[a-z0-9_]{1,64}$")
# What other tools do with a higher count: file-1000 sorts before file-101, and rows get out of order.
_CHUNKS_SIZE_MAX = 1000
_PACKING = ("chunks_size", "data_file_mib", "video_file_mib", "licence")


@dataclass(frozen=True)
class Recipe:
    """The choices behind one dataset; equal recipes and inputs give equal bytes."""

    name: str = field(default="default", metadata={"help": "Name of the dataset, letters, digits, . _ -"})
    robot_type: str = field(
        default="human_hands", metadata={"help": "Embodiment; datasets merge only where it is equal"}
    )
    camera: str = field(
        default="ego", metadata={"help": "Short name of the video feature: observation.images.<camera>"}
    )
    fps: int = field(
        default=0,
        metadata={"help": "Rows per second, whole number; 0 takes it from the recording if within 2 %"},
    )
    timing: Literal["retime", "resample"] = field(
        default="retime",
        metadata={"help": "retime: every frame becomes a row; resample is not available yet and refused"},
    )
    unaligned_start: Literal["snap", "reencode"] = field(
        default="snap",
        metadata={"help": "snap: start at the next key frame; reencode is not available yet and refused"},
    )
    state: Literal["bimanual"] = field(
        default="bimanual", metadata={"help": "Layout of state and action: both wrists, position and rot6d"}
    )
    reference_frame: Literal["episode", "camera", "world"] = field(
        default="episode",
        metadata={"help": "Frame of state, action, joints and (not for camera) camera pose"},
    )
    require_hands: Literal["any", "both", "left", "right", "none"] = field(
        default="any", metadata={"help": "Hands that must be measured; rows without them end the episode"}
    )
    hands_missing: Literal["keep", "leave_out"] = field(
        default="keep",
        metadata={
            "help": "A recording in which nothing meets require_hands: keep it uncut, masks false, or leave_out"
        },
    )
    bridge_s: float = field(
        default=0.2, metadata={"help": "Seconds without a required hand that do not end an episode, 0 to 5"}
    )
    min_episode_s: float = field(
        default=1.0, metadata={"help": "Episodes shorter than this many seconds are left out, 0 to 3600"}
    )
    verdicts: tuple[str, ...] = field(
        default=("pass", "review"), metadata={"help": "Quality verdicts that may enter: pass, review, fail"}
    )
    min_score: float = field(
        default=0.0, metadata={"help": "Quality score from which a recording may enter, 0 to 100"}
    )
    licence: str = field(
        default="other", metadata={"help": "Licence id for the dataset card, such as cc-by-4.0"}
    )
    chunks_size: int = field(default=1000, metadata={"help": "Files per chunk folder, 1 to 1000"})
    data_file_mib: int = field(default=100, metadata={"help": "Size at which a data file is closed, MiB"})
    video_file_mib: int = field(default=200, metadata={"help": "Size at which a video file is closed, MiB"})

    def __post_init__(self) -> None:
        for item in fields(self):
            _check_type(item.name, getattr(self, item.name), get_type_hints(type(self))[item.name])
        _require(bool(_NAME.match(self.name)), "name", self.name, "letters, digits, dot, dash, underscore")
        _require(bool(_CAMERA.match(self.camera)), "camera", self.camera, "lower-case letters, digits, _")
        _require(0 <= self.fps <= 1000, "fps", self.fps, "0 to 1000")
        _require(0 <= self.bridge_s <= 5, "bridge_s", self.bridge_s, "0 to 5")
        _require(0 <= self.min_episode_s <= 3600, "min_episode_s", self.min_episode_s, "0 to 3600")
        _require(0 <= self.min_score <= 100, "min_score", self.min_score, "0 to 100")
        _require(
            bool(self.verdicts) and set(self.verdicts) <= {"pass", "review", "fail"},
            "verdicts",
            self.verdicts,
            "some of pass, review, fail",
        )
        _require(1 <= self.chunks_size <= _CHUNKS_SIZE_MAX, "chunks_size", self.chunks_size, "1 to 1000")
        _require(self.data_file_mib >= 1, "data_file_mib", self.data_file_mib, "1 or more")
        _require(self.video_file_mib >= 1, "video_file_mib", self.video_file_mib, "1 or more")
        _require(self.timing == "retime", "timing", self.timing, "retime (resampling is not available yet)")
        _require(
            self.unaligned_start == "snap",
            "unaligned_start",
            self.unaligned_start,
            "snap (encoding a span anew is not available yet)",
        )

    @property
    def video_key(self) -> str:
        """Name of the camera's video feature."""
        return f"observation.images.{self.camera}"

    @classmethod
    def load(cls, path: Path) -> Recipe:
        """Read a recipe file.

        Raises:
            BadConfig: The file is not there, is no YAML mapping, has an unknown key, or a value is not allowed.
        """
        try:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise BadConfig(
                f"the recipe cannot be read: {type(error).__name__}: {error}", where=path.name
            ) from error
        if not isinstance(loaded, Mapping):
            raise BadConfig("a recipe is a YAML mapping of keys to values", where=path.name)
        return cls.from_mapping(loaded, where=path.name)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
        """Build a recipe from plain values; an unknown key is an error that names the nearest known one."""
        known = [item.name for item in fields(cls)]
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
                raise BadConfig(f"unknown recipe key {key!r}", where=where, remedy=hint)
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**plain)

    def to_mapping(self) -> dict[str, Any]:
        """Return all choices as plain JSON values."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @property
    def rows_digest(self) -> str:
        """SHA-256 (hex) of the choices that decide rows; how rows are put into files is left out."""
        choices = {key: value for key, value in self.to_mapping().items() if key not in _PACKING}
        text = json.dumps(choices, sort_keys=True, allow_nan=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def default_recipe_path() -> Path:
    """Return the file of the recipe that ships with the package."""
    return Path(__file__).parent / "recipes" / "default.yaml"


def _require(holds: bool, name: str, value: object, allowed: str) -> None:
    if not holds:
        raise BadConfig(f"recipe key {name!r} is {value!r}", remedy=f"allowed: {allowed}")


def _check_type(name: str, value: object, kind: Any) -> None:
    if get_origin(kind) is Literal:
        allowed = get_args(kind)
        near = difflib.get_close_matches(str(value), allowed, n=1)
        hint = f", nearest: {near[0]}" if near else ""
        _require(value in allowed, name, value, ", ".join(allowed) + hint)
    elif get_origin(kind) is tuple:
        holds = isinstance(value, tuple) and all(isinstance(item, str) for item in value)
        _require(holds, name, value, "a list of words")
    elif kind is float:
        _require(isinstance(value, int | float) and not isinstance(value, bool), name, value, "a number")
    else:
        _require(type(value) is kind, name, value, f"a value of type {kind.__name__}")
