"""`manifest.json` of an exported directory, in the layout that the store's artifacts have."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from episode_assets.outcome import ModelUse, Outcome
from episode_assets.storage.canonical import plain, plain_config
from episode_assets.storage.files import sha256_of
from episode_assets.storage.manifest import MANIFEST, FileEntry, Manifest, Role, digest_of, file_entry

ASSET = "episode_bundle"
CODE = "script"
"""As the code version: a script of its own has made the episode, and nothing can tell whether it would again."""


def write_manifest(
    directory: Path,
    outcome: Outcome,
    *,
    recording_id: str,
    upstream_models: Sequence[ModelUse],
    configs: Mapping[str, object],
) -> dict[str, Any]:
    """Write the manifest of a directory that is complete, and return what it holds.

    Args:
        directory: The directory.
        outcome: Its files, and what is known of them.
        recording_id: The recording.
        upstream_models: Weight files that blurred and audited the pictures.
        configs: The configuration dataclass of each step that took part, by the name of its asset.
    """
    roles: dict[str, Role] = dict.fromkeys(outcome.core, "core")
    roles.update(dict.fromkeys(outcome.view, "view"))
    files = tuple(_entry(directory, path, roles[path], outcome) for path in sorted(roles))
    digest = digest_of(files)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    manifest = Manifest(
        asset=ASSET,
        recording_id=recording_id,
        version=digest[:16],
        fingerprint="",
        content_digest=digest,
        inputs={},
        code={
            "package": "episode-assets",
            "package_version": importlib.metadata.version("episode-assets"),
            "version": CODE,
        },
        config={name: plain_config(config) for name, config in configs.items()},
        files=files,
        models=outcome.models,
        saved=outcome.saved,
        skipped=outcome.skipped,
        warnings=outcome.warnings,
        summary=plain(outcome.summary),
        privacy=plain(outcome.privacy),
        created_at=now,
        source=plain(outcome.source),
        datasets=tuple(plain(item) for item in outcome.datasets),
        upstream_models=tuple(upstream_models),
    )
    text = manifest.to_json()
    (directory / MANIFEST).write_bytes(text)
    content: dict[str, Any] = json.loads(text)
    return content


def _entry(directory: Path, path: str, role: Role, outcome: Outcome) -> FileEntry:
    file = directory / path
    return file_entry(
        path, role, size=file.stat().st_size, sha256=sha256_of(file), facts=outcome.facts.get(path)
    )
