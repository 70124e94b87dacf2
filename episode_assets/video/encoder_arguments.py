"""Flags of a command line for every field of an encoder configuration, and the configuration that they ask for.

The flags come from the fields themselves, so a new field is a new flag. Which command has them, and how its library
parses a line, is its own business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from episode_assets.errors import BadConfig
from episode_assets.video.encoder_config import DepthEncoderConfig, RGBEncoderConfig

ConfigT = TypeVar("ConfigT", bound=RGBEncoderConfig)

_OF_CODEC = ("preset", "crf", "extra_options")
"""Fields whose values mean something to one codec only."""

NONE = "none"
"""What is written for "leave it to the encoder"."""


@dataclass(frozen=True)
class EncoderArgument:
    """One flag.

    Attributes:
        flag: As it is typed: `--rgb_encoder.crf`, LeRobot's spelling.
        name: A Python name that no other flag of the command has: `rgb_encoder_crf`.
        field: The configuration's field.
        default: What the field is without the flag, as it would be typed.
        help: What it does, with unit and range.
        parse: Turns what was typed into the field's value.

    `parse` raises BadConfig.
    """

    flag: str
    name: str
    field: str
    default: str
    help: str
    parse: Callable[[str], Any]


def encoder_arguments(
    config_class: type[RGBEncoderConfig], *, prefix: str = ""
) -> tuple[EncoderArgument, ...]:
    """Return a flag for each field of a configuration, in the order of the fields.

    Args:
        config_class: `RGBEncoderConfig` or `DepthEncoderConfig`.
        prefix: What the flags begin with; `rgb_encoder` or `depth_encoder` if empty.
    """
    stem = prefix or ("depth_encoder" if issubclass(config_class, DepthEncoderConfig) else "rgb_encoder")
    defaults = config_class()
    return tuple(
        EncoderArgument(
            flag=f"--{stem}.{item.name}",
            name=f"{stem}_{item.name}",
            field=item.name,
            default=_typed(getattr(defaults, item.name)),
            help=item.metadata["help"],
            parse=_parser(item.name, str(item.type)),
        )
        for item in fields(config_class)
    )


def config_from_arguments(
    config_class: type[ConfigT],
    given: Mapping[str, str | None],
    *,
    prefix: str = "",
    base: ConfigT | None = None,
) -> ConfigT:
    """Return the configuration that flags ask for.

    Args:
        config_class: As for `encoder_arguments`.
        given: `EncoderArgument.name` to what was typed; None or missing where the flag was not given. Other names are
            passed over, so the whole of a command's parameters may come in.
        prefix: As for `encoder_arguments`.
        base: What holds where no flag was given; the defaults if None. Where flags name another codec, the base's
            speed, quality and options do not come with it.

    Raises:
        BadConfig: A value is not allowed.
    """
    asked = {
        argument.field: argument.parse(typed)
        for argument in encoder_arguments(config_class, prefix=prefix)
        if (typed := given.get(argument.name)) is not None
    }
    kept = {} if base is None else base.to_mapping()
    if asked.get("vcodec", kept.get("vcodec")) != kept.get("vcodec"):
        kept = {name: value for name, value in kept.items() if name not in _OF_CODEC}
    return config_class.from_mapping({**kept, **asked}, where="command line")


def _typed(value: object) -> str:
    if value is None:
        return NONE
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(f"{name}={setting}" for name, setting in value)
    return format(value, "g") if isinstance(value, float) else str(value)


def _parser(name: str, kind: str) -> Callable[[str], Any]:
    def parse(typed: str) -> Any:
        if "None" in kind and typed.lower() == NONE:
            return None
        return _PARSERS[kind.partition(" | ")[0]](name, typed)

    return parse


def _whole(name: str, typed: str) -> int:
    try:
        return int(typed)
    except ValueError:
        raise BadConfig(f"{name} must be a whole number, got {typed!r}") from None


def _number(name: str, typed: str) -> float:
    try:
        return float(typed)
    except ValueError:
        raise BadConfig(f"{name} must be a number, got {typed!r}") from None


def _truth(name: str, typed: str) -> bool:
    if typed.lower() not in ("true", "false"):
        raise BadConfig(f"{name} must be true or false, got {typed!r}")
    return typed.lower() == "true"


def _options(name: str, typed: str) -> dict[str, str]:
    """Read `name=value,name=value`; a value may hold further `=`, as x265-params does."""
    pairs = [part.split("=", 1) for part in typed.split(",") if part]
    if any(len(pair) != 2 for pair in pairs):
        raise BadConfig(f"{name} must read name=value,name=value, got {typed!r}")
    return dict(pairs)


_PARSERS: Mapping[str, Callable[[str, str], Any]] = {
    "str": lambda _, typed: typed,
    "int": _whole,
    "float": _number,
    "bool": _truth,
    "Options": _options,
}
