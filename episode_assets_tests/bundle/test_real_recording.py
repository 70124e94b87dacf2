"""The streams of a real recording, with a synthetic blurred video at its stamps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from episode_assets.bundle import EpisodeBundle, write_bundle
from episode_assets.recording import RecordingView, scan_recording
from episode_assets_tests.bundle.recordings import PASSED, RECORDING_ID, Pictures, write_pictures

RECORDINGS = Path(__file__).parents[2] / ".." / "shared" / "data" / "recordings"
WHOLE, CUT = RECORDINGS / "table_scene.mcap", RECORDINGS / "table_scene_truncated.mcap"
needs_data = pytest.mark.skipif(not WHOLE.exists(), reason="../shared/data/recordings is not there")


def bundle_of(source: Path, tmp_path: Path) -> tuple[EpisodeBundle, RecordingView, dict[str, int]]:
    for name in ("raw", "bundle"):
        (tmp_path / name).mkdir()
    scan_recording(str(source), tmp_path / "raw", recording_id=RECORDING_ID)
    view = RecordingView.open(tmp_path / "raw", str(source))
    pictures = Pictures(view.rgb.message_number, view.rgb.stamp_ns, width=64, height=36)
    blurred = write_pictures(tmp_path / "blurred", pictures)
    outcome = write_bundle(view, blurred, None, tmp_path / "bundle", privacy=PASSED)
    notes = {note.code: note.count for note in outcome.warnings}
    return EpisodeBundle.open(tmp_path / "bundle"), view, notes


@needs_data
def test_a_real_recording_keeps_its_streams(tmp_path: Path) -> None:
    bundle, view, notes = bundle_of(WHOLE, tmp_path)

    with bundle:
        assert np.array_equal(bundle.stamps_ns, view.rgb.stamp_ns)
        assert (bundle.imu is None) == (view.imu is None)
        assert bundle.mesh is None  # the scene was not computed
        assert (bundle.depth is None) == (view.depth is None)
    assert "truncated" not in notes


@needs_data
def test_a_truncated_recording_is_marked(tmp_path: Path) -> None:
    bundle, view, notes = bundle_of(CUT, tmp_path)

    with bundle:
        assert bundle.source["truncated"] is True
        assert np.array_equal(bundle.stamps_ns, view.rgb.stamp_ns)
    assert notes["truncated"] == 1
