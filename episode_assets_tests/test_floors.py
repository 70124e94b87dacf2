"""Holds the two lines of the house: no room imports one beside or above it, and the library knows no Dagster."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import episode_assets

PACKAGE = Path(episode_assets.__file__).parent

FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "outcome", "progress", "chunks", "freed_memory", "long_tables", "__init__"}),
    frozenset({"storage", "recording", "video", "geometry", "ply", "models"}),
    frozenset({"anonymization", "hands", "footage", "sessions", "demo"}),
    frozenset({"scene", "bundle"}),
    frozenset({"qc", "lerobot"}),
    frozenset({"pipeline", "scripting"}),
    frozenset({"instance", "console"}),
    frozenset({"defs", "inspection_text", "command_line", "dataset_text"}),
    frozenset({"definitions", "dataset_cli"}),
    frozenset({"cli"}),
)
DAGSTER_ROOMS = {"defs", "definitions", "cli"}


def rooms_and_files() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).parts[0].removesuffix(".py"), path


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            yield from (
                (f"{module}.{alias.name}" for alias in node.names)
                if module == "episode_assets"
                else (module,)
            )


def floor_of(room: str) -> int:
    for number, rooms in enumerate(FLOORS):
        if room in rooms:
            return number
    raise AssertionError(f"{room} stands on no floor; add it to FLOORS on purpose")


def test_no_room_imports_one_beside_or_above_it() -> None:
    offenders = []
    for room, path in rooms_and_files():
        for module in imports_of(path):
            parts = module.split(".")
            if parts[0] != "episode_assets" or len(parts) < 2 or parts[1] in {room, "__version__"}:
                continue
            if floor_of(room) == 0 and floor_of(parts[1]) == 0:
                continue
            if floor_of(parts[1]) >= floor_of(room):
                offenders.append(f"{path.relative_to(PACKAGE)}: {module}")
    assert offenders == []


def test_only_the_outer_rooms_import_dagster() -> None:
    offenders = [
        f"{path.relative_to(PACKAGE)}: {module}"
        for room, path in rooms_and_files()
        if room not in DAGSTER_ROOMS
        for module in imports_of(path)
        if module.split(".")[0].startswith("dagster")
    ]
    assert offenders == []


def test_loading_the_definitions_imports_no_model_runtime() -> None:
    heavy = ("torch", "onnxruntime", "onnx", "ai_edge_litert", "rerun", "skimage", "scipy", "rosbags")
    script = (
        "import sys, episode_assets.definitions; "
        f"print(sorted(name for name in {heavy!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
