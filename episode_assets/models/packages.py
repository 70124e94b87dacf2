"""Packages that run weight files and that not everybody has: whether they are there, and their import when needed."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from episode_assets.errors import ModelMissing


def require_package(module: str, *, remedy: str) -> None:
    """Do nothing if a top-level module could be imported; it is not imported to find out.

    Args:
        module: Its name in an import statement.
        remedy: The command that installs it.

    Raises:
        ModelMissing: It is not installed.
    """
    if find_spec(module) is None:
        raise ModelMissing(f"the package {module} is not installed", remedy=remedy)


def load_package(module: str, *, remedy: str) -> Any:
    """Import and return a module.

    Raises:
        ModelMissing: It is not installed, or something that it needs is not.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ModelMissing(f"the package {module} cannot be imported ({error})", remedy=remedy) from error
