"""Rows of `mano.parquet` for the synthetic hands of the bundle's tests; every number tells which hand it belongs to."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from episode_assets.hands.tables import MANO_SCHEMA
from episode_assets_tests.bundle.recordings import RECORDING_ID, Hand, Scene

SIZES = {
    "pred_cam": 3,
    "cam_t": 3,
    "focal_px": 2,
    "principal_px": 2,
    "global_orient": 9,
    "hand_pose": 135,
    "betas": 10,
}


def numbers_of(hand: Hand, name: str) -> np.ndarray:
    """The numbers of one column, as they lie in the row."""
    start = hand.frame + (100 if hand.side == "left" else 0)
    return np.arange(SIZES[name], dtype=np.float32) / 8 + start


def mano_table(scene: Scene, hands: tuple[Hand, ...]) -> pa.Table:
    """One row per hand, under the keys of `hands.parquet`."""
    rows = [
        {
            "recording_id": RECORDING_ID,
            "message_number": hand.frame,
            "frame_index": hand.frame,
            "stamp_ns": int(scene.stamps_ns[hand.frame]),
            "side": hand.side,
            "wearer": hand.wearer,
            "track": 7,
            **dict.fromkeys(("box_x", "box_y", "box_side"), 10.0),
            **{name: numbers_of(hand, name).tolist() for name in SIZES},
            "backend": "wilor",
        }
        for hand in hands
    ]
    return pa.Table.from_pylist(rows, schema=MANO_SCHEMA)
