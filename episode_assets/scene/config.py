"""The settings of a scene mesh that change its bytes. What only changes the speed does not belong here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from episode_assets.errors import BadConfig

Source = Literal["auto", "marker", "fusion", "none"]


def _number(default: Any, low: float, high: float, help_text: str) -> Any:
    return field(
        default=default, metadata={"help": f"{help_text} {low:g} to {high:g}.", "range": (low, high)}
    )


def _check_ranges(config: Any, *, where: str) -> None:
    for name, item in config.__dataclass_fields__.items():
        if "range" in item.metadata:
            low, high = item.metadata["range"]
            value = getattr(config, name)
            if isinstance(value, bool) or not low <= value <= high:
                raise BadConfig(f"{where}{name} must lie within {low:g} and {high:g}, got {value!r}")


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise BadConfig(f"{name} must be true or false, got {value!r}")


@dataclass(frozen=True)
class ShapeConfig:
    """What is removed from a mesh, closed in it, and how it is made finer."""

    piece_triangles: int = _number(
        30,
        0,
        1_000_000,
        "Loose pieces of fewer triangles that are also smaller than piece_m are dropped. Higher drops more.",
    )
    piece_m: float = _number(
        0.06, 0, 100, "Loose pieces with a smaller diagonal than this, m, are dropped if they are coarse."
    )
    hole_edges: int = _number(
        16,
        0,
        1000,
        "Holes with at most so many edges are closed; what closes them was never measured. 0 closes none.",
    )
    smoothing_steps: int = _number(
        1, 0, 20, "Steps of Laplacian smoothing. Higher is smoother; 0 keeps all noise."
    )
    subdivisions: int = _number(
        2,
        0,
        4,
        "At most so many Loop subdivisions, each of which quarters all triangles. Higher is finer and larger.",
    )
    edge_m: float = _number(
        0.03,
        0.002,
        10,
        "No further subdivision once the median edge is this short, m. Lower is finer and larger.",
    )
    vertices: int = _number(
        300_000,
        100,
        5_000_000,
        "No subdivision that would make more vertices than this. Higher is finer and larger.",
    )
    displacement_m: float = _number(
        0.005,
        0,
        1,
        "How far smoothing, and each subdivision, may move a point of the surface, m. Higher rounds edges off more.",
    )

    def __post_init__(self) -> None:
        _check_ranges(self, where="shape.")


@dataclass(frozen=True)
class ColourConfig:
    """How vertices get colours from blurred pictures."""

    enabled: bool = field(
        default=True, metadata={"help": "Whether vertices are coloured from blurred pictures, true or false."}
    )
    stride: int = _number(
        15,
        1,
        1000,
        "One picture out of so many gives its colours, a key frame if possible. Lower is slower and finer.",
    )
    pictures: int = _number(
        400, 1, 100_000, "At most so many pictures, spread evenly over the recording. Higher is slower."
    )
    distance_m: float = _number(
        6.0, 0.2, 100, "Vertices farther from the camera than this, m, take no colour."
    )
    tolerance_m: float = _number(
        0.08,
        0.001,
        1,
        "Vertices that lie farther than this, m, behind what is in front of them take no colour.",
    )

    def __post_init__(self) -> None:
        _check_flag("colour.enabled", self.enabled)
        _check_ranges(self, where="colour.")


@dataclass(frozen=True)
class FusionConfig:
    """How a mesh is made from depth and camera poses."""

    voxel_m: float = _number(0.04, 0.005, 0.5, "Size of a voxel, m. Lower is finer, slower and larger.")
    truncation_m: float = _number(
        0.12,
        0.01,
        2,
        "Space within this distance, m, of a measured surface is taken for known. At least 2 voxels.",
    )
    depth_m: float = _number(
        4.0, 0.3, 50, "Depth beyond this, m, is not used. Higher reaches farther and is noisier."
    )
    stride: int = _number(
        10, 1, 1000, "One depth image out of so many is used. Lower is slower and less noisy."
    )
    observations: int = _number(
        2, 1, 1000, "Voxels seen in fewer images make no surface. Higher drops more of what moves."
    )
    blocks: int = _number(
        20_000,
        100,
        1_000_000,
        "At most so many blocks of 8 x 8 x 8 voxels, 4 KiB each; what comes later is left out and counted.",
    )

    def __post_init__(self) -> None:
        _check_ranges(self, where="fusion.")
        if self.truncation_m < 2 * self.voxel_m:
            raise BadConfig(
                f"fusion.truncation_m must be at least 2 voxels of {self.voxel_m} m, got {self.truncation_m}"
            )


@dataclass(frozen=True)
class SceneMeshConfig:
    """Where the mesh comes from, and what is done to it."""

    source: Source = field(
        default="auto",
        metadata={
            "help": "'marker' takes the mesh that the recorder sent, 'fusion' makes one from depth and camera poses, "
            "'auto' the first where there is one and else the second, 'none' makes no mesh."
        },
    )
    pairing_s: float = _number(
        0.05,
        0,
        1,
        "Largest distance between a picture or depth image and its partners, s. Higher pairs more, worse.",
    )
    shape: ShapeConfig = field(
        default_factory=ShapeConfig, metadata={"help": "What is removed, closed and refined."}
    )
    colour: ColourConfig = field(
        default_factory=ColourConfig, metadata={"help": "How vertices get colours from blurred pictures."}
    )
    fusion: FusionConfig = field(
        default_factory=FusionConfig, metadata={"help": "How a mesh is made from depth and camera poses."}
    )

    def __post_init__(self) -> None:
        if self.source not in get_args(Source):
            raise BadConfig(f"source must be one of {', '.join(get_args(Source))}, got {self.source!r}")
        _check_ranges(self, where="")
