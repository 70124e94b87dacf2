"""Hands at the distance of their neighbours: figures and checks of space go without them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from episode_assets.bundle import write_bundle
from episode_assets.qc import QualityConfig
from episode_assets.qc.hand_metrics import hand_metrics
from episode_assets.qc.hand_motion import wrist_speed
from episode_assets_tests.qc.episodes import PASSED

HELD = slice(40, 60)


@pytest.fixture(scope="module")
def held(clean, tmp_path_factory):
    """The clean episode; in some frames its hands are held, wrongly, at twice their distance."""
    base = tmp_path_factory.mktemp("held")
    table = pq.read_table(clean.base / "hands" / "hands.parquet")
    rows = table.to_pylist()
    for row in rows:
        if HELD.start <= row["frame_index"] < HELD.stop:
            row |= {"kind": 3, "anchor": "held"}
            row |= {name: [2 * value for value in row[name]] for name in ("joints_cam", "joints_world")}
    (base / "hands").mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), base / "hands" / "hands.parquet")
    (base / "bundle").mkdir()
    write_bundle(clean.view, clean.blurred, base / "hands", base / "bundle", privacy=PASSED)
    for name in ("raw", "blurred"):
        (base / name).symlink_to(clean.base / name)
    return replace(clean, base=base).evidence()


def test_held_distances_are_not_taken_as_measured(held, evidence):
    found, true = (hand_metrics(e, QualityConfig(), duration_s=8.0) for e in (held, evidence))

    for name in ("left", "right"):
        assert np.isnan(wrist_speed(held, getattr(held, name))[HELD]).all()
        for figure in ("wrist_depth_mean_m", "wrist_speed_max_mps"):
            assert found[f"{name}_{figure}"] <= 1.1 * true[f"{name}_{figure}"]
    for figure in ("palm_width_mean_m", "grip_closure_mean_m"):
        assert found[figure] == pytest.approx(true[figure], rel=0.03)


def test_held_hands_are_still_seen(held, evidence):
    found, true = (hand_metrics(e, QualityConfig(), duration_s=8.0) for e in (held, evidence))

    for figure in ("left_detection_pct", "right_detection_pct", "kpts_in_frame_pct", "wearer_any_hand_pct"):
        assert found[figure] == true[figure]
