"""Evaluates a recording with the real Stera SDK, in an environment of its own that has nothing of `episode_assets`.

    python evaluate_with_stera.py RECORDING HANDS.json METRICS.json

METRICS.json gets what `Evaluate(session).compute()` returns, less the series that only its charts need.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from export_with_stera import hands_by_frame  # type: ignore[import-not-found]
from stera import Evaluate  # type: ignore[import-not-found]
from stera.data import MCAPReader  # type: ignore[import-not-found]

BLOCKS = (
    "recording",
    "rgb",
    "depth",
    "trajectory",
    "imu",
    "tracking_state",
    "tf",
    "trajectory_topic",
    "mesh",
    "point_cloud",
    "sync",
    "hands",
    "health",
)
SERIES = (
    "timestamps",
    "positions",
    "global_depth_samples",
    "dts_ms",
    "speed_ts",
    "headings_deg",
    "counts_per_frame",
)


def main(recording: str, hands_file: str, out: str) -> None:
    session = MCAPReader(recording)
    hands = hands_by_frame(json.loads(Path(hands_file).read_text(encoding="utf-8")))
    for frame in session.frames():
        session.add_hand_pose(frame.index, hands[frame.index])
    metrics = Evaluate(session).compute()
    Path(out).write_text(json.dumps({name: plain(metrics[name]) for name in BLOCKS}), encoding="utf-8")


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            str(key): plain(item)
            for key, item in value.items()
            if key not in SERIES and not str(key).endswith("_series")
        }
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


if __name__ == "__main__":
    main(*sys.argv[1:])
