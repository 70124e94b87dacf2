"""A copy of a dataset that leads back to nobody: every table and document is written anew without what does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from episode_assets.errors import BadConfig, UnauditedArtifact
from episode_assets.lerobot.existing import STATS, EpisodeRows, ExistingDataset, episode_rows, open_dataset
from episode_assets.lerobot.existing.damage import named_damage
from episode_assets.lerobot.existing.dataset import INFO
from episode_assets.lerobot.existing.v2 import EPISODE_STATISTICS, EPISODES, MODALITY, read_lines, write_lines
from episode_assets.lerobot.existing.v2 import TASKS as TASK_LINES
from episode_assets.lerobot.existing.v3 import TASKS as TASK_TABLE
from episode_assets.lerobot.existing.v3 import episode_files
from episode_assets.lerobot.handing_on.copies import require_roots
from episode_assets.lerobot.handing_on.public_fields import (
    STAMPS,
    dropped_columns,
    is_public_field,
    public_provenance,
)
from episode_assets.lerobot.ledger import PROVENANCE
from episode_assets.lerobot.new_root import new_root
from episode_assets.lerobot.picture_counts import PICTURE_COUNTS
from episode_assets.lerobot.plain_card import plain_card
from episode_assets.lerobot.statistics import Statistics, column_statistics
from episode_assets.lerobot.strict_json import read_json, write_json
from episode_assets.lerobot.whole_statistics import statistics_of_rows
from episode_assets.progress import Progress, silent

_HUB_NOTE = b"huggingface"

_WITHOUT_TRACE = """
This is a public copy: stamps start at 0 in every episode, and numbers and ids that lead back to the recordings are
left out.
"""


@dataclass(frozen=True)
class PublicCopy:
    """What a public copy is.

    Attributes:
        root: Its folder.
        dropped: Columns that it does not have.
        files: Its number of files.
    """

    root: Path
    dropped: tuple[str, ...]
    files: int


def publish_copy(source: Path, out: Path, *, progress: Progress = silent) -> PublicCopy:
    """Write a copy of a dataset, with all its splits, for people who shall not find back to the recordings.

    Only files that the dataset names are taken over: whatever else lies in its folders stays behind.

    Args:
        source: A dataset root, or the folder that holds one per split.
        out: Must not exist.
        progress: Told after every episode.

    Raises:
        BadConfig: There is no dataset, or `out` exists.
        UnauditedArtifact: Nobody says that its pictures passed the audit.
        ArtifactDamaged: It cannot be read.
    """
    roots = require_roots(source)
    datasets = {name: open_dataset(path) for name, path in roots.items()}
    for dataset in datasets.values():
        _require_audit(dataset)
    dropped: dict[str, None] = {}
    with named_damage(source), new_root(out) as root:
        for name, dataset in datasets.items():
            one = _PublicRoot(dataset, root if name is None else root / name, name or out.name)
            one.write(progress)
            dropped |= dict.fromkeys(one.dropped)
        files = sum(1 for path in root.rglob("*") if path.is_file())
    return PublicCopy(out, tuple(dropped), files)


def _require_audit(dataset: ExistingDataset) -> None:
    if dataset.provenance.get("privacy", {}).get("audit") != "passed":
        raise UnauditedArtifact(
            "nothing says that the pictures of this dataset passed the audit",
            where=str(dataset.root),
            remedy="only datasets of this package can be made public",
        )


@dataclass(frozen=True)
class _PublicRoot:
    """One root on its way into the open."""

    dataset: ExistingDataset
    root: Path
    name: str

    @property
    def dropped(self) -> tuple[str, ...]:
        """Columns that stay behind."""
        return dropped_columns(self.dataset.features)

    def write(self, progress: Progress) -> None:
        """Write videos, rows, episodes, tasks, statistics, provenance, card, and info.json last."""
        (self.root / "meta").mkdir(parents=True, exist_ok=True)
        for path in self._copied():
            self._copy(path)
        stamps = self._write_rows(progress)
        if self.dataset.is_v3:
            self._write_records(stamps)
        else:
            self._write_lines(stamps)
        self._write_statistics()
        write_json(self.root / PROVENANCE, public_provenance(self.dataset.provenance, self.dropped))
        info = dict(self.dataset.info)
        info["features"] = {key: item for key, item in info["features"].items() if key not in self.dropped}
        licence = self.dataset.provenance.get("recipe", {}).get("licence", "other")
        card = plain_card(self.dataset, name=self.name, licence=licence)
        (self.root / "README.md").write_text(card + _WITHOUT_TRACE, encoding="utf-8")
        write_json(self.root / INFO, info, indent=4, sort_keys=False)

    def _copied(self) -> list[str]:
        videos = {part.path for episode in self.dataset.episodes for part in episode.videos.values()}
        tasks = [TASK_TABLE] if self.dataset.is_v3 else [TASK_LINES, MODALITY]
        return [*sorted(videos), *tasks, PICTURE_COUNTS]

    def _copy(self, path: str) -> None:
        source = self.dataset.root / path
        if source.exists():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, self.root / path)

    def _write_rows(self, progress: Progress) -> dict[int, Statistics]:
        """Write all data files, a row group per episode; return the statistics of the new stamps by episode."""
        statistics = {}
        writer: Any = None
        path, total = "", len(self.dataset.episodes)
        try:
            for rows in episode_rows(self.dataset):
                if not isinstance(rows, EpisodeRows):
                    raise BadConfig(
                        f"{rows.file} holds other rows than its episodes",
                        remedy="`episode-assets dataset verify` names what is wrong",
                    )
                table = self._public_rows(rows.table)
                if rows.episode.data != path:
                    path = rows.episode.data
                    if writer is not None:
                        writer.close()
                    (self.root / path).parent.mkdir(parents=True, exist_ok=True)
                    writer = pq.ParquetWriter(self.root / path, table.schema, compression="snappy")
                writer.write_table(table, row_group_size=table.num_rows)
                if STAMPS in table.column_names:
                    values = table[STAMPS].to_numpy()
                    statistics[rows.episode.number] = column_statistics(
                        values, np.ones((len(values), 1), bool)
                    )
                progress("episodes made public", rows.episode.number + 1, total)
        finally:
            if writer is not None:
                writer.close()
        return statistics

    def _public_rows(self, table: Any) -> Any:
        table = table.drop_columns([name for name in self.dropped if name in table.column_names])
        if STAMPS in table.column_names:
            place = table.schema.get_field_index(STAMPS)
            stamps = table[STAMPS].to_numpy()
            table = table.set_column(place, table.schema.field(place), pa.array(stamps - stamps[0]))
        metadata = dict(table.schema.metadata or {})
        if _HUB_NOTE in metadata:
            metadata[_HUB_NOTE] = self._hub_note(metadata[_HUB_NOTE])
        return table.replace_schema_metadata(metadata)

    def _hub_note(self, note: bytes) -> bytes:
        document = json.loads(note)
        features = document.get("info", {}).get("features", {})
        for key in self.dropped:
            features.pop(key, None)
        return json.dumps(document).encode()

    def _write_records(self, stamps: Mapping[int, Statistics]) -> None:
        number = 0
        for path in episode_files(self.dataset.root):
            table = pq.read_table(path)
            names = [name for name in table.column_names if is_public_field(name, self.dropped)]
            found = [stamps[number + row] for row in range(table.num_rows)] if stamps else []
            table = table.select(names)
            for name in (name for name in names if name.startswith(f"stats/{STAMPS}/")):
                place = table.schema.get_field_index(name)
                values = [entry[name.rpartition("/")[2]] for entry in found]
                field = table.schema.field(place)
                table = table.set_column(place, field, pa.array(values, field.type))
            out = self.root / path.relative_to(self.dataset.root)
            out.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, out, compression="snappy")
            number += table.num_rows

    def _write_lines(self, stamps: Mapping[int, Statistics]) -> None:
        root = self.dataset.root
        write_lines(self.root / EPISODES, map(self._public_record, read_lines(root / EPISODES)))
        if (root / EPISODE_STATISTICS).exists():
            write_lines(self.root / EPISODE_STATISTICS, self._statistics_lines(stamps))

    def _public_record(self, record: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in record.items() if is_public_field(name, self.dropped)}

    def _statistics_lines(self, stamps: Mapping[int, Statistics]) -> Iterator[dict[str, Any]]:
        numbers = {episode.episode_index: episode.number for episode in self.dataset.episodes}
        for line in read_lines(self.dataset.root / EPISODE_STATISTICS):
            stats = {key: value for key, value in line["stats"].items() if key not in self.dropped}
            if STAMPS in stats:
                fresh = stamps[numbers[int(line["episode_index"])]]
                stats[STAMPS] = {name: fresh[name] for name in stats[STAMPS]}
            yield {**line, "stats": stats}

    def _write_statistics(self) -> None:
        path = self.dataset.root / STATS
        if not path.exists():
            return
        stats = {key: value for key, value in read_json(path).items() if key not in self.dropped}
        if STAMPS in stats:
            files = sorted((self.root / "data").glob("*/*.parquet"))
            fresh, _ = statistics_of_rows(files, [self.dataset.features[STAMPS].column])
            stats[STAMPS] = {name: fresh[STAMPS][name] for name in stats[STAMPS]}
        write_json(self.root / STATS, stats, indent=4, sort_keys=False)
