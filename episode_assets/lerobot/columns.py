"""The columns of a dataset: names, types, units, frames and masks; one record per column.

Other parts derive from these records and never list columns by hand: the Parquet schema, `features` of info.json,
the statistics over valid rows, and the provenance. Keys follow the format's own rules: only what a policy shall
see starts with `observation` or `action`, and every column is one-dimensional.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pyarrow as pa

from episode_assets.lerobot.grip import DEFINITIONS as GRIPS
from episode_assets.lerobot.layouts import (
    FINGER_PARTS,
    JOINT_PARTS,
    ROTATION_PARTS,
    Element,
    Group,
    action_elements,
    groups,
    state_elements,
    tells_euler,
)
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.recipe_layout import ONE_HAND
from episode_assets.lerobot.source import SIDES
from episode_assets.outcome import Json

_ARROW = {"float32": pa.float32(), "int64": pa.int64(), "bool": pa.bool_()}

ROTATIONS = {
    "rot6d": "rows 0 and 1 of the matrix (r00 r01 r02 r10 r11 r12)",
    "quaternion": "quaternion x y z w",
    "rotation_vector": "rotation vector",
    "euler": "roll pitch yaw about the fixed axes x, y, z (R = Rz Ry Rx)",
}
"""What the numbers of each form of a rotation are, for the provenance."""

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
        groups: What neighbouring elements are together; only state and action have any.
        constant: Names of elements that are the same in all rows by definition.
    """

    key: str
    dtype: str
    names: tuple[str, ...] | None = None
    masks: tuple[Mask, ...] = ()
    about: dict[str, Json] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    constant: tuple[str, ...] = ()

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


@cache
def data_columns(recipe: Recipe) -> tuple[Column, ...]:
    """Return the columns of the data files in their order; packing asks for them with every episode."""
    return (
        *_policy_columns(recipe),
        *_mask_columns(recipe),
        *_hand_columns(recipe),
        *_camera_columns(recipe),
        *_imu_columns(recipe),
        *(_view_intrinsics(name) for name, _ in recipe.views),
        *(_DEPTH_COLUMNS if recipe.depth.enabled else ()),
        *_ROW_COLUMNS,
    )


def _frame_of(recipe: Recipe) -> str:
    return "optical frame of the row" if recipe.reference_frame == "camera" else recipe.reference_frame


def _pose_frame_of(recipe: Recipe) -> str:
    return "world" if recipe.reference_frame == "world" else "episode"


def _policy_columns(recipe: Recipe) -> tuple[Column, Column]:
    state, action = (find(recipe.state, recipe.layout) for find in (state_elements, action_elements))
    return (
        _vector("observation.state", state, {"kind": "absolute"}, recipe),
        _vector("action", action, _action_kind(recipe), recipe),
    )


def _vector(key: str, elements: tuple[Element, ...], kind: dict[str, Json], recipe: Recipe) -> Column:
    frame = _pose_frame_of(recipe) if recipe.state == "camera" else _frame_of(recipe)
    found = groups(elements)
    about: dict[str, Json] = {
        "frame": frame,
        **kind,
        "layout": recipe.state,
        "unit": _units(found, recipe, key),
    }
    rotations = sorted({group.rotation for group in found if group.rotation})
    if rotations:
        about["rotation"] = "; ".join(f"{ROTATIONS[form]}, {_maps(key, recipe)}" for form in rotations)
    if any(group.quantity == "grip" for group in found):
        about["grip"] = GRIPS[recipe.layout.grip_of(recipe.state)]
    about["groups"] = [{"name": g.name, "elements": [g.start, g.stop], "quantity": g.quantity} for g in found]
    names = tuple(element.name for element in elements)
    constant = tuple(element.name for element in elements if element.block.quantity == "pad")
    return Column(key, "float32", names, _runs_of_masks(elements), about, found, constant)


def _units(found: tuple[Group, ...], recipe: Recipe, key: str) -> Json:
    """Return the unit of each quantity of a vector."""
    rate = "/s" if key == "action" and recipe.layout.action == "velocity" else ""
    units: dict[str, Json] = {}
    for group in found:
        if group.quantity in ("position", "joints"):
            units[group.quantity] = "m" + rate
        elif group.quantity == "fingers" or group.rotation in ("rotation_vector", "euler"):
            units[group.quantity] = "rad" + rate
    return units


