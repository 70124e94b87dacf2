"""A fragment on disk, as packing takes it: what one recording contributes to the datasets of a recipe.

It does not know which episode or row of a dataset it will be; `dataset` gives it its numbers and copies its video. How
it is made is in `contribution`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from episode_assets.errors import ArtifactDamaged
from episode_assets.footage import passed_audit
from episode_assets.lerobot.camera_tracks import FROM_FRAGMENT
from episode_assets.lerobot.columns import fragment_columns, schema_of
from episode_assets.lerobot.fragment_tables import read_statistics
from episode_assets.lerobot.labels import NOTHING_SAID, Labels
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.stored_images import FILE as IMAGES
from episode_assets.lerobot.stored_images import read_images, sizes_of_images
from episode_assets.video import VideoSpan

ROWS = "rows.parquet"
STATISTICS = "statistics.arrow"
DOCUMENT = "episodes.json"
SCHEMA = "lerobot_fragment"
SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Fragment:
    """One recording's published contribution, as `pack_dataset` takes it.

    Attributes:
        recording_id: The recording.
        directory: Directory of the fragment.
        digest: Content digest of the fragment.
        bundle_video: rgb.mp4 of the very bundle version that the fragment refers to, or a function that fetches it:
            most videos of a growing dataset are never read again.
        labels: What people say about the recording.
    """

    recording_id: str
    directory: Path
    digest: str
    bundle_video: Path | Callable[[], Path]
    labels: Labels = NOTHING_SAID

    def video(self) -> Path:
        """Return a local file with the bundle's video, fetched now if it lies elsewhere."""
        return self.bundle_video if isinstance(self.bundle_video, Path) else self.bundle_video()


@dataclass(frozen=True)
class FragmentReader:
    """A fragment on disk, checked for what packing needs.

    Attributes:
        fragment: Where it lies.
        document: Its `episodes.json`.
    """

    fragment: Fragment
    document: Mapping[str, Any]

    @classmethod
    def open(cls, fragment: Fragment, *, recipe: Recipe) -> FragmentReader:
        """Read a fragment's document and check it against its own tables and the recipe.

        Raises:
            ArtifactDamaged: A file is missing, unreadable, of another schema or recipe, or contradicts the others.
            UnauditedArtifact: It carries no passed audit.
        """
        try:
            document = json.loads((fragment.directory / DOCUMENT).read_text(encoding="utf-8"))
            passed_audit(document.get("privacy"), where=f"the contribution of {fragment.recording_id}")
            reader = cls(fragment, document)
            reader._check(recipe)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
            # The text of a system error names the path, and this sentence ends up in datasets.
            text = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            raise _damaged(fragment, f"it cannot be read: {text}") from error
        return reader

    @property
    def episodes(self) -> Sequence[Mapping[str, Any]]:
        """Its episodes, in order of time."""
        episodes: Sequence[Mapping[str, Any]] = self.document["episodes"]
        return episodes

    @property
    def fps(self) -> int:
        """Rate of its rows."""
        return int(self.document["fps"])

    def statistics(self) -> list[dict[str, Any]]:
        """Return one flat record of statistics per episode."""
        records: list[dict[str, Any]] = self.statistics_table().to_pylist()
        return records

    def statistics_table(self) -> Any:
        """Return the statistics as an Arrow table, one row per episode; counts of pixels included."""
        return read_statistics(self.fragment.directory / STATISTICS)

    def rows(self) -> Any:
        """Open the rows; row group i holds episode i."""
        return pq.ParquetFile(self.fragment.directory / ROWS)

    def row_table(self, position: int) -> Any:
        """Return the rows of one episode as an Arrow table with the columns of `fragment_columns`."""
        with self.rows() as file:
            return file.read_row_group(position, use_threads=False)

    def camera_facts(self, camera_key: str) -> Mapping[str, Any]:
        """Return what all pictures of a feature share, wherever they lie."""
        facts: Mapping[str, Any] = {**self.document["video"], **self.document["images"]}[camera_key]
        return facts

    @property
    def image_keys(self) -> tuple[str, ...]:
        """Names of the features whose pictures are images of the rows."""
        return tuple(key for key in self.document["cameras"] if key in self.document["images"])

    def image_tables(self, position: int) -> Iterator[Any]:
        """Yield the images of one episode as Arrow tables of few rows each, one column per key."""
        lengths = [int(episode["length"]) for episode in self.episodes]
        path = self.fragment.directory / IMAGES
        return read_images(path, first=sum(lengths[:position]), rows=lengths[position])

    def image_bytes(self) -> list[int]:
        """Return how large the images of each episode are; 0 where they lie in videos."""
        lengths = [int(episode["length"]) for episode in self.episodes]
        return (
            sizes_of_images(self.fragment.directory / IMAGES, lengths)
            if self.image_keys
            else [0] * len(lengths)
        )

    @property
    def video_keys(self) -> tuple[str, ...]:
        """Names of the features whose frames lie in video files."""
        return tuple(key for key in self.document["cameras"] if key in self.document["video"])

    def video_facts(self, video_key: str) -> Mapping[str, Any]:
        """Return what all frames of a feature share: codec, size, pixel format, colours, parameter sets, encoder."""
        facts: Mapping[str, Any] = self.document["video"][video_key]
        return facts

    def video_span(self, position: int, video_key: str) -> VideoSpan:
        """Return where the frames of an episode lie."""
        found = self.episodes[position]["videos"][video_key]
        is_own = found["from"] == FROM_FRAGMENT
        path = self.fragment.directory / found["file"] if is_own else self.fragment.video()
        return VideoSpan(path, int(found["frame_start"]), int(found["frame_stop"]))

    def _check(self, recipe: Recipe) -> None:
        document, fragment = self.document, self.fragment
        if (document["schema"], document["schema_version"]) != (SCHEMA, SCHEMA_VERSION):
            raise _damaged(fragment, f"its schema is {document['schema']} {document['schema_version']}")
        if document["recording_id"] != fragment.recording_id:
            raise _damaged(fragment, f"it belongs to recording {document['recording_id']}")
        if document["rows_digest"] != recipe.rows_digest:
            raise _damaged(fragment, f"it was made with another version of recipe {recipe.name!r}")
        lengths = [int(episode["length"]) for episode in self.episodes]
        with self.rows() as file:
            groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            is_same = file.schema_arrow.equals(schema_of(fragment_columns(recipe)))
        if not is_same:
            raise _damaged(fragment, "its columns are not those of the recipe")
        if groups != lengths or self.statistics_table().num_rows != len(lengths):
            raise _damaged(fragment, f"its tables hold episodes of {groups} rows, its document of {lengths}")
        if (
            self.image_keys
            and lengths
            and pq.read_metadata(fragment.directory / IMAGES).num_rows != sum(lengths)
        ):
            raise _damaged(fragment, "its images are not one per row")


def _damaged(fragment: Fragment, what: str) -> ArtifactDamaged:
    return ArtifactDamaged(
        what,
        where=f"the contribution of {fragment.recording_id}",
        remedy="materialise lerobot_episode of this recording again",
    )
