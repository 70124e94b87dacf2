"""What is painted on purpose can be found again: the frame number and the colours that must not leak."""

from __future__ import annotations

import numpy as np
import pytest

from episode_assets.demo import DemoConfig, paint_barcode, read_barcode, write_demo
from episode_assets.errors import BadConfig
from episode_assets_tests.demo.independent_reader import read_everything


def test_the_barcode_names_each_message_number(tmp_path):
    write_demo(tmp_path / "demo.mcap", config=DemoConfig(seconds=0.6, width=320, height=180, barcode=True))

    written = read_everything(tmp_path / "demo.mcap")

    count = len(written.topics["/camera/rgb/compressed"])
    assert [read_barcode(written.picture(number)) for number in range(count)] == list(range(count))


@pytest.mark.parametrize("number", [0, 1, 0x5555, 0xAAAA, 65535])
def test_every_bit_of_a_barcode_is_read(number):
    picture = np.full((72, 300, 3), 127, dtype=np.uint8)

    paint_barcode(picture, number)

    assert read_barcode(picture) == number
    assert read_barcode(picture[..., 0]) == number


def test_a_picture_without_barcode_has_no_number(small):
    _, written = small

    assert read_barcode(written.picture(3)) is None
    assert read_barcode(np.zeros((48, 64, 3), dtype=np.uint8)) is None


def test_a_picture_too_narrow_for_the_barcode_is_refused():
    with pytest.raises(BadConfig, match="256"):
        DemoConfig(width=128, height=72, barcode=True)


def test_the_face_marker_lies_inside_the_face_box(tmp_path):
    config = DemoConfig(seconds=0.3, width=640, height=360, face_marker=(255, 0, 255), with_hands=False)
    truth = write_demo(tmp_path / "demo.mcap", config=config)

    picture = read_everything(tmp_path / "demo.mcap").picture(0).astype(int)

    marked = (picture[..., 0] > 180) & (picture[..., 1] < 110) & (picture[..., 2] > 180)
    rows, columns = np.nonzero(marked)
    x0, y0, x1, y1 = truth.face_box_px[0]
    assert len(rows) > 30
    assert x0 < columns.min()
    assert columns.max() < x1
    assert y0 < rows.min()
    assert rows.max() < y1


def test_the_mesh_colour_is_given_to_every_corner(tmp_path):
    config = DemoConfig(seconds=0.1, width=64, height=48, mesh_colour=(255, 0, 51))
    write_demo(tmp_path / "demo.mcap", config=config)

    marker = read_everything(tmp_path / "demo.mcap").topics["/map/mesh"][0]

    assert len(marker.colors) == len(marker.points)
    colour = marker.colors[-1]
    assert (colour.r, colour.g, round(colour.b, 3), colour.a) == (1.0, 0.0, 0.2, 1.0)
