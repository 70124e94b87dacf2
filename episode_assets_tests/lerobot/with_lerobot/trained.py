"""Thirty steps of LeRobot's ACT on a CPU, without pretrained weights: the loss stays finite and falls."""
# ruff: noqa: T201

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from episode_assets_tests.lerobot.with_lerobot.opened import open_dataset

STEPS, CHUNK, BATCH = 30, 8, 8


def check_trained(root: Path) -> list[str]:
    """Train a small ACT as its own training script does: features, statistics and deltas from the dataset."""
    failures = []
    for name, losses in zip(("loss", "error of the actions"), np.array(_losses(root)).T, strict=True):
        first, last = losses[:5].mean(), losses[-5:].mean()
        told = f"ACT's {name} is {first:.3f} at first and {last:.3f} after {STEPS} steps"
        print(f"{root.name}: {told}")
        if not (np.isfinite(losses).all() and last < 0.8 * first):
            failures.append(told)
    return failures


def _losses(root: Path) -> list[tuple[float, float]]:
    """Return the whole loss and its part for the (normalised) actions, per step."""
    import torch
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.factory import make_policy, make_pre_post_processors

    torch.manual_seed(0)
    plain = open_dataset(root)
    config = ACTConfig(
        chunk_size=CHUNK,
        n_action_steps=CHUNK,
        pretrained_backbone_weights=None,
        dim_model=64,
        n_heads=4,
        dim_feedforward=128,
        n_encoder_layers=2,
        n_vae_encoder_layers=2,
        device="cpu",
        push_to_hub=False,
    )
    policy = make_policy(config, ds_meta=plain.meta)
    prepare, _ = make_pre_post_processors(config, dataset_stats=plain.meta.stats)
    chunk = [step / plain.meta.fps for step in config.action_delta_indices]
    dataset = open_dataset(root, delta_timestamps={"action": chunk})
    loader = torch.utils.data.DataLoader(dataset, batch_size=BATCH, shuffle=True, drop_last=True)
    optimizer = torch.optim.AdamW(policy.get_optim_params(), lr=1e-3)
    policy.train()
    batches = _endless(loader)
    losses = []
    for _ in range(STEPS):
        loss, parts = policy.forward(prepare(next(batches)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append((loss.item(), parts["l1_loss"]))
    return losses


def _endless(loader: Any) -> Any:
    while True:
        yield from loader
