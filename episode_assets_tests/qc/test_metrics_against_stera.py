"""The metric blocks beside those of the real Stera SDK on one recording: equal names, units and values.

The SDK lives in an environment of its own; what differs on purpose is listed with its reason.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from episode_assets_tests.qc.episodes import make_episode
from episode_assets_tests.stera.conftest import stera_python
from episode_assets_tests.stera.our_hands import hands_for_stera

SCRIPT = Path(__file__).parents[1] / "stera" / "evaluate_with_stera.py"
DELIBERATE = {
    "recording.path": "the original name stays in the registry",
    "recording.filename": "the original name stays in the registry",
    "recording.start_iso": "an uptime clock has no date",
    "recording.end_iso": "an uptime clock has no date",
    "recording.weekday": "an uptime clock has no date",
    "trajectory_topic.pose_count": "theirs reads the first message only",
    "trajectory_topic.path_length_m": "theirs reads the first message only",
    "point_cloud.point_count": "ours are all clouds of the recording as means in cubes, theirs is one message",
    "point_cloud.bbox_extents": "as above",
    "point_cloud.bbox_volume_m3": "as above",
    "point_cloud.density_pts_per_m3": "as above",
    "point_cloud.color_coverage_pct": "colours of points are raw pixels and are not kept",
    "mesh.color_coverage_pct": "colours of markers are raw pixels and are not kept",
    "hands.left_wrist_track": "theirs ignores gaps and takes a constant rate over the whole file",
    "hands.right_wrist_track": "theirs ignores gaps and takes a constant rate over the whole file",
}


def differences(theirs: Any, ours: Any, path: str = "") -> list[str]:
    if path in DELIBERATE:
        return []
    if isinstance(theirs, dict) and isinstance(ours, dict):
        missing = [f"{path}.{key} is missing".lstrip(".") for key in theirs if key not in ours]
        both = [key for key in theirs if key in ours]
        return missing + [
            text for key in both for text in differences(theirs[key], ours[key], f"{path}.{key}".lstrip("."))
        ]
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        return [
            text for one, other in zip(theirs, ours, strict=True) for text in differences(one, other, path)
        ]
    if isinstance(theirs, int | float) and isinstance(ours, int | float):
        return [] if ours == pytest.approx(theirs, rel=1e-5, abs=1e-6) else [f"{path}: {theirs} and {ours}"]
    return [] if theirs == ours else [f"{path}: {theirs!r} and {ours!r}"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("options", "extra"),
    [
        # Depth below 80 % everywhere the phone's sensor drops out, and gravity that is not taken out.
        ({"imu_gravity": "included", "depth": "phone"}, {}),
        (
            {"imu_gravity": "removed", "gap_interval_s": (2.0, 3.0)},
            {
                "imu.motion_duration_s": "without gravity a share of the mean says nothing",
                "imu.still_duration_s": "without gravity a share of the mean says nothing",
            },
        ),
        ({"with_depth": False, "with_imu": False, "with_pose": False}, {}),
    ],
    ids=["gravity-and-phone-depth", "gap-and-no-gravity", "pictures-alone"],
)
def test_metrics_and_score_are_those_of_the_sdk(tmp_path, monkeypatch, options, extra):
    python = stera_python()
    episode = make_episode(tmp_path / "episode", seconds=6.0, with_face=False, **options)
    outcome = episode.report(tmp_path / "report")
    messages = pq.read_table(episode.base / "bundle" / "frames.parquet")["message_number"].to_pylist()
    (tmp_path / "hands.json").write_text(json.dumps(hands_for_stera(episode.hands, messages)))
    command = [
        str(SCRIPT),
        str(episode.recording),
        str(tmp_path / "hands.json"),
        str(tmp_path / "stera.json"),
    ]
    done = subprocess.run([python, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = json.loads((tmp_path / "stera.json").read_text())
    ours = json.loads((tmp_path / "report" / "qc.json").read_text())["metrics"]
    health = theirs.pop("health")
    for path, reason in extra.items():
        monkeypatch.setitem(DELIBERATE, path, reason)

    assert differences(theirs, ours) == []
    assert outcome.summary["score_stera"] == pytest.approx(health["score"], abs=0.01)