def _maps(key: str, recipe: Recipe) -> str:
    is_step = key == "action" and (recipe.layout.action != "target" or recipe.state in ONE_HAND)
    axes = "camera" if recipe.state == "camera" else "wrist"
    if not is_step:
        return f"{axes} axes to the frame"
    if recipe.layout.step_frame == "body":
        return f"turn about the {axes}'s own axes at the row: R[t]^T R[t+1]"
    return "turn about the axes of the frame: R[t+1] R[t]^T"


def _action_kind(recipe: Recipe) -> dict[str, Json]:
    layout = recipe.layout
    reference = "the frame after the row's"
    if recipe.state == "data_juicer":
        return {"kind": "delta", "reference_step": reference, "last_row": "zeros, and its own gripper"}
    if recipe.state == "one_hand":
        return {"kind": "delta", "reference_step": reference, "scaled_to": "one period of the grid"}
    if layout.action == "target":
        return {"kind": "target", "reference_step": f"state of {reference}"}
    axes = "of the frame" if layout.step_frame == "world" else "the body's own at the row"
    scaled = "one second" if layout.action == "velocity" else "one period of the grid"
    return {"kind": layout.action, "axes": axes, "reference_step": reference, "scaled_to": scaled}


def _runs_of_masks(elements: tuple[Element, ...]) -> tuple[Mask, ...]:
    """Return one record for every run of elements that share a mask."""
    masks: list[Mask] = []
    for place, element in enumerate(elements):
        if element.mask is None:
            continue
        column, index = element.mask
        if masks and (masks[-1].stop, masks[-1].column, masks[-1].index) == (place, column, index):
            masks[-1] = replace(masks[-1], stop=place + 1)
        else:
            masks.append(Mask(place, place + 1, column, index))
    return tuple(masks)


def _flags(key: str, meaning: str, names: tuple[str, ...] | None = None) -> Column:
    kind = "mask" if key.startswith("valid.") else "flag"
    return Column(key, "bool", names, about={"kind": kind, "of": meaning})


def _mask_columns(recipe: Recipe) -> tuple[Column, ...]:
    is_camera = recipe.state == "camera"
    columns = [
        _flags("valid.left", "left wrist measured in this frame"),
        _flags("valid.right", "right wrist measured in this frame"),
        _flags(
            "valid.action",
            "both ends of the step measured, no pictures missing between",
            None if is_camera else SIDES,
        ),
        _flags("valid.joints", "joint seen in this frame", joint_mask_names()),
    ]
    if recipe.state == "joints":
        columns.append(_flags("valid.joint_steps", "joint seen at both ends of the step", joint_mask_names()))
    if recipe.layout.grip_of(recipe.state) != "none":
        columns.append(_flags("valid.grip", "opening measured in this frame", SIDES))
        columns.append(_flags("valid.grip_step", "opening measured at both ends of the step", SIDES))
    if recipe.state == "mano" or "mano" in recipe.layout.extra:
        columns.append(_flags("valid.mano", "MANO's numbers come from this frame", SIDES))
    if recipe.state == "mano":
        columns.append(_flags("valid.mano_step", "MANO's numbers known at both ends of the step", SIDES))
    if "handedness" in recipe.layout.extra:
        columns.append(_flags("valid.handedness", "the detector says which hand it is", SIDES))
    if "imu" in recipe.layout.extra:
        names = ("linear_acceleration", "angular_velocity")
        columns.append(_flags("valid.imu", "the sensor felt something around this frame", names))
    return (
        *columns,
        _flags("valid.camera_pose", "camera.pose"),
        _flags("valid.camera_intrinsics", "camera.intrinsics"),
        _flags("valid.depth", "a depth frame belongs to this frame"),
    )


def _hand_columns(recipe: Recipe) -> tuple[Column, ...]:
    joints = tuple(Mask(3 * joint, 3 * joint + 3, "valid.joints", joint) for joint in range(42))
    order = "left then right, joint then x y z"
    columns = [
        Column(
            "hand.joints",
            "float32",
            joint_names(),
            joints,
            {"frame": _frame_of(recipe), "unit": "m", "kind": "absolute", "order": order},
        ),
        Column("hand.confidence", "float32", SIDES, _BOTH, {"unit": "ratio", "kind": "score"}),
    ]
    if tells_euler(recipe.state, recipe.layout):
        meaning = "pitch within 0.001 rad of a quarter turn: roll and yaw mean nothing alone"
        is_camera = recipe.state == "camera"
        key = "camera.near_gimbal_lock" if is_camera else "hand.near_gimbal_lock"
        columns.append(_flags(key, meaning, None if is_camera else SIDES))
    if "handedness" in recipe.layout.extra:
        told = _sides("valid.handedness", 1)
        about: dict[str, Json] = {"unit": "ratio", "kind": "score", "of": "it is a right hand"}
        columns.append(Column("hand.handedness", "float32", SIDES, told, about))
    if "mano" in recipe.layout.extra:
        columns += _mano_columns(recipe)
    return tuple(columns)


