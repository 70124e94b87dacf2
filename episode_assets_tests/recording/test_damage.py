"""Files that lost something on the way: what is intact is returned, what is lost is named."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mcap.records import Channel, Chunk, Message
from mcap.stream_reader import StreamReader, breakup_chunk
from mcap.writer import IndexType
from s3fs import S3FileSystem

from episode_assets.errors import (
    BadRecording,
    EpisodeAssetsError,
    MissingStream,
    NothingToExport,
    StorageTrouble,
)
from episode_assets.recording import ImageMessage, RecordingView, inspect, scan_recording
from episode_assets.recording.containers.identify import MCAP_MAGIC
from episode_assets.recording.containers.source import Source
from episode_assets.recording.containers.walk import Walk
from episode_assets.recording.inventory import Inventory
from episode_assets_tests.recording.rig import (
    EPOCH_NS,
    Rig,
    compressed_image,
    imu,
    jpeg,
    set_record_length,
    write_rig,
)

LIMIT = 1 << 26


def walk(file: Path) -> tuple[list[tuple[int, bytes]], Walk]:
    with Source(str(file)) as source:
        walked = Walk(source, max_chunk_bytes=LIMIT)
        return [(m.log_time_ns, bytes(m.payload)) for m in walked.messages()], walked


def chunk_offsets(file: Path) -> list[int]:
    from mcap.reader import make_reader

    with file.open("rb") as handle:
        summary = make_reader(handle).get_summary()
    assert summary is not None
    return [chunk.chunk_start_offset for chunk in summary.chunk_indexes]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rig(tmp_path_factory.mktemp("whole") / "rig.mcap", chunk_bytes=4096)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1))
def test_a_file_cut_anywhere_keeps_the_messages_before_the_cut(
    share: float, whole: Path, tmp_path: Path
) -> None:
    complete, _ = walk(whole)
    content = whole.read_bytes()
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(content[: int(share * (len(content) - 1))])

    try:
        kept, walked = walk(cut)
    except BadRecording:
        assert cut.stat().st_size < len(MCAP_MAGIC)
        return

    assert kept == complete[: len(kept)]
    assert walked.container.truncated
    whole_chunks = [at for at in chunk_offsets(whole) if at < (walked.container.cut_offset or 0)]
    assert walked.container.chunks == len(whole_chunks)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(at=0.37961069336905695, bits=1, count=2)  # an index that names a channel nobody defines
@given(at=st.floats(0, 1), bits=st.integers(1, 255), count=st.integers(1, 16))
def test_flipped_bytes_never_raise_anything_but_a_named_error(
    at: float, bits: int, count: int, whole: Path, tmp_path: Path
) -> None:
    content = bytearray(whole.read_bytes())
    start = int(at * (len(content) - count))
    for place in range(start, start + count):
        content[place] ^= bits
    flipped = tmp_path / "flipped.mcap"
    flipped.write_bytes(bytes(content))

    for look in (lambda: inspect(str(flipped)), lambda: walk(flipped)):
        try:
            look()
        except EpisodeAssetsError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("compression", ["", "lz4", "zstd"])
def test_a_broken_chunk_in_the_middle_is_skipped_and_named(compression: str, tmp_path: Path) -> None:
    file = write_rig(tmp_path / "rig.mcap", chunk_bytes=4096, compression=compression)
    complete, _ = walk(file)
    offsets = chunk_offsets(file)
    content = bytearray(file.read_bytes())
    content[offsets[3] + 200] ^= 0xFF
    file.write_bytes(bytes(content))

    kept, walked = walk(file)

    assert 0 < len(complete) - len(kept) < 30
    assert [item for item in complete if item in kept] == kept
    (damage,) = walked.container.damage
    assert damage.offset == offsets[3]
    assert damage.kind in {"bad_crc", "bad_chunk"}
    assert not walked.container.truncated


@pytest.mark.parametrize("length", [10**15, 5, 20_000])
def test_a_chunk_with_a_nonsense_length_is_read_by_its_head(length: int, tmp_path: Path) -> None:
    file = write_rig(tmp_path / "rig.mcap", chunk_bytes=4096, compression="zstd")
    complete, _ = walk(file)
    offsets = chunk_offsets(file)
    set_record_length(file, offsets[2], length)

    kept, walked = walk(file)

    assert kept == complete
    (damage,) = walked.container.damage
    assert (damage.kind, damage.offset, damage.messages) == ("bad_record", offsets[2], 0)
    assert not walked.container.truncated


def test_a_chunk_that_claims_too_much_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    file = write_rig(tmp_path / "rig.mcap", chunk_bytes=4096, compression="zstd")
    at = chunk_offsets(file)[1]
    content = bytearray(file.read_bytes())
    content[at + 9 + 16 : at + 9 + 24] = (1 << 40).to_bytes(8, "little")
    file.write_bytes(bytes(content))

    _, walked = walk(file)

    (damage,) = walked.container.damage
    assert damage.kind == "chunk_too_large"
    assert str(1 << 40) in damage.detail


def test_channels_defined_in_a_broken_chunk_are_taken_from_the_summary(tmp_path: Path) -> None:
    file = write_rig(tmp_path / "rig.mcap", chunk_bytes=4096)
    complete, _ = walk(file)
    content = bytearray(file.read_bytes())
    content[chunk_offsets(file)[0] + 200] ^= 0xFF
    file.write_bytes(bytes(content))

    kept, walked = walk(file)

    assert kept == complete[-len(kept) :]
    assert len(kept) > 0.8 * len(complete)
    assert [item.kind for item in walked.container.damage] == ["bad_crc"]


def messages_in_chunks(file: Path) -> list[list[tuple[str, int]]]:
    """Return topic and log time of the messages of each chunk, by another reader."""
    chunks: list[list[tuple[str, int]]] = []
    topics: dict[int, str] = {}
    with file.open("rb") as handle:
        for record in StreamReader(handle, emit_chunks=True).records:
            if isinstance(record, Chunk):
                inner = breakup_chunk(record)
                topics |= {item.id: item.topic for item in inner if isinstance(item, Channel)}
                chunks.append([(topics[m.channel_id], m.log_time) for m in inner if isinstance(m, Message)])
    return chunks


def flip(file: Path, offset: int) -> None:
    content = bytearray(file.read_bytes())
    content[offset] ^= 0xFF
    file.write_bytes(content)


@pytest.mark.parametrize("compression", ["", "lz4", "zstd"])
def test_a_chunk_with_a_wrong_checksum_says_what_it_held(compression: str, tmp_path: Path) -> None:
    file = write_rig(tmp_path / "rig.mcap", chunk_bytes=4096, compression=compression)
    chunks, at = messages_in_chunks(file), chunk_offsets(file)[3]
    with file.open("r+b") as handle:
        handle.seek(at + 9 + 24)  # the checksum itself, so that the bytes unpack
        handle.write(b"\x01\x02\x03\x04")

    kept, walked = walk(file)

    assert len(kept) == sum(map(len, chunks)) - len(chunks[3])
    (damage,) = walked.container.damage
    assert (damage.kind, damage.offset, damage.messages) == ("bad_crc", at, len(chunks[3]))
    assert damage.topics == tuple(sorted({topic for topic, _ in chunks[3]}))
    assert not damage.is_estimate
    assert walked.container.salvaged_messages == 0


def test_losses_without_message_indexes_are_reckoned_and_say_so(tmp_path: Path) -> None:
    file = write_rig(tmp_path / "rig.mcap", chunk_bytes=4096, frames=100, index_types=IndexType.CHUNK)
    chunks = messages_in_chunks(file)
    flip(file, chunk_offsets(file)[20] + 200)

    _, walked = walk(file)

    (damage,) = walked.container.damage
    assert damage.is_estimate
    assert damage.messages == pytest.approx(len(chunks[20]), rel=0.5)
    assert "about" in damage.in_words()


def test_a_broken_record_in_a_chunk_without_checksum_costs_what_follows_in_it(tmp_path: Path) -> None:
    file = write_rig(tmp_path / "rig.mcap", chunk_bytes=4096, enable_crcs=False)
    chunks, at = messages_in_chunks(file), chunk_offsets(file)[3]
    with file.open("rb") as handle:
        handle.seek(at + 9 + 40)
        first_length = int.from_bytes(handle.read(9)[1:], "little")
    set_record_length(file, at + 9 + 40 + 9 + first_length, 10**9)  # the second message of the chunk

    kept, walked = walk(file)

    assert len(kept) == sum(map(len, chunks)) - len(chunks[3]) + 1
    assert walked.container.salvaged_messages == 1
    (damage,) = walked.container.damage
    assert (damage.kind, damage.messages) == ("bad_chunk", len(chunks[3]) - 1)
    topic = chunks[3][0][0]
    assert f"kept before the break: 1 of {topic}" in damage.detail


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_a_compressed_chunk_cut_by_the_end_gives_what_unpacks(compression: str, tmp_path: Path) -> None:
    rig = Rig(tmp_path / "rig.mcap", compression=compression, chunk_bytes=1 << 21)
    chance = random.Random(1)
    for number in range(400):
        rig.add("/camera/image", compressed_image(EPOCH_NS + number, chance.randbytes(4000)))
    file = rig.close()
    whole, _ = walk(file)
    with file.open("r+b") as handle:
        handle.truncate(1 << 20)

    kept, walked = walk(file)

    assert kept == whole[: len(kept)]
    assert 200 < len(kept) == walked.container.salvaged_messages
    assert walked.container.chunks == 0
    scanned = tmp_path / "scanned"
    scanned.mkdir()
    scan_recording(str(file), scanned, recording_id="rec-1")
    pictures = list(RecordingView.open(scanned, str(file)).rgb.read())
    assert [bytes(p.data) for p in pictures] == [payload[-4000:] for _, payload in kept]


def test_a_zeroed_stretch_is_passed_without_any_index(tmp_path: Path) -> None:
    file = write_rig(
        tmp_path / "rig.mcap", chunk_bytes=4096, index_types=IndexType.NONE, use_statistics=False,
        repeat_channels=False, repeat_schemas=False, use_summary_offsets=False,
    )  # fmt: skip
    whole, _ = walk(file)
    content = file.read_bytes()
    start, end = len(content) // 2, len(content) // 2 + 9000
    file.write_bytes(content[:start] + bytes(end - start) + content[end:])

    kept, walked = walk(file)

    assert len(whole) - 60 < len(kept) < len(whole)
    assert kept[-1] == whole[-1]
    assert [item for item in whole if item in kept] == kept
    assert not walked.container.truncated
    lost = walked.container.damage
    assert all(damage.offset < end and damage.offset + damage.length > start for damage in lost)


def test_a_chunk_whose_head_is_gone_still_gives_the_messages_that_lie_in_it_plainly(tmp_path: Path) -> None:
    file = write_rig(tmp_path / "rig.mcap", chunk_bytes=4096)
    whole, _ = walk(file)
    at, in_chunk = chunk_offsets(file)[3], messages_in_chunks(file)[3]
    content = file.read_bytes()
    file.write_bytes(content[:at] + b"\xff" * 40 + content[at + 40 :])

    kept, walked = walk(file)

    assert kept == whole
    assert walked.container.salvaged_messages == len(in_chunk)
    assert {damage.messages for damage in walked.container.damage} == {0}


def test_a_message_inside_a_payload_is_never_taken_for_one_of_the_file(tmp_path: Path) -> None:
    """A recording of recordings: pictures and files in payloads hold bytes that look like records."""
    inner = write_rig(tmp_path / "inner.mcap", frames=3, compression="zstd").read_bytes()
    rig = Rig(tmp_path / "rig.mcap", chunk_bytes=1 << 16)
    for number in range(200):
        rig.add("/files", compressed_image(EPOCH_NS + number, inner[: 300 + 40 * number]))
    file = rig.close()
    whole, _ = walk(file)
    for at in chunk_offsets(file)[1:3]:
        set_record_length(file, at, 12345)

    kept, _ = walk(file)

    assert kept == whole


def test_padded_records_private_ones_and_channels_without_schema_are_fine(tmp_path: Path) -> None:
    channel = struct.pack("<HHI", 1, 0, 2) + b"/a" + struct.pack("<I", 4) + b"json" + struct.pack("<I", 0)
    message = struct.pack("<HIQQ", 1, 7, 5, 6) + b"{}"
    header = struct.pack("<I", 0) * 2
    records = [
        (1, header + b"pad"), (0x90, b"anything at all"), (4, channel + b"padding"), (0x85, b""),
        (5, message), (0xFF, bytes(100)), (15, bytes(4) + b"pad"), (2, bytes(20)),
    ]  # fmt: skip
    content = b"".join(struct.pack("<BQ", opcode, len(body)) + body for opcode, body in records)
    file = tmp_path / "odd.mcap"
    file.write_bytes(MCAP_MAGIC + content + MCAP_MAGIC)

    kept, walked = walk(file)

    assert kept == [(5, b"{}")]
    assert walked.container.damage == []
    assert inspect(str(file)).messages == 1


def test_a_channel_that_is_defined_again_gives_both_topics(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "rig.mcap", chunked=False)
    rig.add("/imu/a", imu(EPOCH_NS, (0, 0, 9.81)))
    rig.add("/imu/b", imu(EPOCH_NS + 1, (0, 0, 9.81)))
    content = bytearray(rig.close().read_bytes())
    again = content.index(b"/imu/b") - 8
    content[again : again + 2] = content[content.index(b"/imu/a") - 8 :][:2]
    message = content.index(struct.pack("<Q", EPOCH_NS + 1)) - 6
    content[message : message + 2] = content[again : again + 2]
    rig.file.write_bytes(content)

    counts = {info.topic: info.count for info in inspect(str(rig.file)).topics}

    assert counts["/imu/a"] == counts["/imu/b"] == 1


def test_a_metadata_record_written_twice_keeps_the_last_and_says_so(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "rig.mcap")
    rig.add("/imu", imu(EPOCH_NS, (0, 0, 9.81)))
    rig.metadata("session", {"take": "1"})
    rig.metadata("session", {"take": "2"})
    (tmp_path / "out").mkdir()

    outcome = scan_recording(str(rig.close()), tmp_path / "out", recording_id="rec-1")

    inventory = Inventory.from_json(json.loads((tmp_path / "out" / "inventory.json").read_text()))
    assert inventory.metadata["session"] == {"take": "2"}
    assert inventory.repeated_metadata == ("session",)
    assert [note.code for note in outcome.warnings] == ["repeated_metadata"]


def test_a_chunk_that_runs_over_its_record_gives_what_lies_inside_it(tmp_path: Path) -> None:
    """As written by recorders that interleaved two records: the data claim more than the record around them has."""
    file = write_rig(tmp_path / "rig.mcap", chunk_bytes=4096, enable_crcs=False)
    chunks, at = messages_in_chunks(file), chunk_offsets(file)[3]
    with file.open("r+b") as handle:
        handle.seek(at + 9 + 32)
        handle.write(struct.pack("<Q", 50_000))  # the size of the packed data

    kept, walked = walk(file)

    assert len(kept) == sum(map(len, chunks))
    (damage,) = walked.container.damage
    assert (damage.offset, damage.messages) == (at, 0)


def test_what_damage_cost_survives_the_inventory_file(tmp_path: Path) -> None:
    file = write_rig(tmp_path / "rig.mcap", chunk_bytes=4096)
    eighth = chunk_offsets(file)[8]
    flip(file, chunk_offsets(file)[3] + 200)
    with file.open("r+b") as handle:
        handle.truncate(eighth + 3000)
    (tmp_path / "out").mkdir()

    scan_recording(str(file), tmp_path / "out", recording_id="rec-1")
    inventory = Inventory.from_json(json.loads((tmp_path / "out" / "inventory.json").read_text()))

    assert [damage.kind for damage in inventory.damage] == ["bad_crc", "cut"]
    assert inventory.damage[0].messages
    assert inventory.damage[0].topics
    assert inventory.salvaged_messages > 0
    assert inventory.dumps() == (tmp_path / "out" / "inventory.json").read_text()


def test_one_undecodable_message_is_skipped_counted_and_keeps_its_number(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    rig = Rig(tmp_path / "rig.mcap")
    topic, kind = "/camera/image/compressed", "sensor_msgs/msg/CompressedImage"
    for number in range(10):
        stamp = EPOCH_NS + number * 10**8
        if number == 4:
            rig.add_bytes(topic, kind, b"\x00\x01\x00\x00\xff", log_time_ns=stamp)
        else:
            rig.add(topic, compressed_image(stamp, jpeg(number)))

    view = view_of(rig.close())

    assert view.rgb.message_number.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert view.rgb.undecodable_numbers == (4,)
    info = view.inventory.role("rgb")
    assert info is not None
    assert (info.count, info.undecodable, info.is_bad) == (10, 1, True)
    assert info.first_error is not None
    assert "message 4" in info.first_error


def test_made_up_payloads_leave_a_stream_without_rows(data: Path, tmp_path: Path) -> None:
    outcome = scan_recording(str(data / "damaged/bad_payload.mcap"), tmp_path, recording_id="rec-1")

    (note,) = [note for note in outcome.warnings if note.code == "undecodable_messages"]
    assert (note.count, note.stream) == (3, "/sensor/lidar/points")
    assert "point_cloud" in {item.name for item in outcome.skipped}


def test_a_picture_that_was_damaged_since_the_scan_costs_none_behind_it(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    file = write_rig(tmp_path / "rig.mcap", frames=5)
    view = view_of(file)
    places = pq.read_table(view.directory / "offsets.parquet", filters=[("role", "=", "rgb")])
    with file.open("r+b") as handle:
        # Behind the encapsulation (4 bytes) and the stamp (8) stands the length of the frame's name.
        handle.seek(places["offset"][2].as_py() + 12)
        handle.write(b"\xff\xff\xff\x7f")

    read = [
        (position, isinstance(message, ImageMessage)) for position, message in view.rgb.read_past_damage(0, 5)
    ]

    assert read == [(0, True), (1, True), (2, False), (3, True), (4, True)]


def test_a_recording_without_messages_has_nothing_to_export(tmp_path: Path) -> None:
    file = Rig(tmp_path / "rig.mcap").close()
    (tmp_path / "out").mkdir()

    assert inspect(str(file)).messages == 0
    with pytest.raises(NothingToExport, match="0 messages"):
        scan_recording(str(file), tmp_path / "out", recording_id="rec-1")


def test_a_recording_without_a_camera_names_what_it_has(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    rig = Rig(tmp_path / "rig.mcap")
    rig.add("/imu/data", imu(EPOCH_NS, (0, 0, 9.81)))
    view = view_of(rig.close())

    assert not view.has_rgb
    with pytest.raises(MissingStream, match=r"no camera topic.*/imu/data"):
        _ = view.rgb


def test_a_file_cut_inside_its_header_is_named(tmp_path: Path, whole: Path) -> None:
    file = tmp_path / "cut.mcap"
    file.write_bytes(whole.read_bytes()[:20])

    with pytest.raises(BadRecording, match="cut after 20 bytes"):
        inspect(str(file))


@pytest.mark.parametrize(
    ("mangle", "word"),
    [
        (lambda content: content.replace(b"\r\n", b"\n"), "line endings"),
        (lambda content: content.replace(b"\n", b"\r\n"), "line endings"),
        (lambda content: content[:5], "cut after 5 bytes"),
        (lambda content: bytes(len(content)), "zeros"),
        (lambda content: b"\x1f\x8b" + content, "gzip"),
        (lambda content: b"junk\xff" + content, "no recording of a known format"),
    ],
)
def test_a_mangled_start_names_its_cause(
    mangle: Callable[[bytes], bytes], word: str, whole: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mangled.mcap"
    file.write_bytes(mangle(whole.read_bytes()))

    with pytest.raises(BadRecording, match=word):
        inspect(str(file))


def test_bytes_behind_the_end_are_noted(whole: Path, tmp_path: Path) -> None:
    file = tmp_path / "longer.mcap"
    file.write_bytes(whole.read_bytes() + b"more")

    inventory = inspect(str(file))

    assert inventory.messages == inspect(str(whole)).messages
    assert [item.kind for item in inventory.damage] == ["trailing_bytes"]


def test_an_object_store_without_credentials_is_trouble_that_may_pass(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))

    # A client that another test made would bring that test's credentials.
    S3FileSystem.clear_instance_cache()
    with pytest.raises(StorageTrouble, match="AWS_"):
        inspect("s3://nobodys-bucket/recording.mcap")
    S3FileSystem.clear_instance_cache()
