"""What a dataset is made of: one YAML file, read and checked once.

A new choice is a field with a default that keeps old datasets as they are: here, or in a section, which is a frozen
dataclass in a `recipe_*` file of its own and one field here. What a choice does is written where it is used (cuts,
rows, shards); the recipe only knows which values are allowed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from episode_assets.errors import BadConfig
from episode_assets.lerobot.choices import check_types, from_plain, require, to_plain
from episode_assets.lerobot.layouts import check_layout, hands_told
from episode_assets.lerobot.recipe_camera import CameraView
from episode_assets.lerobot.recipe_depth import DepthFeature
from episode_assets.lerobot.recipe_gaps import GapChoice
from episode_assets.lerobot.recipe_layout import Layout, State
from episode_assets.lerobot.recipe_packing import Packing
from episode_assets.lerobot.recipe_segments import SegmentChoice
from episode_assets.lerobot.recipe_selection import Selection

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
_CAMERA = re.compile(r"^[a-z0-9_]{1,64}$")
# What other tools do with a higher count: file-1000 sorts before file-101, and rows get out of order.
_CHUNKS_SIZE_MAX = 1000
_PACKING = ("chunks_size", "data_file_mib", "video_file_mib", "licence", "packing", "selection")
"""Choices that decide how rows are put into files and which recordings enter, and never what a fragment holds."""


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
        metadata={
            "help": "retime: every frame becomes a row; resample: the nearest frame at each 1/fps, pictures are encoded"
        },
    )
    unaligned_start: Literal["snap", "reencode"] = field(
        default="snap",
        metadata={
            "help": "snap: start at the next key frame; reencode: encode an episode that starts between two"
        },
    )
    state: State = field(
        default="bimanual",
        metadata={
            "help": "What state and action hold: bimanual wrists, one_hand or data_juicer (8 and 7 numbers), all"
            " joints, mano, or the camera's pose"
        },
    )
    layout: Layout = field(
        default_factory=Layout, metadata={"help": "In which form state and action are told"}
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
    camera_view: CameraView = field(
        default_factory=CameraView, metadata={"help": "Size, uprightness and storage of the picture"}
    )
    views: tuple[tuple[str, CameraView], ...] = field(
        default=(),
        metadata={
            "help": "Further pictures of the same camera by short name, each a section like camera_view; they turn "
            "with it"
        },
    )
    depth: DepthFeature = field(default_factory=DepthFeature, metadata={"help": "The depth feature"})
    segments: SegmentChoice = field(
        default_factory=SegmentChoice, metadata={"help": "Where tasks come from, and cuts between them"}
    )
    gaps: GapChoice = field(
        default_factory=GapChoice, metadata={"help": "What is done where time is missing"}
    )
    selection: Selection = field(
        default_factory=Selection, metadata={"help": "What has to be said beside a recording for it to enter"}
    )
    packing: Packing = field(
        default_factory=Packing, metadata={"help": "Version of the format, and division into splits"}
    )

    def __post_init__(self) -> None:
        check_types(self)
        require(bool(_NAME.match(self.name)), "name", self.name, "letters, digits, dot, dash, underscore")
        require(bool(_CAMERA.match(self.camera)), "camera", self.camera, "lower-case letters, digits, _")
        require(0 <= self.fps <= 1000, "fps", self.fps, "0 to 1000")
        require(0 <= self.bridge_s <= 5, "bridge_s", self.bridge_s, "0 to 5")
        require(0 <= self.min_episode_s <= 3600, "min_episode_s", self.min_episode_s, "0 to 3600")
        require(0 <= self.min_score <= 100, "min_score", self.min_score, "0 to 100")
        require(
            bool(self.verdicts) and set(self.verdicts) <= {"pass", "review", "fail"},
            "verdicts",
            self.verdicts,
            "some of pass, review, fail",
        )
        require(1 <= self.chunks_size <= _CHUNKS_SIZE_MAX, "chunks_size", self.chunks_size, "1 to 1000")
        require(self.data_file_mib >= 1, "data_file_mib", self.data_file_mib, "1 or more")
        require(self.video_file_mib >= 1, "video_file_mib", self.video_file_mib, "1 or more")
        check_layout(self.state, self.layout)
        _check_views(self.camera, self.views)
        require(
            not self.image_keys or self.packing.version != "v2.0",
            "packing.version",
            self.packing.version,
            "v3.0 or v2.1 with images in the rows; readers of v2.0 take videos",
        )

    @property
    def required_hands(self) -> str:
        """`require_hands` for the hands that actions hold: where it is only one, `any` and `both` mean that one."""
        told = hands_told(self.state, self.layout)
        if not told:
            return "none"
        return told[0] if len(told) == 1 and self.require_hands in ("any", "both") else self.require_hands

    @property
    def video_key(self) -> str:
        """Name of the camera's video feature."""
        return f"observation.images.{self.camera}"

    @property
    def depth_key(self) -> str:
        """Name of the depth feature."""
        return f"observation.images.{self.camera}_depth"

    @property
    def camera_keys(self) -> tuple[str, ...]:
        """Names of all features that are pictures, colour first."""
        return (*self.colour_views, self.depth_key) if self.depth.enabled else tuple(self.colour_views)

    @property
    def colour_views(self) -> dict[str, CameraView]:
        """What each colour feature shows, by its name; the camera itself first."""
        further = {f"observation.images.{name}": view for name, view in self.views}
        return {self.video_key: self.camera_view, **further}

    @property
    def image_keys(self) -> tuple[str, ...]:
        """Names of those whose pictures lie in the data files; the others lie in videos."""
        in_rows = {key: view.store == "images" for key, view in self.colour_views.items()}
        in_rows[self.depth_key] = self.depth.store == "tiff"
        return tuple(key for key in self.camera_keys if in_rows[key])

    @property
    def video_keys(self) -> tuple[str, ...]:
        """Names of those whose pictures lie in videos."""
        return tuple(key for key in self.camera_keys if key not in self.image_keys)

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
        return cls.from_mapping(loaded, where=path.name)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
        """Build a recipe from plain values; an unknown key is an error that names the nearest known one.

        Raises:
            BadConfig: A key is unknown or a value is not allowed, in the recipe or one of its sections.
        """
        return from_plain(cls, values, where=where)

    def to_mapping(self) -> dict[str, Any]:
        """Return all choices as plain JSON values."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    def for_rows(self) -> Recipe:
        """Return the recipe with the defaults of all choices that no contribution depends on."""
        defaults = Recipe()
        return replace(self, **{name: getattr(defaults, name) for name in _PACKING})

    def rows_mapping(self) -> dict[str, Any]:
        """Return the choices that decide rows as plain JSON values; how rows are put into files is left out."""
        return {key: value for key, value in self.to_mapping().items() if key not in _PACKING}

    @property
    def rows_digest(self) -> str:
        """SHA-256 (hex) of the choices that decide rows."""
        text = json.dumps(self.rows_mapping(), sort_keys=True, allow_nan=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _check_views(camera: str, views: tuple[tuple[str, CameraView], ...]) -> None:
    taken = {camera, f"{camera}_depth", "depth"}
    for name, view in views:
        require(
            bool(_CAMERA.match(name)) and name not in taken, "views", name, "names of their own: a-z, 0-9, _"
        )
        require(
            view.upright == "none", f"views.{name}.upright", view.upright, "none; views turn with the camera"
        )
        taken.add(name)


def default_recipe_path() -> Path:
    """Return the file of the recipe that ships with the package."""
    return Path(__file__).parent / "recipes" / "default.yaml"
