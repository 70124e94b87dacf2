"""Exports a recording with the real Stera SDK, in an environment of its own that has nothing of `episode_assets`.

    python export_with_stera.py RECORDING HANDS.json OUT_DIR

HANDS.json lists the hands that the caller's loop would have found: picture, side, confidence, backend, joints, and
the further numbers by the names that the SDK's trackers give them. Beside OUT_DIR, `seen.npz` keeps what only the
SDK's own reader knows, and `manifest.json` what `export` returned. No visualizer is given: it needs a rerun whose
numpy the SDK excludes.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

# The SDK looks for an `ffmpeg` on the PATH; the environment brings one beside its interpreter.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

from stera.annotations.hands import HandPose  # type: ignore[import-not-found]
from stera.core.types import Keypoint  # type: ignore[import-not-found]
from stera.data import MCAPReader  # type: ignore[import-not-found]

FINGERS = ("thumb", "index", "middle", "ring", "pinky")


def main(recording: str, hands_file: str, out: str) -> None:
    hands = hands_by_frame(json.loads(Path(hands_file).read_text(encoding="utf-8")))
    session = MCAPReader(recording)
    stamps = []
    for frame in session.frames():
        session.add_hand_pose(frame.index, hands[frame.index])
        stamps.append(frame.timestamp)
    manifest = session.export(out)
    depth_stamps = [stamp for stamp, _ in session.depth_frames()]
    np.savez(Path(out).parent / "seen.npz", rgb=np.array(stamps), depth=np.array(depth_stamps))
    (Path(out).parent / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def hands_by_frame(rows: list[dict[str, Any]]) -> defaultdict[int, list[HandPose]]:
    hands: defaultdict[int, list[HandPose]] = defaultdict(list)
    for row in rows:
        joints = [Keypoint(*numbers) for numbers in row["joints"]]
        fingers = {name: joints[1 + 4 * i : 5 + 4 * i] for i, name in enumerate(FINGERS)}
        hand = HandPose(joints[0], fingers, row["side"], row["frame"], row["confidence"])
        hand._backend = row["backend"]
        for name, values in row["extras"].items():
            setattr(hand, f"_{name}", np.array(values, dtype=np.float32))
        hands[row["frame"]].append(hand)
    return hands


if __name__ == "__main__":
    main(*sys.argv[1:])
