"""Files of published datasets that a new version may take over: of the dataset's own last version, and of others.

Datasets of one archive that show the same frames share the bytes of their videos. What a file is made of stands in the
provenance of its dataset; files with equal keys are equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from episode_assets.errors import ArtifactDamaged, ArtifactMissing, UnauditedArtifact
from episode_assets.lerobot.ledger import PROVENANCE
from episode_assets.lerobot.reuse import FindPublished
from episode_assets.storage import Artifact, ArtifactKey, Draft, Store

DATASETS = "lerobot_dataset"


@dataclass(frozen=True)
class _Lendable:
    """A file of a published dataset, and the draft that may have it."""

    artifact: Artifact
    name: str
    draft: Draft

    @property
    def size(self) -> int:
        entry = self.artifact.manifest.entry(self.name)
        return 0 if entry is None else entry.bytes

    def take_over(self, target: Path) -> None:
        self.draft.take_over(self.artifact, self.name, target.relative_to(self.draft.directory).as_posix())

    def local(self) -> Path:
        return self.artifact.path(self.name)


def earlier_files(store: Store, own: ArtifactKey, draft: Draft) -> FindPublished:
    """Return a look-up in the last versions of all published datasets; the dataset's own comes first."""
    found = [
        ArtifactKey(f"{DATASETS}/{key.recording_id}") for key in store.keys(DATASETS) if key.recording_id
    ]
    known: dict[str, _Lendable] = {}
    for key in sorted(found, key=lambda key: (key != own, str(key))):
        artifact = readable_dataset(store, key)
        if artifact is None:
            continue
        for root, provenance in provenances(artifact):
            for path, file_key in provenance.get("files", {}).items():
                known.setdefault(str(file_key), _Lendable(artifact, f"{root}{path}", draft))
    return known.get


def readable_dataset(store: Store, key: ArtifactKey) -> Artifact | None:
    """Return the last version of a dataset, or None where there is none that may be read and is whole."""
    try:
        return store.latest(key)
    except (ArtifactDamaged, ArtifactMissing, UnauditedArtifact):
        return None  # what is damaged lends nothing and is repaired by the next version


def provenances(dataset: Artifact) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the folder of each root, empty or with a slash at its end, and its provenance; nothing else is fetched."""
    for entry in dataset.manifest.files:
        root = entry.path.removesuffix(PROVENANCE)
        if root != entry.path and root.count("/") == root.endswith("/"):
            yield root, dataset.read_json(entry.path)
