"""A repaired recording is a whole file to every reader, holds every readable message, and says what was lost."""

from __future__ import annotations

import hashlib
import os
import struct
import tracemalloc
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from mcap.reader import make_reader
from mcap.records import Chunk, DataEnd, Footer
from mcap.stream_reader import StreamReader
from rosbags.highlevel import AnyReader  # noqa: TID253  # the other side of every bag in this file
from rosbags.typesys import Stores, get_typestore  # noqa: TID253

from episode_assets.cli import main
from episode_assets.errors import BadConfig, BadRecording, NothingToExport
from episode_assets.recording import inspect
from episode_assets.recording.repair import REPAIR_RECORD, repair
from episode_assets_tests.recording.rig import EPOCH_NS, Rig, compressed_image, imu, write_rig


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["repair", *arguments], catch_exceptions=False)


def messages_of(file: Path) -> list[tuple[Any, ...]]:
    """Return everything about every message, in file order, by the seeking reader of another package."""
    with file.open("rb") as handle:
        return [
            (
                channel.topic, channel.message_encoding, tuple(sorted(channel.metadata.items())),
                schema.name if schema else None, schema.encoding if schema else None,
                schema.data if schema else None, message.log_time, message.publish_time, message.sequence,
                message.data,
            )
            for schema, channel, message in make_reader(handle).iter_messages(log_time_order=False)
        ]  # fmt: skip


def check_whole(file: Path) -> None:
    """Assert what a checking tool asserts: every checksum holds, and the summary agrees with the data."""
    content = file.read_bytes()
    counts: Counter[str] = Counter()
    with file.open("rb") as handle:
        for record in StreamReader(handle, emit_chunks=True, validate_crcs=True).records:
            counts[type(record).__name__] += 1
            if isinstance(record, Chunk):
                assert record.uncompressed_crc
            if isinstance(record, DataEnd):
                summary_at = handle.tell()
            if isinstance(record, Footer):
                footer = record
    assert footer.summary_start == summary_at
    assert footer.summary_crc == zlib.crc32(content[summary_at : len(content) - 12])
    with file.open("rb") as handle:
        summary = make_reader(handle, validate_crcs=True).get_summary()
    assert summary is not None
    assert summary.statistics is not None
    found = messages_of(file)
    assert summary.statistics.message_count == len(found)
    assert summary.statistics.chunk_count == counts["Chunk"] == len(summary.chunk_indexes)
    assert summary.statistics.metadata_count == counts["Metadata"]
    assert summary.statistics.attachment_count == counts["Attachment"]
    assert {c.topic for c in summary.channels.values()} >= {item[0] for item in found}
    by_topic = Counter(item[0] for item in found)
    for channel_id, count in summary.statistics.channel_message_counts.items():
        assert count <= by_topic[summary.channels[channel_id].topic]


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """A whole recording with everything that a repair has to carry over."""
    rig = Rig(tmp_path / "rich.mcap", chunk_bytes=4096, library="recorder 9")
    rig.channel("/never/used", "sensor_msgs/msg/Imu")
    bare = rig.writer.register_channel("/bare", "json", 0, {"unit": "m", "owner": "a"})
    for number in range(50):
        rig.add("/imu", imu(EPOCH_NS + number, (0, 0, 9.81)))
        rig.writer.add_message(bare, EPOCH_NS + number, b"{}", EPOCH_NS - number, 1000 + number)
    rig.writer.add_attachment(11, 12, "calibration.yaml", "text/yaml", bytes(range(256)) * 50)
    rig.metadata("session", {"take": "2"})
    return rig.close()


