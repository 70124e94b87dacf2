"""A store on each kind of place: a local directory, and a bucket of a real S3 server on this machine."""

from __future__ import annotations

import logging
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from episode_assets.storage import Store

BUCKET = "episode-assets-tests"


@pytest.fixture(scope="session")
def s3_bucket() -> Iterator[str]:
    """Start an S3 server for this session, lead the AWS_* variables to it, and return the address of a bucket."""
    server_module = pytest.importorskip("moto.server", reason="moto's S3 server is not installed")
    import boto3

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "tests")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in ("HTTP_PROXY", "http_proxy", "AWS_PROFILE", "AWS_ENDPOINT_URL_S3"):
            environment.delenv(name, raising=False)
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield f"s3://{BUCKET}"
    server.stop()


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
