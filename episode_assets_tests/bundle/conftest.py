"""One way to a bundle for all tests: a recording is written, scanned, and made into an episode directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from episode_assets.bundle import BundleConfig, write_bundle
from episode_assets.outcome import Outcome
from episode_assets.recording import RecordingView, scan_recording
from episode_assets_tests.bundle.recordings import (
    PASSED,
    RECORDING_ID,
    Box,
    Hand,
    Scene,
    write_blurred,
    write_hands,
    write_mesh,
    write_recording,
)


@dataclass(frozen=True)
class Made:
    """A bundle and what it was made from."""

    path: Path
    outcome: Outcome
    scene: Scene
    blurred: Path

    def reasons(self) -> dict[str, str]:
        return {item.name: item.code for item in self.outcome.skipped}

    def notes(self) -> dict[str, int]:
        return {note.code: note.count for note in self.outcome.warnings}


Maker = Callable[..., Made]
SCENE = Scene()
CONFIG = BundleConfig(visualization=False)
"""Without the Rerun file, which has tests of its own."""


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    """Return a function that makes a bundle of a scene; each call works in directories of its own."""
    calls = 0

    def bundle_of(
        scene: Scene = SCENE,
        *,
        boxes: tuple[Box, ...] = (),
        hands: tuple[Hand, ...] | None = (),
        dropped: frozenset[int] = frozenset(),
        config: BundleConfig = CONFIG,
        privacy: Mapping[str, Any] | None = PASSED,
        file_name: str = "recording.mcap",
        prepare: Callable[[Path], object] = lambda blurred: None,
        task: str | None = None,
        extra: Mapping[str, pa.Table] | None = None,
    ) -> Made:
        nonlocal calls
        calls += 1
        base = tmp_path / f"run{calls}"
        for name in ("raw", "bundle"):
            (base / name).mkdir(parents=True)
        source = write_recording(base / file_name, scene)
        scan_recording(str(source), base / "raw", recording_id=RECORDING_ID)
        view = RecordingView.open(base / "raw", str(source))
        blurred = write_blurred(base / "blurred", scene, boxes=boxes, dropped=dropped)
        prepare(blurred)
        hand_poses = None if hands is None else write_hands(base / "hands", scene, hands)
        for name, table in (extra or {}).items():
            pq.write_table(table, base / "hands" / name)
        mesh = write_mesh(base / "mesh", scene)
        outcome = write_bundle(
            view,
            blurred,
            hand_poses,
            base / "bundle",
            mesh=mesh,
            config=config,
            privacy=privacy,
            task=task,
        )
        return Made(base / "bundle", outcome, scene, blurred)

    return bundle_of
