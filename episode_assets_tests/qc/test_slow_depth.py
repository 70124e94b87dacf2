"""Depth that comes half as often as pictures: frames share an image, and a sensor that hangs is found all the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mcap.reader import make_reader
from mcap.writer import Writer

from episode_assets.bundle import write_bundle
from episode_assets.recording import scan_recording
from episode_assets_tests.qc.episodes import PASSED, RECORDING_ID, Episode, check_of, judged

DEPTH = "/camera/depth"
HANGS = range(60, 80)
"""Messages, which the frames of the clean recording have the numbers of."""
STAMP_END = 12
"""CDR header, seconds and nanoseconds: the rest of a depth message is the same when a sensor hangs."""


def test_depth_that_hangs_is_found_where_several_frames_share_an_image(clean, tmp_path):
    evidence = _slower(clean, tmp_path).evidence()
    check = check_of(judged(evidence), "depth_frozen")

    assert (evidence.depth.message_number[1:] == evidence.depth.message_number[:-1]).sum() > 50
    assert check.status == "warn"
    (found,) = check.ranges
    # The nearest image in time may be the one before or after.
    assert abs(found.first - HANGS.start - 2) <= 1
    assert abs(found.last - HANGS.stop + 1) <= 1


def _slower(clean: Episode, base: Path) -> Episode:
    """Return the clean episode with every second depth image, one of them sent again and again."""
    recording = base / "demo.mcap"
    _copy(clean.recording, recording)
    for name in ("raw", "bundle"):
        (base / name).mkdir()
    for name in ("blurred", "hands"):
        (base / name).symlink_to(clean.base / name)
    scan_recording(str(recording), base / "raw", recording_id=RECORDING_ID)
    episode = replace(clean, base=base, recording=recording)
    write_bundle(episode.view, episode.blurred, episode.hands, base / "bundle", privacy=PASSED)
    return episode


def _copy(source: Path, out: Path) -> None:
    with source.open("rb") as stream, out.open("wb") as target:
        writer, channels = Writer(target), {}
        writer.start(profile="ros2", library="test")
        for schema, channel, item, data in _messages(stream):
            if channel.id not in channels:
                kind = writer.register_schema(schema.name, schema.encoding, schema.data)
                channels[channel.id] = writer.register_channel(channel.topic, channel.message_encoding, kind)
            writer.add_message(channels[channel.id], item.log_time, data, item.publish_time)
        writer.finish()


def _messages(stream) -> Iterator[tuple]:
    number, hung = -1, b""
    for schema, channel, item in make_reader(stream).iter_messages():
        if channel.topic != DEPTH:
            yield schema, channel, item, item.data
            continue
        number += 1
        hung = item.data if number == HANGS.start else hung
        if number % 2 == 0:
            yield (
                schema,
                channel,
                item,
                item.data[:STAMP_END] + (hung if number in HANGS else item.data)[STAMP_END:],
            )
