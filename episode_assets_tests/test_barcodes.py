"""The number painted into every picture of a demo recording is found at the row of its message, in whatever dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from episode_assets.cli import main
from episode_assets.demo import DemoConfig, read_barcode
from episode_assets.lerobot import Recipe, verify_dataset
from episode_assets.lerobot.merging import merge_datasets
from episode_assets.pipeline import bring_dataset_up_to_date
from episode_assets.storage import Store
from episode_assets.video import decode_frames, picture_to_rgb
from episode_assets_tests.conftest import Workplace, make_demo
from episode_assets_tests.lerobot.reading import VIDEO, episodes_of, file_of, table_of

WITH_A_GAP = DemoConfig(seconds=6.0, width=640, height=360, barcode=True, gap_interval_s=(2.6, 3.4))
ANOTHER = DemoConfig(seconds=3.0, width=640, height=360, barcode=True, seed=8)
LATER = DemoConfig(seconds=3.0, width=640, height=360, barcode=True, seed=9)


def process(place: Workplace, folder: Path, name: str, config: DemoConfig) -> str:
    """Run a recording through all assets and return its id."""
    folder.mkdir(exist_ok=True)
    demo = make_demo(folder / f"{name}.mcap", config)
    done = CliRunner().invoke(main, ["run", str(demo.path), "--workers", "1"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return next(e.recording_id for e in place.store.recordings.list() if e.original_name == demo.path.name)


def barcodes(dataset: Path) -> Iterator[tuple[str | None, list[int], list[int | None]]]:
    """Yield the recording, message numbers of the rows, and numbers in the pictures of every episode."""
    messages = table_of(dataset)["source.message_number"]
    for episode in episodes_of(dataset):
        path, frames = file_of(dataset, episode)
        seen = [read_barcode(picture_to_rgb(picture)) for _, picture in decode_frames(path, frames)]
        rows = messages[episode["dataset_from_index"] : episode["dataset_to_index"]]
        yield episode.get("recording_id"), rows.tolist(), seen


def check(dataset: Path) -> dict[str | None, int]:
    """Compare every picture of every episode with its row, and return the number of episodes by recording."""
    assert verify_dataset(dataset) == []
    episodes: dict[str | None, int] = {}
    for recording, wanted, seen in barcodes(dataset):
        assert seen == wanted
        assert np.all(np.diff(wanted) == 1), "no message is missing inside an episode"
        episodes[recording] = episodes.get(recording, 0) + 1
    return episodes


@pytest.mark.long
@pytest.mark.timeout(900)
def test_barcodes_are_found_at_their_rows_after_gaps_cuts_appends_removals_and_merges(
    workplace: Workplace, tmp_path: Path
) -> None:
    store: Store = workplace.store
    gap = process(workplace, tmp_path / "demos", "gap", WITH_A_GAP)
    other = process(workplace, tmp_path / "demos", "other", ANOTHER)

    def packed(**changes: object) -> Path:
        return bring_dataset_up_to_date(store, Recipe.from_mapping(changes)).artifact.directory()

    both = check(packed())
    assert both[gap] >= 2 and both[other] >= 1, "the gap divides its recording"
    third = process(workplace, tmp_path / "demos", "third", LATER)
    assert check(packed()) == {**both, third: 1}
    without = {"without_recording_ids": [gap]}
    assert check(packed(selection=without)) == {other: both[other], third: 1}
    for version in ("v2.1", "v2.0"):
        assert sum(check(packed(packing={"version": version})).values()) == sum(both.values()) + 1

    alone = {"recording_ids": [gap]}
    merge_datasets([packed(selection=without), packed(selection=alone)], tmp_path / "merged")

    assert sum(check(tmp_path / "merged").values()) == sum(both.values()) + 1
    assert Recipe().video_key == VIDEO
