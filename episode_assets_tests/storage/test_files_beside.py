"""Files beside a recording, on a disk and in a bucket: found, read again when they may be others, and missed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import boto3
import pytest

from episode_assets.errors import BadConfig, StorageTrouble
from episode_assets.storage import HANDS_SUFFIX, RecordingEntry, Store, digest_of_redactions
from episode_assets.storage.beside import files_beside
from episode_assets.storage.redactions import SUFFIX
from episode_assets.storage.sources import Address
from episode_assets_tests.object_store import BUCKET

NAMES = ("kitchen.mcap.redactions.yaml", "kitchen.redactions.yaml")


class Bucket:
    """A recording in a folder of its own in the bucket of the tests."""

    def __init__(self, store: Store, address: str) -> None:
        self._bucket, self._prefix = boto3.resource("s3").Bucket(BUCKET), uuid.uuid4().hex[:8]
        self.put("kitchen.mcap", b"a recording " + self._prefix.encode())
        self.uri = f"{address}/{self._prefix}"
        self.entry: RecordingEntry = store.recordings.register(f"{self.uri}/kitchen.mcap")

    def put(self, name: str, content: bytes) -> None:
        self._bucket.put_object(Key=f"{self._prefix}/{name}", Body=content)

    def remove(self, name: str) -> None:
        self._bucket.Object(f"{self._prefix}/{name}").delete()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "store"))


@pytest.fixture
def bucket(store: Store, s3_bucket: str) -> Bucket:
    return Bucket(store, s3_bucket)


@pytest.mark.parametrize("name", NAMES)
def test_a_document_of_redactions_beside_a_recording_in_a_bucket_counts(
    name: str, store: Store, bucket: Bucket
) -> None:
    assert store.recordings.redactions(bucket.entry) == ()

    bucket.put(name, b"redactions: a screen")
    first = store.recordings.redactions(bucket.entry)
    bucket.put(name, b"redactions: a window")
    second = store.recordings.redactions(bucket.entry)

    assert [(text.where, text.content) for text in first] == [
        (f"{bucket.uri}/{name}", b"redactions: a screen")
    ]
    assert [text.content for text in second] == [b"redactions: a window"]
    assert digest_of_redactions(first) != digest_of_redactions(second)


def test_documents_in_buckets_count_together_with_that_of_the_store(store: Store, bucket: Bucket) -> None:
    store.recordings.change_redactions(bucket.entry.recording_id, lambda _: b"redactions: of the store")
    for number, name in enumerate(NAMES):
        bucket.put(name, b"redactions: %d" % number)

    found = [text.content for text in store.recordings.redactions(bucket.entry)]

    assert found == [b"redactions: of the store", b"redactions: 0", b"redactions: 1"]


def test_a_document_that_is_gone_from_its_bucket_is_missed_until_an_empty_one_lies_there(
    store: Store, bucket: Bucket
) -> None:
    bucket.put(NAMES[0], b"redactions: a screen")
    store.recordings.redactions(bucket.entry)

    bucket.remove(NAMES[0])
    with pytest.raises(BadConfig, match=r"redactions that has counted for this recording is gone"):
        store.recordings.redactions(bucket.entry)

    bucket.put(NAMES[0], b"")
    assert store.recordings.redactions(bucket.entry) == ()


def test_a_bucket_that_does_not_answer_is_never_taken_for_one_without_documents(
    store: Store, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    with pytest.raises(StorageTrouble):
        store.recordings.redactions(bucket.entry)


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_read_again(store: Store, tmp_path: Path) -> None:
    (tmp_path / "kitchen.mcap").write_bytes(b"a recording")
    entry = store.recordings.register(str(tmp_path / "kitchen.mcap"))
    beside, other = tmp_path / f"kitchen{HANDS_SUFFIX}", tmp_path / "other"
    beside.write_bytes(b"hands 1")
    first = store.recordings.beside(entry, HANDS_SUFFIX)

    other.write_bytes(b"hands 2")
    status = beside.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(beside)
    second = store.recordings.beside(entry, HANDS_SUFFIX)

    assert first is not None
    assert second is not None
    assert first.sha256 != second.sha256
    assert second.read() == b"hands 2"


def test_what_is_no_file_beside_a_recording_is_trouble_with_that_file(store: Store, tmp_path: Path) -> None:
    (tmp_path / "kitchen.mcap").write_bytes(b"a recording")
    entry = store.recordings.register(str(tmp_path / "kitchen.mcap"))
    (tmp_path / f"kitchen{HANDS_SUFFIX}").mkdir()

    with pytest.raises(StorageTrouble, match=r"not a file.*kitchen\.hands\.parquet"):
        store.recordings.beside(entry, HANDS_SUFFIX)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # named so by its base class
        """Say nothing."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """Address of a server for this folder that, like most, cares for the path alone."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_what_follows_the_path_of_a_web_address_is_no_part_of_the_name(web: str, tmp_path: Path) -> None:
    (tmp_path / "kitchen.mcap").write_bytes(b"a recording")
    address = Address(f"{web}/kitchen.mcap?token=1", "kitchen.mcap", None, None)

    before = [uri for uri, _ in files_beside(address, SUFFIX)]
    (tmp_path / "kitchen.redactions.yaml").write_bytes(b"redactions: a screen")
    after = [(uri, size) for uri, (_, size) in files_beside(address, SUFFIX)]

    assert before == []
    assert after == [(f"{web}/kitchen.redactions.yaml?token=1", 20)]
