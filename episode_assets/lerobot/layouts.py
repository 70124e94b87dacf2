"""What every element of state and action is called, which mask tells where it is true, and which belong together.

A layout is a list of blocks: one quantity of one body, such as the rotation of the left wrist. This module knows their
names; `spaces` computes them in the same order. A new layout starts in `blocks`.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from episode_assets.errors import BadConfig
from episode_assets.lerobot.recipe_layout import ONE_HAND, Layout, Rotation
from episode_assets.lerobot.source import SIDES

Body = Literal["left", "right", "camera"]
Quantity = Literal["position", "rotation", "grip", "pad", "joints", "fingers"]

FINGER_JOINTS = 15
"""Joints of a hand in MANO: index, middle, little finger, ring, thumb, three each."""

_FEWEST = 2
"""A vector of one element is a scalar to readers, and policies stack vectors."""

_XYZ = ("x", "y", "z")
ROTATION_PARTS: dict[Rotation, tuple[str, ...]] = {
    "rot6d": ("r00", "r01", "r02", "r10", "r11", "r12"),
    "quaternion": ("qx", "qy", "qz", "qw"),
    "rotation_vector": ("rx", "ry", "rz"),
    "euler": ("roll", "pitch", "yaw"),
}
"""Names of the numbers of each form of a rotation."""

JOINT_PARTS = tuple(f"{joint:02d}_{axis}" for joint in range(21) for axis in _XYZ)
"""Names of the coordinates of the 21 joints."""

FINGER_PARTS = tuple(f"finger_{joint:02d}_{axis}" for joint in range(FINGER_JOINTS) for axis in _XYZ)
"""Names of the rotation vectors of MANO's joints."""


@dataclass(frozen=True)
class Block:
    """One quantity of one body.

    Attributes:
        body: Whose it is.
        quantity: What it is.
        rotation: Form of a rotation; None for everything else.
        is_step: It is a delta or a velocity. The opening of a hand never is: it is a target in every action.
        is_bare: Names carry no body, because there is only one.
    """

    body: Body
    quantity: Quantity
    rotation: Rotation | None = None
    is_step: bool = False
    is_bare: bool = False

    @property
    def group(self) -> str:
        """Name of the block, such as `left_rotation`."""
        word = "gripper" if self.quantity == "grip" and self.is_bare else self.quantity
        return word if self.is_bare else f"{self.body}_{word}"

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of its numbers without the body."""
        if self.quantity == "rotation" and self.rotation is not None:
            return ROTATION_PARTS[self.rotation]
        choices: dict[str, tuple[str, ...]] = {
            "position": _XYZ,
            "grip": ("gripper",) if self.is_bare else ("grip",),
            "pad": ("pad",),
            "joints": JOINT_PARTS,
            "fingers": FINGER_PARTS,
        }
        return choices[self.quantity]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its numbers: `left_x`; a step is `left_dx`. The one hand of a fixed layout has bare names."""
        if self.is_bare:
            return self.parts
        step = "d" if self.is_step else ""
        return tuple(f"{self.body}_{step}{part}" for part in self.parts)


@dataclass(frozen=True)
class Element:
    """One number of state or action.

    Attributes:
        name: What it is called.
        block: The block it belongs to.
        mask: Bool column and element of it that tell where the number is true; None where it always is.
    """

    name: str
    block: Block
    mask: tuple[str, int] | None


@dataclass(frozen=True)
class Group:
    """Neighbouring elements [start, stop) of a vector that are one quantity.

    Attributes:
        name: `left_rotation` and the like.
        start: First element.
        stop: Element after the last one.
        quantity: What it is.
        rotation: Form of a rotation that is there in full, else None.
        is_step: It is a delta or a velocity, so repeating it goes on moving.
    """

    name: str
    start: int
    stop: int
    quantity: Quantity
    rotation: Rotation | None
    is_step: bool


def check_layout(state: str, layout: Layout) -> None:
    """Refuse choices that do not go together.

    Raises:
        BadConfig: The layout `state` has no such choice, or `layout.drop` names what is not there or leaves too little.
    """
    layout.check_with(state)
    state_elements(state, layout)
    action_elements(state, layout)


def state_blocks(state: str, layout: Layout) -> tuple[Block, ...]:
    """Return what `observation.state` is made of, in order, before anything is dropped."""
    if state in ONE_HAND:
        return _one_hand(layout.hand, is_step=False)
    if state == "joints":
        return tuple(Block(side, "joints") for side in _HANDS)
    if state == "camera":
        return _pose("camera", layout.rotation, is_step=False)
    rest = _rest(state, layout, is_step=False)
    return tuple(
        block for side in _HANDS for block in (*_pose(side, layout.rotation, is_step=False), *rest[side])
    )


def action_blocks(state: str, layout: Layout) -> tuple[Block, ...]:
    """Return what `action` is made of, in order, before anything is dropped."""
    if state in ONE_HAND:
        return tuple(block for block in _one_hand(layout.hand, is_step=True) if block.quantity != "pad")
    is_step = layout.action != "target"
    if state == "joints":
        return tuple(Block(side, "joints", is_step=is_step) for side in _HANDS)
    form = _action_rotation(layout)
    if state == "camera":
        return _pose("camera", form, is_step=is_step)
    rest = _rest(state, layout, is_step=is_step)
    return tuple(block for side in _HANDS for block in (*_pose(side, form, is_step=is_step), *rest[side]))


