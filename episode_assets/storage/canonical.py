"""Text and digests with one spelling: equal values give equal bytes on every machine.

What goes into a fingerprint or a content digest is decided here; what it is compared with, in `store`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, cast

from episode_assets.errors import BadConfig
from episode_assets.outcome import Json


def to_text(value: Any) -> bytes:
    """Return readable JSON: sorted keys, two spaces, ASCII, a newline at the end.

    Raises:
        ValueError: The value holds NaN or an infinity.
        TypeError: The value holds something that JSON cannot express.
    """
    return (json.dumps(value, sort_keys=True, indent=2, allow_nan=False) + "\n").encode("ascii")


def plain(value: Json) -> Any:
    """Return the value as JSON would give it back: tuples become lists, mappings become dictionaries."""
    return json.loads(json.dumps(value, allow_nan=False, default=_mapping))


def _mapping(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def fingerprint(
    *,
    asset: str,
    code_version: str,
    config: Mapping[str, Json],
    models: Mapping[str, str],
    inputs: Mapping[str, str],
) -> str:
    """Return the name of a computation before it has run.

    Args:
        asset: Name of the asset, with its recipe.
        code_version: Version of the asset's own code.
        config: The resolved configuration, only what affects output bytes.
        models: SHA-256 of each weight file by its registry name.
        inputs: Content digest of each input by the name of its asset.

    Returns:
        64 hex digits.

    Raises:
        BadConfig: The configuration holds NaN, an infinity, or something JSON cannot express.
    """
    question: dict[str, Json] = {
        "asset": asset,
        "code_version": code_version,
        "config": config,
        "models": models,
        "inputs": inputs,
    }
    try:
        text = json.dumps(plain(question), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadConfig(f"the configuration of {asset} cannot be fingerprinted: {error}") from error
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def content_digest(files: Iterable[tuple[str, str]]) -> str:
    """Return the digest of a set of files from their paths and SHA-256, in any order; 64 hex digits."""
    text = json.dumps(sorted([path, sha256] for path, sha256 in files), separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def plain_config(config: object) -> dict[str, Json]:
    """Return a configuration dataclass as plain JSON; tuples become lists.

    Settings marked `is_place` are left out: where a weight file lies changes no output and is nobody's business; which
    file it is stands among the models.
    """
    return cast("dict[str, Json]", _plain_setting(config))


def _plain_setting(value: object) -> Json:
    if is_dataclass(value):
        shown = [item.name for item in fields(value) if not item.metadata.get("is_place")]
        return {name: _plain_setting(getattr(value, name)) for name in shown}
    if isinstance(value, dict):
        return {str(name): _plain_setting(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_setting(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)
