"""Tells trainers which steps of an action chunk to leave out: turns the masks of a dataset into `action_is_pad`.

Trainers keep the keys `observation...` and `action...` and drop the masks, so a held hand would count as a
demonstration. Those that predict chunks leave out steps that are marked as padding; this wrapper marks the steps whose
required hands were not measured as well. Torch is imported when the first item is read, and only for datasets whose
items are tensors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.errors import ArtifactMissing, BadConfig
from episode_assets.lerobot.arrow_values import column_values
from episode_assets.lerobot.targets import steps_that_count

MASK = "valid.action"
ELEMENTS = "valid.action_elements"
"""Key of the mask of single elements that `with_elements` adds."""

_PROVENANCE = "meta/episode_assets.json"
_JOINTS = "valid.joint_steps"
_HANDS = ("any", "both", "left", "right")


class MaskedActions:
    """An opened dataset whose items know which of their actions were measured.

    Wraps anything that has `root`, `delta_timestamps`, `fps`, and gives items with `action`, `index` and
    `episode_index`, such as LeRobot's own dataset; all else is passed through. A step of a chunk is padding if it
    lies outside the episode, or if its action is not measured for a required hand (with `any`: for neither hand).

    Whole steps are masked, not elements: with `any`, the held hand of a step of the other one still reaches the loss.
    `both`, or `left` and `right` with a layout of that hand, avoid it; or use `with_elements` in a loss of your own.
    """

    def __init__(self, dataset: Any, *, require_hands: str = "", with_elements: bool = False) -> None:
        """Read the masks of all rows: a few bytes for each.

        Args:
            dataset: The opened dataset.
            require_hands: `any`, `both`, `left` or `right`; empty takes what the recipe required.
            with_elements: Add the bool mask `valid.action_elements`, of the shape of `action`: true where an element
                was measured and its step lies in the episode.

        Raises:
            ArtifactMissing: The dataset has no masks, or does not say which elements they cover.
            BadConfig: `require_hands` is none of the four words.
        """
        self._dataset = dataset
        root = Path(dataset.root)
        require_hands = require_hands or _recipe_of(root).get("require_hands", "any").replace("none", "any")
        if require_hands not in _HANDS:
            raise BadConfig(f"require_hands is {require_hands!r}", remedy=f"allowed: {', '.join(_HANDS)}")
        rows = _read(root, ["index", "episode_index", MASK])
        order = np.argsort(rows["index"], kind="stable")
        self._episode = rows["episode_index"][order]
        self._counts = steps_that_count(_of_told_hands(rows[MASK][order], root), require_hands=require_hands)
        self._elements = _element_mask(root)[order] if with_elements else None
        self._offsets = _offsets(dataset)

    def __len__(self) -> int:
        return len(self._dataset)

    def __getattr__(self, name: str) -> Any:
        # Only asked for what is not found here; copies of a half-built object have no dataset yet.
        if name.startswith("__") or "_dataset" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self._dataset, name)

    def __getitem__(self, index: int) -> dict[str, Any]:
        item: dict[str, Any] = dict(self._dataset[index])
        row = int(item["index"])
        steps = np.clip(row + self._offsets, 0, len(self._episode) - 1)
        is_inside = (self._episode[steps] == self._episode[row]) & (steps == row + self._offsets)
        counts = is_inside & self._counts[steps]
        item["action_is_pad"] = _like(item["action"], ~counts)
        if self._elements is not None:
            item[ELEMENTS] = _like(item["action"], self._elements[steps] & is_inside[:, None])
        if not self._is_chunked(item):
            for key in {"action_is_pad", ELEMENTS} & set(item):
                item[key] = item[key][0]
        return item

    def _is_chunked(self, item: dict[str, Any]) -> bool:
        return len(item["action"].shape) > 1


def _offsets(dataset: Any) -> NDArray[np.int64]:
    deltas = (getattr(dataset, "delta_timestamps", None) or {}).get("action", [0.0])
    return np.rint(np.asarray(deltas, dtype=np.float64) * int(dataset.fps)).astype(np.int64)


def _like(action: Any, flags: NDArray[np.bool_]) -> Any:
    """Return flags as the kind of array that the dataset gives."""
    if isinstance(action, np.ndarray):
        return flags
    import torch

    return torch.from_numpy(flags).to(action.device)


def _recipe_of(root: Path) -> dict[str, Any]:
    document = _provenance(root)
    recipe: dict[str, Any] = document.get("recipe", {})
    return recipe


def _provenance(root: Path) -> dict[str, Any]:
    path = root / _PROVENANCE
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return document


def _read(root: Path, names: list[str]) -> dict[str, NDArray[Any]]:
    """Return columns of all rows, (N,) or (N, D), in the order of the files."""
    files = sorted((root / "data").glob("*/*.parquet"))
    there = set(pq.read_schema(files[0]).names) if files else set()
    missing = [name for name in names if name not in there]
    if missing:
        raise ArtifactMissing(
            f"the dataset has no column {', '.join(missing)}",
            where=root.name,
            remedy="build it with episode-assets, which writes masks beside states and actions",
        )
    tables = [pq.read_table(file, columns=names) for file in files]
    return {name: np.concatenate([column_values(table[name]) for table in tables]) for name in names}


def _of_told_hands(valid: NDArray[np.bool_], root: Path) -> NDArray[np.bool_]:
    """Return the mask (N, H) of the hands that actions hold: where it is one, the other has no say."""
    masks = _provenance(root).get("masks", {}).get("action", [])
    hands = {mask["index"] // (21 if mask["column"] == _JOINTS else 1) for mask in masks}
    return valid[:, sorted(hands)] if len(hands) == 1 and valid.ndim > 1 else valid


def _element_mask(root: Path) -> NDArray[np.bool_]:
    """Return (N, A) bool: which elements of every action were measured."""
    masks = _provenance(root).get("masks", {}).get("action")
    if masks is None:
        raise ArtifactMissing(
            "the dataset does not say which elements its masks cover",
            where=_PROVENANCE,
            remedy="leave with_elements off, or use a dataset that was not merged or exported without provenance",
        )
    info = json.loads((root / "meta/info.json").read_text(encoding="utf-8"))
    columns = _read(root, sorted({mask["column"] for mask in masks}))
    count = len(next(iter(columns.values())))
    valid = np.ones((count, int(info["features"]["action"]["shape"][0])), dtype=np.bool_)
    for mask in masks:
        first, stop = mask["elements"]
        valid[:, first:stop] = columns[mask["column"]].reshape(count, -1)[:, [mask["index"]]]
    return valid
