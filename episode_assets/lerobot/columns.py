"""The columns of a dataset: names, types, units, frames and masks; one record per column.

Other parts derive from these records and never list columns by hand: the Parquet schema, `features` of info.json,
the statistics over valid rows, and the provenance. Keys follow the format's own rules: only what a policy shall
see starts with `observation` or `action`, and every column is one-dimensional.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from episode_assets.lerobot.recipe import Recipe
from episode_assets.outcome import Json

_ARROW = {"float32": pa.float32(), "int64": pa.int64(), "bool": pa.bool_()}

PACKED = ("episode_index", "index", "task_index")
"""Columns that only exist in a dataset: they depend on what else is in it."""


@dataclass(frozen=True)
class Mask:
    """Elements [start, stop) of a column are true where element `index` of the bool column `column` is true."""

    start: int
    stop: int
    column: str
    index: int = 0

    def to_json(self) -> dict[str, Json]:
        """Return plain JSON."""
        return {"elements": [self.start, self.stop], "column": self.column, "index": self.index}


@dataclass(frozen=True)
class Column:
    """One column of the data files.

    Attributes:
        key: Feature name.
        dtype: numpy name of the element type.
        names: One name per element; None for a plain scalar.
        masks: Which elements are true where; empty if all always are.
        about: Unit, frame, rotation convention and kind of quantity, for the provenance.
    """

    key: str
    dtype: str
    names: tuple[str, ...] | None = None
    masks: tuple[Mask, ...] = ()
    about: dict[str, Json] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Number of elements per row."""
        return 1 if self.names is None else len(self.names)

    @property
    def arrow_type(self) -> Any:
        """Return the type in data files: a plain scalar for one element, else a list of fixed size."""
        scalar = _ARROW[self.dtype]
        return scalar if self.names is None else pa.list_(scalar, self.width)

    @property
    def feature(self) -> dict[str, Any]:
        """Return the entry under `features` of info.json."""
        names = None if self.names is None else list(self.names)
        return {"dtype": self.dtype, "shape": [self.width], "names": names}


def data_columns(recipe: Recipe) -> tuple[Column, ...]:
    """Return the columns of the data files in their order."""
    frame = {"episode": "episode", "camera": "optical frame of the row", "world": "world"}[
        recipe.reference_frame
    ]
    pose_frame = "world" if recipe.reference_frame == "world" else "episode"
    hands = (Mask(0, 9, "valid.left"), Mask(9, 18, "valid.right"))
    steps = (Mask(0, 9, "valid.action", 0), Mask(9, 18, "valid.action", 1))
    joints = tuple(Mask(3 * joint, 3 * joint + 3, "valid.joints", joint) for joint in range(42))
    confidences = (Mask(0, 1, "valid.left"), Mask(1, 2, "valid.right"))
    rotation = "wrist axes to the frame, rows 0 and 1 of the matrix (r00 r01 r02 r10 r11 r12)"
    wrist = {"frame": frame, "unit": "m", "rotation": rotation}
    return (
        Column("observation.state", "float32", wrist_names(), hands, {**wrist, "kind": "absolute"}),
        Column(
            "action",
            "float32",
            wrist_names(),
            steps,
            {**wrist, "kind": "target", "reference_step": "state of the next row's frame"},
        ),
        Column("valid.left", "bool", about={"kind": "mask", "of": "left wrist measured in this frame"}),
        Column("valid.right", "bool", about={"kind": "mask", "of": "right wrist measured in this frame"}),
        Column(
            "valid.action",
            "bool",
            ("left", "right"),
            about={"kind": "mask", "of": "both ends of the step measured"},
        ),
        Column(
            "valid.joints",
            "bool",
            joint_mask_names(),
            about={"kind": "mask", "of": "joint seen in this frame"},
        ),
        Column("valid.camera_pose", "bool", about={"kind": "mask", "of": "camera.pose"}),
        Column("valid.camera_intrinsics", "bool", about={"kind": "mask", "of": "camera.intrinsics"}),
        Column("valid.depth", "bool", about={"kind": "mask", "of": "a depth frame belongs to this frame"}),
        Column(
            "hand.joints",
            "float32",
            joint_names(),
            joints,
            {"frame": frame, "unit": "m", "kind": "absolute", "order": "left then right, joint then x y z"},
        ),
        Column(
            "hand.confidence", "float32", ("left", "right"), confidences, {"unit": "ratio", "kind": "score"}
        ),
        Column(
            "camera.pose",
            "float32",
            ("x", "y", "z", "qx", "qy", "qz", "qw"),
            (Mask(0, 7, "valid.camera_pose"),),
            {
                "frame": pose_frame,
                "unit": "m",
                "kind": "absolute",
                "rotation": "optical frame to the frame, x y z w",
            },
        ),
        Column(
            "camera.intrinsics",
            "float32",
            ("fx", "fy", "cx", "cy"),
            (Mask(0, 4, "valid.camera_intrinsics"),),
            {"unit": "px", "kind": "absolute", "of": "the stored picture, pixel centres at whole numbers"},
        ),
        Column(
            "source.hand_kind",
            "int64",
            ("left", "right"),
            about={"codes": "0 missing, 1 measured, 2 interpolated, 3 held"},
        ),
        Column("source.timestamp_ns", "int64", about={"unit": "ns", "of": "true stamp of the picture"}),
        Column("source.dt_ns", "int64", about={"unit": "ns", "of": "true step to the next row's frame"}),
        Column("source.message_number", "int64", about={"of": "colour message in the recording"}),
        Column(
            "source.frame_index",
            "int64",
            about={"of": "position in the bundle version the row was built from"},
        ),
        Column("timestamp", "float32", about={"unit": "s", "of": "frame_index / fps"}),
        Column("frame_index", "int64", about={"of": "row of the episode"}),
        Column("episode_index", "int64", about={"of": "episode of the dataset"}),
        Column("index", "int64", about={"of": "row of the dataset"}),
        Column("task_index", "int64", about={"of": "row of meta/tasks.parquet"}),
    )


def fragment_columns(recipe: Recipe) -> tuple[Column, ...]:
    """Return the columns that one recording's rows have before they are packed."""
    return tuple(column for column in data_columns(recipe) if column.key not in PACKED)


def schema_of(columns: tuple[Column, ...]) -> Any:
    """Return the Arrow schema of data files with these columns; nothing in them may be null."""
    return pa.schema([pa.field(column.key, column.arrow_type) for column in columns])


def wrist_names() -> tuple[str, ...]:
    """Return the 18 element names of state and action: position and rot6d (row form), left then right."""
    parts = ("x", "y", "z", "r00", "r01", "r02", "r10", "r11", "r12")
    return tuple(f"{side}_{part}" for side in ("left", "right") for part in parts)


def joint_mask_names() -> tuple[str, ...]:
    """Return the 42 element names of the joint mask: left then right."""
    return tuple(f"{side}_{joint:02d}" for side in ("left", "right") for joint in range(21))


def joint_names() -> tuple[str, ...]:
    """Return the 126 element names of the joints: left then right, joint then x, y, z."""
    return tuple(
        f"{side}_{joint:02d}_{axis}" for side in ("left", "right") for joint in range(21) for axis in "xyz"
    )