def _mano_columns(recipe: Recipe) -> list[Column]:
    parts = {
        "hand.mano_orientation": ROTATION_PARTS["rotation_vector"],
        "hand.mano_fingers": FINGER_PARTS,
        "hand.mano_betas": tuple(f"beta_{number}" for number in range(10)),
    }
    about: dict[str, dict[str, Json]] = {
        "hand.mano_orientation": {
            "frame": _frame_of(recipe),
            "unit": "rad",
            "rotation": f"{ROTATIONS['rotation_vector']}, root of the hand to the frame",
        },
        "hand.mano_fingers": {"unit": "rad", "order": "index, middle, little finger, ring, thumb"},
        "hand.mano_betas": {
            "of": "shape of the hand; it tells people apart and never leaves with a public copy"
        },
    }
    return [
        Column(
            key,
            "float32",
            tuple(f"{side}_{part}" for side in SIDES for part in names),
            _sides("valid.mano", len(names)),
            {"kind": "absolute", **about[key]},
        )
        for key, names in parts.items()
    ]


def _sides(column: str, width: int) -> tuple[Mask, ...]:
    return (Mask(0, width, column, 0), Mask(width, 2 * width, column, 1))


def _camera_columns(recipe: Recipe) -> tuple[Column, ...]:
    pose: dict[str, Json] = {
        "frame": _pose_frame_of(recipe),
        "unit": "m",
        "kind": "absolute",
        "rotation": "optical frame to the frame, x y z w",
    }
    names = ("x", "y", "z", "qx", "qy", "qz", "qw")
    return (
        Column("camera.pose", "float32", names, (Mask(0, 7, "valid.camera_pose"),), pose),
        _intrinsics("camera.intrinsics", "valid.camera_intrinsics", "picture"),
    )


def _intrinsics(key: str, mask: str, of: str) -> Column:
    about: dict[str, Json] = {
        "unit": "px",
        "kind": "absolute",
        "of": f"the stored {of}, pixel centres at whole numbers",
    }
    return Column(key, "float32", ("fx", "fy", "cx", "cy"), (Mask(0, 4, mask),), about)


def _view_intrinsics(name: str) -> Column:
    return _intrinsics(f"camera.{name}_intrinsics", "valid.camera_intrinsics", f"picture of view {name}")


_DEPTH_COLUMNS = (
    _flags("valid.depth_intrinsics", "camera.depth_intrinsics"),
    _intrinsics("camera.depth_intrinsics", "valid.depth_intrinsics", "depth image"),
)


def _imu_columns(recipe: Recipe) -> tuple[Column, ...]:
    if "imu" not in recipe.layout.extra:
        return ()
    of = "mean of the samples within half a picture interval of the stamp"
    units = {"imu.linear_acceleration": "m/s^2", "imu.angular_velocity": "rad/s"}
    return tuple(
        Column(
            key,
            "float32",
            ("x", "y", "z"),
            (Mask(0, 3, "valid.imu", part),),
            {"frame": "sensor", "unit": unit, "kind": "absolute", "of": of},
        )
        for part, (key, unit) in enumerate(units.items())
    )


_BOTH = (Mask(0, 1, "valid.left"), Mask(1, 2, "valid.right"))

_ROW_COLUMNS = (
    Column(
        "source.hand_kind",
        "int64",
        SIDES,
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


def joint_mask_names() -> tuple[str, ...]:
    """Return the 42 element names of the joint mask: left then right."""
    return tuple(f"{side}_{joint:02d}" for side in SIDES for joint in range(21))


def joint_names() -> tuple[str, ...]:
    """Return the 126 element names of the joints: left then right, joint then x, y, z."""
    return tuple(f"{side}_{part}" for side in SIDES for part in JOINT_PARTS)