@pytest.mark.parametrize("compression", ["zstd", "lz4", "none"])
def test_a_whole_recording_keeps_everything(compression: str, rich: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mcap"

    report = repair([str(rich)], out, compression=compression)

    check_whole(out)
    assert messages_of(out) == messages_of(rich)
    assert report.is_complete
    assert (report.messages, report.channels, report.attachments) == (100, 3, 1)
    with out.open("rb") as handle:
        reader = make_reader(handle)
        assert reader.get_header().profile == "ros2"
        assert reader.get_header().library == "recorder 9"
        (attachment,) = reader.iter_attachments()
        metadata = {record.name: record.metadata for record in reader.iter_metadata()}
        summary = reader.get_summary()
    assert (attachment.create_time, attachment.log_time, attachment.name, attachment.media_type) == (
        11, 12, "calibration.yaml", "text/yaml",
    )  # fmt: skip
    assert attachment.data == bytes(range(256)) * 50
    assert metadata["session"] == {"take": "2"}
    assert metadata[REPAIR_RECORD]["damaged_stretches"] == "0"
    assert summary is not None
    assert "/never/used" in {channel.topic for channel in summary.channels.values()}


def test_an_attachment_with_wrong_bytes_is_left_out_and_counted(rich: Path, tmp_path: Path) -> None:
    content = bytearray(rich.read_bytes())
    content[content.index(bytes(range(256))) + 100] ^= 1
    rich.write_bytes(content)

    result = call(str(rich), str(tmp_path / "out.mcap"))

    assert "lost 1 attachments" in result.stdout
    assert "100 messages in 3 channels, 0 attachments" in result.stdout
    assert result.stderr.splitlines()[-1].startswith("warning:")


def test_the_same_input_gives_the_same_bytes(rich: Path, tmp_path: Path) -> None:
    digests = set()
    for name in ("a.mcap", "b.mcap"):
        repair([str(rich)], tmp_path / name)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())

    assert len(digests) == 1


def test_a_cut_recording_becomes_whole_and_says_what_it_lost(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mcap"

    result = call(str(data / "recordings" / "table_scene_truncated.mcap"), str(out))

    assert result.exit_code == 0
    assert "1806 messages" in result.stdout
    assert "25 of the messages were saved" in result.stdout
    assert "lost at byte 16744885" in result.stdout
    assert result.stderr.splitlines()[-1].startswith("warning:")
    check_whole(out)
    inventory = inspect(str(out))
    assert (inventory.messages, inventory.truncated, inventory.basis) == (1806, False, "index")
    record = inventory.metadata[REPAIR_RECORD]
    assert record["salvaged_messages"] == "25"
    assert record["part.0.cut_offset"] == "16744885"
    assert record["part.0.damage.0"].startswith("cut at byte 16744885")
    whole = messages_of(data / "recordings" / "table_scene.mcap")
    assert messages_of(out) == whole[:1806]


def test_a_broken_chunk_is_left_out_and_named(tmp_path: Path) -> None:
    file = write_rig(tmp_path / "rig.mcap", chunk_bytes=4096)
    before = messages_of(file)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)

    report = repair([str(file)], tmp_path / "out.mcap")

    check_whole(tmp_path / "out.mcap")
    kept = messages_of(tmp_path / "out.mcap")
    assert [item for item in before if item in kept] == kept
    (damage,) = report.parts[0].damage
    assert damage.messages == len(before) - len(kept) > 0
    assert not report.is_complete


