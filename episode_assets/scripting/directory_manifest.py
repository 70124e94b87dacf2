"""`manifest.json` of an exported directory, in the layout that the store's artifacts have."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
from pathlib import Path
from typing import Any

from episode_assets.outcome import Outcome
from episode_assets.storage.canonical import plain
from episode_assets.storage.files import sha256_of
from episode_assets.storage.manifest import MANIFEST, FileEntry, Manifest, Role, digest_of

ASSET = "episode_bundle"
CODE = "script"
"""As the code version: a script of its own has made the episode, and nothing can tell whether it would again."""


def write_manifest(directory: Path, outcome: Outcome, *, recording_id: str) -> dict[str, Any]:
    """Write the manifest of a directory that is complete, and return what it holds."""
    roles: dict[str, Role] = dict.fromkeys(outcome.core, "core")
    roles.update(dict.fromkeys(outcome.view, "view"))
    files = tuple(
        FileEntry(path, roles[path], (directory / path).stat().st_size, sha256_of(directory / path))
        for path in sorted(roles)
    )
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
        config={},
        files=files,
        models=outcome.models,
        saved=outcome.saved,
        skipped=outcome.skipped,
        warnings=outcome.warnings,
        summary=plain(outcome.summary),
        privacy=plain(outcome.privacy),
        created_at=now,
    )
    text = manifest.to_json()
    (directory / MANIFEST).write_bytes(text)
    content: dict[str, Any] = json.loads(text)
    return content
