"""Several processes publish at once: all succeed, and what stays is one whole result."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from episode_assets.storage import RecordingEntry, Store
from episode_assets_tests.storage.samples import RAW, everything_in, publish

Result = TypeVar("Result")

PUBLISHERS = 2
ROUNDS = 4


def _publish(number: int, *, uri: str, meeting: str, is_same: bool) -> list[str]:
    store = Store.open(uri)
    _meet(number, Path(meeting))
    digests = []
    for turn in range(ROUNDS):
        core = f"{turn}" if is_same else f"{turn} {number}"
        # The view file differs between publishers of equal core files, as timings do.
        contents = {"one.json": core.encode() * 1000, "timing.json": f"{number}".encode() * (number + 1)}
        run = f"run {turn}" if is_same else f"run {turn} {number}"
        digests.append(publish(store, contents, view=["timing.json"], run=run).content_digest)
    return digests


def _register(number: int, *, uri: str, meeting: str, directory: str) -> list[RecordingEntry]:
    store = Store.open(uri)
    _meet(number, Path(meeting))
    entries = []
    for turn in range(ROUNDS):
        path = Path(directory) / f"name {number} of {turn}.mcap"
        path.write_bytes(f"recording {turn}".encode())
        entries.append(store.recordings.register(str(path)))
    return entries


def _meet(number: int, place: Path) -> None:
    """Wait until all processes have come up, so that they really work at the same time."""
    (place / f"{number}.ready").touch()
    give_up_at = time.monotonic() + 60.0
    while len(list(place.glob("*.ready"))) < PUBLISHERS:
        assert time.monotonic() < give_up_at
        time.sleep(0.001)


def _at_once(work: Callable[[int], Result]) -> list[Result]:
    with ProcessPoolExecutor(PUBLISHERS, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(work, range(PUBLISHERS)))


@pytest.mark.parametrize("is_same", [True, False])
def test_publishers_of_one_artifact_do_not_disturb_each_other(
    store: Store, is_same: bool, tmp_path: Path
) -> None:
    digests = _at_once(partial(_publish, uri=store.uri, meeting=str(tmp_path), is_same=is_same))

    assert all(len(each) == ROUNDS for each in digests)
    if is_same:
        assert digests[0] == digests[1]
    assert set(store.versions(RAW)) == {digest[:16] for each in digests for digest in each}
    for version in store.versions(RAW):
        artifact = store.version(RAW, version)
        assert len(set(artifact.path("timing.json").read_bytes())) == 1
    assert store.latest(RAW).content_digest in {each[-1] for each in digests}
    assert store.verify(RAW) == []
    assert store.sweep() == 0
    assert not [path for path in everything_in(store.uri) if path.startswith("scratch/")]


def test_processes_that_register_the_same_bytes_get_one_recording(store: Store, tmp_path: Path) -> None:
    entries = _at_once(partial(_register, uri=store.uri, meeting=str(tmp_path), directory=str(tmp_path)))

    ids = [{entry.recording_id for entry in each} for each in entries]
    assert ids[0] == ids[1] == set(store.recordings.ids())
    assert all(len(entry.uris) == PUBLISHERS for entry in store.recordings.list())
