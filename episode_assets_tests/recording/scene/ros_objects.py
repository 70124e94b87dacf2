"""A message tree as objects of rosbags, which serialises both generations of ROS and knows their definitions."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore  # noqa: TID253  # every writer of ROS needs it

from episode_assets_tests.recording.scene.trees import Message, Stamp

OTHER_TYPES = {
    "tf2_msgs/msg/TFMessage": "geometry_msgs/TransformStamped[] transforms",
    "stera/msg/TrackingState": (
        "std_msgs/Header header\nuint8 state\nuint8 reason\nstring state_str\nstring reason_str"
    ),
}
"""Definitions of the types that not every collection has."""


def typestore(generation: Stores) -> Any:
    """Return the standard types of a generation of ROS and those of the scene."""
    store = get_typestore(generation)
    for name, text in OTHER_TYPES.items():
        if name not in store.types:
            store.register(get_types_from_msg(text, name))
    return store


def instance(value: Any, types: Any) -> Any:
    """Return a tree as objects of a generation's types: a header of ROS 1 has a number, and K is spelled K."""
    if isinstance(value, Message):
        kind = types[value.type]
        names = {field.name for field in fields(kind)}
        known = {name if name in names else name.upper(): field for name, field in value.fields.items()}
        numbered = {"seq": 0} if "seq" in names else {}
        return kind(**numbered, **{name: instance(field, types) for name, field in known.items()})
    if isinstance(value, Stamp):
        return types["builtin_interfaces/msg/Time"](*value.parts)
    if isinstance(value, bytes):
        return np.frombuffer(value, np.uint8)
    if isinstance(value, list) and value and isinstance(value[0], float):
        return np.array(value)
    return [instance(item, types) for item in value] if isinstance(value, list) else value
