"""Small artifacts to publish, and eyes of their own to look into a store with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import fsspec

from episode_assets.outcome import Outcome
from episode_assets.storage import Artifact, ArtifactKey, Store, fingerprint

RAW = ArtifactKey("raw_mcap", "kitchen-0a1b2c3d")
BLURRED = ArtifactKey("blurred_rgb", "kitchen-0a1b2c3d")
PASSED: dict[str, Any] = {"audit": "passed", "rounds": 1}


def fingerprint_of(text: str) -> str:
    """Return a fingerprint that differs for each text."""
    return fingerprint(asset="test", code_version="1", config={"text": text}, models={}, inputs={})


def fill(directory: Path, contents: Mapping[str, bytes]) -> None:
    """Write files as a computation would."""
    for path, content in contents.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(content)


def publish(
    store: Store,
    contents: Mapping[str, bytes],
    *,
    key: ArtifactKey = RAW,
    run: str = "first",
    view: Iterable[str] = (),
    privacy: Mapping[str, Any] | None = None,
    **outcome: Any,
) -> Artifact:
    """Publish files; those not named in `view` are core."""
    draft = store.draft(
        key, fingerprint=fingerprint_of(run), code_version="7", config={"run": run}, inputs={}
    )
    with draft:
        fill(draft.directory, contents)
        core = tuple(path for path in contents if path not in set(view))
        return draft.publish(Outcome(core=core, view=tuple(view), privacy=privacy, **outcome))


def digest_of(contents: Mapping[str, bytes]) -> str:
    """Return the content digest, computed from its definition and not by the store."""
    pairs = sorted([path, hashlib.sha256(content).hexdigest()] for path, content in contents.items())
    return hashlib.sha256(json.dumps(pairs, separators=(",", ":")).encode()).hexdigest()


def everything_in(uri: str) -> dict[str, bytes]:
    """Return all files of a store with their content, links left out, read past the store's own code."""
    if "://" not in uri:
        root = Path(uri)
        found = (path for path in root.rglob("*") if path.is_file() and "latest" not in path.parts)
        return {str(path.relative_to(root)): path.read_bytes() for path in found}
    files, root_path = fsspec.core.url_to_fs(uri, use_listings_cache=False)
    prefix = root_path.rstrip("/") + "/"
    return {path[len(prefix) :]: files.cat_file(path) for path in files.find(prefix)}


def overwrite(uri: str, path: str, content: bytes) -> None:
    """Change one file of a store past its protection, as a failing disk or a careless hand would."""
    if "://" not in uri:
        target = Path(uri) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_bytes(content)
        return
    files, root_path = fsspec.core.url_to_fs(uri, use_listings_cache=False)
    files.pipe_file(f"{root_path.rstrip('/')}/{path}", content)


def remove(uri: str, path: str) -> None:
    """Remove one file of a store past its protection."""
    if "://" not in uri:
        (Path(uri) / path).unlink()
        return
    files, root_path = fsspec.core.url_to_fs(uri, use_listings_cache=False)
    files.rm_file(f"{root_path.rstrip('/')}/{path}")
