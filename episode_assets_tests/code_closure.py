"""Hashes the code that an asset's computation can reach, so that a change without a new code version is noticed.

The closure of a step starts at the library functions that its adapter in `pipeline/steps.py` imports, that of the
archive report at the functions that write it; it follows imports inside the package; a name imported from a room's
`__init__` leads to the module that defines it. Docstrings and comments do not count. `python -m
episode_assets_tests.code_closure "why"` records the present code as giving the same output (or as belonging to the
new code version where that was raised).
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import episode_assets
from episode_assets.pipeline.archive import ARCHIVE_CODE_VERSION, ARCHIVE_REPORT
from episode_assets.pipeline.steps import STEPS, fragment_step

PACKAGE = Path(episode_assets.__file__).parent
RECORD = Path(__file__).with_name("code_versions.json")


class Versioned(NamedTuple):
    """An asset whose code has a version: the function that adapts it, and what is hashed besides what that imports."""

    asset: str
    code_version: str
    adapter: Callable[..., Any]
    also: frozenset[str] = frozenset()


def all_assets() -> tuple[Versioned, ...]:
    steps = (*STEPS, fragment_step("default"))
    archive = "episode_assets.pipeline.archive"
    return (
        *(Versioned(step.asset, step.code_version, step.compute) for step in steps),
        Versioned(ARCHIVE_REPORT, ARCHIVE_CODE_VERSION, _what_the_archive_report_runs, frozenset({archive})),
    )


def _what_the_archive_report_runs() -> None:
    """Its module imports all steps, to look at what they have published; only these go into its bytes."""
    from episode_assets.qc.archive import survey, write_archive  # noqa: F401
    from episode_assets.qc.archive_entry import entry_of  # noqa: F401


def closure_digest(asset: Versioned) -> str:
    digest = hashlib.sha256()
    for module in sorted(closure(asset)):
        # Python 3.12 gave functions and classes a field for type parameters; the record serves 3.11 too.
        code = ast.dump(without_docstrings(parse(module))).replace(", type_params=[]", "")
        digest.update(f"{module}\n{code}\n".encode())
    return digest.hexdigest()[:32]


def closure(asset: Versioned) -> set[str]:
    adapter = ast.parse(textwrap.dedent(inspect.getsource(asset.adapter)))
    waiting = list(imported(adapter))
    found = set(asset.also)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting.extend(imported(parse(module)))
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("episode_assets"):
            for alias in node.names:
                yield defining_module(node.module or "", alias.name)


def defining_module(module: str, name: str) -> str:
    if file_of(f"{module}.{name}").is_file():
        return f"{module}.{name}"
    if file_of(module).name != "__init__.py":
        return module
    for node in ast.walk(parse(module)):
        if isinstance(node, ast.ImportFrom) and any((a.asname or a.name) == name for a in node.names):
            return defining_module(node.module or "", name)
    return module


def file_of(module: str) -> Path:
    parts = module.split(".")[1:]
    plain = PACKAGE.joinpath(*parts).with_suffix(".py") if parts else PACKAGE / "__init__.py"
    package = PACKAGE.joinpath(*parts, "__init__.py")
    return package if package.is_file() else plain


def parse(module: str) -> ast.Module:
    return ast.parse(file_of(module).read_text(encoding="utf-8"))


def without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            body[0].value.value = ""
    return tree


def main(why: str) -> None:
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for asset in all_assets():
        known = record.get(asset.asset, {})
        digest = closure_digest(asset)
        if known.get("code_version") != asset.code_version:
            record[asset.asset] = {"code_version": asset.code_version, "closure": digest, "same_output": []}
        elif known["closure"] != digest:
            known["same_output"].append(why)
            known["closure"] = digest
    RECORD.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
