"""A full disk, on a real file system of one megabyte: one clear error, nothing half-written, and work goes on later."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from episode_assets.errors import DiskFull, StorageTrouble
from episode_assets.outcome import Outcome
from episode_assets.storage import Store
from episode_assets.storage.trouble import is_disk_full
from episode_assets_tests.storage.samples import RAW, everything_in, fill, fingerprint_of, publish


def _fill_up(directory: Path) -> Path:
    path = directory / "ballast"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError as error:
            assert error.errno == errno.ENOSPC
    return path


def test_a_computation_that_fills_the_disk_ends_in_one_line(small_disk: Path) -> None:
    store = Store.open(small_disk / "store")
    draft = store.draft(RAW, fingerprint=fingerprint_of("x"), code_version="1", config={}, inputs={})

    with (
        pytest.raises(DiskFull, match=r"no space is left on the device.*remedy: free space") as caught,
        draft,
    ):
        fill(draft.directory, {"one.bin": bytes(2 * 2**20)})

    assert "\n" not in str(caught.value)
    assert everything_in(store.uri) == {}
    assert publish(store, {"one.bin": bytes(1000)}) == store.latest(RAW)


@pytest.mark.parametrize("free_bytes", [0, 4096, 8192, 12288, 16384, 20480])
def test_a_disk_that_fills_up_while_publishing_keeps_the_old_version(
    small_disk: Path, free_bytes: int
) -> None:
    store = Store.open(small_disk / "store")
    old = publish(store, {"one.bin": bytes(1000)}, run="old")
    draft = store.draft(RAW, fingerprint=fingerprint_of("new"), code_version="1", config={}, inputs={})

    with draft:
        fill(draft.directory, {"one.bin": b"1" * 1000})
        ballast = _fill_up(small_disk)
        os.truncate(ballast, ballast.stat().st_size - free_bytes)
        try:
            published = draft.publish(Outcome(core=("one.bin",)))
        except DiskFull as error:
            assert "\n" not in str(error)
            published = old

    assert store.latest(RAW) == published
    ballast.unlink()
    assert not [path for path in everything_in(store.uri) if path.startswith("scratch/")]
    new = publish(store, {"one.bin": b"1" * 1000}, run="new")
    assert store.latest(RAW) == new
    assert store.verify(RAW) == []


def test_a_registry_entry_survives_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    store = Store.open(small_disk / "store")
    (tmp_path / "one.mcap").write_bytes(b"abc")
    entry = store.recordings.register(str(tmp_path / "one.mcap"))
    _fill_up(small_disk)

    with pytest.raises(DiskFull, match="no space"):
        store.recordings.note_state(entry.recording_id, "readable")
    assert store.recordings.get(entry.recording_id) == entry


def test_a_full_cache_is_named_and_not_the_object_store(
    s3_uri: str, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = publish(Store.open(s3_uri), {"one.bin": bytes(2 * 2**20)})
    monkeypatch.setenv("EPISODE_ASSETS_CACHE", str(small_disk / "cache"))

    with pytest.raises(DiskFull, match=f"in {small_disk}/cache/artifacts"):
        artifact.path("one.bin")
    assert not [path for path in small_disk.rglob("*") if path.is_file()]


def test_full_scratch_for_an_object_store_is_named(
    s3_uri: str, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPISODE_ASSETS_SCRATCH", str(small_disk / "scratch"))
    store = Store.open(s3_uri)

    with pytest.raises(DiskFull, match=f"in {small_disk}/scratch"):
        publish(store, {"one.bin": bytes(2 * 2**20)})
    assert everything_in(s3_uri) == {}


def test_an_export_to_a_full_disk_leaves_nothing(store: Store, small_disk: Path) -> None:
    publish(store, {"one.bin": bytes(2 * 2**20)})

    with pytest.raises(DiskFull, match=f"in {small_disk}/mine"):
        store.export(RAW, small_disk / "mine")
    assert not list(small_disk.iterdir())


def test_a_read_only_file_system_is_no_obstacle_to_readers(small_disk: Path, tmp_path: Path) -> None:
    store = Store.open(small_disk / "store")
    artifact = publish(store, {"one.json": b"1"})
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    reader = Store.open(small_disk / "store")

    assert reader.latest(RAW) == reader.reuse(RAW, fingerprint_of("first")) == artifact
    assert reader.keys("raw_mcap") == (RAW,)
    assert reader.recordings.list() == ()
    assert (reader.export(RAW, tmp_path / "out") / "one.json").read_bytes() == b"1"
    with pytest.raises(StorageTrouble, match="Read-only file system"):
        publish(reader, {"one.json": b"2"}, run="new")


def test_a_full_disk_is_recognised_behind_the_errors_of_other_libraries() -> None:
    wrapped = RuntimeError("the encoder failed")
    wrapped.__cause__ = OSError(errno.ENOSPC, "no room")

    assert is_disk_full(wrapped)
    assert is_disk_full(RuntimeError("write failed (errno = 28, error message = 'No space left on device')"))
    assert not is_disk_full(OSError(errno.EIO, "broken"))
