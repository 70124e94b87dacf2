"""Networks in 8 bits: zero stays zero, what is no such network is refused, and nothing is written or sent."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets import models
from episode_assets.anonymization.centerface_ranges import RANGES
from episode_assets.errors import ModelMissing
from episode_assets.models.files import DIRECTORY_VARIABLE
from episode_assets.models.onnx_openvino import EightBitNetwork, with_exact_zero

OUTPUTS = ("537", "538", "539")
QUIETLY = """
import socket, sys
import numpy as np
from episode_assets.anonymization.centerface import make_centerface

def refuse(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.posix_spawn", "os.fork")):
        print(event, arguments)

sys.addaudithook(refuse)
make_centerface(score_threshold=0.2).detect([np.zeros((64, 64, 3), np.uint8)])
"""


@pytest.fixture(scope="module")
def weights() -> Path:
    try:
        return models.find("centerface")
    except ModelMissing as missing:
        pytest.skip(str(missing))


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_zero_is_a_level_of_every_range(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other) + 1e-3

    moved_low, moved_high = with_exact_zero(low, high)

    step = (moved_high - moved_low) / 255
    assert moved_low / step == pytest.approx(round(moved_low / step), abs=1e-6)
    assert moved_low <= 0 <= moved_high
    assert abs(moved_low - min(low, 0)) <= 0.51 * step
    assert abs(moved_high - max(high, 0)) <= 0.51 * step


def test_every_range_is_of_a_tensor_of_the_network(weights: Path) -> None:
    """A misspelt name would leave its layers in float32, three times as slow, and nobody would notice."""
    import onnx

    graph = onnx.load(str(weights)).graph
    tensors = {name for node in graph.node for name in node.input}

    assert RANGES.keys() <= tensors
    read = {node.input[0] for node in graph.node if node.op_type in {"Conv", "ConvTranspose"}}
    assert read - RANGES.keys() == {"535"}  # the last layers read it


@pytest.mark.parametrize("outputs", [OUTPUTS, ("no such output",)])
def test_what_is_not_the_network_is_refused(outputs: tuple[str, ...], weights: Path, tmp_path: Path) -> None:
    file = weights
    if outputs == OUTPUTS:
        file = tmp_path / "net.onnx"
        file.write_bytes(weights.read_bytes()[:1000])

    with pytest.raises(ModelMissing, match=r"not the expected ONNX network.*models fetch"):
        EightBitNetwork(file, ranges=RANGES, outputs=outputs)


def test_a_range_of_a_tensor_that_the_network_does_not_have_is_refused(weights: Path) -> None:
    with pytest.raises(ModelMissing, match="no tensor of_another_network"):
        EightBitNetwork(weights, ranges={**RANGES, "of_another_network": (0.0, 1.0)}, outputs=OUTPUTS)


def test_openvino_is_imported_in_one_place_only() -> None:
    """Anybody else's `import openvino` would wake the reporter up."""
    root = Path(__file__).resolve().parents[2]
    importers = {
        str(file.relative_to(root))
        for folder in ("episode_assets", "benchmarks")
        for file in (root / folder).rglob("*.py")
        if re.search(r"^\s*(import|from) openvino\b|load_package\(\"openvino", file.read_text(), re.MULTILINE)
    }

    assert importers == {"episode_assets/models/openvino_runtime.py"}


def test_loading_and_running_writes_nothing_and_talks_to_nobody(weights: Path, tmp_path: Path) -> None:
    """OpenVINO brings a package along that reports its use; it must stay asleep."""
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    environment = {
        "HOME": str(home),
        "TMPDIR": str(here),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "PYTHONDONTWRITEBYTECODE": "1",
        DIRECTORY_VARIABLE: str(weights.parent),
    }

    ran = subprocess.run(
        [sys.executable, "-c", QUIETLY],
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert [*home.iterdir(), *here.iterdir()] == []
