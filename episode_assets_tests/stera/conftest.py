"""One recording, exported twice: by the real Stera SDK with our hands added, and by the steps of the pipeline."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from episode_assets.pipeline import STEPS, bring_up_to_date
from episode_assets.storage import Artifact, Store
from episode_assets_tests.stera.comparison import Difference, differences
from episode_assets_tests.stera.our_hands import hands_for_stera

REPOSITORY = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "export_with_stera.py"
BEFORE_QUALITY = [step for step in STEPS if step.asset != "qc_report"]


@dataclass(frozen=True)
class Twins:
    """Two exports of one recording.

    Attributes:
        theirs: The directory that the SDK wrote.
        ours: Ours.
        seen: Stamps that the SDK's own reader finds, s: `rgb` and `depth`.
        theirs_said: What its `export` returned.
        ours_said: Our manifest.
    """

    theirs: Path
    ours: Path
    seen: dict[str, NDArray[np.float64]]
    theirs_said: dict[str, list[str]]
    ours_said: dict[str, list[str]]

    @cached_property
    def differences(self) -> list[Difference]:
        return differences(self.theirs, self.ours)


def stera_python() -> str:
    """Return the interpreter of the SDK's environment; skips the test where there is none."""
    default = REPOSITORY / ".venv-stera" / "bin" / "python"
    python = os.environ.get("STERA_PYTHON") or (str(default) if default.exists() else "")
    if not python:
        pytest.skip("the Stera SDK has no environment; `make verify-stera` makes one and runs this")
    return python


def published(recording: Path, folder: Path) -> dict[str, Artifact]:
    """Return the artifacts of a recording up to its bundle, made in a store of their own."""
    store = Store.open(str(folder / "store"))
    entry = store.recordings.register(str(recording))
    return {
        step.asset: bring_up_to_date(store, step, entry.recording_id, step.config_type()).artifact
        for step in BEFORE_QUALITY
    }


def export_with_stera(python: str, recording: Path, hands: Path, ours: Path, folder: Path) -> Twins:
    """Let the SDK export a recording with the hands of a `hand_poses` directory, beside a bundle of ours."""
    messages = pq.read_table(ours / "frames.parquet")["message_number"].to_pylist()
    (folder / "hands.json").write_text(json.dumps(hands_for_stera(hands, messages)))
    command = [python, str(SCRIPT), str(recording), str(folder / "hands.json"), str(folder / "stera")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(folder / "seen.npz") as seen:
        stamps = {name: seen[name] for name in seen.files}
    said = json.loads((folder / "manifest.json").read_text())
    own = ours / "manifest.json"
    ours_said = json.loads((own if own.is_file() else ours / "meta.json").read_text())
    return Twins(folder / "stera", ours, stamps, said, ours_said)
