"""A process that reads a store again and again through the public reader and checks every byte; see `test_killed_runs`.

Argument: address of the store. It stops when its standard input is closed, and then prints one JSON object.
"""

from __future__ import annotations

import hashlib
import json
import select
import sys

import fsspec

from episode_assets.errors import ArtifactMissing
from episode_assets.storage import Artifact, Store
from episode_assets_tests.storage.samples import BLURRED

PAUSE_S = 0.05
"""Time left to the publisher, which may have to share the only free core."""


def check(artifact: Artifact) -> list[str]:
    """Compare every file with the manifest, past the store's own reading code."""
    problems = []
    for entry in artifact.manifest.files:
        with fsspec.open(artifact.uri(entry.path), "rb") as file:
            content = file.read()
        if (len(content), hashlib.sha256(content).hexdigest()) != (entry.bytes, entry.sha256):
            problems.append(f"{artifact.uri(entry.path)} differs from its manifest")
    return problems


def main() -> None:
    """Read until the input is closed."""
    store = Store.open(sys.argv[1])
    problems: list[str] = []
    versions: set[str] = set()
    rounds = checked = 0
    while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
        rounds += 1
        try:
            visible = [store.latest(BLURRED)]
        except ArtifactMissing:
            visible = []
        # Every version is read when it is first seen; the latest one in every round.
        visible += [store.version(BLURRED, name) for name in store.versions(BLURRED) if name not in versions]
        for artifact in visible:
            problems += check(artifact)
            versions.add(artifact.version)
            checked += 1
    json.dump(
        {"rounds": rounds, "checked": checked, "versions": sorted(versions), "problems": problems}, sys.stdout
    )


if __name__ == "__main__":
    main()
