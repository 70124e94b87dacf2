"""Colours are those of the blurred pictures, on surfaces that these show, and on no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from episode_assets.footage import Intrinsics, is_known, lens_at
from episode_assets.ply import Mesh, write_ply
from episode_assets.scene import SceneMeshConfig
from episode_assets.scene.config import ColourConfig, ShapeConfig
from episode_assets.scene.occlusion import sampled
from episode_assets_tests.leaks import traces
from episode_assets_tests.scene.places import Built, Place, make_place, marker
from episode_assets_tests.scene.truth import distances_m, painted_colours, surfaces_of

GREY = 128
FINE = ShapeConfig(subdivisions=4, edge_m=0.05, displacement_m=0.0)
EVERY_PICTURE = SceneMeshConfig(shape=FINE, colour=ColourConfig(stride=3))


def wall(z: float, *, half_m: float = 0.6, y: float = 0.1) -> np.ndarray:
    """Two triangles that make an upright square in front of the camera."""
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    a, b, c, d = (np.array([half_m * right, y + half_m * up, z]) for right, up in signs)
    return np.stack([a, b, c, a, c, d])


def is_grey(built: Built) -> np.ndarray:
    return (built.colours == GREY).all(axis=1)


def test_the_mesh_lies_on_the_surfaces_of_the_room(room: Place, built: Built) -> None:
    distance = distances_m(built.mesh.vertices.astype(float), surfaces_of(room.config)).min(axis=0)

    assert distance.max() < 0.015


def test_colours_are_those_that_are_painted_on_the_surfaces(room: Place, built: Built) -> None:
    """Places with another surface close by may show either: they are left out."""
    points, surfaces = built.mesh.vertices.astype(float), surfaces_of(room.config)
    is_alone = np.sort(distances_m(points, surfaces), axis=0)[1] > 0.1
    chosen = is_alone & ~is_grey(built)

    error = np.abs(built.colours - painted_colours(points, surfaces)).max(axis=1)[chosen]

    assert chosen.sum() > 1000
    assert np.median(error) <= 8
    assert np.percentile(error, 90) < 40


def test_what_no_picture_shows_is_grey_and_counted(built: Built) -> None:
    colour = built.document["steps"]["colour"]

    assert colour["vertices_seen"] + colour["vertices_unseen"] == len(built.mesh.vertices)
    assert colour["vertices_unseen"] <= is_grey(built).sum()
    assert 0.3 < colour["seen_ratio"] < 0.9


@pytest.mark.parametrize("lacking", [(), ("/camera/depth", "/camera/depth/camera_info")])
def test_a_wall_behind_another_gets_no_colour(room: Place, tmp_path: Path, lacking: tuple[str, ...]) -> None:
    """Without a depth sensor the mesh itself hides what is behind it."""
    front, behind = wall(-1.6, half_m=0.9, y=-0.4), wall(-2.2, half_m=0.4, y=-0.5)
    place = room.with_markers(tmp_path / "walls", [marker(np.concatenate([front, behind]))], without=lacking)

    made = place.build(tmp_path / "mesh", EVERY_PICTURE)

    at_back = made.mesh.vertices[:, 2] < -2
    assert is_grey(made)[at_back].all()
    if lacking:
        assert (~is_grey(made)[~at_back]).mean() > 0.3


@pytest.mark.parametrize("size_m", [100.0, 9e5])
def test_a_stray_triangle_far_away_does_not_let_colours_through_walls(
    room: Place, tmp_path: Path, size_m: float
) -> None:
    """It is so large that samples all over it are metres apart."""
    front, behind = wall(-1.6, half_m=0.9, y=-0.4), wall(-2.2, half_m=0.4, y=-0.5)
    stray = np.array([[0, 0, 50.0], [size_m, 0, 50], [0, size_m, 50]])
    lacking = ("/camera/depth", "/camera/depth/camera_info")
    place = room.with_markers(
        tmp_path / "walls", [marker(np.concatenate([front, behind, stray]))], without=lacking
    )

    made = place.build(tmp_path / "mesh", EVERY_PICTURE)

    z = made.mesh.vertices[:, 2]
    assert is_grey(made)[(z < -2) | (z > 0)].all()
    assert (~is_grey(made))[(z < -1) & (z > -2)].mean() > 0.3


def test_samples_cover_what_is_near_of_a_triangle_as_large_as_a_country() -> None:
    corners = np.array([[0, -1, 0], [9e5, -1, 0], [0, -1, 9e5]], np.float32)
    mesh = Mesh(corners, np.array([[0, 1, 2]], np.int32))

    samples = sampled(mesh, np.array([[100.0, 0, 200.0]], np.float32), reach_m=2.0)

    random = np.random.default_rng(0)
    below = np.stack([random.uniform(99, 101, 50), np.full(50, -1.0), random.uniform(199, 201, 50)], axis=1)
    nearest = np.linalg.norm(samples.points[:, None] - below[None], axis=-1).min(axis=0)
    assert samples.spacing_m < 0.05
    assert nearest.max() <= samples.spacing_m
    assert np.abs(samples.points - [100, -1, 200]).max() < 10


def test_samples_far_from_the_origin_are_as_many_as_near_it() -> None:
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    triangle = np.array([[0, 1, 2]], np.int32)

    near, far = (
        sampled(Mesh(corners + offset, triangle), np.full((1, 3), offset, np.float32), reach_m=5.0)
        for offset in (np.float32(0), np.float32(32_768))
    )

    assert len(far.points) == pytest.approx(len(near.points), rel=0.1)


def test_a_surface_that_the_depth_sensor_looked_past_is_hidden_by_what_it_saw(
    room: Place, tmp_path: Path
) -> None:
    """The wall is not in the room: it stands behind the room's own back wall."""
    place = room.with_markers(tmp_path / "walls", [marker(wall(-3.6))])

    made = place.build(tmp_path / "mesh", EVERY_PICTURE)

    assert is_grey(made).all()


