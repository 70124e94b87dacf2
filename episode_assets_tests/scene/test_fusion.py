"""A mesh from depth and poses lies on the true surfaces, and shows nobody's face."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.scene import SceneMeshConfig
from episode_assets.scene.config import ColourConfig, FusionConfig, ShapeConfig
from episode_assets.scene.fusion import usable_depth
from episode_assets.scene.views import open_views
from episode_assets.scene.voxels import Camera, VoxelField
from episode_assets_tests.scene.places import Place, make_place
from episode_assets_tests.scene.truth import distances_m, surfaces_of

UNTOUCHED = ShapeConfig(smoothing_steps=0, subdivisions=0, hole_edges=0)


def fusion(**options) -> SceneMeshConfig:
    config = FusionConfig(**{"stride": 5, **options})
    return SceneMeshConfig("fusion", shape=UNTOUCHED, colour=ColourConfig(enabled=False), fusion=config)


def test_the_fused_surface_lies_on_the_true_ones(room: Place, tmp_path: Path) -> None:
    made = room.build(tmp_path / "mesh", fusion())

    distance = distances_m(made.mesh.vertices.astype(float), surfaces_of(room.config)).min(axis=0)

    assert made.document["source"] == "fusion"
    assert len(made.mesh.vertices) > 3000
    assert np.median(distance) < 0.005
    assert np.percentile(distance, 95) < 0.03


def test_a_recording_without_a_mesh_gets_one_by_itself(room: Place, tmp_path: Path) -> None:
    place = room.with_markers(tmp_path / "bare", [])

    made = place.build(tmp_path / "mesh", SceneMeshConfig(fusion=FusionConfig(stride=15)))

    assert made.document["source"] == "fusion"
    assert made.document["colours"] == "recoloured"
    assert made.document["steps"]["fuse"]["images_used"] == 3


def test_fusing_twice_gives_the_same_bytes(room: Place, tmp_path: Path) -> None:
    made = [room.build(tmp_path / name, fusion(stride=15)) for name in ("first", "second")]

    assert len({(item.directory / "mesh.ply").read_bytes() for item in made}) == 1


def test_blocks_that_do_not_fit_are_counted_and_nothing_fails(room: Place, tmp_path: Path) -> None:
    made = room.build(tmp_path / "mesh", fusion(blocks=100))

    fuse = made.document["steps"]["fuse"]
    assert fuse["blocks"] == 100
    assert fuse["blocks_refused"] > 0


def test_depth_where_a_face_was_has_no_part_in_it(tmp_path: Path) -> None:
    """Without the boxes the head is a surface where it was last."""
    place = make_place(tmp_path / "place", with_face=True, with_hands=False, seconds=0.7, with_mesh=False)
    unboxed = tmp_path / "unboxed"
    unboxed.mkdir()
    for name in ("rgb.mp4", "frames.parquet"):
        (unboxed / name).hardlink_to(place.blurred / name)
    table = pq.read_table(place.blurred / "faces.parquet")
    pq.write_table(table.slice(0, 0), unboxed / "faces.parquet")
    config = fusion(stride=1, observations=1)

    with_boxes = place.build(tmp_path / "with", config)
    without = replace(place, blurred=unboxed).build(tmp_path / "without", config)

    assert with_boxes.document["steps"]["fuse"]["face_pixels_left_out"] > 0
    assert without.document["steps"]["fuse"]["face_pixels_left_out"] == 0
    assert last_face(with_boxes.mesh.vertices, place) == 0
    assert last_face(without.mesh.vertices, place) > 5


def last_face(vertices: np.ndarray, place: Place) -> int:
    """Count vertices that appear inside the face in the last picture, before the walls of the room."""
    views = open_views(place.view, place.blurred, pairing_s=0.05)
    assert views.rgb is not None
    x0, y0, x1, y1 = place.truth.face_box_px[-1]
    pose, K = views.poses.world_from_optical[-1], views.rgb.K[-1]
    x, y, z = ((vertices - pose[:3, 3]) @ pose[:3, :3]).T
    u, v = K[0, 0] * x / z + K[0, 2], K[1, 1] * y / z + K[1, 2]
    return int(((u > x0) & (u < x1) & (v > y0) & (v < y1) & (z > 0) & (z < 2.2)).sum())


def level_camera() -> Camera:
    K = np.array([[100, 0, 63.5], [0, 100, 47.5], [0, 0, 1]], np.float32)
    return Camera(K, np.eye(3, dtype=np.float32), np.zeros(3, np.float32))


def test_a_flat_wall_is_found_where_it_is_and_faces_the_camera() -> None:
    field = VoxelField(0.05, 0.15, 5000)
    field.add(np.full((96, 128), 1.53, np.float32), level_camera())

    mesh = field.surface(observations=1)

    corners = mesh.vertices[mesh.triangles].astype(float)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert np.allclose(mesh.vertices[:, 2], 1.53, atol=1e-4)
    assert (normals[:, 2] < 0).all()
    edges = np.sort(mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    assert np.unique(edges, axis=0, return_counts=True)[1].max() == 2
    assert np.ptp(mesh.vertices[:, 0]) > 1.5


def test_neighbouring_blocks_share_their_vertices() -> None:
    """A seam would show as a border inside the wall."""
    field = VoxelField(0.05, 0.15, 5000)
    v, u = np.mgrid[:96, :128]
    field.add((1.5 + 0.002 * u + 0.001 * v).astype(np.float32), level_camera())

    mesh = field.surface(observations=1)

    edges = np.sort(mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    found, uses = np.unique(edges, axis=0, return_counts=True)
    border = mesh.vertices[np.unique(found[uses == 1])]
    inner = (np.abs(border[:, 0]) < 0.6) & (np.abs(border[:, 1]) < 0.4)
    assert not inner.any()


def test_what_was_there_only_once_gives_way_to_free_space() -> None:
    field = VoxelField(0.05, 0.15, 5000)
    far, hand = np.full((96, 128), 2.0, np.float32), np.full((96, 128), 2.0, np.float32)
    hand[30:60, 40:80] = 0.6
    for image in (hand, far, far, far):
        field.add(image, level_camera())

    mesh = field.surface(observations=2)

    assert len(mesh.vertices) > 500
    assert (mesh.vertices[:, 2] > 1.8).all()


def test_voxels_seen_too_seldom_make_no_surface() -> None:
    field = VoxelField(0.05, 0.15, 5000)
    field.add(np.full((96, 128), 1.5, np.float32), level_camera())

    assert len(field.surface(observations=2).triangles) == 0


def test_depth_at_jumps_and_out_of_range_is_left_out() -> None:
    image = np.full((6, 8), 1000, np.uint16)
    image[:, 4:] = 2000
    image[0, 0], image[5, 7] = 0, 9000

    depth = usable_depth(image, 4.0)

    assert (depth[1:5, 3:5] == 0).all()
    assert (depth[2:4, 1:3] == 1.0).all()
    assert (depth[1:4, 5:7] == 2.0).all()
    assert depth[5, 7] == depth[4, 7] == depth[0, 0] == depth[0, 1] == 0


@pytest.mark.parametrize(
    ("voxel_m", "distance_m"), [(0.04, 0.25), (0.04, 1.0), (0.1, 0.5), (0.2, 1.0), (0.2, 2.0)]
)
def test_a_wall_is_whole_however_near_and_however_large_the_voxels_are(
    voxel_m: float, distance_m: float
) -> None:
    field = VoxelField(voxel_m, 2.5 * voxel_m, 5000)
    for _ in range(2):
        field.add(np.full((96, 128), distance_m, np.float32), level_camera())

    mesh = field.surface(observations=2)

    width, height = np.ptp(mesh.vertices[:, 0]), np.ptp(mesh.vertices[:, 1])
    assert np.allclose(mesh.vertices[:, 2], distance_m, atol=voxel_m / 20)
    # A cell needs known voxels on all sides: at the border up to two of them are missing, on either side.
    assert 1.28 * distance_m - 4 * voxel_m < width < 1.28 * distance_m + 2 * voxel_m
    assert 0.96 * distance_m - 4 * voxel_m < height < 0.96 * distance_m + 2 * voxel_m


def test_what_is_behind_the_camera_is_told_nothing() -> None:
    """The wall behind was seen before, from where it can be seen."""
    field, ahead = VoxelField(0.1, 0.3, 5000), level_camera()
    turned = replace(ahead, R=np.diag([-1, 1, -1]).astype(np.float32))
    for _ in range(2):
        field.add(np.full((96, 128), 0.5, np.float32), turned)
    before = field.surface(observations=2)
    for _ in range(4):
        field.add(np.full((96, 128), 0.5, np.float32), ahead)

    after = field.surface(observations=2).vertices

    assert len(before.vertices) > 10
    assert np.array_equal(after[after[:, 2] < -0.2], before.vertices)


@pytest.mark.parametrize("place_m", [0.0, 1e4, 1e12])
def test_cameras_anywhere_are_taken_or_left_without_an_error(place_m: float) -> None:
    field = VoxelField(0.05, 0.15, 500)
    camera = replace(level_camera(), t=np.array([place_m, -place_m, 0], np.float32))

    field.add(np.full((96, 128), 1.5, np.float32), camera)

    assert (len(field) > 0) == (place_m < 1e9)
    field.surface(observations=1)