@pytest.mark.parametrize(
    ("place", "parts", "messages"),
    [("rosbag2/mcap/wbag", 5, 6074), ("rosbag2/mcap/split_without_metadata", 3, 3177)],
)
def test_the_parts_of_a_directory_become_one_recording(
    place: str, parts: int, messages: int, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mcap"

    report = repair([str(data / place)], out)

    check_whole(out)
    assert (len(report.parts), report.messages, report.is_complete) == (parts, messages, True)
    files = [Path(part.uri) for part in report.parts]
    assert files == sorted(files)
    joined = [item for file in files for item in messages_of(file)]
    assert messages_of(out) == joined
    topics = [info.topic for info in inspect(str(out)).topics]
    assert len(set(topics)) == len(topics) == report.channels


def test_parts_given_one_by_one_are_joined_in_that_order(tmp_path: Path) -> None:
    first = write_rig(tmp_path / "x.mcap", frames=3)
    second = write_rig(tmp_path / "a.mcap", frames=3, start_ns=EPOCH_NS + 10**10, compression="lz4")

    result = call(str(first), str(second), str(tmp_path / "out.mcap"))

    assert result.exit_code == 0
    assert messages_of(tmp_path / "out.mcap") == messages_of(first) + messages_of(second)


@pytest.mark.parametrize("name", ["ros1/turtles.bag", "ros1/turtles_bz2.bag", "rosbag2/sqlite3/wbag"])
def test_a_bag_becomes_an_mcap_with_the_same_messages(name: str, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mcap"

    repair([str(data / name)], out)

    check_whole(out)
    with AnyReader([data / name], default_typestore=get_typestore(Stores.LATEST)) as reader:
        expected = sorted((c.topic, stamp, bytes(raw)) for c, stamp, raw in reader.messages())
    assert sorted((item[0], item[6], item[9]) for item in messages_of(out)) == expected


def test_a_compressed_recording_is_read_through(data: Path, tmp_path: Path) -> None:
    report = repair([str(data / "damaged" / "whole_file.mcap.zstd")], tmp_path / "out.mcap")

    assert report.messages == 14
    assert messages_of(tmp_path / "out.mcap") == messages_of(data / "damaged" / "good.mcap")


def test_a_repaired_recording_repairs_to_the_same_messages(data: Path, tmp_path: Path) -> None:
    repair([str(data / "damaged" / "truncated.mcap")], tmp_path / "once.mcap")
    repair([str(tmp_path / "once.mcap")], tmp_path / "twice.mcap")

    assert len(messages_of(tmp_path / "once.mcap")) == 14
    assert messages_of(tmp_path / "twice.mcap") == messages_of(tmp_path / "once.mcap")


def test_an_existing_output_is_replaced_only_when_asked(rich: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mcap"
    out.write_bytes(b"mine")

    refused = call(str(rich), str(out))

    assert (refused.exit_code, out.read_bytes()) == (2, b"mine")
    assert "--force" in refused.stderr
    assert call(str(rich), str(out), "--force").exit_code == 0
    check_whole(out)


def test_the_output_is_never_an_input(rich: Path, tmp_path: Path) -> None:
    content = rich.read_bytes()
    (tmp_path / "link.mcap").symlink_to(rich)

    for out in (rich, tmp_path / "link.mcap"):
        with pytest.raises(BadConfig, match="one of the inputs"):
            repair([str(rich)], out, force=True)

    assert rich.read_bytes() == content


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"\x89MCAP0\r\n" + struct.pack("<BQ", 6, 10**15) + b"\xff" * 400, BadRecording),
        (b"these are no messages\n" * 9, BadRecording),
    ],
)
def test_what_cannot_be_read_leaves_nothing_behind(
    content: bytes, error: type[Exception], tmp_path: Path
) -> None:
    file = tmp_path / "in.mcap"
    file.write_bytes(content)

    with pytest.raises(error):
        repair([str(file)], tmp_path / "out.mcap")

    assert [path.name for path in tmp_path.iterdir()] == ["in.mcap"]
    assert call(str(file), str(tmp_path / "out.mcap")).exit_code == 1


def test_a_recording_without_messages_has_nothing_to_repair(tmp_path: Path) -> None:
    file = Rig(tmp_path / "empty.mcap").close()

    with pytest.raises(NothingToExport, match="0 messages"):
        repair([str(file)], tmp_path / "out.mcap")


def test_a_part_that_is_no_recording_costs_the_whole_output(rich: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mcap").write_bytes(b"no recording at all, only words\n")

    result = call(str(rich), str(tmp_path / "bad.mcap"), str(tmp_path / "out.mcap"))

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) >= 1
    assert not (tmp_path / "out.mcap").exists()


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    peaks = []
    for frames in (20, 400):
        rig = Rig(tmp_path / f"{frames}.mcap")
        for number in range(frames):
            rig.add("/camera/image", compressed_image(EPOCH_NS + number, bytes([number % 256]) * 50_000))
        file = rig.close()
        tracemalloc.start()
        repair([str(file)], tmp_path / f"{frames}.out.mcap", compression="none")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < peaks[0] + (4 << 20)
    assert peaks[1] < 20 << 20


def test_only_a_regular_file_is_replaced(data: Path, tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link.mcap"
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "nowhere.mcap")

    for out in (pipe, link):
        with pytest.raises(BadConfig, match="no regular file"):
            repair([str(data / "damaged" / "good.mcap")], out, force=True)

    assert pipe.is_fifo()
    assert link.is_symlink()
