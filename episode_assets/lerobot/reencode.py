"""Writes a dataset anew with other video encodings; rows, episodes and frames stay what they are.

Every episode begins on a key frame again, and colours are counted on the way, so statistics need no second pass.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.anonymization.colour_counts import colour_counts
from episode_assets.errors import BadConfig
from episode_assets.lerobot.existing import STATS, ExistingDataset, ExistingEpisode, Feature, open_dataset
from episode_assets.lerobot.existing.damage import named_damage
from episode_assets.lerobot.existing.dataset import INFO
from episode_assets.lerobot.existing.files import camera_files
from episode_assets.lerobot.existing.v2 import EPISODE_STATISTICS, read_lines, write_lines
from episode_assets.lerobot.existing.v3 import episode_files
from episode_assets.lerobot.ledger import PROVENANCE
from episode_assets.lerobot.new_root import new_root
from episode_assets.lerobot.picture_counts import (
    PictureCounts,
    read_picture_counts,
    write_picture_counts,
)
from episode_assets.lerobot.statistics import Statistics, colour_statistics
from episode_assets.lerobot.strict_json import read_json, write_json
from episode_assets.progress import Progress, silent
from episode_assets.video import (
    DepthEncoderConfig,
    RGBEncoderConfig,
    VideoProbe,
    VideoWriter,
    decode_depth_codes,
    decode_frames,
)
from episode_assets.video.info_block import DEPTH_FIELDS, info_block

_LENT = "files"
"""Entry of our provenance by which later versions take files over; these files are of another making."""


@dataclass(frozen=True)
class Reencoded:
    """What was encoded anew.

    Attributes:
        root: The new dataset.
        frames: Pictures encoded, by camera.
        bytes_before: Size of their files before.
        bytes_after: Size of them now.
    """

    root: Path
    frames: Mapping[str, int]
    bytes_before: int
    bytes_after: int


def reencode_dataset(
    source: Path,
    out: Path,
    *,
    rgb: RGBEncoderConfig | None = None,
    depth: DepthEncoderConfig | None = None,
    cameras: Sequence[str] = (),
    progress: Progress = silent,
) -> Reencoded:
    """Encode the videos of a dataset anew into a new dataset of the same version.

    Args:
        source: A dataset root of any version.
        out: Must not exist.
        rgb: How colour is encoded; None leaves colour as it is.
        depth: How codes of depth are encoded; None leaves depth as it is. The steps from codes to distances are those
            of the dataset, whatever this configuration says.
        cameras: Keys of the cameras to encode; all if empty.
        progress: Told after every file.

    Raises:
        BadConfig: Nothing is to be done, a camera is unknown, or an encoder does not open.
        BadVideo: A video cannot be decoded.
        ArtifactDamaged: The dataset cannot be read, or a video holds other frames than its episodes.
    """
    dataset = open_dataset(source)
    chosen = _chosen(dataset, rgb, depth, cameras)
    with named_damage(source), new_root(out) as root:
        made = [_Camera(dataset, feature, config).encode(root, progress) for feature, config in chosen]
        _copy_rest(dataset, root, {one.feature.key for one in made})
        colours = {one.feature.key: one for one in made if not one.feature.is_depth}
        _write_statistics(dataset, root, colours)
        _write_documents(dataset, root, made)
        before, after = (_bytes(folder, made) for folder in (source, root))
    return Reencoded(out, {one.feature.key: one.frames for one in made}, before, after)


@dataclass(frozen=True)
class _Made:
    """One camera that was encoded anew: its files, one of them probed, and colour counts (E, 3, 256) by episode."""

    feature: Feature
    config: RGBEncoderConfig
    files: tuple[str, ...]
    first: VideoProbe
    frames: int
    counts: NDArray[np.int64]


def _chosen(
    dataset: ExistingDataset,
    rgb: RGBEncoderConfig | None,
    depth: DepthEncoderConfig | None,
    cameras: Sequence[str],
) -> list[tuple[Feature, RGBEncoderConfig]]:
    known = {feature.key: feature for feature in dataset.cameras}
    unknown = sorted(set(cameras) - set(known))
    if unknown:
        raise BadConfig(f"there is no video feature {unknown[0]!r}", remedy=f"there are: {', '.join(known)}")
    wanted = [feature for key, feature in known.items() if key in (cameras or known)]
    configs = [(feature, depth if feature.is_depth else rgb) for feature in wanted]
    found = [(feature, config) for feature, config in configs if config is not None]
    if not found:
        raise BadConfig("nothing is to be encoded", remedy="give an encoder for colour or for depth")
    return found


@dataclass(frozen=True)
class _Camera:
    dataset: ExistingDataset
    feature: Feature
    config: RGBEncoderConfig

    def encode(self, root: Path, progress: Progress) -> _Made:
        """Encode all files of the camera, one picture in memory at a time."""
        files = camera_files(self.dataset, self.feature)
        counts = np.zeros((len(self.dataset.episodes), 3, 256), dtype=np.int64)
        first: VideoProbe | None = None
        frames = 0
        for done, (path, episodes) in enumerate(files.items(), start=1):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            found = self._file(path, episodes, root / path, counts)
            first = first or found
            frames += found.frames
            progress(f"encoding {self.feature.key}", done, len(files))
        if first is None:
            raise BadConfig(f"{self.feature.key} has no video", where=str(self.dataset.root))
        return _Made(self.feature, self.config, tuple(files), first, frames, counts)

    def _file(
        self, path: str, episodes: Sequence[ExistingEpisode], out: Path, counts: NDArray[np.int64]
    ) -> VideoProbe:
        owners = [episode.number for episode in episodes for _ in range(episode.length)]
        with VideoWriter(out, self.config, fps=self.dataset.fps) as writer:
            previous = None
            for (_, picture), owner in zip(self._pictures(path), owners, strict=True):
                if not self.feature.is_depth:
                    counts[owner] += colour_counts(picture)
                writer.add(picture, force_key=owner != previous)
                previous = owner
            return writer.finish()

    def _pictures(self, path: str) -> Iterator[tuple[int, Any]]:
        decode: Any = decode_depth_codes if self.feature.is_depth else decode_frames
        yield from decode(self.dataset.root / path)


def _copy_rest(dataset: ExistingDataset, root: Path, encoded: set[str]) -> None:
    """Copy rows, tasks and the videos that stay; statistics and info.json are written anew."""
    kept = {episode.data for episode in dataset.episodes}
    kept |= {
        part.path
        for episode in dataset.episodes
        for key, part in episode.videos.items()
        if key not in encoded
    }
    kept |= {path.relative_to(dataset.root).as_posix() for path in (dataset.root / "meta").rglob("*.*")}
    for path in sorted(kept | {"README.md"}):
        if (dataset.root / path).is_file():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(dataset.root / path, root / path)


def _write_statistics(dataset: ExistingDataset, root: Path, made: Mapping[str, _Made]) -> None:
    fresh = {
        episode.number: {key: _of_episode(one, episode) for key, one in made.items()}
        for episode in dataset.episodes
    }
    if dataset.is_v3:
        _write_records(root, fresh)
    elif (root / EPISODE_STATISTICS).exists():
        numbers = {episode.episode_index: episode.number for episode in dataset.episodes}
        lines = [
            {**line, "stats": _replaced(line["stats"], fresh[numbers[int(line["episode_index"])]])}
            for line in read_lines(root / EPISODE_STATISTICS)
        ]
        write_lines(root / EPISODE_STATISTICS, lines)
    if (root / STATS).exists():
        total = sum(episode.length for episode in dataset.episodes)
        whole = {key: colour_statistics(one.counts.sum(axis=0), frames=total) for key, one in made.items()}
        write_json(root / STATS, _replaced(read_json(root / STATS), whole), indent=4, sort_keys=False)


def _of_episode(one: _Made, episode: ExistingEpisode) -> Statistics:
    return colour_statistics(one.counts[episode.number], frames=episode.length)


def _replaced(stats: Mapping[str, Any], fresh: Mapping[str, Statistics]) -> dict[str, Any]:
    """Return statistics with those of some features replaced, entry by entry as they were."""
    return {
        key: {name: fresh[key].get(name, value) for name, value in entry.items()} if key in fresh else entry
        for key, entry in stats.items()
    }


def _write_records(root: Path, fresh: Mapping[int, Mapping[str, Statistics]]) -> None:
    number = 0
    for path in episode_files(root):
        table = pq.read_table(path)
        rows = range(number, number + table.num_rows)
        for key in fresh[number] if table.num_rows else ():
            for name in (name for name in table.column_names if name.startswith(f"stats/{key}/")):
                field = table.schema.field(name)
                values = [fresh[row][key][name.rpartition("/")[2]] for row in rows]
                place = table.schema.get_field_index(name)
                table = table.set_column(place, field, pa.array(values, field.type))
        pq.write_table(table, path, compression="snappy")
        number += table.num_rows


def _write_documents(dataset: ExistingDataset, root: Path, made: Sequence[_Made]) -> None:
    info = read_json(root / INFO)
    for one in made:
        info["features"][one.feature.key]["info"] = _info(one)
    if dataset.provenance:
        kept = {key: value for key, value in dataset.provenance.items() if key != _LENT}
        write_json(root / PROVENANCE, kept)
    colours = {
        one.feature.key: PictureCounts(one.frames, one.counts.sum(axis=0).reshape(-1))
        for one in made
        if not one.feature.is_depth
    }
    write_picture_counts(root, read_picture_counts(dataset.root) | colours)
    (root / INFO).unlink()
    write_json(root / INFO, info, indent=4, sort_keys=False)


def _info(one: _Made) -> dict[str, Any]:
    """Return the block of the new files; what says how codes become distances is that of the dataset."""
    kept = ("is_depth_map", "depth_unit", *(f"video.{name}" for name in DEPTH_FIELDS))
    block = info_block(one.first, one.config)
    return block | {name: one.feature.info[name] for name in kept if name in one.feature.info}


def _bytes(root: Path, made: Sequence[_Made]) -> int:
    return sum((root / path).stat().st_size for one in made for path in one.files)
