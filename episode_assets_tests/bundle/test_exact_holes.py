"""Depth of any content comes back bit by bit, and a face takes exactly its rectangle out of it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from episode_assets.bundle.annotation import AnnotationFile
from episode_assets.bundle.depth import DepthPacker
from episode_assets.footage import DepthHoles, FaceBoxes, FrameTable

WIDTH, HEIGHT = 40, 24

IMAGES = arrays.arrays(
    np.uint16,
    st.tuples(st.integers(1, 24), st.integers(1, 40)),
    elements=st.one_of(st.just(0), st.integers(0, 65_535), st.integers(800, 830)),
)


@settings(max_examples=60, deadline=None)
@given(IMAGES, st.integers(0, 3))
def test_any_depth_image_reads_back_bit_by_bit_through_plain_h5py(image: np.ndarray, level: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "depth.hdf5"
        with AnnotationFile(path) as file:
            dataset = file.root.create_dataset(
                "frames", (2, *image.shape), "<u2", chunks=(1, *image.shape), shuffle=True, compression="gzip"
            )
            dataset.id.write_direct_chunk((1, 0, 0), DepthPacker(*image.shape, level).pack(image))

        with h5py.File(path, "r") as file:
            assert np.array_equal(file["frames"][1], image)
            assert not file["frames"][0].any()


@st.composite
def rectangles(draw: st.DrawFn) -> tuple[int, int, int, int]:
    x0, x1 = sorted(draw(st.tuples(st.integers(0, 2 * WIDTH), st.integers(0, 2 * WIDTH))))
    y0, y1 = sorted(draw(st.tuples(st.integers(0, 2 * HEIGHT), st.integers(0, 2 * HEIGHT))))
    return x0, y0, x1, y1


@settings(max_examples=80, deadline=None)
@given(st.lists(rectangles(), max_size=4), st.integers(0, 2**32 - 1))
def test_a_face_takes_every_pixel_that_it_touches_and_no_other(
    faces: list[tuple[int, int, int, int]], seed: int
) -> None:
    """The pictures have twice the size of depth, so half pixels belong to whole ones of depth."""
    image = np.random.default_rng(seed).integers(0, 3, (HEIGHT, WIDTH)).astype(np.uint16) * 700
    before = image.copy()
    holes = DepthHoles(frames(), boxes(faces), HEIGHT, WIDTH, None, None)
    expected = image.copy()
    for x0, y0, x1, y1 in faces:
        if x0 < x1 and y0 < y1:
            expected[y0 // 2 : -(-y1 // 2), x0 // 2 : -(-x1 // 2)] = 0

    cut = holes.cut(image, 0, 0)

    is_empty = [x0 >= x1 or y0 >= y1 for x0, y0, x1, y1 in faces]
    if not any(is_empty):
        assert np.array_equal(cut, expected)
    assert not cut[expected == 0].any()
    assert np.array_equal(image, before)
    assert holes.pixels == np.count_nonzero(image) - np.count_nonzero(cut)


def frames() -> FrameTable:
    one = np.zeros(1, np.int64)
    is_key = np.ones(1, np.bool_)
    return FrameTable("kitchen-0123abcd", one, one, one, one, is_key, ~is_key, 2 * WIDTH, 2 * HEIGHT)


def boxes(faces: list[tuple[int, int, int, int]]) -> FaceBoxes:
    count = len(faces)
    nothing = np.zeros(count, np.uint8)
    return FaceBoxes(
        frame_index=np.zeros(count, np.int64),
        rectangle_px=np.array(faces, np.int32).reshape(-1, 4),
        score=nothing.astype(np.float32),
        track=nothing.astype(np.int64),
        source=nothing,
        label=nothing,
    )
