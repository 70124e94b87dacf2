"""What state and action of a dataset are: the choices that qualify the recipe's `state`.

`state` names the family of numbers (both wrists, one hand, joints, MANO, the camera); this section says in which form
they are told. The layouts of one hand come from another system and are fixed, so most choices are refused there.
What each element is called and means is in `layouts`, how it is computed in `spaces`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

from episode_assets.lerobot.choices import check_types, require

State = Literal["bimanual", "one_hand", "data_juicer", "joints", "mano", "camera"]
Rotation = Literal["rot6d", "quaternion", "rotation_vector", "euler"]

ONE_HAND: tuple[str, ...] = ("one_hand", "data_juicer")
"""Layouts of 8 state and 7 action numbers in the form of LIBERO."""

_FIXED_FOR_ONE_HAND = ("action", "step_frame", "rotation", "step_rotation")


@dataclass(frozen=True)
class Layout:
    """How state and action are told."""

    action: Literal["target", "delta", "velocity"] = field(
        default="target",
        metadata={
            "help": "target: the state of the next frame; delta: the step to it, per period; velocity: per second"
        },
    )
    step_frame: Literal["world", "body"] = field(
        default="world",
        metadata={
            "help": "Axes of deltas and velocities: world: those of the reference frame; body: the hand's own at t"
        },
    )
    rotation: Rotation = field(
        default="rot6d",
        metadata={
            "help": "Form of rotations in states and targets; euler is for export, near pitch 90 it is marked"
        },
    )
    step_rotation: Rotation = field(
        default="rotation_vector",
        metadata={"help": "Form of rotations in deltas; velocities are always rotation vectors"},
    )
    hand: Literal["left", "right"] = field(
        default="right", metadata={"help": "The hand of the layouts of one hand"}
    )
    grip: Literal["preset", "none", "bend", "pinch", "mano"] = field(
        default="preset",
        metadata={
            "help": "Opening of the hand, -1 closed to +1 open, uncalibrated: from finger bends, from the distance of"
            " thumb and index, or from MANO; preset: bend for one hand, else none"
        },
    )
    wrist_axes: Literal["joints", "mano"] = field(
        default="joints",
        metadata={"help": "Orientation of the wrist: from its joints, or MANO's root rotation"},
    )
    extra: tuple[str, ...] = field(
        default=(), metadata={"help": "Further columns that no policy reads: mano, handedness, imu"}
    )
    drop: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "Elements left out of state and action, by name (left_grip), group (left_rotation) or side (left)"
        },
    )
    scarce: Literal["refuse", "keep"] = field(
        default="refuse",
        metadata={
            "help": "An element with hardly any valid rows or no spread: refuse the dataset, or keep it with a warning"
        },
    )

    def __post_init__(self) -> None:
        check_types(self, section="layout")
        known = {"mano", "handedness", "imu"}
        require(set(self.extra) <= known, "layout.extra", self.extra, "some of " + ", ".join(sorted(known)))
        require(len(set(self.drop)) == len(self.drop), "layout.drop", self.drop, "each name once")

    def check_with(self, state: str) -> None:
        """Refuse choices that the layout `state` does not have.

        Raises:
            BadConfig: A fixed choice was changed, or the layout has no such thing as was chosen.
        """
        if state in ONE_HAND:
            defaults = {item.name: item.default for item in fields(self)}
            for name in _FIXED_FOR_ONE_HAND:
                chosen = getattr(self, name)
                require(
                    chosen == defaults[name],
                    f"layout.{name}",
                    chosen,
                    f"{defaults[name]} with state {state!r}, whose form is fixed",
                )
            require(
                self.grip != "none", "layout.grip", self.grip, f"bend, pinch or mano with state {state!r}"
            )
        elif state != "bimanual":
            require(self.grip in ("preset", "none"), "layout.grip", self.grip, f"none with state {state!r}")

    def grip_of(self, state: str) -> str:
        """Return how the opening of a hand is measured under the layout `state`, or `none`."""
        if self.grip == "preset":
            return "bend" if state in ONE_HAND else "none"
        return self.grip

    def needs_mano(self, state: str) -> bool:
        """Whether rows need what networks of the MANO family say."""
        return (
            state == "mano"
            or self.grip_of(state) == "mano"
            or self.wrist_axes == "mano"
            or "mano" in self.extra
        )
