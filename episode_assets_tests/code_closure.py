"""Hashes the code that an asset's computation can reach, so that a change without a new code version is noticed.

The closure of a step starts at the library functions that its adapter in `pipeline/steps.py` imports, and follows
imports inside the package; a name imported from a room's `__init__` leads to the module that defines it. Docstrings and
comments do not count. `python -m episode_assets_tests.code_closure "why"` records the present code as giving the
same output (or as belonging to the new code version where that was raised).
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import episode_assets
from episode_assets.pipeline.step import Step
from episode_assets.pipeline.steps import STEPS, fragment_step

PACKAGE = Path(episode_assets.__file__).parent
RECORD = Path(__file__).with_name("code_versions.json")


def all_steps() -> tuple[Step[Any], ...]:
    return (*STEPS, fragment_step("default"))


def closure_digest(step: Step[Any]) -> str:
    digest = hashlib.sha256()
    for module in sorted(closure(step)):
        # Python 3.12 gave functions and classes a field for type parameters; the record serves 3.11 too.
        code = ast.dump(without_docstrings(parse(module))).replace(", type_params=[]", "")
        digest.update(f"{module}\n{code}\n".encode())
    return digest.hexdigest()[:32]


def closure(step: Step[Any]) -> set[str]:
    adapter = ast.parse(textwrap.dedent(inspect.getsource(step.compute)))
    waiting = list(imported(adapter))
    found: set[str] = set()
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
    for step in all_steps():
        known = record.get(step.asset, {})
        digest = closure_digest(step)
        if known.get("code_version") != step.code_version:
            record[step.asset] = {"code_version": step.code_version, "closure": digest, "same_output": []}
        elif known["closure"] != digest:
            known["same_output"].append(why)
            known["closure"] = digest
    RECORD.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
