"""What is different on an object store: fetching, copying in place, leftovers, and trouble with the network."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from episode_assets.errors import ArtifactDamaged, BadConfig, StorageTrouble
from episode_assets.storage import ArtifactKey, Store
from episode_assets.storage.scratch import owned_name
from episode_assets_tests.object_store import BUCKET
from episode_assets_tests.storage.samples import RAW, everything_in, overwrite, publish

CACHED = "cache/artifacts"


@pytest.fixture
def s3_store(s3_uri: str) -> Store:
    """Open a store under an unused prefix."""
    return Store.open(s3_uri)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], None]:
    """Return what gives this process the empty cache that it would have on another machine."""
    return lambda: monkeypatch.setenv("EPISODE_ASSETS_CACHE", str(tmp_path / "other cache"))


def test_what_was_published_here_is_not_fetched_again(s3_store: Store, private_places: Path) -> None:
    artifact = publish(s3_store, {"one.json": b"1"})
    overwrite(s3_store.uri, f"{RAW.base}/{artifact.version}/one.json", b"X")

    assert artifact.path("one.json").read_bytes() == b"1"
    assert artifact.path("one.json").is_relative_to(private_places / CACHED)


def test_a_file_is_fetched_once_and_closed_against_writing(
    s3_store: Store, elsewhere: Callable[[], None]
) -> None:
    publish(s3_store, {"deep/one.json": b"1"})
    elsewhere()
    artifact = s3_store.latest(RAW)

    path = artifact.path("deep/one.json")
    fetched_at = path.stat().st_ctime_ns

    assert path.read_bytes() == b"1"
    assert path.stat().st_mode & 0o777 == 0o444
    assert artifact.path("deep/one.json").stat().st_ctime_ns == fetched_at


def test_a_half_fetched_file_is_fetched_again(s3_store: Store, elsewhere: Callable[[], None]) -> None:
    publish(s3_store, {"one.json": b"12345"})
    elsewhere()
    path = s3_store.latest(RAW).path("one.json")
    path.chmod(0o644)
    path.write_bytes(b"12")

    assert s3_store.latest(RAW).path("one.json").read_bytes() == b"12345"


def test_an_object_that_does_not_match_its_manifest_is_not_handed_out(
    s3_store: Store, elsewhere: Callable[[], None], private_places: Path
) -> None:
    artifact = publish(s3_store, {"one.json": b"1"})
    elsewhere()
    overwrite(s3_store.uri, f"{RAW.base}/{artifact.version}/one.json", b"X")

    with pytest.raises(ArtifactDamaged, match="does not match the size and digest"):
        artifact.path("one.json")
    assert not [path for path in (private_places / "other cache").rglob("*") if path.is_file()]


def test_the_directory_of_a_remote_artifact_is_complete(
    s3_store: Store, elsewhere: Callable[[], None]
) -> None:
    publish(s3_store, {"one.json": b"1", "deep/two.json": b"2"})
    elsewhere()

    directory = s3_store.latest(RAW).directory()

    found = sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())
    assert found == ["deep/two.json", "manifest.json", "one.json"]


def test_unchanged_files_of_a_new_version_are_copied_inside_the_object_store(s3_store: Store) -> None:
    key = ArtifactKey("archive_index/default")
    old = publish(s3_store, {"big.bin": b"same", "index.json": b"1"}, key=key, run="old")
    # Marked past the store, to tell an object that was copied there from one that was sent from here.
    overwrite(s3_store.uri, f"{key.base}/{old.version}/big.bin", b"MARK")
    overwrite(s3_store.uri, f"{key.base}/{old.version}/index.json", b"M")

    new = publish(s3_store, {"big.bin": b"same", "index.json": b"2"}, key=key, run="new")

    objects = everything_in(s3_store.uri)
    assert objects[f"{key.base}/{new.version}/big.bin"] == b"MARK"
    assert objects[f"{key.base}/{new.version}/index.json"] == b"2"


def test_a_large_file_travels_in_parts(s3_store: Store, elsewhere: Callable[[], None]) -> None:
    content = bytes(range(256)) * (33 * 4096)  # 33 MiB: three parts
    artifact = publish(s3_store, {"rgb.bin": content})
    elsewhere()

    assert artifact.path("rgb.bin").read_bytes() == content
    assert s3_store.verify(RAW) == []


def test_leftovers_of_a_killed_upload_are_swept_and_living_uploads_stay(s3_store: Store) -> None:
    kept = publish(s3_store, {"one.json": b"1"})
    code = "from episode_assets.storage.scratch import owned_name; print(owned_name(), end='')"
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name, version in ((dead, "a" * 16), (owned_name(), "b" * 16), (f"{dead}.2", kept.version)):
        marker = f'{{"version": "{RAW.base}/{version}", "opened_at": 1.0}}'.encode()
        overwrite(s3_store.uri, f"scratch/{name}", marker)
        if version != kept.version:
            overwrite(s3_store.uri, f"{RAW.base}/{version}/one.json", b"1")
    client = boto3.client("s3")
    prefix = s3_store.uri.removeprefix(f"s3://{BUCKET}/")
    client.create_multipart_upload(Bucket=BUCKET, Key=f"{prefix}/{RAW.base}/{'a' * 16}/rgb.mp4")

    assert s3_store.sweep() == 2

    left = everything_in(s3_store.uri)
    assert f"{RAW.base}/{'a' * 16}/one.json" not in left
    assert f"{RAW.base}/{'b' * 16}/one.json" in left
    assert len([path for path in left if path.startswith("scratch/")]) == 1
    assert s3_store.latest(RAW) == kept
    assert "Uploads" not in client.list_multipart_uploads(Bucket=BUCKET, Prefix=f"{prefix}/")


def test_a_bucket_that_is_not_there_is_named(s3_bucket: str) -> None:
    with pytest.raises(BadConfig, match=r"the bucket 'no-such-bucket' does not exist"):
        Store.open("s3://no-such-bucket/prefix")


def test_an_object_store_that_does_not_answer_is_trouble_that_may_pass(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(f"{s3_bucket}/prefix")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    questions: list[Callable[[], object]] = [
        lambda: Store.open(f"{s3_bucket}/prefix"),
        lambda: store.latest(RAW),
        lambda: store.lookup(RAW, "a" * 64),
        lambda: store.keys("raw_mcap"),
        store.recordings.ids,
        store.sweep,
    ]
    for ask in questions:
        with pytest.raises(StorageTrouble, match="remedy: check that the place is reachable") as caught:
            ask()
    assert not caught.value.is_permanent
    assert "\n" not in str(caught.value)


def test_other_file_systems_of_fsspec_serve_as_a_store_too(private_places: Path) -> None:
    store = Store.open(f"memory://{private_places.name}")
    artifact = publish(store, {"one.json": b"1", "view.txt": b"2"}, view=["view.txt"])

    assert store.latest(RAW) == artifact
    assert store.verify(RAW) == []
    assert store.keys("raw_mcap") == (RAW,)
    assert store.sweep() == 0
