"""Every sample file gives what is written about it: in `expected.json`, and in the README of the samples.

Two readers are held to it, the quick look through the index (`inspect`) and the scan of every byte.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from episode_assets.errors import BadRecording, EpisodeAssetsError, NothingToExport
from episode_assets.recording import inspect, scan_recording
from episode_assets.recording.containers.opening import open_walk
from episode_assets.recording.containers.parts import parts_of
from episode_assets.recording.containers.source import Source
from episode_assets.recording.inventory import Inventory
from episode_assets.recording.scan import INVENTORY
from episode_assets_tests.recording.conftest import DATA, SALVAGED

EXPECTED: dict[str, Any] = (
    json.loads((DATA / "expected.json").read_text()) if (DATA / "expected.json").is_file() else {}
)
KNOWN = sorted(name for name, known in EXPECTED.items() if known.get("messages") is not None) or ["absent"]
CONFORMANCE = "mcap-conformance/conformance.zip"
MIB = 1 << 20


def scanned(uri: Path, directory: Path) -> Inventory:
    scan_recording(str(uri), directory, recording_id="rec-00000000")
    return Inventory.from_json(json.loads((directory / INVENTORY).read_text()))


def facts(inventory: Inventory, known: dict[str, Any]) -> dict[str, Any]:
    """The figures of an inventory in the words of `expected.json`; formats without a fact do not list it."""
    records = [*inventory.metadata, *inventory.repeated_metadata]
    found = {
        "messages": inventory.messages,
        "complete": not (inventory.truncated or inventory.damage_total),
        "profile": inventory.profile,
        "library": inventory.library,
        "chunks": inventory.chunks,
        "compression": list(inventory.compressions),
        "statistics_record": inventory.has_statistics,
        "metadata_records": sorted(records),
        "first_log_time": inventory.first_ns,
        "last_log_time": inventory.last_ns,
        "topics": {
            info.topic: {
                "schema": info.schema,
                "schema_encoding": info.schema_encoding,
                "message_encoding": info.message_encoding,
                "count": info.count,
            }
            for info in inventory.topics
        },
    }
    listed = {key: value for key, value in found.items() if key in known}
    for topic, entry in listed["topics"].items():
        keys = known["topics"].get(topic, entry)
        listed["topics"][topic] = {key: value for key, value in entry.items() if key in keys}
    return listed


def with_salvage(name: str) -> dict[str, Any]:
    """What is expected of a file, messages saved from a cut chunk included."""
    known = json.loads(json.dumps(EXPECTED[name]))
    for topic, count in SALVAGED.get(name, {}).items():
        known["topics"][topic]["count"] += count
        known["messages"] += count
    return known


def assert_as_expected(inventory: Inventory, name: str) -> None:
    known = with_salvage(name)
    found = facts(inventory, known)
    assert inventory.salvaged_messages == sum(SALVAGED.get(name, {}).values())
    if name in SALVAGED:
        assert found.pop("last_log_time") > known.pop("last_log_time")
    if "metadata_records" in known:
        known["metadata_records"].sort()
    assert found == known


@pytest.mark.parametrize("name", KNOWN)
def test_a_quick_look_gives_what_is_expected(name: str, data: Path) -> None:
    assert_as_expected(inspect(str(data / name)), name)


@pytest.mark.parametrize("name", KNOWN)
def test_a_scan_gives_what_is_expected(name: str, data: Path, tmp_path: Path) -> None:
    if not EXPECTED[name]["messages"]:
        with pytest.raises(NothingToExport, match="0 messages"):
            scanned(data / name, tmp_path)
        return
    assert_as_expected(scanned(data / name, tmp_path), name)


def test_every_entry_is_held_to_something() -> None:
    if not EXPECTED:
        pytest.skip(f"sample recordings are not at {DATA}")
    assert len(KNOWN) == 60
    assert set(EXPECTED) - set(KNOWN) == {
        CONFORMANCE,
        "damaged/empty.bag",
        "damaged/not_a_bag.bag",
        "damaged/truncated.bag",
        "damaged/unindexed.bag",
    }


@pytest.mark.parametrize(
    ("name", "word"),
    [("empty.bag", r"the file is empty \(0 bytes\)"), ("not_a_bag.bag", "a text file, no recording")],
)
def test_a_file_without_any_recording_is_a_named_error(
    name: str, word: str, data: Path, tmp_path: Path
) -> None:
    for read in (lambda uri: inspect(str(uri)), lambda uri: scanned(uri, tmp_path)):
        with pytest.raises(BadRecording, match=word) as caught:
            read(data / "damaged" / name)
        assert caught.value.remedy


@pytest.mark.parametrize(("name", "messages"), [("truncated.bag", 3), ("unindexed.bag", 14)])
def test_a_bag_without_index_is_named_and_gives_what_is_left(
    name: str, messages: int, data: Path, tmp_path: Path
) -> None:
    for inventory in (inspect(str(data / "damaged" / name)), scanned(data / "damaged" / name, tmp_path)):
        assert "a ROS 1 bag without index" in inventory.damage[0].detail
        assert inventory.truncated
        assert inventory.messages == messages


def conformance_files(data: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO((data / CONFORMANCE).read_bytes())) as archive:
        for name in archive.namelist():
            if name.endswith(".mcap"):
                yield "/".join(Path(name).parts[-2:]), archive.read(name)


def linear(file: Path) -> tuple[int, int, int]:
    with Source(str(file)) as source:
        walk = open_walk(source, max_chunk_bytes=MIB)
        messages = sum(1 for _ in walk.messages())
        box = walk.container
    if not messages and (box.truncated or box.damage):
        raise BadRecording("damaged before its first message")
    return messages, len(box.attachment_places), len(box.metadata)


def indexed(file: Path) -> tuple[int, int, int]:
    inventory = inspect(str(file))
    return inventory.messages, len(inventory.attachments), len(inventory.metadata)


@pytest.mark.parametrize("read", [indexed, linear])
def test_all_conformance_files_read_and_the_early_layouts_fail_by_name(
    read: Any, data: Path, tmp_path: Path
) -> None:
    known = EXPECTED[CONFORMANCE]
    file = tmp_path / "file.mcap"
    refused, folders, wrong = [], Counter[str](), []

    for name, content in conformance_files(data):
        file.write_bytes(content)
        folder = name.split("/")[0]
        try:
            found = read(file)
        except EpisodeAssetsError:
            refused.append(name)
            continue
        folders[folder] += 1
        expected = (
            known["messages_per_file"][folder],
            int("Attachment" in folder),
            int("Metadata" in folder),
        )
        if found != expected:
            wrong.append((name, found))

    assert wrong == []
    assert sorted(refused) == known["unreadable"]
    assert dict(folders) == known["files_per_folder"]
    assert (sum(folders.values()), len(refused)) == (658, 4)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize(
    ("bag", "counts"),
    [("wbag", [1246, 1240, 1240, 1240, 1108]), ("split_without_metadata", [1324, 1324, 529])],
)
def test_parts_of_a_split_bag_add_up(bag: str, counts: list[int], storage: str, data: Path) -> None:
    parts = [inspect(part) for part in parts_of(str(data / "rosbag2" / storage / bag))]

    assert [part.messages for part in parts] == counts
    assert sum(counts) == {"wbag": 6074, "split_without_metadata": 3177}[bag]
    bounds = [time for part in parts for time in (part.first_ns, part.last_ns)]
    assert bounds == sorted(bounds)  # type: ignore[type-var]  # none is empty


def test_a_bag_written_twice_has_the_same_topics_in_both_storages(data: Path) -> None:
    for bag in ("cdr_test", "convert_a", "convert_b", "talker", "seek", "service_events", "wbag"):
        topics = []
        for storage in ("mcap", "sqlite3"):
            parts = [inspect(part) for part in parts_of(str(data / "rosbag2" / storage / bag))]
            topics.append([(t.topic, t.schema, t.count) for part in parts for t in part.topics])
        assert topics[0] == topics[1], bag


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_service_events_are_topics_like_others(storage: str, data: Path) -> None:
    inventory = inspect(*parts_of(str(data / "rosbag2" / storage / "service_events")))

    assert {info.topic: info.count for info in inventory.topics} == {
        "/test_service1/_service_event": 4,
        "/test_service2/_service_event": 4,
        "/test_topic1": 1,
        "/test_topic2": 1,
        "/events/write_split": 0,
    }


def test_channels_of_an_unknown_encoding_are_listed_counted_and_not_decoded(
    data: Path, tmp_path: Path
) -> None:
    inventory = scanned(data / "rosbag2/mcap/wrong_encoding/wrong_rmw_test_0.mcap", tmp_path)

    assert {info.topic: info.count for info in inventory.topics} == {"/test_topic": 3, "/array_topic": 4}
    assert {info.cannot_decode for info in inventory.topics} == {"message encoding 'wrong_format'"}
    assert not any(choice.topics for choice in inventory.roles.values())


def test_a_schema_of_an_unknown_encoding_is_listed_and_not_decoded(data: Path) -> None:
    (example,) = inspect(str(data / "ros2/unknown_schema_encoding.mcap")).topics

    assert (example.topic, example.count) == ("/example", 1)
    assert example.cannot_decode == "schema encoding 'cdr'"


def test_payloads_that_are_not_cdr_are_counted_and_mark_the_stream_bad(data: Path, tmp_path: Path) -> None:
    info = scanned(data / "damaged" / "bad_payload.mcap", tmp_path).topic("/sensor/lidar/points")

    assert info is not None
    assert (info.count, info.undecodable, info.is_bad) == (3, 3, True)
    assert info.first_error is not None
    assert "1700000000000000000" in info.first_error


def test_stamps_decide_where_log_times_have_the_wrong_unit(data: Path, tmp_path: Path) -> None:
    inventory = scanned(data / "json" / "camera.mcap", tmp_path)
    rgb = inventory.topic("/image/compressed")

    assert inventory.first_ns == 1747930377103  # milliseconds in a field of nanoseconds
    assert rgb is not None
    assert rgb.time_basis == "stamp"
    assert rgb.first_ns is not None
    assert rgb.first_ns // 1_000_000_000 == 1747930377
    assert inventory.clock == "epoch"


def test_names_of_topics_are_opaque_text(data: Path) -> None:
    names = {t.topic for t in inspect(str(data / "rosbag2/mcap/convert_a/rewriter_a_0.mcap")).topics}

    assert names == {"a_empty", "b_basictypes"}
