"""Options that a script gives by name: each must be a setting that exists, whatever other packages take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from episode_assets.errors import BadConfig


def checked_options(
    who: str,
    options: Mapping[str, Any],
    config_type: Any,
    *,
    same_as: Mapping[str, str] | None = None,
    without: str = "",
) -> dict[str, Any]:
    """Return options by the names of the settings they stand for.

    Args:
        who: Who was given them, for the message.
        options: What was given.
        config_type: Dataclass of the settings.
        same_as: Names that scripts use for settings that mean the same.
        without: A setting that is given in another way.

    Raises:
        BadConfig: There is no such setting.
    """
    names = same_as or {}
    chosen = {names.get(name, name): value for name, value in options.items()}
    known = {item.name for item in fields(config_type)} - {without}
    unknown = sorted(chosen.keys() - known)
    if unknown:
        raise BadConfig(f"{who} has no option {', '.join(unknown)}", remedy=f"use {', '.join(sorted(known))}")
    return chosen
