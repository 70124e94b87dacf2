"""What a dataset is, in numbers, and what each common policy will see of it; nothing is judged as damage here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from episode_assets.lerobot.existing import ExistingDataset, open_dataset
from episode_assets.lerobot.existing.damage import named_damage
from episode_assets.lerobot.policies import POLICIES, PolicyInputs, warnings_for


@dataclass(frozen=True)
class DatasetSummary:
    """A dataset at a glance.

    Attributes:
        version: Version of the format.
        robot_type: Embodiment.
        fps: Rows per second.
        episodes: Number of episodes.
        frames: Number of rows.
        recordings: Number of recordings they come from; None where nobody says.
        tasks: Task texts.
        size_bytes: Bytes of all files.
        inputs: What policies are given.
        not_seen: Columns that no policy is given.
        valid_ratio: Share of the rows in which an action was measured, by element name; None without masks.
        warnings: What to know before training, by policy; `all` for every one.
    """

    version: str
    robot_type: str | None
    fps: int
    episodes: int
    frames: int
    recordings: int | None
    tasks: tuple[str, ...]
    size_bytes: int
    inputs: PolicyInputs
    not_seen: tuple[str, ...]
    valid_ratio: Mapping[str, float] | None
    warnings: Mapping[str, tuple[str, ...]]

    @property
    def seconds(self) -> float:
        """Length of all episodes together."""
        return self.frames / self.fps

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        inputs = self.inputs
        return {
            "version": self.version,
            "robot_type": self.robot_type,
            "fps": self.fps,
            "episodes": self.episodes,
            "frames": self.frames,
            "seconds": self.seconds,
            "recordings": self.recordings,
            "tasks": list(self.tasks),
            "size_bytes": self.size_bytes,
            "visual": {key: list(shape) for key, shape in inputs.visual.items()},
            "depth": list(inputs.depth),
            "state": dict(inputs.state),
            "action": dict(inputs.action),
            "not_seen": list(self.not_seen),
            "valid_ratio": None if self.valid_ratio is None else dict(self.valid_ratio),
            "warnings": {name: list(items) for name, items in self.warnings.items()},
        }


def describe_dataset(path: Path) -> DatasetSummary:
    """Return what the dataset under `path` is and what policies will see of it.

    Raises:
        BadConfig: There is no dataset, or it is of an unknown version.
        ArtifactDamaged: Its documents cannot be read.
    """
    with named_damage(path):
        return _summary(open_dataset(path))


def _summary(dataset: ExistingDataset) -> DatasetSummary:
    inputs = PolicyInputs.of(dataset.features)
    tasks = tuple(text for _, text in dataset.tasks)
    statistics = dataset.statistics() or {}
    if not statistics:
        statistics = next((entry for _, entry in dataset.episode_statistics()), {})
    seen = {*inputs.visual, *inputs.state, *inputs.action}
    ratio = _valid_ratio(dataset)
    by_policy = {
        policy.name: tuple(warnings_for(policy, inputs, statistics=statistics, tasks=tasks))
        for policy in POLICIES
    }
    recordings = dataset.provenance.get("recordings")
    return DatasetSummary(
        version=dataset.version,
        robot_type=dataset.info.get("robot_type"),
        fps=dataset.fps,
        episodes=len(dataset.episodes),
        frames=sum(episode.length for episode in dataset.episodes),
        recordings=None if recordings is None else len(recordings),
        tasks=tasks,
        size_bytes=sum(file.stat().st_size for file in dataset.root.rglob("*") if file.is_file()),
        inputs=inputs,
        not_seen=tuple(key for key in dataset.features if key not in seen),
        valid_ratio=ratio,
        warnings={"all": tuple(_for_all(dataset, ratio))} | by_policy,
    )


def _valid_ratio(dataset: ExistingDataset) -> dict[str, float] | None:
    """Return the share of valid rows of every action element, where the provenance counts them."""
    counts = dataset.provenance.get("valid_counts", {}).get("action")
    total = sum(episode.length for episode in dataset.episodes)
    action = dataset.features.get("action")
    if counts is None or action is None or not total:
        return None
    return {action.element(i): count / total for i, count in enumerate(counts)}


def _for_all(dataset: ExistingDataset, ratio: Mapping[str, float] | None) -> list[str]:
    found = []
    if not dataset.is_v3:
        found.append(f"LeRobot 0.4 and later refuse {dataset.version}; its converter takes v2.1 to v3.0")
    if ratio and min(ratio.values()) < 1:
        worst = min(ratio, key=lambda name: ratio[name])
        share = 1 - ratio[worst]
        found.append(
            f"up to {share:.0%} of the actions are fills ({worst}); trainers that ignore masks learn them"
        )
    never = dataset.provenance.get("never_valid", {})
    found += [
        f"{len(never[key])} elements of {key} were never measured"
        for key in ("observation.state", "action")
        if never.get(key)
    ]
    return found