def state_elements(state: str, layout: Layout) -> tuple[Element, ...]:
    """Return the elements of `observation.state` that the recipe keeps.

    Raises:
        BadConfig: `layout.drop` names what is not there, or leaves nothing.
    """
    return _kept(state, layout, _elements(state_blocks(state, layout), is_action=False))


def action_elements(state: str, layout: Layout) -> tuple[Element, ...]:
    """Return the elements of `action` that the recipe keeps.

    Raises:
        BadConfig: `layout.drop` names what is not there, or leaves nothing.
    """
    return _kept(state, layout, _elements(action_blocks(state, layout), is_action=True))


def hands_told(state: str, layout: Layout) -> tuple[str, ...]:
    """Return the hands whose numbers an action holds: `left`, `right`, both, or none where the camera is what moves."""
    told = {element.block.body for element in action_elements(state, layout)}
    return tuple(side for side in SIDES if side in told)


def tells_euler(state: str, layout: Layout) -> bool:
    """Whether states hold Euler angles, which mean nothing near a pitch of a quarter turn."""
    return any(block.rotation == "euler" for block in state_blocks(state, layout))


def groups(elements: tuple[Element, ...]) -> tuple[Group, ...]:
    """Return the quantities of a vector, in order; a quantity that lost elements is no rotation any more."""
    found: list[Group] = []
    for place, element in enumerate(elements):
        block = element.block
        start = found.pop().start if found and found[-1].name == block.group else place
        is_whole = place + 1 - start == len(block.parts)
        found.append(
            Group(
                block.group,
                start,
                place + 1,
                block.quantity,
                block.rotation if is_whole else None,
                block.is_step,
            )
        )
    return tuple(found)


_HANDS: tuple[Body, Body] = ("left", "right")


def _pose(body: Body, rotation: Rotation, *, is_step: bool) -> tuple[Block, ...]:
    return (
        Block(body, "position", is_step=is_step),
        Block(body, "rotation", rotation=rotation, is_step=is_step),
    )


def _one_hand(hand: Body, *, is_step: bool) -> tuple[Block, ...]:
    return (
        Block(hand, "position", is_step=is_step, is_bare=True),
        Block(hand, "rotation", rotation="euler", is_step=is_step, is_bare=True),
        Block(hand, "pad", is_bare=True),
        Block(hand, "grip", is_bare=True),
    )


def _rest(state: str, layout: Layout, *, is_step: bool) -> dict[Body, tuple[Block, ...]]:
    def of(side: Body) -> tuple[Block, ...]:
        if state == "mano":
            return (Block(side, "fingers", is_step=is_step),)
        return () if layout.grip_of(state) == "none" else (Block(side, "grip"),)

    return {side: of(side) for side in _HANDS}


def _action_rotation(layout: Layout) -> Rotation:
    if layout.action == "target":
        return layout.rotation
    return "rotation_vector" if layout.action == "velocity" else layout.step_rotation


def _elements(blocks: tuple[Block, ...], *, is_action: bool) -> tuple[Element, ...]:
    return tuple(
        Element(name, block, _mask(block, part, is_action=is_action))
        for block in blocks
        for part, name in enumerate(block.names)
    )


def _mask(block: Block, part: int, *, is_action: bool) -> tuple[str, int] | None:
    """Return the mask of one number: its own where a block has one, else that of the whole body."""
    if block.quantity == "pad":
        return None
    if block.body == "camera":
        return ("valid.action", 0) if is_action else ("valid.camera_pose", 0)
    side = SIDES.index(block.body)
    if block.quantity == "grip":
        return ("valid.grip_step" if is_action else "valid.grip", side)
    if block.quantity == "fingers":
        return ("valid.mano_step" if is_action else "valid.mano", side)
    if block.quantity == "joints":
        return ("valid.joint_steps" if is_action else "valid.joints", 21 * side + part // 3)
    return ("valid.action", side) if is_action else (f"valid.{block.body}", 0)


def _kept(state: str, layout: Layout, elements: tuple[Element, ...]) -> tuple[Element, ...]:
    known = dropable(state, layout)
    for name in layout.drop:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known names: {', '.join(sorted(known))}"
            raise BadConfig(f"layout.drop names {name!r}, which state {state!r} does not have", remedy=hint)
    gone = set(layout.drop)
    kept = tuple(element for element in elements if not gone & set(_called(element)))
    if len(kept) < _FEWEST:
        raise BadConfig("layout.drop leaves hardly anything of state or action", remedy="drop fewer elements")
    return kept


def dropable(state: str, layout: Layout) -> frozenset[str]:
    """Return every word that `layout.drop` may hold: names of elements, of groups, and sides."""
    state_names = _elements(state_blocks(state, layout), is_action=False)
    action_names = _elements(action_blocks(state, layout), is_action=True)
    return frozenset(word for element in (*state_names, *action_names) for word in _called(element))


def _called(element: Element) -> tuple[str, ...]:
    own = (element.name, element.block.group)
    return own if element.block.is_bare else (*own, element.block.body)
