from __future__ import annotations

from fractions import Fraction

import av
import pytest

from episode_assets.errors import BadConfig, BadVideo
from episode_assets.video import (
    ParameterSetMismatch,
    RGBEncoderConfig,
    UndecodableVideo,
    VideoWriter,
    concatenate,
    decode_frames,
    encode_frames,
    retiming,
)
from episode_assets_tests.video.builders import number_in, numbered_picture
from episode_assets_tests.video.foreign import foreign_video


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def numbers(path):
    return [number_in(picture.y) for _, picture in decode_frames(path)]


def part(path, start, stop, config=None, fps=10, **size):
    pictures = [numbered_picture(number, **size) for number in range(start, stop)]
    encode_frames(pictures, path, config or RGBEncoderConfig(), fps=fps)
    return path


@pytest.mark.parametrize(
    "config", [None, RGBEncoderConfig.lerobot(), RGBEncoderConfig(vcodec="hevc", preset="ultrafast")]
)
def test_videos_follow_each_other_frame_by_frame(tmp_path, config):
    parts = [part(tmp_path / f"{n}.mp4", 10 * n, 10 * n + 7, config) for n in range(3)]

    found = concatenate([*parts, parts[0]], tmp_path / "out.mp4")

    expected = [10 * n + i for n in (0, 1, 2, 0) for i in range(7)]
    assert numbers(tmp_path / "out.mp4") == expected
    assert (found.frames, found.is_cfr, found.rate, found.duration) == (28, True, 10, Fraction(28, 10))
    assert set(range(0, 28, 7)) <= set(found.key_frames.tolist())
    assert names(tmp_path) == ["0.mp4", "1.mp4", "2.mp4", "out.mp4"]


def test_a_new_rate_shows_every_frame_at_its_time(tmp_path):
    parts = [part(tmp_path / "0.mp4", 0, 5), part(tmp_path / "1.mp4", 5, 9, fps=25)]

    found = concatenate(parts, tmp_path / "out.mp4", fps=30)

    assert (found.rate, found.duration, found.time_base) == (30, Fraction(9, 30), Fraction(1, 512 * 30))


def test_uneven_stamps_and_odd_rates_are_kept_exactly(tmp_path):
    tick = Fraction(1001, 30000)
    with VideoWriter(tmp_path / "0.mp4", RGBEncoderConfig(), time_base=tick) as writer:
        for number, pts in enumerate([0, 1, 5]):
            writer.add(numbered_picture(number), pts=pts)
        last = writer.finish().duration
    part(tmp_path / "1.mp4", 3, 6, fps=24)

    found = concatenate([tmp_path / "0.mp4", tmp_path / "1.mp4"], tmp_path / "out.mp4")

    times = [int(pts) * found.time_base for pts in found.pts]
    assert times == [0, tick, 5 * tick, last, last + Fraction(1, 24), last + Fraction(2, 24)]
    assert numbers(tmp_path / "out.mp4") == list(range(6))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"config": RGBEncoderConfig(crf=30.0)}, "extradata_sha256"),
        ({"config": RGBEncoderConfig(preset="ultrafast")}, "profile"),
        ({"config": RGBEncoderConfig.lerobot()}, "codec av1 instead of h264"),
        ({"width": 96}, "width 96 instead of 64"),
        ({"config": RGBEncoderConfig(pix_fmt="yuv444p")}, "pix_fmt"),
    ],
)
def test_videos_of_other_headers_are_refused_before_the_first_byte(tmp_path, other, words):
    one, two = part(tmp_path / "one.mp4", 0, 3), part(tmp_path / "two.mp4", 3, 6, **other)

    with pytest.raises(ParameterSetMismatch, match=words):
        concatenate([one, two], tmp_path / "out.mp4")

    assert names(tmp_path) == ["one.mp4", "two.mp4"]


def test_a_turned_video_is_not_put_behind_an_upright_one(tmp_path):
    plain = {"bf": "0", "crf": "20"}
    upright = foreign_video(tmp_path / "upright.mp4", 4, options=plain)
    turned = foreign_video(tmp_path / "turned.mp4", 4, options=plain, rotation=90)

    assert concatenate([upright, upright], tmp_path / "out.mp4").frames == 8
    with pytest.raises(ParameterSetMismatch, match="rotation 270 instead of 0"):
        concatenate([upright, turned], tmp_path / "out.mp4", overwrite=True)


def test_other_colours_are_refused(tmp_path):
    one = part(tmp_path / "one.mp4", 0, 3)
    foreign = foreign_video(tmp_path / "two.mp4", 3, options={"bf": "0"})

    with pytest.raises(ParameterSetMismatch, match="color_matrix 2 instead of 6"):
        concatenate([one, foreign], tmp_path / "out.mp4")


@pytest.mark.parametrize(
    ("choices", "kind", "words"),
    [({"fps": 0}, BadConfig, "fps"), ({"fps": 29.97}, BadConfig, "fps"), ({}, BadVideo, "exists")],
)
def test_a_target_or_rate_that_cannot_be_is_refused(tmp_path, choices, kind, words):
    one = part(tmp_path / "one.mp4", 0, 3)
    if not choices:
        (tmp_path / "out.mp4").write_bytes(b"old")
    before = names(tmp_path)

    with pytest.raises(kind, match=words):
        concatenate([one], tmp_path / "out.mp4", **choices)

    assert names(tmp_path) == before


def test_nothing_and_reordered_frames_are_refused(tmp_path):
    with pytest.raises(BadVideo, match="no span"):
        concatenate([], tmp_path / "out.mp4")
    with pytest.raises(BadVideo, match="B-frames"):
        concatenate([foreign_video(tmp_path / "b.mp4", options={"bf": "2"})], tmp_path / "out.mp4")
    with pytest.raises(UndecodableVideo, match=r"nothing\.mp4"):
        concatenate([tmp_path / "nothing.mp4"], tmp_path / "out.mp4")

    assert names(tmp_path) == ["b.mp4"]


def test_a_picture_that_is_not_its_sources_is_found_at_the_seam(tmp_path, monkeypatch):
    """The last guard, for headers that look alike and are not: here the comparison of headers is off."""
    monkeypatch.setattr(retiming, "_HEADER", ())
    parts = [
        part(tmp_path / f"{crf}.mp4", 0, 5, RGBEncoderConfig(crf=crf), width=320, height=180)
        for crf in (23, 30)
    ]

    with pytest.raises(BadVideo, match=r"30\.mp4 .*after copying"):
        concatenate(parts, tmp_path / "out.mp4")

    assert names(tmp_path) == ["23.mp4", "30.mp4"]


def test_a_damaged_picture_at_a_seam_is_found(tmp_path):
    one = part(tmp_path / "one.mp4", 0, 3)
    two = part(tmp_path / "two.mp4", 3, 6)
    with av.open(str(two)) as container:
        key = next(container.demux(video=0))
        at, size = key.pos, key.size
    content = bytearray(two.read_bytes())
    content[at + size // 2 : at + size] = bytes(size - size // 2)
    two.write_bytes(content)

    with pytest.raises(BadVideo):
        concatenate([one, two], tmp_path / "out.mp4")

    assert names(tmp_path) == ["one.mp4", "two.mp4"]
