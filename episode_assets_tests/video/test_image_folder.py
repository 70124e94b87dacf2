from __future__ import annotations

import cv2
import numpy as np
import pytest

from episode_assets.errors import BadVideo
from episode_assets.video import (
    DepthCoder,
    DepthEncoderConfig,
    RGBEncoderConfig,
    UndecodablePicture,
    decode_depth_codes,
    decode_frames,
    encode_frames,
    encode_image_folder,
    encode_jpeg,
    picture_to_rgb,
    read_image,
)
from episode_assets_tests.video.builders import number_in, numbered_picture


@pytest.fixture
def folder(tmp_path):
    """12 pictures as PNG, with other files between them."""
    images = tmp_path / "images"
    images.mkdir()
    for number in range(12):
        rgb = picture_to_rgb(numbered_picture(number))
        assert cv2.imwrite(str(images / f"frame-{number:06d}.png"), rgb[:, :, ::-1])
    (images / "notes.txt").write_text("not a picture")
    (images / "frame-x.png").write_bytes(b"")
    return images


def numbers(path):
    return [number_in(picture.y) for _, picture in decode_frames(path)]


def test_images_become_frames_by_their_number(tmp_path, folder):
    found = encode_image_folder(folder, tmp_path / "out.mp4", RGBEncoderConfig(), fps=10)

    assert (found.frames, found.rate, found.faststart) == (12, 10, True)
    assert numbers(tmp_path / "out.mp4") == list(range(12))


def test_numbers_count_and_not_names(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(12):
        (images / f"shot{number}.jpg").write_bytes(encode_jpeg(numbered_picture(number), quality=95))

    encode_image_folder(images, tmp_path / "out.mp4", RGBEncoderConfig(), fps=10, prefix="shot")

    assert numbers(tmp_path / "out.mp4") == list(range(12))


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_depth_images_are_millimetres_or_metres(tmp_path, kind):
    images = tmp_path / "depth"
    images.mkdir()
    coder = DepthCoder(DepthEncoderConfig())
    depth_mm = [np.full((48, 64), 500 + 300 * number, np.uint16) for number in range(4)]
    depth_mm[2][5, 7] = 0
    for number, image in enumerate(depth_mm):
        stored = image if kind is np.uint16 else (image / 1000).astype(np.float32)
        assert cv2.imwrite(str(images / f"frame-{number:06d}.tiff"), stored)

    encode_image_folder(images, tmp_path / "d.mp4", coder.config, fps=10)

    found = np.stack([coder.depth(codes) for _, codes in decode_depth_codes(tmp_path / "d.mp4")])
    assert np.abs(found - np.stack(depth_mm)).max() <= 1
    assert found[2, 5, 7] == 0


def damage(name):
    def remove(images):
        (images / "frame-000004.png").unlink()

    def remove_first(images):
        (images / "frame-000000.png").unlink()

    def repeat(images):
        (images / "frame-4.png").write_bytes((images / "frame-000004.png").read_bytes())

    def resize(images):
        cv2.imwrite(str(images / "frame-000004.png"), np.zeros((50, 64, 3), np.uint8))

    def cut(images):
        content = (images / "frame-000004.png").read_bytes()
        (images / "frame-000004.png").write_bytes(content[: len(content) // 2])

    def empty(images):
        for path in images.iterdir():
            path.unlink()

    return {item.__name__: item for item in (remove, remove_first, repeat, resize, cut, empty)}[name]


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("remove", BadVideo, "image 4 of 12 is missing"),
        ("remove_first", BadVideo, "image 0 of 12 is missing"),
        ("repeat", BadVideo, "frame-000004.png and frame-4.png|frame-4.png and frame-000004.png"),
        ("resize", BadVideo, "64 x 50 and the first 64 x 48 .*frame-000004.png"),
        ("cut", UndecodablePicture, "frame-000004.png"),
        ("empty", BadVideo, "no image frame-<number>"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused_naming_the_frame(tmp_path, folder, name, kind, words):
    damage(name)(folder)

    with pytest.raises(kind, match=words):
        encode_image_folder(folder, tmp_path / "out.mp4", RGBEncoderConfig(), fps=10)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["images"]


def test_colour_is_not_taken_for_depth(tmp_path, folder):
    (folder / "frame-000000.tiff").write_bytes((folder / "frame-000000.png").read_bytes())
    with pytest.raises(UndecodablePicture, match="no depth image"):
        encode_image_folder(folder, tmp_path / "out.mp4", DepthEncoderConfig(), fps=10)


def test_a_folder_that_is_not_there_and_a_video_that_is(tmp_path, folder):
    with pytest.raises(BadVideo, match="nowhere"):
        encode_image_folder(tmp_path / "nowhere", tmp_path / "out.mp4", RGBEncoderConfig(), fps=10)
    (tmp_path / "out.mp4").write_bytes(b"old")
    with pytest.raises(BadVideo, match="exists"):
        encode_image_folder(folder, tmp_path / "out.mp4", RGBEncoderConfig(), fps=10)


def test_images_in_any_order_are_frames_too(tmp_path, folder):
    paths = [folder / f"frame-{number:06d}.png" for number in (5, 3, 5)]

    encode_frames(map(read_image, paths), tmp_path / "out.mp4", RGBEncoderConfig(), fps=10)

    assert numbers(tmp_path / "out.mp4") == [5, 3, 5]
    with pytest.raises(UndecodablePicture, match=r"'\.txt' is the ending of no image .*notes\.txt"):
        read_image(folder / "notes.txt")
