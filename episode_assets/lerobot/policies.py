"""What the common LeRobot policies take from a dataset, and where a dataset does not suit one of them.

The needs are those of the configuration classes of LeRobot 0.6.1 (`validate_features`, `max_state_dim`,
`max_action_dim`, `normalization_mapping`). A new policy is a line in `POLICIES`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from episode_assets.lerobot.existing import Feature

STATE = "observation.state"
ACTION = "action"
_ENVIRONMENT = "observation.environment_state"


@dataclass(frozen=True)
class PolicyNeeds:
    """What one policy asks of a dataset.

    Attributes:
        name: LeRobot's name of the policy (`--policy.type`).
        width_max: Largest width of state and of action; None for any.
        cameras_min: Fewest cameras.
        cameras_max: Most cameras; None for any number.
        shape: What its pictures must be: any shape, all the same, or square.
        normalises: Statistics that it needs of state and action.
        reads_task: Whether it is told the task in words.
    """

    name: str
    width_max: int | None = None
    cameras_min: int = 0
    cameras_max: int | None = None
    shape: Literal["any", "same", "square"] = "any"
    normalises: tuple[str, ...] = ("mean", "std")
    reads_task: bool = False


POLICIES: tuple[PolicyNeeds, ...] = (
    PolicyNeeds("act", cameras_min=1),
    PolicyNeeds("diffusion", cameras_min=1, shape="same", normalises=("min", "max")),
    PolicyNeeds("vqbet", cameras_min=1, cameras_max=1, normalises=("min", "max")),
    PolicyNeeds("tdmpc", cameras_max=1, shape="square", normalises=("min", "max")),
    PolicyNeeds("smolvla", width_max=32, cameras_min=1, reads_task=True),
    PolicyNeeds("pi0", width_max=32, cameras_min=1, reads_task=True),
    PolicyNeeds("pi0_fast", width_max=32, cameras_min=1, reads_task=True),
    PolicyNeeds("pi05", width_max=32, cameras_min=1, normalises=("q01", "q99"), reads_task=True),
    PolicyNeeds("groot", width_max=132, cameras_min=1, normalises=(), reads_task=True),
)


@dataclass(frozen=True)
class PolicyInputs:
    """How LeRobot sorts the features of a dataset; every policy is given all of them.

    Attributes:
        visual: Pictures by key, as (channels, height, width).
        state: Widths of the vectors whose key begins with `observation`.
        action: Widths of the vectors whose key begins with `action`.
        depth: Which of the pictures are distances.
    """

    visual: Mapping[str, tuple[int, ...]]
    state: Mapping[str, int]
    action: Mapping[str, int]
    depth: tuple[str, ...]

    @classmethod
    def of(cls, features: Mapping[str, Feature]) -> PolicyInputs:
        """Sort features by LeRobot's rule: pictures, then by the beginning of the key."""
        visual, state, action = {}, {}, {}
        for key, feature in features.items():
            if feature.is_visual:
                height, width, channels = (*feature.shape, 0, 0, 0)[:3]
                visual[key] = (channels, height, width)
            elif key.startswith("observation"):
                state[key] = feature.width
            elif key.startswith("action"):
                action[key] = feature.width
        depth = tuple(key for key in visual if features[key].is_depth)
        return cls(visual, state, action, depth)


def warnings_for(
    policy: PolicyNeeds,
    inputs: PolicyInputs,
    *,
    statistics: Mapping[str, Mapping[str, Any]],
    tasks: Sequence[str],
) -> Iterator[str]:
    """Yield what one policy would stumble over or learn wrongly.

    Args:
        policy: What it needs.
        inputs: What the dataset gives.
        statistics: stats.json.
        tasks: The task texts.
    """
    yield from _vectors(policy, inputs, statistics)
    yield from _pictures(policy, inputs)
    if policy.reads_task and len(set(tasks)) <= 1 and "unlabelled" in tasks:
        yield "it reads the task, and every row says 'unlabelled'"


def _vectors(
    policy: PolicyNeeds, inputs: PolicyInputs, statistics: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    for key, given in ((STATE, inputs.state), (ACTION, inputs.action)):
        if key not in given:
            yield f"there is no {key}"
            continue
        if policy.width_max is not None and given[key] > policy.width_max:
            yield f"{key} has {given[key]} elements; at most {policy.width_max} fit"
        missing = [name for name in policy.normalises if name not in statistics.get(key, {})]
        if missing:
            yield f"statistics of {key} lack {', '.join(missing)}, by which it normalises"
        others = [name for name in given if name not in (key, _ENVIRONMENT)]
        if others:
            yield f"{', '.join(others)} are loaded and normalised, and only {key} is learned from"


def _pictures(policy: PolicyNeeds, inputs: PolicyInputs) -> Iterator[str]:
    count = len(inputs.visual)
    if count < policy.cameras_min and _ENVIRONMENT not in inputs.state:
        yield f"it needs {policy.cameras_min} camera, there are {count}"
    if policy.cameras_max is not None and count > policy.cameras_max:
        yield f"it takes {policy.cameras_max} camera, there are {count}: {', '.join(inputs.visual)}"
    sizes = {shape[1:] for shape in inputs.visual.values()}
    if policy.shape == "same" and len(sizes) > 1:
        yield f"all pictures must have one size, there are {sorted(sizes)}"
    if policy.shape == "square" and any(height != width for height, width in sizes):
        yield f"pictures must be square, they are {sorted(sizes)}"
    for key in inputs.depth:
        yield f"it takes {key}, which is depth, for one more picture"
