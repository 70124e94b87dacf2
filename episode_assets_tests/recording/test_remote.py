"""Recordings on a real S3 server, and over HTTP: as little as needed is read, and all readers agree with local ones."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from episode_assets.errors import SourceChanged, StorageTrouble
from episode_assets.recording import RecordingView, inspect, scan_recording
from episode_assets.recording.containers.payloads import PayloadReader
from episode_assets.recording.containers.source import ForwardReader, Source
from episode_assets_tests.conftest import Demo
from episode_assets_tests.counting_server import CountingServer, counting_server

Put = Callable[[Path], str]


@pytest.fixture
def server(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingServer]:
    s3fs = pytest.importorskip("s3fs", reason="the S3 client is not installed")
    with counting_server() as (counter, endpoint):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        s3fs.S3FileSystem.clear_instance_cache()
        yield counter
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def put(s3_bucket: str, server: CountingServer) -> Put:
    def upload(path: Path) -> str:
        key = f"recordings/{path.name}"
        boto3.client("s3").upload_file(str(path), s3_bucket.removeprefix("s3://"), key)
        server.reset()
        return f"{s3_bucket}/{key}"

    return upload


def delete(uri: str) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    boto3.client("s3").delete_object(Bucket=bucket, Key=key)


def replace_object(uri: str, content: bytes) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=content)


def test_inspecting_an_indexed_file_reads_less_than_a_twentieth(
    data: Path, put: Put, server: CountingServer
) -> None:
    path = data / "recordings" / "table_scene.mcap"
    uri = put(path)
    inventory = inspect(uri)
    assert inventory == inspect(str(path))
    assert inventory.basis == "index"
    assert server.sent_bytes < 0.05 * path.stat().st_size
    # One range for each chunk's message indexes, one for each topic's first message, and a few to find them.
    assert server.requests["GET"] <= inventory.chunks + len(inventory.topics) + 6


def test_inspecting_a_recording_of_seconds_reads_a_small_part(
    small_demo: Demo, put: Put, server: CountingServer
) -> None:
    inventory = inspect(put(small_demo.path))
    assert inventory == inspect(str(small_demo.path))
    assert inventory.basis == "index"
    assert server.sent_bytes < 0.05 * small_demo.path.stat().st_size


def test_a_file_without_index_is_walked_once(data: Path, put: Put, server: CountingServer) -> None:
    path = data / "recordings" / "table_scene_truncated.mcap"
    inventory = inspect(put(path))
    assert inventory == inspect(str(path))
    assert inventory.basis == "scan"
    assert server.sent_bytes <= 1.1 * path.stat().st_size
    assert server.requests["GET"] < 30


def test_a_scan_of_a_remote_file_writes_the_same_bytes(
    data: Path, put: Put, server: CountingServer, tmp_path: Path
) -> None:
    path = data / "recordings" / "table_scene.mcap"
    for name, source in (("near", str(path)), ("far", put(path))):
        (tmp_path / name).mkdir()
        scan_recording(source, tmp_path / name, recording_id="rec-00000000")
    near, far = (
        {file.relative_to(tmp_path / name): file.read_bytes() for file in (tmp_path / name).rglob("*.*")}
        for name in ("near", "far")
    )
    assert near.keys() == far.keys()
    assert near == far
    assert server.sent_bytes <= 1.1 * path.stat().st_size


def test_pictures_of_a_remote_file_are_read_ahead_and_equal(
    data: Path, put: Put, server: CountingServer, table_scene: RecordingView
) -> None:
    uri = put(data / "recordings" / "table_scene.mcap")
    remote = RecordingView(
        table_scene.directory, uri, recording_id="rec-00000000", inventory=table_scene.inventory
    )
    assert [bytes(m.data) for m in remote.rgb.read(5, 60)] == [
        bytes(m.data) for m in table_scene.rgb.read(5, 60)
    ]
    payload_bytes = int(table_scene.rgb._stored.length[5:60].sum())
    assert payload_bytes <= server.sent_bytes <= 1.1 * payload_bytes
    server.reset()
    (one,) = remote.rgb.read(7, 8)
    assert server.sent_bytes < 2 * len(one.data)


def test_a_replaced_object_is_named_instead_of_mixed(data: Path, put: Put) -> None:
    uri = put(data / "recordings" / "table_scene.mcap")
    with Source(uri) as source:
        reader = ForwardReader(source)
        reader.take(1000)
        replace_object(uri, bytes(source.size))
        with pytest.raises(SourceChanged, match="ETag"):
            reader.sha256()
        with pytest.raises(SourceChanged, match="ETag"):
            source.read_at(0, 1 << 20)


def test_an_object_deleted_on_the_way_is_named(data: Path, put: Put) -> None:
    uri = put(data / "recordings" / "table_scene.mcap")
    with Source(uri) as source, PayloadReader(source, {}) as payloads:
        payloads.get(-1, 0, 100_000)
        delete(uri)
        with pytest.raises(SourceChanged, match="deleted"):
            payloads.get(-1, 100_000, 100_000)
        with pytest.raises(SourceChanged, match="deleted"):
            source.read_ranges([(0, 10), (1_000_000, 10)])


def test_an_index_that_changes_while_it_is_read_is_no_inventory(
    data: Path, put: Put, server: CountingServer
) -> None:
    uri = put(data / "recordings" / "table_scene.mcap")
    content = (data / "recordings" / "table_scene.mcap").read_bytes()
    asked = iter(range(1000))

    def replace_at_the_tenth(environ: dict[str, Any]) -> None:
        if environ["REQUEST_METHOD"] == "GET" and next(asked) == 10:
            replace_object(uri, content[::-1])

    server.before_answer = replace_at_the_tenth
    with pytest.raises(SourceChanged):
        inspect(uri)


def test_a_server_that_went_away_is_trouble_that_may_pass(data: Path, s3_bucket: str) -> None:
    with pytest.MonkeyPatch.context() as environment, pytest.raises(StorageTrouble, match="opening failed"):
        environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        environment.setenv("AWS_MAX_ATTEMPTS", "1")
        import s3fs

        s3fs.S3FileSystem.clear_instance_cache()
        try:
            inspect(f"{s3_bucket}/anything.mcap")
        finally:
            s3fs.S3FileSystem.clear_instance_cache()


def test_a_recording_on_a_web_server_is_read_by_ranges(small_demo: Demo) -> None:
    handler = functools.partial(_Quiet, directory=str(small_demo.path.parent))
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{web.server_address[1]}/{small_demo.path.name.replace(' ', '%20')}"
        found = inspect(address)
    finally:
        web.shutdown()
        web.server_close()
    assert found == inspect(str(small_demo.path))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and ranges of them."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "").removeprefix("bytes=")
        content = Path(self.translate_path(self.path)).read_bytes()
        first, _, last = wanted.partition("-")
        part = content[int(first) : int(last) + 1] if wanted else content
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Accept-Ranges", "bytes")
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.end_headers()
        self.wfile.write(part)


def test_a_server_that_does_not_answer_is_no_missing_object() -> None:
    with pytest.raises(StorageTrouble, match="does not answer"):
        inspect("http://127.0.0.1:1/x.mcap")
