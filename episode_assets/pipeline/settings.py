"""The settings of every step, from one optional YAML file over the defaults of the rooms.

A file has one section per asset (`blurred_rgb: {score_threshold: 0.3}`), may choose the profile that takes the place of
the defaults (`profile: fast`), may name files with further recipes, and may keep file names out of recording ids
(`recording_ids: digest`). Unknown names are errors that suggest the nearest known one, because a typo in a threshold
must not pass unnoticed.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

import yaml

from episode_assets.errors import BadConfig
from episode_assets.lerobot.recipe import Recipe, default_recipe_path
from episode_assets.pipeline.profiles import DEFAULT_PROFILE, profile_sections
from episode_assets.pipeline.steps import STEPS
from episode_assets.storage import Naming

SETTINGS_VARIABLE = "EPISODE_ASSETS_CONFIG"
PROFILE_VARIABLE = "EPISODE_ASSETS_PROFILE"
PROFILE_SETTING = "profile"
RECIPES_SECTION = "recipes"
IDS_SETTING = "recording_ids"

Config = TypeVar("Config")


@dataclass(frozen=True)
class Settings:
    """What a settings file decides.

    Attributes:
        configs: The configuration of each step by asset name.
        recipes: The recipes of datasets by name.
        recording_ids: `name` makes ids of new recordings from their file names; `digest` does not, for archives whose
            file names are personal, because an id is seen everywhere.
    """

    configs: Mapping[str, object]
    recipes: Mapping[str, Recipe]
    recording_ids: Naming = "name"

    @property
    def assets(self) -> tuple[str, ...]:
        """Names of all assets under these settings, upstream first, those of each recipe included."""
        families = ("lerobot_episode", "lerobot_dataset")
        return (*self.configs, *(f"{family}/{name}" for family in families for name in self.recipes))

    def config(self, asset: str) -> Any:
        """Return the configuration dataclass of an asset."""
        family, _, recipe_name = asset.partition("/")
        return self.recipes[recipe_name] if recipe_name else self.configs[family]


def load_settings(path: Path | None = None, *, profile: str | None = None) -> Settings:
    """Read the settings file at `path`, else at `$EPISODE_ASSETS_CONFIG`, else the defaults alone.

    Args:
        path: The file.
        profile: Name of the profile that takes the place of the defaults; else `$EPISODE_ASSETS_PROFILE`, else what the
            file chooses. What the file sets in a section counts over every profile.

    Raises:
        BadConfig: The file is missing, is not YAML, or holds an unknown name, a value out of range or something else
            than a section; or there is no such profile.
    """
    chosen = path or (Path(named) if (named := os.environ.get(SETTINGS_VARIABLE)) else None)
    document = _read(chosen) if chosen else {}
    known = {step.asset: step for step in STEPS}
    _refuse_unknown(document, {*known, RECIPES_SECTION, IDS_SETTING, PROFILE_SETTING}, where=str(chosen))
    presets = _profile(document, profile, where=str(chosen))
    configs = {
        name: build_config(
            step.config_type,
            _over(presets.get(name, {}), _section(document, name, where=str(chosen))),
            where=f"{chosen}:{name}",
        )
        for name, step in known.items()
    }
    folder = chosen.parent if chosen else Path()
    files = [default_recipe_path(), *(folder / item for item in _recipe_files(document, where=str(chosen)))]
    recipes = [Recipe.load(file) for file in files]
    ids = document.get(IDS_SETTING, "name")
    if ids not in get_args(Naming):
        raise BadConfig(f"{IDS_SETTING} is {ids!r}", where=str(chosen), remedy="use 'name' or 'digest'")
    return Settings(configs, {recipe.name: recipe for recipe in recipes}, ids)


def build_config(config_type: type[Config], values: Mapping[str, Any], *, where: str) -> Config:
    """Return `config_type` with `values` over its defaults; sections of nested dataclasses are merged.

    Raises:
        BadConfig: A name is unknown, or the dataclass refuses a value.
    """
    declared = {field.name for field in fields(cast("Any", config_type))}
    _refuse_unknown(values, declared, where=where)
    hints = get_type_hints(config_type)
    chosen = {name: _fit(hints[name], value, where=f"{where}.{name}") for name, value in values.items()}
    try:
        return replace(config_type(), **chosen)  # type: ignore[type-var]
    except TypeError as error:
        raise BadConfig(str(error), where=where) from error


def _fit(kind: Any, value: Any, *, where: str) -> Any:
    if is_dataclass(kind) and isinstance(value, Mapping):
        return build_config(cast("type[Any]", kind), value, where=where)
    if get_origin(kind) is tuple and isinstance(value, list | tuple):
        return tuple(tuple(item) if isinstance(item, list) else item for item in value)
    return value


def _profile(
    document: Mapping[str, Any], asked: str | None, *, where: str
) -> Mapping[str, Mapping[str, Any]]:
    """Return what the chosen profile sets; every name that was given must be one, whichever counts."""
    choices = (
        (document.get(PROFILE_SETTING), where),
        (os.environ.get(PROFILE_VARIABLE) or None, PROFILE_VARIABLE),
        (asked, "--profile"),
    )
    chosen = profile_sections(DEFAULT_PROFILE, where=where)
    for name, by in choices:
        if name is not None:
            chosen = profile_sections(name, where=by)
    return chosen


def _over(preset: Mapping[str, Any], section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section over what a profile sets; sections in it are merged likewise."""
    merged = {**preset, **section}
    for name, value in preset.items():
        own = section.get(name)
        if isinstance(value, Mapping) and isinstance(own, Mapping):
            merged[name] = _over(value, own)
    return merged


def _section(document: Mapping[str, Any], name: str, *, where: str) -> Mapping[str, Any]:
    section = document.get(name)
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        raise BadConfig(
            f"section {name!r} is {section!r} instead of names with values",
            where=where,
            remedy=f"{name}: {{NAME: VALUE}}",
        )
    return section


def _recipe_files(document: Mapping[str, Any], *, where: str) -> Sequence[str]:
    files = document.get(RECIPES_SECTION)
    if files is None:
        return ()
    if not isinstance(files, list) or not all(isinstance(item, str) for item in files):
        raise BadConfig(
            f"section {RECIPES_SECTION!r} is {files!r} instead of a list of files",
            where=where,
            remedy=f"{RECIPES_SECTION}: [FILE, FILE]",
        )
    return files


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfig(f"the settings file cannot be read: {error.strerror}", where=str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadConfig(f"the settings file is not YAML: {error}", where=str(path)) from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise BadConfig("the settings file holds no sections", where=str(path))
    return document


def _refuse_unknown(values: Mapping[str, Any], known: set[str], *, where: str) -> None:
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known names: {', '.join(sorted(known))}"
            raise BadConfig(f"unknown name {name!r}", where=where, remedy=hint)
