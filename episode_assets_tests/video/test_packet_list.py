from fractions import Fraction

import av
import numpy as np
import pytest

from episode_assets.errors import BadVideo
from episode_assets.video import RGBEncoderConfig, encode_frames, probe
from episode_assets_tests.video.builders import numbered_picture, segment, video
from episode_assets_tests.video.foreign import foreign_video


def read_from_end_to_end(path):
    """Return stamps, bytes, key frames and duration as the packets themselves tell them."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        shown = sorted(packets, key=lambda packet: packet.pts)
        end = max(packet.pts + packet.duration for packet in packets)
        keys = [i for i, packet in enumerate(shown) if packet.is_keyframe]
        return (
            [packet.pts for packet in shown],
            sum(packet.size for packet in packets),
            keys,
            (end - shown[0].pts) * stream.time_base,
        )


def told(path):
    found = probe(path)
    return found.pts.tolist(), found.encoded_bytes, found.key_frames.tolist(), found.duration


def test_the_index_tells_what_the_packets_tell(tmp_path):
    encode_frames(map(numbered_picture, range(40)), tmp_path / "even.mp4", RGBEncoderConfig(), fps=10)
    video(
        tmp_path / "uneven.mp4",
        segment(range(3), step_us=50_000),
        segment([9], step_us=50_000),
    )
    for path in (tmp_path / "even.mp4", tmp_path / "uneven.mp4"):
        assert told(path) == read_from_end_to_end(path)


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_reordered_pictures_and_other_containers_are_read_packet_by_packet(tmp_path, name):
    path = foreign_video(tmp_path / name, rate=Fraction(15), options={"bf": "2"})

    assert probe(path).has_b_frames
    assert told(path) == read_from_end_to_end(path)


def test_an_index_of_bytes_that_are_gone_is_not_believed(tmp_path):
    path = tmp_path / "v.mp4"
    whole = encode_frames(map(numbered_picture, range(40)), path, RGBEncoderConfig(), fps=10)
    path.write_bytes(path.read_bytes()[: -whole.encoded_bytes // 2])

    try:
        found = probe(path)
    except BadVideo:
        return
    assert found.frames < whole.frames
    assert np.array_equal(found.pts, read_from_end_to_end(path)[0])
