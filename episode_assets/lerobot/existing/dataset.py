"""A dataset on a disk: its documents, its features, and where each episode lies; rows are read by `rows`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from episode_assets.errors import BadConfig
from episode_assets.lerobot.columns import Mask
from episode_assets.lerobot.existing import v2, v3
from episode_assets.lerobot.existing.damage import named_damage
from episode_assets.lerobot.existing.episode import ExistingEpisode
from episode_assets.lerobot.existing.features import Feature
from episode_assets.lerobot.ledger import PROVENANCE
from episode_assets.lerobot.strict_json import read_json

INFO = "meta/info.json"
STATS = "meta/stats.json"
VERSIONS = ("v3.0", "v2.1", "v2.0")

Info = Mapping[str, Any]


class Layout(NamedTuple):
    """How a version keeps its documents."""

    read_episodes: Callable[[Path, Info, Sequence[str]], Iterator[ExistingEpisode]]
    read_tasks: Callable[[Path], tuple[tuple[int, str], ...]]
    read_episode_statistics: Callable[[Path], Iterator[tuple[int, Mapping[str, Any]]]]


@dataclass(frozen=True)
class ExistingDataset:
    """The documents of a dataset, read once.

    Attributes:
        root: Directory of the dataset.
        version: One of `VERSIONS`.
        info: info.json.
        features: Its features by key, in their order.
        episodes: Its episodes in their order.
        provenance: meta/episode_assets.json; empty for a dataset that others wrote.
    """

    root: Path
    version: str
    info: Mapping[str, Any]
    features: Mapping[str, Feature]
    episodes: tuple[ExistingEpisode, ...]
    provenance: Mapping[str, Any]

    @property
    def is_v3(self) -> bool:
        """Whether many episodes share a file."""
        return self.version == "v3.0"

    @property
    def fps(self) -> int:
        """Rows per second; a rate like 20.0 counts as the whole number that it is."""
        return int(self.info["fps"])

    @property
    def cameras(self) -> tuple[Feature, ...]:
        """The features whose pictures lie in mp4 files."""
        return tuple(feature for feature in self.features.values() if feature.is_video)

    @property
    def columns(self) -> tuple[Feature, ...]:
        """The features that are columns of the data files."""
        return tuple(feature for feature in self.features.values() if not feature.is_video)

    @cached_property
    def data_files(self) -> tuple[str, ...]:
        """The files with rows that are there, in the order of their names."""
        files = sorted((self.root / "data").glob("*/*.parquet"))
        return tuple(path.relative_to(self.root).as_posix() for path in files)

    @cached_property
    def tasks(self) -> tuple[tuple[int, str], ...]:
        """Index and text of each line of the task table."""
        return self._layout.read_tasks(self.root)

    def statistics(self) -> Mapping[str, Any] | None:
        """Return the statistics of the whole dataset by feature, or None where there are none."""
        path = self.root / STATS
        return read_json(path) if path.exists() else None

    def episode_statistics(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Yield (position of the episode, statistics by feature) for all episodes that have some."""
        return self._layout.read_episode_statistics(self.root)

    @property
    def _layout(self) -> Layout:
        return _LAYOUTS[self.version]


_V2 = Layout(v2.read_episodes, v2.read_tasks, v2.read_episode_statistics)
_LAYOUTS = {
    "v3.0": Layout(v3.read_episodes, v3.read_tasks, v3.read_episode_statistics),
    "v2.1": _V2,
    "v2.0": _V2,
}


def open_dataset(root: Path) -> ExistingDataset:
    """Read the documents of a dataset.

    Raises:
        BadConfig: There is no dataset, or it is of a version that nobody here knows.
        ArtifactDamaged: A document is missing or cannot be read, or a path leads out of the dataset.
    """
    if not (root / INFO).exists():
        raise BadConfig(
            "there is no dataset here", where=str(root), remedy="name a folder with meta/info.json"
        )
    with named_damage(root):
        return _opened(root)


def _opened(root: Path) -> ExistingDataset:
    info = read_json(root / INFO)
    version = info["codebase_version"]
    if version not in VERSIONS:
        raise BadConfig(
            f"codebase_version is {version!r}", where=INFO, remedy=f"one of {', '.join(VERSIONS)}"
        )
    path = root / PROVENANCE
    provenance = read_json(path) if path.exists() else {}
    masks = {key: tuple(map(_mask, items)) for key, items in provenance.get("masks", {}).items()}
    features = {key: Feature.read(key, entry, masks.get(key, ())) for key, entry in info["features"].items()}
    cameras = tuple(key for key, feature in features.items() if feature.is_video)
    episodes = tuple(_LAYOUTS[version].read_episodes(root, info, cameras))
    for name in {name for episode in episodes for name in episode.paths}:
        _require_inside(name)
    return ExistingDataset(root, version, info, features, episodes, provenance)


def _require_inside(path: str) -> None:
    """Refuse a path that leads out of the dataset: others' documents must not say where files are read or written."""
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"{path!r} leads out of the dataset")


def _mask(document: Mapping[str, Any]) -> Mask:
    start, stop = document["elements"]
    return Mask(int(start), int(stop), str(document["column"]), int(document["index"]))