def test_the_back_of_a_box_takes_no_colour_of_its_front(room: Place, tmp_path: Path) -> None:
    """A thin slab, whose back lies within what the depth test lets through."""
    front, back = wall(-1.6, half_m=0.4, y=-0.4), wall(-1.63, half_m=0.4, y=-0.4)[::-1]
    order = [0, 1, 2, 5]
    deep, rim = np.array([0, 0, -0.03]), []
    for a, b in ((front[order[i]], front[order[(i + 1) % 4]]) for i in range(4)):
        rim.append([b, a, a + deep, b, a + deep, b + deep])
    slab = np.concatenate([front, back, *np.array(rim)])
    place = room.with_markers(tmp_path / "slab", [marker(slab)], without=("/camera/depth",))

    made = place.build(tmp_path / "mesh", EVERY_PICTURE)

    z, inner = made.mesh.vertices[:, 2], (np.abs(made.mesh.vertices[:, :2] - [0, -0.4]) < 0.3).all(axis=1)
    assert is_grey(made)[inner & (z < -1.62)].all()
    assert not is_grey(made)[inner & (z > -1.61)].all()


def test_a_mesh_that_is_wound_the_other_way_gets_the_same_colours(room: Place, tmp_path: Path) -> None:
    there = wall(-1.6, half_m=0.4, y=-0.4)
    turned = there.reshape(2, 3, 3)[:, ::-1].reshape(-1, 3)

    made = [
        room.with_markers(tmp_path / name, [marker(corners)], without=("/camera/depth",)).build(
            tmp_path / f"{name} mesh", EVERY_PICTURE
        )
        for name, corners in (("there", there), ("turned", turned))
    ]

    colours = [dict(zip(map(tuple, m.mesh.vertices.tolist()), m.colours.tolist(), strict=True)) for m in made]
    assert colours[0] == colours[1]
    assert not is_grey(made[0]).all()


def test_blurred_rectangles_give_no_colours(room: Place, tmp_path: Path) -> None:
    """Every picture is said to be blurred as a whole; the pictures themselves are as they were."""
    table = pq.read_table(room.blurred / "frames.parquet")
    blurred = tmp_path / "blurred"
    blurred.mkdir()
    for name in ("rgb.mp4", "frames.parquet"):
        (blurred / name).hardlink_to(room.blurred / name)
    pq.write_table(whole_pictures(table, room), blurred / "faces.parquet")
    place = replace(room, blurred=blurred)

    made = place.build(tmp_path / "mesh")

    assert is_grey(made).all()
    assert made.document["steps"]["colour"]["vertices_seen"] == 0


