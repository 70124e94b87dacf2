"""The wrapper around LeRobot's own dataset: a million in every masked action changes no bit of ACT's loss.

The one check of this folder that imports the package: the wrapper is made to run in LeRobot's environment.
"""
# ruff: noqa: T201

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from episode_assets.lerobot.torch_wrapper import ELEMENTS, MaskedActions
from episode_assets_tests.lerobot.with_lerobot.opened import open_dataset

CHUNK, BATCH, WORKERS = 8, 16, 2


def check_masked(root: Path) -> list[str]:
    """Compare losses of a small ACT over batches with and without millions in them, wrapped and not."""
    import torch

    policy, prepare = _small_act(root)
    dataset = open_dataset(root, delta_timestamps={"action": _deltas(root)})
    wrapped = MaskedActions(dataset, require_hands="both", with_elements=True)
    loader = torch.utils.data.DataLoader(wrapped, batch_size=BATCH, num_workers=WORKERS)
    failures, poisoned = [], 0
    for number, batch in enumerate(loader):
        masked = ~batch.pop(ELEMENTS)
        poisoned += int(masked.sum())
        millions = {**batch, "action": torch.where(masked, 1e6, batch["action"])}
        clean, poison = (_loss(policy, prepare, each) for each in (batch, millions))
        unmasked = {**millions, "action_is_pad": torch.zeros_like(batch["action_is_pad"])}
        if clean != poison:
            failures.append(
                f"batch {number}: the loss is {clean!r}, with millions in masked actions {poison!r}"
            )
        if masked.any() and _loss(policy, prepare, unmasked) == clean:
            failures.append(f"batch {number}: millions do not reach the loss without the masks either")
    print(f"{root.name}: {poisoned} action numbers were millions")
    return failures if poisoned else ["no action is masked, so nothing was shown"]


def _small_act(root: Path) -> tuple[Any, Any]:
    import torch
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.factory import make_policy, make_pre_post_processors

    torch.manual_seed(0)
    sizes = {"dim_model": 64, "n_heads": 4, "dim_feedforward": 128, "n_encoder_layers": 2}
    config = ACTConfig(
        chunk_size=CHUNK,
        n_action_steps=CHUNK,
        pretrained_backbone_weights=None,
        device="cpu",
        push_to_hub=False,
        **sizes,
    )
    meta = open_dataset(root).meta
    policy = make_policy(config, ds_meta=meta)
    prepare, _ = make_pre_post_processors(config, dataset_stats=meta.stats)
    policy.train()
    return policy, prepare


def _deltas(root: Path) -> list[float]:
    return [step / open_dataset(root).meta.fps for step in range(CHUNK)]


def _loss(policy: Any, prepare: Any, batch: dict[str, Any]) -> float:
    """Return the whole loss; the same random numbers every time."""
    import torch

    torch.manual_seed(1)
    with torch.no_grad():
        loss, _ = policy.forward(prepare(dict(batch)))
    return float(loss)


if __name__ == "__main__":
    found = check_masked(Path(sys.argv[1]))
    print(*(f"FAILED: {line}" for line in found), sep="\n")
    sys.exit(1 if found else 0)
