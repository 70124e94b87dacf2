"""The point cloud of a bundle: all clouds of the recording as one, without colours, and without blurred faces."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.bundle import BundleConfig, EpisodeBundle
from episode_assets.bundle.clouds import VoxelGrid
from episode_assets.errors import BadConfig
from episode_assets_tests.bundle.conftest import Made, Maker
from episode_assets_tests.bundle.recordings import Box, Scene


def bundled(config: BundleConfig | None = None, **options: object) -> BundleConfig:
    return BundleConfig(visualization=False, **options)  # type: ignore[arg-type]


def points_of(made: Made) -> np.ndarray:
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        return np.asarray(file["/point-cloud/points"])


def test_all_clouds_come_together_in_the_world(make: Maker) -> None:
    scene = Scene(frames=6)
    made = make(scene, config=bundled(cloud_voxel_m=0.01))
    everything = np.concatenate(scene.clouds)

    with EpisodeBundle.open(made.path) as bundle:
        cloud = bundle.point_cloud

    assert cloud is not None
    assert (cloud.frame_id, cloud.voxel_m) == ("world", 0.01)
    assert cloud.points.dtype == np.float32
    assert int(cloud.count.sum()) == len(everything)
    mean = (cloud.points * cloud.count[:, None]).sum(axis=0) / cloud.count.sum()
    assert mean == pytest.approx(everything.mean(axis=0), abs=1e-5)
    nearest = np.linalg.norm(everything[:, None] - cloud.points[None], axis=-1).min(axis=1)
    assert nearest.max() <= 0.01 * np.sqrt(3)


def test_no_colour_of_a_point_is_in_the_bundle(make: Maker) -> None:
    made = make(Scene(frames=4))

    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        assert set(file["/point-cloud"]) == {"points", "count"}
        assert file["/point-cloud/points"].shape[1] == 3


def test_points_within_blurred_rectangles_are_left_out_and_counted(make: Maker) -> None:
    scene = Scene(frames=1)
    whole, cut = make(scene), make(scene, boxes=(Box(0, 0, 0, 32, 48),))

    kept = points_of(cut)
    u = 50.0 * kept_in_camera(kept, scene)[:, 0] / kept_in_camera(kept, scene)[:, 2] + 32.0

    assert 0 < len(kept) < len(points_of(whole))
    assert u.min() > 32.0
    assert cut.notes()["cloud_points_hidden"] == 63 - len(kept)


def kept_in_camera(points: np.ndarray, scene: Scene) -> np.ndarray:
    world_from_optical = scene.world_from_optical(0)
    return np.asarray((points - world_from_optical[:3, 3]) @ world_from_optical[:3, :3])


def test_faces_stay_where_they_are_to_be_kept_but_what_people_drew_goes(make: Maker) -> None:
    scene, keep = Scene(frames=1), bundled(depth_faces="keep")
    face = make(scene, boxes=(Box(0, 0, 0, 32, 48),), config=keep)
    drawn = make(scene, boxes=(Box(0, 0, 0, 32, 48, source="redaction"),), config=keep)

    assert len(points_of(face)) > len(points_of(drawn)) > 0


def test_a_cloud_that_cannot_be_looked_at_is_left_out_where_faces_are(make: Maker) -> None:
    made = make(Scene(frames=5).without("camera_info"), boxes=(Box(2, 0, 0, 32, 48),))

    # The picture before shows the face as well, and all later clouds may hold it still.
    assert made.notes()["cloud_view_unknown"] == 4
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        assert file["/point-cloud"].attrs["messages"] == 1


def seen_in(points: np.ndarray, scene: Scene, frame: int) -> np.ndarray:
    """Return pixels (N, 2) of world points before the camera in one picture."""
    pose = scene.world_from_optical(frame)
    x, y, z = ((points - pose[:3, 3]) @ pose[:3, :3]).T
    assert (z > 0).all()
    K = scene.intrinsics(frame)
    return np.stack([K[0, 0] * x / z + K[0, 2], K[1, 1] * y / z + K[1, 2]], axis=1)


@pytest.mark.parametrize("lacking", [(), ("depth",)])
def test_later_clouds_hold_nothing_of_a_face_that_was_seen_earlier(
    make: Maker, lacking: tuple[str, ...]
) -> None:
    """The clouds of all pictures show the same grid, a millimetre farther on each time."""
    scene = Scene(frames=8).without(*lacking)
    boxes = (Box(0, 16, 12, 48, 36), Box(1, 16, 12, 48, 36))

    made = make(scene, boxes=boxes)

    kept = points_of(made)
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        published = int(file["/point-cloud/count"][()].sum())
    for frame in (0, 1):
        u, v = seen_in(kept, scene, frame).T
        assert not ((u >= 16) & (u < 48) & (v >= 12) & (v < 36)).any()
    assert 0 < published == 8 * 63 - made.notes()["cloud_points_hidden"]


def test_points_well_behind_what_depth_shows_of_a_face_stay(make: Maker) -> None:
    scene, boxes = Scene(frames=2, cloud_depth_m=2.5), (Box(0, 0, 0, 64, 48), Box(1, 0, 0, 64, 48))

    known, unknown = make(scene, boxes=boxes), make(scene.without("depth"), boxes=boxes)

    # The five hundredths of pixels without depth see through to them.
    assert 0 < known.notes()["cloud_points_hidden"] < 0.2 * 2 * 63
    assert len(points_of(known)) > 0
    assert unknown.notes()["cloud_points_hidden"] == 2 * 63
    assert unknown.reasons()["annotation.hdf5:/point-cloud"] == "no_usable_points"


def test_a_cloud_that_no_picture_is_near_to_is_left_out(make: Maker) -> None:
    """A face may have come and gone since the picture before it."""
    made = make(Scene(frames=6, cloud_late_ns=310_000_000))

    assert made.notes()["cloud_view_unknown"] == 4
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        assert file["/point-cloud"].attrs["messages"] == 2


def test_clouds_in_another_frame_are_named_and_not_moved(make: Maker) -> None:
    made = make(Scene(frames=3, cloud_frame="lidar"))

    assert made.reasons()["annotation.hdf5:/point-cloud"] == "no_usable_points"
    assert made.notes()["cloud_elsewhere"] == 3


def test_who_asks_for_none_gets_none(make: Maker) -> None:
    made = make(Scene(frames=3), config=bundled(cloud_voxel_m=0.0))

    assert made.reasons()["annotation.hdf5:/point-cloud"] == "not_asked_for"
    with pytest.raises(BadConfig, match="cloud_voxel_m"):
        BundleConfig(cloud_voxel_m=0.001)


@given(
    st.lists(st.lists(st.tuples(*[st.integers(-40, 40)] * 3), max_size=30), min_size=1, max_size=4),
    st.integers(2, 20),
)
def test_a_grid_keeps_count_and_centre_whatever_it_merges(
    batches: list[list[tuple[int, ...]]], most: int
) -> None:
    grid = VoxelGrid(0.05, most=most)
    everything = np.array([point for batch in batches for point in batch], np.float64).reshape(-1, 3) / 16
    for batch in batches:
        assert grid.add(np.array(batch, np.float64).reshape(-1, 3) / 16) == 0

    assert int(grid.counts.sum()) == len(everything)
    assert len(grid.counts) <= most
    if len(everything):
        assert (grid.means * grid.counts[:, None]).sum(axis=0) == pytest.approx(everything.sum(axis=0))


def test_points_out_of_all_bounds_are_counted_and_left_out() -> None:
    grid = VoxelGrid(0.02)

    far = grid.add(np.array([[0.0, 0.0, 0.0], [1e9, 0.0, 0.0], [0.0, -1e30, 0.0]]))

    assert far == 2
    assert grid.counts.tolist() == [1]