def whole_pictures(frames, room: Place):
    schema = pq.read_schema(room.blurred / "faces.parquet")
    words = {"source": "detected", "label": "face", "backend": "test", "recording_id": "kitchen-0123abcd"}
    edges = {"x0": 0, "y0": 0, "x1": room.config.width, "y1": room.config.height}
    columns = {}
    for item in schema:
        name = item.name.removeprefix("redact_")
        if name in frames.column_names:
            columns[item.name] = frames[name].cast(item.type)
        else:
            value = words.get(name, edges.get(name, 0))
            columns[item.name] = pa.array([value] * frames.num_rows).cast(item.type)
    return pa.table(columns, schema=schema)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Somebody with a magenta mark on the face passes; markers carry magenta as well."""
    return make_place(
        tmp_path_factory.mktemp("company") / "place",
        with_face=True,
        with_hands=False,
        face_marker=(255, 0, 255),
        mesh_colour=(255, 0, 255),
    )


@pytest.mark.parametrize("source", ["marker", "fusion"])
def test_neither_colours_of_markers_nor_of_faces_reach_the_mesh(
    company: Place, tmp_path: Path, source
) -> None:
    made = company.build(
        tmp_path / "mesh", SceneMeshConfig(source=source, colour=ColourConfig(stride=1, tolerance_m=1.0))
    )

    red, green, blue = made.colours.T
    assert not is_grey(made).all()
    assert (np.minimum(red, blue) - green).max() < 60


def test_fewer_pictures_are_spread_over_the_recording(room: Place, tmp_path: Path) -> None:
    config = SceneMeshConfig(colour=ColourConfig(stride=5, pictures=4))

    made = room.build(tmp_path / "mesh", config)

    assert made.document["steps"]["colour"]["pictures"] == 4


def test_a_mesh_without_colours_is_what_one_may_ask_for(room: Place, tmp_path: Path) -> None:
    made = room.build(tmp_path / "mesh", SceneMeshConfig(colour=ColourConfig(enabled=False)))

    assert made.mesh.colours is None
    assert made.skipped() == {"mesh.ply:colours": "not_asked_for"}
    assert b"red" not in (made.directory / "mesh.ply").read_bytes().split(b"end_header")[0]


def lens_of(model: str, D: tuple[float, ...]) -> Intrinsics:
    K = np.array([[[300.0, 0, 320], [0, 310.0, 180], [0, 0, 1]]])
    return Intrinsics(K, np.ones(1, bool), np.array(D), model, 640, 360, "camera_info")


def test_a_distorting_lens_is_followed_by_its_published_formula() -> None:
    k1, k2, p1, p2, k3 = D = (0.1, -0.05, 0.002, -0.001, 0.01)
    x, y = np.float32([0.3, -0.2]), np.float32([0.1, 0.25])
    r2 = x**2 + y**2
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    u = 300 * (x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2)) + 320
    v = 310 * (y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y) + 180

    found = lens_at(lens_of("plumb_bob", D), 0).pixels(x, y)

    assert np.allclose(found, (u, v), atol=1e-3)


def test_points_far_outside_the_picture_are_not_folded_back_into_it() -> None:
    lens = lens_at(lens_of("plumb_bob", (-0.3, 0.0, 0.0, 0.0, 0.0)), 0)

    assert np.isnan(lens.pixels(np.float32([3.0]), np.float32([0.0]))).all()


@pytest.mark.parametrize(
    ("model", "D", "known"),
    [
        ("plumb_bob", (), True),
        ("anything", (0.0, 0.0, 0.0), True),
        ("plumb_bob", (0.1, 0.0, 0.0, 0.0, 0.0), True),
        ("equidistant", (0.1, 0.0, 0.0, 0.0), True),
        ("equidistant", (0.1, 0.0, 0.0), False),
        ("anything", (0.1, 0.0, 0.0, 0.0), False),
        ("plumb_bob", (np.nan, 0.0, 0.0, 0.0), False),
    ],
)
def test_only_lens_models_that_are_known_are_used(model: str, D: tuple[float, ...], known: bool) -> None:
    assert is_known(lens_of(model, D)) == known


def test_the_search_for_leaks_sees_the_colours_of_a_mesh(tmp_path: Path) -> None:
    corners = np.zeros((20, 3), np.float32)
    triangles = np.arange(18, dtype=np.int32).reshape(-1, 3)
    colours = np.tile(np.array([[250, 5, 250]], np.uint8), (20, 1))
    write_ply(tmp_path / "mesh.ply", Mesh(corners, triangles, colours))
    write_ply(tmp_path / "plain.ply", Mesh(corners, triangles))

    assert traces(tmp_path, (255, 0, 255), tolerance=60, pixels=12) == ["mesh.ply"]
