"""Depth comes back exactly, through the filters that every HDF5 reader has, except where a face was."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from episode_assets.anonymization.redaction import drawn_rectangles, hiding_rectangles
from episode_assets.bundle import BundleConfig
from episode_assets.bundle.depth import DepthPacker
from episode_assets.footage import rectangles_by_intrinsics, rectangles_by_size, shows_same_view
from episode_assets_tests.bundle.conftest import Maker
from episode_assets_tests.bundle.recordings import Box, Scene


def depth_of(path) -> tuple[np.ndarray, np.ndarray]:
    with h5py.File(path / "annotation.hdf5", "r") as file:
        return file["/depth/frames"][()], file["/depth/valid"][()]


def test_depth_reads_back_exactly_through_plain_h5py(make: Maker) -> None:
    made = make(Scene())

    frames, valid = depth_of(made.path)

    assert valid.all()
    assert all(np.array_equal(frames[i], made.scene.depth_mm(i)) for i in range(12))
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        dataset = file["/depth/frames"]
        assert (dataset.chunks, dataset.compression, dataset.shuffle) == ((1, 24, 32), "gzip", True)


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_every_effort_gives_the_same_depth(make: Maker, level: int) -> None:
    made = make(Scene(frames=3), config=BundleConfig(depth_compression=level))

    assert np.array_equal(depth_of(made.path)[0][1], made.scene.depth_mm(1))


def test_depth_inside_a_face_box_is_a_hole_and_counted(make: Maker) -> None:
    made = make(Scene(), boxes=(Box(3, 9, 10, 21, 31), Box(5, 50, 0, 64, 8)))
    frames, _ = depth_of(made.path)
    # The depth image has half the size: pixel edges 9..21 grow outward to 4..11, 10..31 to 5..16.
    expected = made.scene.depth_mm(3)
    removed = np.count_nonzero(expected[5:16, 4:11]) + np.count_nonzero(made.scene.depth_mm(5)[0:4, 25:32])
    expected[5:16, 4:11] = 0

    assert np.array_equal(frames[3], expected)
    assert np.all(frames[5][0:4, 25:32] == 0)
    assert np.array_equal(frames[4], made.scene.depth_mm(4))
    assert made.outcome.privacy is not None
    assert made.outcome.privacy["depth_hole_pixels"] == removed
    assert made.outcome.privacy["depth_hole_frames"] == 2
    assert made.outcome.privacy["depth_faces"] == "hole"


def test_depth_under_every_pixel_of_a_blurred_ellipse_is_a_hole(make: Maker) -> None:
    """The table names the rectangle around an ellipse, and that is what becomes a hole."""
    hull = np.array([[20, 12, 40, 36]], np.float32)
    rectangle = hiding_rectangles(
        hull, hull[:, 2:] - hull[:, :2], scale=1.5, shape="ellipse", width=64, height=48
    )
    x0, y0, x1, y1 = rectangle[0].tolist()

    made = make(Scene(), boxes=(Box(3, x0, y0, x1, y1),))

    frames, _ = depth_of(made.path)
    (tiles,) = drawn_rectangles(rectangle, shape="ellipse", width=64, height=48)
    assert len(tiles) > 1
    for left, top, right, bottom in tiles.tolist():
        assert not frames[3][top // 2 : -(-bottom // 2), left // 2 : -(-right // 2)].any()
    assert np.count_nonzero(made.scene.depth_mm(3)) > np.count_nonzero(frames[3]) > 0


def test_depth_of_faces_is_kept_only_when_asked_for(make: Maker) -> None:
    made = make(Scene(), boxes=(Box(3, 9, 10, 21, 31),), config=BundleConfig(depth_faces="keep"))

    assert np.array_equal(depth_of(made.path)[0][3], made.scene.depth_mm(3))
    assert made.outcome.privacy is not None
    assert made.outcome.privacy["depth_faces"] == "keep"
    assert made.outcome.privacy["depth_hole_pixels"] == 0


def test_depth_inside_an_area_that_a_person_drew_is_a_hole_whatever_faces_are(make: Maker) -> None:
    drawn = Box(3, 9, 10, 21, 31, source="redaction")
    kept = make(Scene(), boxes=(drawn, Box(3, 40, 0, 50, 8)), config=BundleConfig(depth_faces="keep"))
    both = make(Scene(), boxes=(drawn, Box(3, 40, 0, 50, 8)))
    expected = kept.scene.depth_mm(3)
    expected[5:16, 4:11] = 0

    assert np.array_equal(depth_of(kept.path)[0][3], expected)
    expected[0:4, 20:25] = 0
    assert np.array_equal(depth_of(both.path)[0][3], expected)


def test_depth_far_from_its_picture_loses_the_face_of_the_next_picture_too(make: Maker) -> None:
    made = make(Scene(depth_dt_ns=30_000_000), boxes=(Box(4, 10, 10, 20, 20),))
    frames, _ = depth_of(made.path)

    assert np.all(frames[3][5:10, 5:10] == 0)
    assert np.all(frames[4][5:10, 5:10] == 0)
    assert np.array_equal(frames[5], made.scene.depth_mm(5))


def test_depth_of_another_view_is_removed_whole_where_a_face_is(make: Maker) -> None:
    made = make(Scene(depth_width=24, depth_height=32), boxes=(Box(4, 10, 10, 20, 20),))
    frames, valid = depth_of(made.path)

    assert not frames[4].any()
    assert valid[4]
    assert frames[5].any()
    assert made.notes()["depth_view_unknown"] == 1


def test_a_missing_depth_frame_is_not_replaced_by_a_far_one(make: Maker) -> None:
    made = make(Scene(), config=BundleConfig(depth_tolerance_s=0.02), prepare=lambda blurred: None)
    sparse = make(Scene(depth_missing=frozenset({4})), config=BundleConfig(depth_tolerance_s=0.02))

    frames, valid = depth_of(sparse.path)
    assert valid.tolist() == [i != 4 for i in range(12)]
    assert not frames[4].any()
    with h5py.File(sparse.path / "annotation.hdf5", "r") as file:
        assert file["/depth/source_index"][()].tolist() == [0, 1, 2, 3, -1, 4, 5, 6, 7, 8, 9, 10]
        assert file["/depth/timestamps"][4] == 0.0
    assert sparse.notes()["depth_unpaired"] == 1
    assert depth_of(made.path)[1].all()


def test_one_depth_frame_may_serve_two_pictures_and_is_counted(make: Maker) -> None:
    made = make(Scene(depth_missing=frozenset({4})))

    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        numbers = file["/depth/source_index"][()].tolist()
        frames = file["/depth/frames"][()]

    assert numbers[3:6] == [3, 3, 4]
    assert np.array_equal(frames[3], frames[4])
    assert made.notes()["depth_reused"] == 1


def test_a_depth_message_cut_short_is_skipped_and_counted(make: Maker) -> None:
    made = make(Scene(depth_cut=frozenset({6})))

    frames, valid = depth_of(made.path)

    assert valid.tolist() == [i != 6 for i in range(12)]
    assert np.array_equal(frames[7], made.scene.depth_mm(7))
    assert made.notes()["depth_undecodable"] == 1


def test_a_depth_frame_of_another_size_is_left_out_and_counted(make: Maker) -> None:
    made = make(Scene(frames=5, depth_halved=frozenset({3})))

    assert depth_of(made.path)[1].tolist() == [True, True, True, False, True]
    assert made.notes()["depth_size_changed"] == 1


@pytest.mark.parametrize("odd", [{0}, {0, 1, 4}])
def test_most_depth_frames_decide_the_size_and_not_the_first(make: Maker, odd: set[int]) -> None:
    made = make(Scene(frames=9, depth_halved=frozenset(odd)))

    frames, valid = depth_of(made.path)

    assert frames.shape == (9, 24, 32)
    assert valid.tolist() == [i not in odd for i in range(9)]
    assert made.notes()["depth_size_changed"] == len(odd)


def test_the_size_is_known_where_nearly_all_depth_frames_are_damaged(make: Maker) -> None:
    """One good one among so many that not each is asked at first."""
    made = make(Scene(frames=140, depth_cut=frozenset(range(140)) - {1}))

    frames, valid = depth_of(made.path)

    assert np.flatnonzero(valid).tolist() == [1]
    assert np.array_equal(frames[1], made.scene.depth_mm(1))


def test_packed_chunks_are_byte_planes_in_a_zlib_stream() -> None:
    import zlib

    image = np.array([[1, 256], [513, 65535]], dtype=np.uint16)

    planes = zlib.decompress(DepthPacker(*image.shape, 1).pack(image))

    assert planes == bytes([1, 0, 1, 255, 0, 1, 2, 255])


def test_rectangles_grow_outward_to_whole_depth_pixels() -> None:
    boxes = np.array([[0, 0, 1280, 720], [10, 10, 11, 11], [1279, 719, 1280, 720]], dtype=np.int32)

    areas = rectangles_by_size(boxes, picture=(1280, 720), depth=(256, 144))

    assert areas == [(0, 0, 256, 144), (2, 2, 3, 3), (255, 143, 256, 144)]


def test_a_wider_depth_camera_shows_the_face_elsewhere_and_smaller() -> None:
    K = np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])
    wide = np.array([[300.0, 0, 320], [0, 300, 180], [0, 0, 1]])
    box = np.array([[940, 360, 1240, 660]], dtype=np.int32)

    areas = rectangles_by_intrinsics(box, K, wide, depth=(640, 360))

    assert not shows_same_view(K, wide, picture=(1280, 720), depth=(640, 360))
    assert areas == [(420, 180, 521, 281)]


def test_intrinsics_scaled_by_the_size_show_the_same_view() -> None:
    K = np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])

    assert shows_same_view(K, K * [[0.2], [0.2], [1]], picture=(1280, 720), depth=(256, 144))


def test_depth_with_a_field_of_view_of_its_own_loses_the_face_in_both_places(make: Maker) -> None:
    made = make(Scene(depth_focal=12.0), boxes=(Box(3, 44, 24, 60, 40),))
    frames, _ = depth_of(made.path)

    # Focal 50.75 of 64 columns against 12 of 32: 11.5 px off centre in the picture are 2.7 px in depth.
    assert np.all(frames[3][12:16, 19:23] == 0)
    assert np.all(frames[3][12:20, 22:30] == 0)
    assert np.count_nonzero(frames[3]) > 500


def test_depth_that_never_decodes_is_skipped_with_a_reason(make: Maker) -> None:
    made = make(Scene(frames=3, depth_cut=frozenset({0, 1, 2})))

    assert made.reasons()["annotation.hdf5:/depth"] == "no_usable_depth"
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        assert "depth" not in file
