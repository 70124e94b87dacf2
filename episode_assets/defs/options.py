"""Turns a room's configuration dataclass into what a user fills in when launching a run, and back.

The rooms declare each setting once, with its help text; the Dagster UI shows the same names, defaults and texts.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import dagster as dg
from pydantic import Field, create_model

from episode_assets.pipeline.settings import build_config

Config = TypeVar("Config")

FORCE = "force"
"""Name of the one option that every asset has beside its settings: compute even on a cache hit."""


def options_for(config_type: type[Any], defaults: object) -> type[dg.Config]:
    """Return a Dagster config class with the fields of `config_type`, its help texts, and the given defaults."""
    force = (bool, Field(default=False, description="Compute even if the store has this artifact."))
    return _model(config_type, defaults, {FORCE: force})


def only_force() -> type[dg.Config]:
    """Return the config class of an asset whose settings come from a file and not from the launchpad."""
    force = (bool, Field(default=False, description="Compute even if the store has this artifact."))
    return create_model("ForceOnly", __base__=dg.Config, **{FORCE: force})  # type: ignore[call-overload,no-any-return]


def chosen_config(options: dg.Config, config_type: type[Config]) -> Config:
    """Return the configuration dataclass that the filled-in options stand for.

    Raises:
        BadConfig: A value is out of range.
    """
    values = {name: value for name, value in options.model_dump().items() if name != FORCE}
    return build_config(config_type, values, where="run config")


def is_forced(options: dg.Config) -> bool:
    """Return whether the user asked to compute in any case."""
    return bool(getattr(options, FORCE, False))


def _model(config_type: type[Any], defaults: object, extra: dict[str, Any]) -> type[dg.Config]:
    hints = get_type_hints(config_type)
    members: dict[str, Any] = {
        field.name: _member(
            hints[field.name], getattr(defaults, field.name), str(field.metadata.get("help", ""))
        )
        for field in fields(config_type)
        if field.default is not MISSING or field.default_factory is not MISSING
    }
    name = f"{config_type.__name__}Options"
    return cast("type[dg.Config]", create_model(name, __base__=dg.Config, **members, **extra))


def _member(kind: Any, default: Any, help_text: str) -> tuple[Any, Any]:
    if is_dataclass(kind):
        nested = _model(cast("type[Any]", kind), default, {})
        return nested, Field(default_factory=nested, description=help_text)
    return _dagster_type(kind), Field(default=_dagster_value(default), description=help_text)


def _dagster_type(kind: Any) -> Any:
    # Dagster's config system knows lists but no tuples.
    origin = get_origin(kind)
    if origin is tuple:
        inner = get_args(kind)[0]
        return list[_dagster_type(inner)]  # type: ignore[misc]
    if origin in (Union, UnionType):
        return Union[tuple(_dagster_type(item) for item in get_args(kind))]  # noqa: UP007
    return kind


def _dagster_value(value: Any) -> Any:
    return [_dagster_value(item) for item in value] if isinstance(value, tuple) else value
