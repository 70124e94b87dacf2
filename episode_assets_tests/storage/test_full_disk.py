"""A full disk, on a real file system of one megabyte: one clear error, nothing half-written, and work goes on later."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from episode_assets.errors import DiskFull
from episode_assets.outcome import Outcome
from episode_assets.storage import Store
from episode_assets.storage.trouble import is_disk_full
from episode_assets_tests.storage.samples import RAW, everything_in, fill, fingerprint_of, publish


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 1 MB."""
    mount = tmp_path / "small"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"a small file system can be mounted by root only: {done.stderr.decode().strip()}")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


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


def test_a_full_disk_is_recognised_behind_the_errors_of_other_libraries() -> None:
    wrapped = RuntimeError("the encoder failed")
    wrapped.__cause__ = OSError(errno.ENOSPC, "no room")

    assert is_disk_full(wrapped)
    assert is_disk_full(RuntimeError("write failed (errno = 28, error message = 'No space left on device')"))
    assert not is_disk_full(OSError(errno.EIO, "broken"))
