from __future__ import annotations

import dataclasses
import pickle
import random

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.errors import BadConfig, BadVideo, DiskFull
from episode_assets.video import (
    Picture,
    RGBEncoderConfig,
    Segment,
    SegmentEncoder,
    UndecodableVideo,
    decode_frames,
    decode_picture,
)
from episode_assets.video.encoding import FrameEncoder
from episode_assets.video.faults import named_failures
from episode_assets.video.picture import frame_of
from episode_assets.video.rgb import picture_to_rgb
from episode_assets_tests.video.builders import (
    HEIGHT,
    WIDTH,
    number_in,
    numbered_picture,
    segment,
    smooth_bgr,
    video,
)


def test_a_segment_decodes_from_memory_in_order():
    made = segment(range(20))

    assert [number_in(picture.y) for picture in made.decode()] == list(range(20))


def test_key_frames_stand_at_the_start_every_15_frames_and_on_request():
    same = numbered_picture(0)
    with SegmentEncoder(RGBEncoderConfig(), true_width=WIDTH, true_height=HEIGHT) as encoder:
        for index in range(40):
            encoder.encode(same, pts_us=index, force_key=index == 7)
        made = encoder.finish()

    assert [index for index, key in enumerate(made.is_key) if key] == [0, 7, 22, 37]


def test_parameter_sets_do_not_depend_on_content_length_or_stamps():
    one = segment(range(3))
    other = segment(range(30, 50), start_us=9_000_000, step_us=41_000)

    assert one.extradata == other.extradata
    assert one.extradata != segment(range(3), config=RGBEncoderConfig(crf=30.0)).extradata


def test_encoding_twice_gives_equal_bytes():
    assert segment(range(12)) == segment(range(12))


def test_bytes_do_not_depend_on_the_stamps():
    assert segment(range(12)).data == segment(range(12), start_us=77, step_us=123_456).data


def test_the_picture_handed_over_is_not_changed():
    picture = numbered_picture(5)
    before = picture.copy()
    with SegmentEncoder(RGBEncoderConfig(), true_width=WIDTH, true_height=HEIGHT) as encoder:
        encoder.encode(picture, pts_us=0)
        encoder.finish()

    assert np.array_equal(picture.y, before.y)


def test_a_segment_survives_pickling_and_a_scratch_file(tmp_path):
    made = segment(range(5))
    made.save(tmp_path / "part")

    assert Segment.load(tmp_path / "part") == made
    assert pickle.loads(pickle.dumps(made)) == made


@pytest.mark.parametrize("keep", [0, 4, 30, -1])
def test_a_cut_off_scratch_file_is_refused(tmp_path, keep):
    segment(range(5)).save(tmp_path / "part")
    content = (tmp_path / "part").read_bytes()
    (tmp_path / "part").write_bytes(content[:keep])

    with pytest.raises(UndecodableVideo, match="whole segment"):
        Segment.load(tmp_path / "part")


def test_damage_inside_a_segment_is_not_concealed():
    made = segment(range(30))
    data = bytearray(made.data)
    data[2000:2200] = random.Random(3).randbytes(200)

    with pytest.raises(UndecodableVideo):
        list(dataclasses.replace(made, data=bytes(data)).decode())


def test_reordered_frames_are_refused():
    config = RGBEncoderConfig(extra_options=(("bf", "3"),))

    with pytest.raises(BadConfig, match="reorders"):
        segment(range(30), config=config)


def test_pictures_of_another_size_and_stamps_that_stand_still_are_refused():
    with SegmentEncoder(RGBEncoderConfig(), true_width=WIDTH, true_height=HEIGHT) as encoder:
        encoder.encode(numbered_picture(0), pts_us=10)
        with pytest.raises(BadVideo, match="must advance"):
            encoder.encode(numbered_picture(1), pts_us=10)
        with pytest.raises(BadVideo, match="32 x 32"):
            encoder.encode(Picture.blank(32, 32), pts_us=20)


def test_a_segment_without_pictures_is_refused():
    with (
        pytest.raises(BadVideo, match="at least one"),
        SegmentEncoder(RGBEncoderConfig(), true_width=WIDTH, true_height=HEIGHT) as encoder,
    ):
        encoder.finish()


def test_odd_sizes_are_coded_even_and_remembered(tmp_path):
    image = smooth_bgr(65, 49)
    with SegmentEncoder(RGBEncoderConfig(), true_width=65, true_height=49) as encoder:
        encoder.encode(decode_picture("bgr8", image.tobytes(), width=65, height=49), pts_us=0)
        made = encoder.finish()

    (picture,) = made.decode()

    assert (made.width, made.height) == (66, 50)
    assert (picture.true_width, picture.true_height) == (65, 49)
    assert (video(tmp_path / "odd.mp4", made).width, (made.height)) == (66, 50)


def test_an_encoded_picture_shows_the_colours_of_its_source(tmp_path):
    """An independent reader (OpenCV's FFmpeg) must come to the same RGB: matrix and range are tagged right."""
    image = cv2.GaussianBlur(smooth_bgr(320, 180), (0, 0), 3)
    with SegmentEncoder(RGBEncoderConfig(crf=5.0), true_width=320, true_height=180) as encoder:
        encoder.encode(decode_picture("bgr8", image.tobytes(), width=320, height=180), pts_us=0)
        video(tmp_path / "colour.mp4", encoder.finish())

    done, read = cv2.VideoCapture(str(tmp_path / "colour.mp4")).read()

    assert done
    assert np.abs(read.astype(int) - image).mean() < 3


