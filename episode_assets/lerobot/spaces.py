"""Computes states and actions of one episode in the layout of a recipe.

Rotations are composed, scaled and averaged as rotations; their numbers are only written down at the end. A step is told
per nominal period (or second), so a late picture does not look like a fast hand. Names of the numbers are in `layouts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import (
    continuous_quaternions,
    continuous_rotation_vectors,
    rotation_exp,
    rotation_log,
)
from episode_assets.lerobot.bodies import Bodies
from episode_assets.lerobot.layouts import (
    Block,
    Element,
    action_blocks,
    action_elements,
    state_blocks,
    state_elements,
)
from episode_assets.lerobot.one_hand import one_hand_actions, one_hand_states
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.recipe_layout import Rotation
from episode_assets.lerobot.rotation_forms import TO_NUMBERS
from episode_assets.lerobot.wrist import hold

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_IDENTITY = np.eye(3)


@dataclass(frozen=True)
class Steps:
    """The way from each row to the frame after it.

    Attributes:
        now: The n rows.
        then: The frames after them, told in the frame of their row.
        possible: (n,) time goes on and no pictures are missing between the two.
        dt_s: (n,) seconds between the two, as the stamps say.
        period_s: Nominal time from row to row.
    """

    now: Bodies
    then: Bodies
    possible: Flags
    dt_s: Floats
    period_s: float


def states_and_actions(steps: Steps, recipe: Recipe) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return `observation.state` (n, D) and `action` (n, A) of n rows.

    Where a body is not present, states and targets hold the last value and steps are zero; masks tell so.
    """
    state, layout = recipe.state, recipe.layout
    at_state, at_action = state_blocks(state, layout), action_blocks(state, layout)
    if state == "data_juicer":
        states, actions = _data_juicer(steps, at_state)
    else:
        states = np.concatenate([_absolute(steps, block)[0] for block in at_state], axis=1)
        actions = np.concatenate([_action(steps, block, recipe) for block in at_action], axis=1)
    kept_state = _places(at_state, state_elements(state, layout))
    kept_action = _places(at_action, action_elements(state, layout))
    return states[:, kept_state].astype(np.float32), actions[:, kept_action].astype(np.float32)


def rotation_numbers(rotation: Floats, form: Rotation) -> Floats:
    """Return rotations (N, 3, 3) as numbers (N, D); signs of quaternions and half turns follow their predecessors.

    Args:
        rotation: NaN where unknown.
        form: `rot6d` (rows 0 and 1), `quaternion` (x, y, z, w), `rotation_vector` [rad], or `euler` (roll, pitch, yaw,
            extrinsic x, y, z) [rad].
    """
    numbers = TO_NUMBERS[form](rotation)
    if form == "quaternion":
        return continuous_quaternions(numbers)
    return continuous_rotation_vectors(numbers) if form == "rotation_vector" else numbers


def _action(steps: Steps, block: Block, recipe: Recipe) -> Floats:
    is_target = not block.is_step or block.quantity in ("grip", "pad")
    return _absolute(steps, block)[1] if is_target else _step(steps, block, recipe)


def _absolute(steps: Steps, block: Block) -> tuple[Floats, Floats]:
    """Return the numbers of a block at the rows and at the frames after them, (n, D) each, holes filled."""
    if block.quantity == "pad":
        zeros = np.zeros((len(steps.dt_s), 1))
        return zeros, zeros
    now, is_now = steps.now.read(block)
    then, is_then = steps.then.read(block)
    # A row after the last, and one before the first: both series see all there is to hold.
    states = _numbers(np.concatenate([now, then[-1:]]), block)
    targets = _numbers(np.concatenate([now[:1], then]), block)
    never = _numbers(_unknown(now), block)[0]
    return (
        hold(states, np.append(is_now, is_then[-1:]), never=never)[:-1],
        hold(targets, np.concatenate([is_now[:1], is_then]), never=never)[1:],
    )


def _step(steps: Steps, block: Block, recipe: Recipe) -> Floats:
    now, is_now = steps.now.read(block)
    then, is_then = steps.then.read(block)
    known = is_now & is_then & steps.possible
    span_s = 1.0 if recipe.layout.action == "velocity" else steps.period_s
    factor = np.divide(span_s, steps.dt_s, out=np.zeros_like(steps.dt_s), where=known)
    is_body = recipe.layout.step_frame == "body"
    if block.quantity in ("rotation", "fingers"):
        return _turn(now, then, known, factor, block, is_body=is_body)
    moved = (then - now) * factor.reshape(-1, *[1] * (now.ndim - 1))
    if is_body:
        axes, _ = steps.now.read(Block(block.body, "rotation"))
        moved = np.einsum("nji,n...j->n...i", axes, moved)
    return np.where(known[:, None], moved.reshape(len(now), -1), 0.0)


def _turn(now: Floats, then: Floats, known: Flags, factor: Floats, block: Block, *, is_body: bool) -> Floats:
    back = np.swapaxes(now, -1, -2)
    turn = back @ then if is_body else then @ back
    turn = np.where(known.reshape(-1, *[1] * (turn.ndim - 1)), turn, _IDENTITY)
    vector = rotation_log(turn) * factor.reshape(-1, *[1] * (turn.ndim - 2))
    if block.quantity == "fingers" or block.rotation == "rotation_vector":
        return vector.reshape(len(now), -1)
    return _numbers(rotation_exp(vector), block)


def _numbers(values: Floats, block: Block) -> Floats:
    if block.quantity == "fingers":
        return rotation_log(values).reshape(len(values), -1)
    if block.quantity == "rotation" and block.rotation is not None:
        return rotation_numbers(values, block.rotation)
    return values.reshape(len(values), -1)


def _unknown(like: Floats) -> Floats:
    """Return one frame of what stands for something that was never seen: no turn, at the origin."""
    shape = like.shape[1:]
    return np.broadcast_to(_IDENTITY if shape[-2:] == (3, 3) else 0.0, (1, *shape))


def _data_juicer(steps: Steps, blocks: tuple[Block, ...]) -> tuple[Any, Any]:
    position, rotation, _, grip = blocks
    place, turn, opening = (_held(steps.now, block) for block in (position, rotation, grip))
    states = one_hand_states(place, turn, opening)
    actions = one_hand_actions(states)
    _, is_now = steps.now.read(position)
    _, is_then = steps.then.read(position)
    # The last row is part of the layout; a step from or to a hand that is not there is not.
    actions[~(is_now & is_then & steps.possible), :6] = 0.0
    return states, actions


def _held(bodies: Bodies, block: Block) -> Floats:
    values, present = bodies.read(block)
    flat = hold(values.reshape(len(values), -1), present, never=_unknown(values).reshape(-1))
    return flat.reshape(values.shape)


def _places(blocks: tuple[Block, ...], kept: tuple[Element, ...]) -> list[int]:
    names = [name for block in blocks for name in block.names]
    return [names.index(element.name) for element in kept]
