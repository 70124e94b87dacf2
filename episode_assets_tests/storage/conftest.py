"""A store on each kind of place: a local directory, and a bucket of a real S3 server on this machine."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from episode_assets.storage import Store


@pytest.fixture
def private_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lead cache and scratch of object stores into this test's own directory."""
    monkeypatch.setenv("EPISODE_ASSETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EPISODE_ASSETS_SCRATCH", str(tmp_path / "scratch"))
    return tmp_path


@pytest.fixture
def local_uri(tmp_path: Path) -> str:
    """Return the path of a new local store, with characters that paths may have."""
    return str(tmp_path / "a störe [1] #2 'x'")


@pytest.fixture
def s3_uri(s3_bucket: str, private_places: Path) -> str:
    """Return the address of an unused prefix."""
    return f"{s3_bucket}/a pre-fix/{uuid.uuid4().hex[:8]}"


@pytest.fixture(params=["local", "s3"])
def store_uri(request: pytest.FixtureRequest) -> str:
    """Return the address of a new store of each kind."""
    return str(request.getfixturevalue(f"{request.param}_uri"))


@pytest.fixture
def store(store_uri: str) -> Store:
    """Open a new store of each kind."""
    return Store.open(store_uri)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 1 MB."""
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"a small file system can be mounted by root only: {done.stderr.decode().strip()}")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


@pytest.fixture
def ordinary_umask() -> Iterator[None]:
    """Set the umask that most systems have, whatever this one has."""
    before = os.umask(0o022)
    yield
    os.umask(before)