@pytest.mark.parametrize(
    ("vcodec", "preset", "extra"), [("hevc", "ultrafast", (("bf", "0"),)), ("av1", 10, ())]
)
def test_other_codecs_join_too(tmp_path, vcodec, preset, extra):
    quiet = (("x265-params", "log-level=none"),) if vcodec == "hevc" else ()
    config = RGBEncoderConfig(vcodec=vcodec, preset=preset, extra_options=(*extra, *quiet))
    parts = [segment(range(start, start + 8), config=config, keys=frozenset({3})) for start in (0, 8)]

    found = video(tmp_path / "other.mp4", *parts)

    assert [number_in(picture.y) for picture in parts[0].decode()] == list(range(8))
    assert found.key_frames.tolist() == [0, 3, 8]
    assert [number_in(p.y) for _, p in decode_frames(tmp_path / "other.mp4")] == list(range(16))


@pytest.mark.parametrize(
    ("vcodec", "preset", "more"),
    [("h264", "medium", {"refs": "3"}), ("libsvtav1", 10, {"svtav1-params": "lookahead=30"})],
)
def test_room_for_more_than_a_pair_would_change_nothing_in_groups_of_two(vcodec, preset, more):
    config = RGBEncoderConfig(vcodec=vcodec, preset=preset, g=2)
    small = segment(range(30), config=config)
    roomy = segment(range(30), config=dataclasses.replace(config, extra_options=more))

    assert [len(each.data) for each in (small, roomy)] == [len(small.data)] * 2
    for ours, theirs in zip(small.decode(), roomy.decode(), strict=True):
        np.testing.assert_array_equal(ours.y, theirs.y)


@pytest.mark.parametrize(
    ("size", "config", "waiting"),
    [
        ((1920, 1080), {"preset": "medium", "g": 250}, range(10, 14)),
        ((1280, 720), {"preset": "medium", "g": 250}, range(15, 19)),
        ((1280, 720), {"preset": None, "g": 250}, range(15, 19)),
        ((1280, 720), {"preset": "veryfast", "g": 250}, range(10, 14)),
        ((1280, 720), {"preset": None, "g": 250, "extra_options": {"preset": "veryfast"}}, range(10, 14)),
        ((1280, 720), {"preset": "medium", "g": 250, "extra_options": {"rc-lookahead": "30"}}, range(30, 34)),
    ],
    ids=str,
)
def test_x264_looks_ahead_no_further_than_its_memory_allows_unless_told(size, config, waiting):
    assert waited(RGBEncoderConfig.from_mapping({"vcodec": "h264", **config}), size) in waiting


def test_av1_looks_at_nothing_ahead_in_groups_of_two():
    pairs = RGBEncoderConfig(vcodec="libsvtav1", preset=10, g=2)

    assert waited(pairs, (320, 192)) < waited(dataclasses.replace(pairs, g=3), (320, 192))


def test_groups_of_two_announce_one_picture_to_refer_to_and_others_what_their_preset_has():
    for g, refs in ((2, "1"), (3, "3"), (15, "3")):
        config = RGBEncoderConfig(vcodec="h264", preset="medium", g=g)
        told = dataclasses.replace(config, extra_options={"refs": refs})
        assert segment(range(2), config=config).extradata == segment(range(2), config=told).extradata


def waited(config, size):
    """Return how many pictures an encoder takes before the first packet comes out."""
    encoder = FrameEncoder(config, width=size[0], height=size[1])
    sent = 0
    while not encoder.encode(frame_of(Picture.blank(*size))):
        sent += 1
    return sent


def test_what_a_segment_decodes_to_cannot_be_written_to_and_shows_models_what_a_copy_shows():
    image = smooth_bgr(320, 180)
    with SegmentEncoder(RGBEncoderConfig(), true_width=320, true_height=180) as encoder:
        encoder.encode(decode_picture("bgr8", image.tobytes(), width=320, height=180), pts_us=0)
        picture = next(encoder.finish().decode())

    with pytest.raises(ValueError, match="read-only"):
        picture.y[0, 0] = 0
    for size in (None, (160, 90)):
        np.testing.assert_array_equal(
            picture_to_rgb(picture, size=size), picture_to_rgb(picture.copy(), size=size)
        )


def test_a_full_disk_is_told_apart():
    with pytest.raises(DiskFull, match="no space left"), named_failures("writing", where="rgb.mp4"):
        raise OSError(28, "No space left on device")


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 5_000_000), min_size=1, max_size=20), st.sets(st.integers(0, 19)))
def test_any_stamps_and_keys_come_back(steps, keys):
    stamps = np.cumsum(steps).tolist()
    with SegmentEncoder(RGBEncoderConfig(), true_width=WIDTH, true_height=HEIGHT) as encoder:
        for index, stamp in enumerate(stamps):
            encoder.encode(numbered_picture(index), pts_us=stamp, force_key=index in keys)
        made = encoder.finish()

    assert list(made.pts_us) == stamps
    assert all(made.is_key[key] for key in keys if key < len(made))
    assert len(list(made.decode())) == len(stamps)
