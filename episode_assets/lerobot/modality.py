"""`modality.json` and the changes to columns that GR00T's reader of v2.0 needs.

That reader takes rotations by the conventions of PyTorch3D: quaternions are w, x, y, z, six numbers are the first two
rows, and three Euler angles are another rotation than ours of the same name, so they carry no type and stay numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from episode_assets.lerobot.columns import Column
from episode_assets.lerobot.layouts import Group, action_elements, groups, state_elements
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.recipe_layout import ONE_HAND

TASK_DESCRIPTION = "human.action.task_description"
TASK_COLUMN = Column(
    f"annotation.{TASK_DESCRIPTION}", "int64", about={"of": "task of the row, as GR00T looks for it"}
)

_ROTATION_TYPES = {"rot6d": "rotation_6d", "quaternion": "quaternion", "rotation_vector": "axis_angle"}
_STATE, _ACTION = "observation.state", "action"


def modality_document(recipe: Recipe, video_keys: Sequence[str]) -> dict[str, Any]:
    """Return `modality.json`: which elements of state and action are one quantity, and what cameras are called."""
    is_one_hand = recipe.state in ONE_HAND
    return {
        "state": _entries(_groups(recipe)[_STATE], recipe, is_action=False),
        "action": _entries(_groups(recipe)[_ACTION], recipe, is_action=True),
        "video": {
            "primary_image" if is_one_hand else key.rpartition(".")[2]: {"original_key": key}
            for key in video_keys
            if not is_one_hand or key == recipe.video_key
        },
        "annotation": {TASK_DESCRIPTION: {}},
    }


def groot_columns(columns: Sequence[Column], recipe: Recipe) -> tuple[Column, ...]:
    """Return the columns with quaternions of state and action as w, x, y, z, and with that of the task."""
    orders = _orders(recipe)
    changed = [
        _reordered(column, orders[column.key]) if column.key in orders else column for column in columns
    ]
    return (*changed, TASK_COLUMN)


def groot_rows(table: Any, recipe: Recipe) -> Any:
    """Change rows of `data_columns` into rows of `groot_columns`."""
    for key, order in _orders(recipe).items():
        place = table.schema.get_field_index(key)
        values = table[key].combine_chunks()
        numbers = np.asarray(values.flatten().to_numpy(zero_copy_only=False)).reshape(len(table), -1)
        flat = pa.array(np.ascontiguousarray(numbers[:, order]).reshape(-1), type=values.type.value_type)
        table = table.set_column(
            place, table.schema.field(place), pa.FixedSizeListArray.from_arrays(flat, len(order))
        )
    return table.append_column(TASK_COLUMN.key, table["task_index"])


def _groups(recipe: Recipe) -> dict[str, tuple[Group, ...]]:
    return {
        _STATE: groups(state_elements(recipe.state, recipe.layout)),
        _ACTION: groups(action_elements(recipe.state, recipe.layout)),
    }


def _orders(recipe: Recipe) -> dict[str, list[int]]:
    """Return the order in which elements are taken, for vectors that hold a quaternion."""
    found = {}
    for key, parts in _groups(recipe).items():
        order = list(range(parts[-1].stop))
        for part in parts:
            if part.rotation == "quaternion":
                order[part.start : part.stop] = [part.stop - 1, *range(part.start, part.stop - 1)]
        if order != sorted(order):
            found[key] = order
    return found


def _reordered(column: Column, order: Sequence[int]) -> Column:
    names = column.names or ()
    about = column.about | {"rotation": "wrist axes to the frame, quaternion w x y z"}
    return replace(column, names=tuple(names[i] for i in order), about=about)


def _entries(parts: Sequence[Group], recipe: Recipe, *, is_action: bool) -> dict[str, Any]:
    if recipe.state not in ONE_HAND:
        return {part.name: _entry(part) for part in parts}
    elements = (action_elements if is_action else state_elements)(recipe.state, recipe.layout)
    owners = [part for part in parts for _ in range(part.start, part.stop)]
    return {
        element.name: _entry(replace(owner, start=i, stop=i + 1, rotation=None))
        for i, (element, owner) in enumerate(zip(elements, owners, strict=True))
    }


def _entry(part: Group) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "start": part.start,
        "end": part.stop,
        # Padding repeats the last row of what is absolute; a step that is repeated would go on moving.
        "absolute": not part.is_step,
        "dtype": "float32",
    }
    if part.rotation in _ROTATION_TYPES:
        entry["rotation_type"] = _ROTATION_TYPES[part.rotation]
    return entry
