"""`EpisodeBundle.open` is the only way to the files of a bundle: no other room names, opens or joins paths to them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import episode_assets

PACKAGE = Path(episode_assets.__file__).parent
ROOM = PACKAGE / "bundle"
FILES = {"annotation.hdf5", "calibrations", "calibrations/meta.json", "meta.json"}
"""What only a bundle has; `frames.parquet` and `mesh.ply` are names that other artifacts have as well."""

READERS = {"h5py", "tables"}
LAYOUT = "episode_assets.bundle.layout"
NAMES_OF_FILES = {
    "ANNOTATION",
    "CALIBRATIONS",
    "CALIBRATION_META",
    "FRAMES",
    "MANO",
    "MESH",
    "META",
    "R_OPTICAL_TO_LINK",
}
"""Constants of the layout that lead to files; its codes and words are for everybody."""

ASSET = "episode_bundle"


def trespasses(source: str) -> list[str]:
    """Return in words every place at which a module reaches past the reader."""
    tree = ast.parse(source)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    opened = {
        id(argument)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "EpisodeBundle.open"
        for argument in node.args
    }
    return [
        f"line {getattr(node, 'lineno', 0)}: {what}"
        for node in ast.walk(tree)
        if id(node) not in docstrings and id(node) not in opened
        for what in wrong_with(node)
    ]


def wrong_with(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and node.value in FILES:
        yield f"names {node.value}"
    if isinstance(node, ast.Import):
        yield from (f"imports {alias.name}" for alias in node.names if alias.name in READERS)
    if isinstance(node, ast.ImportFrom) and node.module in READERS:
        yield f"imports {node.module}"
    if isinstance(node, ast.ImportFrom) and node.module == LAYOUT:
        yield from (f"imports {alias.name}" for alias in node.names if alias.name in NAMES_OF_FILES)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and is_bundle_path(node.left):
        yield f"joins {ast.unparse(node)}"
    if isinstance(node, ast.Call) and is_directory_of_bundle(node):
        yield f"takes {ast.unparse(node)} and does not open it"


def is_bundle_path(node: ast.expr) -> bool:
    """Whether this is `bundle.path`, under any name that ends so."""
    return isinstance(node, ast.Attribute) and node.attr == "path" and "bundle" in ast.unparse(node.value)


def is_directory_of_bundle(call: ast.Call) -> bool:
    """Whether this asks for the directory, or a file, of a published bundle."""
    is_asked = isinstance(call.func, ast.Attribute) and call.func.attr in {"directory", "path", "read_json"}
    return is_asked and f"'{ASSET}'" in ast.unparse(call)


def test_no_room_reads_a_bundle_past_its_reader() -> None:
    outside = [path for path in sorted(PACKAGE.rglob("*.py")) if ROOM not in path.parents]
    found = [
        f"{path.relative_to(PACKAGE)} {what}"
        for path in outside
        for what in trespasses(path.read_text(encoding="utf-8"))
    ]

    assert len(outside) > 100
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import h5py",
        "from episode_assets.bundle.layout import FRAMES",
        "path = directory / 'annotation.hdf5'",
        "pq.read_table(bundle.path / 'frames.parquet')",
        "table = read(self.bundle.path / name)",
        "frames = inputs.directory('episode_bundle') / 'frames.parquet'",
        "mesh = inputs.artifacts['episode_bundle'].path('mesh.ply')",
    ],
)
def test_every_way_past_the_reader_is_seen(source: str) -> None:
    assert trespasses(source) != []


@pytest.mark.parametrize(
    "source",
    [
        "with EpisodeBundle.open(inputs.directory('episode_bundle')) as bundle:\n    bundle.K",
        "'''Says why annotation.hdf5 holds it.'''",
        "raise BadConfig('annotation.hdf5 cannot hold it')",
        "blurred = inputs.directory('blurred_rgb') / 'frames.parquet'",
    ],
)
def test_the_reader_and_other_artifacts_may_be_used(source: str) -> None:
    assert trespasses(source) == []
