"""What cleaning takes from a mesh, what closing adds to it, and how little refining moves it."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh  # noqa: TID253  # meshes here are built and measured with it
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from episode_assets.ply import Mesh
from episode_assets.scene.cleaning import cleaned
from episode_assets.scene.closing import closed
from episode_assets.scene.config import ShapeConfig
from episode_assets.scene.refining import refined, smoothed
from episode_assets.scene.welding import weld

AS_IT_IS = ShapeConfig(piece_triangles=0)


def mesh_of(vertices, triangles) -> Mesh:
    return Mesh(np.asarray(vertices, np.float32), np.asarray(triangles, np.int32).reshape(-1, 3))


def sheet(cells: int, *, side_m: float = 2.0, without: tuple[slice, slice] | None = None) -> Mesh:
    """A flat square of `cells` by `cells` cells of two triangles each, perhaps with a rectangle left out."""
    number = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    is_there = np.ones((cells, cells), bool)
    if without is not None:
        is_there[without] = False
    a, b, c, d = (
        part[is_there] for part in (number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:])
    )
    steps = np.linspace(0, side_m, cells + 1)
    x, y = np.meshgrid(steps, steps, indexing="ij")
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])
    mesh = mesh_of(np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1), triangles)
    return cleaned(mesh, AS_IT_IS)[0]


def box(side_m: float = 1.0, at: float = 0.0) -> Mesh:
    body = trimesh.creation.box(extents=[side_m] * 3)
    return mesh_of(body.vertices + at, body.faces)


def both(first: Mesh, second: Mesh) -> Mesh:
    return mesh_of(
        np.concatenate([first.vertices, second.vertices]),
        np.concatenate([first.triangles, second.triangles + len(first.vertices)]),
    )


def body_of(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.triangles, process=False)


def test_repeated_triangles_go_whichever_way_they_run() -> None:
    flat = box()
    doubled = mesh_of(
        flat.vertices, np.concatenate([flat.triangles, flat.triangles[:3], flat.triangles[3:5, ::-1]])
    )

    mesh, counts = cleaned(doubled, AS_IT_IS)

    assert counts["repeated"] == 5
    assert np.array_equal(mesh.triangles, flat.triangles)


def test_triangles_that_are_lines_go_and_unused_vertices_with_them() -> None:
    flat = box()
    corners = np.concatenate([flat.vertices, [[5, 5, 5], [6, 6, 6], [7, 7, 7], [8, 8, 8]]])

    mesh, counts = cleaned(mesh_of(corners, np.concatenate([flat.triangles, [[8, 9, 10]]])), AS_IT_IS)

    assert counts["without_area"] == 1
    assert len(mesh.vertices) == len(flat.vertices)


def test_of_three_triangles_at_an_edge_the_smallest_goes() -> None:
    fins = mesh_of(
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, -0.2, -0.2]], [[0, 1, 2], [0, 1, 3], [0, 1, 4]]
    )

    mesh, counts = cleaned(fins, AS_IT_IS)

    assert counts["non_manifold"] == 1
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 1, 3]]


@pytest.mark.parametrize(
    ("piece", "stays"),
    [
        pytest.param(box(0.02, at=3.0), False, id="small and coarse"),
        pytest.param(box(0.5, at=3.0), True, id="coarse"),
        pytest.param(sheet(4, side_m=0.02), True, id="fine"),
    ],
)
def test_only_pieces_that_are_small_and_coarse_are_dropped(piece: Mesh, stays: bool) -> None:
    scene = both(mesh_of(sheet(6).vertices + 9, sheet(6).triangles), piece)

    mesh, counts = cleaned(scene, ShapeConfig())

    assert (len(mesh.triangles) == len(scene.triangles)) == stays
    assert (counts["specks"] == 0) == stays


def test_a_hole_is_closed_and_the_border_around_the_sheet_is_not() -> None:
    holed = sheet(8, without=(slice(3, 5), slice(3, 5)))

    mesh, counts = closed(holed, hole_edges=8)

    assert counts == {"border_loops": 2, "closed": 1, "triangles_added": 8}
    assert body_of(mesh).area == pytest.approx(4.0)
    assert body_of(mesh).is_winding_consistent
    assert np.array_equal(mesh.triangles[: len(holed.triangles)], holed.triangles)


@pytest.mark.parametrize("hole_edges", [0, 7])
def test_a_hole_of_more_edges_stays_open(hole_edges: int) -> None:
    holed = sheet(8, without=(slice(3, 5), slice(3, 5)))

    mesh, counts = closed(holed, hole_edges=hole_edges)

    assert counts["closed"] == 0
    assert mesh is holed


def test_a_missing_triangle_becomes_one_triangle() -> None:
    ball = trimesh.creation.icosphere(subdivisions=2)

    mesh, counts = closed(mesh_of(ball.vertices, ball.faces[1:]), hole_edges=3)

    assert counts == {"border_loops": 1, "closed": 1, "triangles_added": 1}
    assert body_of(mesh).is_watertight
    assert body_of(mesh).is_winding_consistent


def test_holes_that_meet_in_a_corner_are_left_open() -> None:
    two = sheet(8, without=(slice(3, 5), slice(3, 5)))
    middles = two.vertices[two.triangles].mean(axis=1)
    is_next = (np.abs(middles[:, :2] - [1.375, 1.375]) < 0.124).all(axis=1)

    mesh, counts = closed(mesh_of(two.vertices, two.triangles[~is_next]), hole_edges=30)

    assert is_next.sum() == 2
    assert (counts["closed"], counts["triangles_added"]) == (0, 0)
    assert body_of(mesh).is_winding_consistent


def test_smoothing_moves_no_vertex_farther_than_it_may() -> None:
    noisy = sheet(20)
    rough = noisy.vertices + np.random.default_rng(0).normal(0, 0.004, noisy.vertices.shape).astype(
        np.float32
    )

    mesh, counts = smoothed(mesh_of(rough, noisy.triangles), ShapeConfig(displacement_m=0.005))

    moved = np.linalg.norm(mesh.vertices - rough, axis=1)
    inner = (np.abs(noisy.vertices[:, :2] - 1.0) < 0.95).all(axis=1)
    assert 0 < moved.max() <= 0.005 + 1e-6
    assert mesh.vertices[inner, 2].std() < 0.7 * rough[inner, 2].std()
    assert counts["largest_move_m"] == pytest.approx(moved.max(), abs=1e-5)


def test_a_border_stays_where_it_is() -> None:
    flat = sheet(6)
    border = (np.abs(flat.vertices[:, :2] - 1.0) > 0.99).any(axis=1)

    mesh, _ = smoothed(flat, ShapeConfig(displacement_m=1.0, smoothing_steps=5))
    finer, _ = refined(flat, ShapeConfig(displacement_m=1.0, subdivisions=1))

    assert np.array_equal(mesh.vertices[border], flat.vertices[border])
    assert np.array_equal(finer.vertices[: len(border)][border], flat.vertices[border])


def test_refining_quarters_triangles_and_keeps_near_the_surface() -> None:
    cube = box()

    mesh, counts = refined(cube, ShapeConfig(subdivisions=2, displacement_m=0.005))

    assert counts == {"subdivisions": 2, "stopped_by": "asked_for"}
    assert len(mesh.triangles) == 16 * len(cube.triangles)
    assert body_of(mesh).is_watertight
    outside = np.abs(np.abs(mesh.vertices).max(axis=1) - 0.5)
    assert outside.max() <= 2 * 0.005 + 1e-6


def test_without_a_limit_refining_is_that_of_loop() -> None:
    ball = trimesh.creation.icosphere(subdivisions=1)
    expected, _ = trimesh.remesh.subdivide_loop(ball.vertices, ball.faces, iterations=1)

    mesh, _ = refined(mesh_of(ball.vertices, ball.faces), ShapeConfig(subdivisions=1, displacement_m=1.0))

    assert np.allclose(mesh.vertices, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (ShapeConfig(subdivisions=4, vertices=100), "vertices"),
        (ShapeConfig(subdivisions=4, edge_m=0.3), "edge_m"),
        (ShapeConfig(subdivisions=0), "asked_for"),
    ],
)
def test_refining_says_why_it_stopped(config: ShapeConfig, why: str) -> None:
    mesh, counts = refined(box(), config)

    assert counts["stopped_by"] == why
    assert len(mesh.vertices) <= 100


def test_a_fan_of_a_thousand_triangles_is_not_refined() -> None:
    angle = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    rim = np.stack([np.cos(angle), np.sin(angle), np.zeros(1000)], axis=1)
    row = np.arange(1000)
    fan = mesh_of(
        np.concatenate([rim, [[0, 0, 0]]]), np.stack([row, (row + 1) % 1000, np.full(1000, 1000)], axis=1)
    )

    mesh, counts = refined(fan, ShapeConfig(edge_m=0.002))

    assert counts["stopped_by"] == "neighbours"
    assert mesh is fan


@given(
    arrays(
        np.float64,
        st.integers(0, 12).map(lambda count: (3 * count, 3)),
        elements=st.one_of(
            st.floats(-2, 2, width=16), st.sampled_from([0.0, 1.0, np.nan, np.inf, 1e20, -1e7])
        ),
    )
)
def test_any_triangles_become_a_sound_mesh(corners) -> None:
    welded, dropped = weld(corners, np.arange(len(corners)).reshape(-1, 3))
    mesh, counts = cleaned(welded, ShapeConfig(piece_triangles=0))
    assert dropped + sum(counts.values()) + len(mesh.triangles) == len(corners) // 3
    if len(mesh.triangles) == 0:  # nothing is made of nothing
        return
    mesh, _ = closed(mesh, hole_edges=16)
    mesh, _ = smoothed(mesh, ShapeConfig())
    mesh, _ = refined(mesh, ShapeConfig(vertices=2000))

    assert np.isfinite(mesh.vertices).all()
    assert np.array_equal(np.unique(mesh.triangles), np.arange(len(mesh.vertices)))
    edges = np.sort(mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    assert np.unique(edges, axis=0, return_counts=True)[1].max() <= 2
