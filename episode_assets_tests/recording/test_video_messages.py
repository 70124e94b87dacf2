"""Videos in messages: from a file to pictures, against PyAV decoding the same stream from its beginning."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.recording import ImageStream, RecordingView, scan_recording
from episode_assets.video import Picture, UndecodablePicture, decode_pictures
from episode_assets_tests.recording.rig import EPOCH_NS, Rig, compressed_image, jpeg, set_record_length
from episode_assets_tests.video.moving import CODECS, Payload, decoded, moving

STEP_NS = 50_000_000
FRAMES = 40

Views = Callable[..., RecordingView]


def recorded(
    file: Path,
    stream: Sequence[Payload],
    name: str,
    *,
    stamps_ns: Sequence[int] | None = None,
    **options: Any,
) -> Path:
    """Write a stream as ROS messages in the order of decoding; each carries the stamp of the frame it shows."""
    rig = Rig(file, **options)
    for index, payload in enumerate(stream):
        stamp = EPOCH_NS + payload.frame * STEP_NS if stamps_ns is None else stamps_ns[index]
        rig.add("/camera/video", compressed_image(stamp, payload.data, name=name))
    return rig.close()


def seen(stream: ImageStream, start: int = 0, stop: int | None = None) -> dict[int, Any]:
    """The planes of each position, or the reason why there are none."""
    return {
        step.position: (picture.y, picture.u, picture.v) if isinstance(picture, Picture) else picture.what
        for step, picture in decode_pictures(stream, start, len(stream) if stop is None else stop)
    }


def are_equal(found: Any, expected: Any) -> bool:
    return not isinstance(found, str) and all(map(np.array_equal, found, expected))


@pytest.mark.parametrize("kind", CODECS)
def test_a_video_gives_the_pictures_of_a_whole_decoding(kind: str, tmp_path: Path, view_of: Views) -> None:
    stream = moving(kind)
    view = view_of(recorded(tmp_path / "video.mcap", stream, CODECS[kind].name))

    found, expected = seen(view.rgb), decoded(kind, stream)

    assert list(found) == list(range(FRAMES)) == sorted(expected)
    assert all(are_equal(found[frame], expected[frame]) for frame in found)
    assert view.rgb.is_video
    assert view.inventory.role("rgb").picture_format == CODECS[kind].name


@pytest.mark.parametrize("kind", CODECS)
def test_videos_of_foxglove_give_the_same(kind: str, tmp_path: Path, view_of: Views) -> None:
    from foxglove_schemas_protobuf.CompressedVideo_pb2 import CompressedVideo
    from mcap_protobuf.writer import Writer

    stream = moving(kind)
    with (tmp_path / "video.mcap").open("wb") as file, Writer(file) as writer:
        for payload in stream:
            stamp = EPOCH_NS + payload.frame * STEP_NS
            message = CompressedVideo(frame_id="camera", data=payload.data, format=CODECS[kind].name)
            message.timestamp.FromNanoseconds(stamp)
            writer.write_message("/camera/video", message, log_time=stamp, publish_time=stamp)
    view = view_of(tmp_path / "video.mcap")

    found, expected = seen(view.rgb), decoded(kind, stream)

    assert list(found) == sorted(expected)
    assert all(are_equal(found[frame], expected[frame]) for frame in found)


@pytest.mark.parametrize("kind", CODECS)
def test_reading_may_begin_and_end_anywhere(kind: str, tmp_path: Path, view_of: Views) -> None:
    stream = moving(kind)
    view = view_of(recorded(tmp_path / "video.mcap", stream, CODECS[kind].name))
    expected = decoded(kind, stream)

    for start, stop in ((0, 1), (7, 9), (13, 31), (20, 21), (29, 40)):
        found = seen(view.rgb, start, stop)

        assert list(found) == list(range(start, stop))
        assert all(are_equal(found[frame], expected[frame]) for frame in found), (start, stop)


def test_a_read_in_the_middle_costs_no_more_than_its_group(tmp_path: Path, view_of: Views) -> None:
    view = view_of(recorded(tmp_path / "video.mcap", moving("h264"), "h264"))

    assert [view.rgb.lead_in(position) for position in (0, 9, 10, 14, 39)] == [0, 9, 0, 4, 9]
    assert view.rgb.rows_for(14, 17).tolist() == list(range(10, 17))
    assert [step.row for step in view.rgb.steps(14, 17)] == list(range(10, 17))


def test_stills_need_nothing_before_them(tmp_path: Path, view_of: Views) -> None:
    stills = [Payload(number, True, jpeg(number)) for number in range(5)]
    view = view_of(recorded(tmp_path / "stills.mcap", stills, "jpeg"))

    assert not view.rgb.is_video
    assert [step.position for step in view.rgb.steps(2, 4)] == [2, 3]


@pytest.mark.parametrize("kind", ["h264", "h264 with B-frames", "h265"])
def test_behind_a_lost_picture_nothing_is_shown_until_the_next_key_frame(
    kind: str, tmp_path: Path, view_of: Views
) -> None:
    stream = moving(kind)
    lost = next(payload for payload in stream if payload.frame == 13)
    view = view_of(recorded(tmp_path / "video.mcap", [p for p in stream if p is not lost], CODECS[kind].name))
    expected = decoded(kind, stream)

    found = seen(view.rgb)

    frame_of = [frame for frame in range(FRAMES) if frame != 13]
    shown = [position for position in found if not isinstance(found[position], str)]
    assert all(are_equal(found[position], expected[frame_of[position]]) for position in shown)
    assert {frame_of[position] for position in shown} >= {*range(10), *range(20, FRAMES)}
    assert kind == "h264 with B-frames" or not {frame_of[p] for p in shown} & set(range(14, 20))


@pytest.mark.parametrize("kind", ["h264", "h265", "av1", "vp9"])
def test_a_stream_that_begins_inside_a_group_begins_with_its_first_key_frame(
    kind: str, tmp_path: Path, view_of: Views
) -> None:
    stream = moving(kind)
    view = view_of(recorded(tmp_path / "video.mcap", stream[4:], CODECS[kind].name))
    expected = decoded(kind, stream)

    found = seen(view.rgb)

    assert all("begins inside a group" in found[position] for position in range(6))
    assert all(are_equal(found[position], expected[position + 4]) for position in range(6, 36))


@pytest.mark.parametrize("kind", ["h264", "h265", "av1", "vp9"])
def test_an_undecodable_message_breaks_its_group_only(kind: str, tmp_path: Path, view_of: Views) -> None:
    stream = moving(kind)
    rig = Rig(tmp_path / "video.mcap")
    for payload in stream:
        message = compressed_image(EPOCH_NS + payload.frame * STEP_NS, payload.data, name=CODECS[kind].name)
        if payload.frame == 23:
            kind_of_message = message.__msgtype__
            rig.add_bytes("/camera/video", kind_of_message, b"\x00\x01\x00\x00cut", log_time_ns=EPOCH_NS)
        else:
            rig.add("/camera/video", message)
    view = view_of(rig.close())
    expected = decoded(kind, stream)

    found = seen(view.rgb)

    assert view.rgb.undecodable_numbers == (23,)
    assert all(are_equal(found[position], expected[position]) for position in range(23))
    assert all("messages are missing" in found[position] for position in range(23, 29))
    assert all(are_equal(found[position], expected[position + 1]) for position in range(29, 39))


@pytest.mark.parametrize("kind", ["h264", "h265", "av1", "vp9"])
def test_a_payload_of_noise_costs_its_group_and_is_never_shown(
    kind: str, tmp_path: Path, view_of: Views
) -> None:
    stream = list(moving(kind))
    stream[14] = replace(stream[14], data=np.random.default_rng(3).bytes(200))
    view = view_of(recorded(tmp_path / "video.mcap", stream, CODECS[kind].name))
    expected = decoded(kind, moving(kind))

    found = seen(view.rgb)

    refused = [position for position in found if isinstance(found[position], str)]
    assert refused == list(range(14, 20))
    assert all(
        are_equal(found[position], expected[position]) for position in (*range(14), *range(20, FRAMES))
    )


def test_a_picture_cut_off_is_never_shown_half(tmp_path: Path, view_of: Views) -> None:
    stream = list(moving("h264"))
    stream[14] = replace(stream[14], data=stream[14].data[: len(stream[14].data) // 2])
    view = view_of(recorded(tmp_path / "video.mcap", stream, "h264"))

    found = seen(view.rgb)

    assert [position for position in found if isinstance(found[position], str)] == list(range(14, 20))


@pytest.mark.parametrize("compression", ["zstd", ""])
def test_damage_in_the_file_breaks_the_chain(compression: str, tmp_path: Path, view_of: Views) -> None:
    """VP9 itself would not notice; without compression the head of a message is broken, with it a chunk."""
    stream = moving("vp9")
    file = recorded(tmp_path / "video.mcap", stream, "vp9", chunk_bytes=600, compression=compression)
    whole = view_of(file)
    place = pq.read_table(whole.directory / "offsets.parquet").to_pylist()[14]
    chunks = pq.read_table(whole.directory / "chunks.parquet").to_pylist()
    if compression:
        with file.open("r+b") as handle:
            handle.seek(chunks[place["chunk"]]["offset"] + 10)
            handle.write(b"broken")
    else:
        set_record_length(
            file, place["offset"] - 31, 1 << 50
        )  # before it stand 9 bytes of record, 22 of message

    view = view_of(file)
    found = seen(view.rgb)

    expected = decoded("vp9", stream)
    frames = ((view.rgb.stamp_ns - EPOCH_NS) // STEP_NS).tolist()
    shown = {
        frame for frame, planes in zip(frames, found.values(), strict=True) if not isinstance(planes, str)
    }
    lost = set(range(FRAMES)) - set(frames)
    assert 14 in lost
    assert shown == {*range(min(lost)), *range(20, FRAMES)}
    assert all(are_equal(found[frames.index(frame)], expected[frame]) for frame in shown)


def test_a_message_that_repeats_a_stamp_is_decoded_and_gives_no_frame(tmp_path: Path, view_of: Views) -> None:
    stream = moving("h264")
    stamps = [EPOCH_NS + payload.frame * STEP_NS for payload in stream]
    stamps[13] = stamps[12]
    view = view_of(recorded(tmp_path / "video.mcap", stream, "h264", stamps_ns=stamps))
    expected = decoded("h264", stream)

    found = seen(view.rgb)

    assert [double.message_number for double in view.rgb.duplicates] == [13]
    assert [frame for frame in range(FRAMES) if frame != 13] == view.rgb.message_number.tolist()
    assert all(are_equal(found[p], expected[n]) for p, n in enumerate(view.rgb.message_number.tolist()))
    assert are_equal(seen(view.rgb, 13, 14)[13], expected[14])


def test_a_payload_damaged_since_the_scan_breaks_its_group_only(tmp_path: Path, view_of: Views) -> None:
    stream = moving("h264")
    file = recorded(tmp_path / "video.mcap", stream, "h264")
    view = view_of(file)
    places = pq.read_table(view.directory / "offsets.parquet")
    with file.open("r+b") as handle:
        # Behind the encapsulation (4 bytes) and the stamp (8) stands the length of the frame's name.
        handle.seek(places["offset"][15].as_py() + 12)
        handle.write(b"\xff\xff\xff\x7f")

    found = seen(view.rgb)

    refused = [position for position in found if isinstance(found[position], str)]
    assert refused == [15, 16, 17, 18, 19]
    assert "message 15 of /camera/video" in found[15]
    assert "does not decode" in found[16]


def test_stills_and_video_may_follow_each_other(tmp_path: Path, view_of: Views) -> None:
    stream = moving("h264")
    rig = Rig(tmp_path / "mixed.mcap")
    for payload in stream[:25]:
        stamp = EPOCH_NS + payload.frame * STEP_NS
        is_still = payload.frame in (10, 11)
        data, name = (jpeg(3), "jpeg") if is_still else (payload.data, "h264")
        rig.add("/camera/video", compressed_image(stamp, data, name=name))
    view = view_of(rig.close())

    found = seen(view.rgb)

    assert found[10][0].shape == (48, 64)
    assert all("a still lies before it" in found[position] for position in range(12, 20))
    assert found[20][0].shape == (64, 96)


def test_pictures_of_another_size_follow_the_key_frame_that_brings_them(
    tmp_path: Path, view_of: Views
) -> None:
    from episode_assets_tests.video.builders import smooth_bgr
    from episode_assets_tests.video.moving import payloads

    large = payloads("h264", (smooth_bgr(128, 96, shift=4 * n) for n in range(5)))
    stream = [*moving("h264")[:10], *(Payload(p.frame + 10, p.is_key, p.data) for p in large)]
    view = view_of(recorded(tmp_path / "video.mcap", stream, "h264"))

    found = seen(view.rgb)

    assert [found[position][0].shape for position in (9, 10, 14)] == [(64, 96), (96, 128), (96, 128)]


def test_a_message_without_a_picture_is_refused_alone(tmp_path: Path, view_of: Views) -> None:
    stream = [*moving("h264")[:10]]
    stream[9] = Payload(9, False, b"\x00\x00\x00\x01\x09\xf0")
    view = view_of(recorded(tmp_path / "video.mcap", stream, "h264"))

    found = seen(view.rgb)

    assert isinstance(found[9], str)
    assert all(not isinstance(found[position], str) for position in range(9))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(sorted(CODECS)))
def test_mangled_videos_give_a_picture_or_a_reason_for_every_position(
    seed: int, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(seed)
    stream = list(moving(kind))
    for index in chance.sample(range(FRAMES), 6):
        data = bytearray(stream[index].data)
        for _ in range(chance.randint(1, 12)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        stream[index] = replace(stream[index], data=bytes(data[: chance.randint(1, len(data))]))
    folder = tmp_path_factory.mktemp("mangled")
    file = recorded(folder / "video.mcap", stream, CODECS[kind].name)
    scan_recording(str(file), folder, recording_id="rec-1")

    rgb = RecordingView.open(folder, str(file)).rgb
    found = seen(rgb)

    assert list(found) == list(range(FRAMES))
    assert all(isinstance(planes, tuple) or "\n" not in planes for planes in found.values())
    cut = chance.randrange(1, FRAMES)
    parts = seen(rgb, 0, cut) | seen(rgb, cut, FRAMES)
    # The other decoders show what was in memory before where the entropy-coded part is wrong.
    if CODECS[kind].name in ("h264", "av1"):
        refused = {position for position in found if isinstance(found[position], str)}
        assert refused == {position for position in parts if isinstance(parts[position], str)}
        assert all(are_equal(parts[position], found[position]) for position in set(found) - refused)


def test_a_stream_with_lengths_instead_of_start_codes_is_named(tmp_path: Path, view_of: Views) -> None:
    length = b"\x00\x00\x02\xf4"
    stream = [
        replace(payload, data=length + payload.data[4:].replace(b"\x00\x00\x01", length))
        for payload in moving("h264")
    ]
    view = view_of(recorded(tmp_path / "video.mcap", stream, "h264"))

    assert all(
        "begins with 00 00 02 f4 instead of a start code" in reason for reason in seen(view.rgb).values()
    )


def test_an_unknown_codec_is_refused_by_name(tmp_path: Path, view_of: Views) -> None:
    view = view_of(recorded(tmp_path / "video.mcap", moving("h264")[:3], "theora"))

    reasons = {
        str(picture)
        for _, picture in decode_pictures(view.rgb, 0, 3)
        if isinstance(picture, UndecodablePicture)
    }

    assert len(reasons) == 1
    assert "'theora'" in reasons.pop()
