"""Colours of vertices from blurred pictures: each picture in turn colours what it sees, the mean over all stays.

A vertex takes colour where it is in front of the camera, inside the picture, turned towards it, not hidden by the mesh
or by what the depth sensor saw, and outside every blurred rectangle. Pictures are decoded one at a time; there is no
way from the recording's own pixels to here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from episode_assets.outcome import Json
from episode_assets.ply import Mesh
from episode_assets.progress import Progress
from episode_assets.scene.config import ColourConfig
from episode_assets.scene.depth_reading import DepthImage, DepthReader
from episode_assets.scene.occlusion import Samples, nearest_surface, sampled
from episode_assets.scene.views import Views
from episode_assets.video import decode_frames, picture_to_rgb

UNSEEN = 128
"""Grey level of vertices that no picture shows."""

NEAREST_M = 0.2
LEAST_COSINE = 0.05
LEAST_DEPTH_M = 0.1
"""Bounds of distance and of the angle between view and normal, and the depth below which nothing was measured."""

BLUR_MARGIN_PX = 8.0
"""Blurred rectangles grow by this before anything is taken beside them: encoders smear over half a macroblock."""

Floats = NDArray[np.float32]


class Refusal(NamedTuple):
    """Why there are no colours: a stable word and the reason in words."""

    code: str
    detail: str


def refusal(views: Views, config: ColourConfig) -> Refusal | None:
    """Return why a mesh of this recording can get no colours, None where it can."""
    if not config.enabled:
        return Refusal("not_asked_for", "the settings ask for no colours")
    if not views.has_poses:
        return Refusal("no_pose_messages", "the recording has no camera poses")
    if views.rgb is None:
        return Refusal("no_intrinsics", "no intrinsics are known for the pictures")
    if np.any(np.abs(views.rgb.D) > 0):
        return Refusal("distorted_pictures", "the lens distorts, and pictures are not straightened here")
    if len(chosen_pictures(views, config)) == 0:
        return Refusal("no_posed_pictures", "no picture has both intrinsics and a pose near enough")
    return None


def chosen_pictures(views: Views, config: ColourConfig) -> NDArray[np.int64]:
    """Return the pictures that give colours: of every `stride` one, the first key frame that can.

    Key frames decode without their neighbours.
    """
    if views.rgb is None:
        return np.empty(0, dtype=np.int64)
    usable = np.flatnonzero(views.rgb.valid & views.poses.valid)
    group = usable // config.stride
    order = np.lexsort((usable, ~views.frames.is_key[usable], group))
    _, first = np.unique(group[order], return_index=True)
    chosen = np.sort(usable[order][first])
    if len(chosen) > config.pictures:
        chosen = chosen[np.linspace(0, len(chosen) - 1, config.pictures).round().astype(np.int64)]
    return np.asarray(chosen, dtype=np.int64)


def coloured(
    mesh: Mesh, views: Views, config: ColourConfig, progress: Progress
) -> tuple[Mesh, dict[str, Json]]:
    """Return the mesh with the colours of the blurred pictures, and how many vertices none of them shows.

    `refusal` must have been asked before.

    Raises:
        ArtifactDamaged: The blurred video has another number of pictures than its table.
        BadVideo: It does not decode.
    """
    chosen = chosen_pictures(views, config)
    reader = None if views.raw.depth is None else DepthReader(views.raw.depth, views)
    paint = _Paint.on(mesh)
    samples = sampled(mesh)
    depths = _depth_images(views, reader, chosen)
    pictures = decode_frames(views.video, chosen.tolist())
    for done, ((frame, picture), depth) in enumerate(zip(pictures, depths, strict=True)):
        view = _view(views, frame, picture_to_rgb(picture), depth)
        paint.add(view, samples, config)
        progress("colouring", done + 1, len(chosen))
    colours, is_seen = paint.result()
    counts: dict[str, Json] = {
        "pictures": len(chosen),
        "pictures_with_depth": int((_partners(views, chosen) >= 0).sum()),
        "vertices_seen": int(is_seen.sum()),
        "vertices_unseen": int((~is_seen).sum()),
        "seen_ratio": round(float(is_seen.mean()), 4) if len(is_seen) else 0.0,
        "occluder_spacing_m": round(samples.spacing_m, 4),
    }
    return Mesh(mesh.vertices, mesh.triangles, colours), counts


def _partners(views: Views, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    if views.raw.depth is None:
        return np.full(len(chosen), -1, dtype=np.int64)
    return views.partners(views.frames.stamp_ns[chosen], views.raw.depth.stamp_ns)


def _depth_images(
    views: Views, reader: DepthReader | None, chosen: NDArray[np.int64]
) -> Iterator[DepthImage | None]:
    positions = _partners(views, chosen)
    found = reader.read(positions[positions >= 0].tolist()) if reader is not None else iter(())
    for position in positions.tolist():
        yield next(found) if position >= 0 else None


@dataclass(frozen=True)
class _View:
    """One blurred picture, its camera, and where it must not be looked at."""

    rgb: NDArray[np.uint8]
    size: tuple[int, int]
    K: NDArray[np.float64]
    R: NDArray[np.float64]
    t: NDArray[np.float64]
    rectangles_px: NDArray[np.int32]
    depth: DepthImage | None


def _view(views: Views, frame: int, rgb: NDArray[np.uint8], depth: DepthImage | None) -> _View:
    assert views.rgb is not None
    pose = views.poses.world_from_optical[frame]
    size = (views.frames.width, views.frames.height)
    return _View(
        rgb, size, views.rgb.K[frame], pose[:3, :3], pose[:3, 3], views.boxes.of_frames((frame,)), depth
    )


@dataclass
class _Paint:
    """What the pictures so far say about each of V vertices."""

    vertices: Floats
    normals: Floats
    total: NDArray[np.float64]
    weight: NDArray[np.float64]

    @classmethod
    def on(cls, mesh: Mesh) -> _Paint:
        V = len(mesh.vertices)
        return cls(mesh.vertices, vertex_normals(mesh), np.zeros((V, 3)), np.zeros(V))

    def add(self, view: _View, samples: Samples, config: ColourConfig) -> None:
        """Take the colours that one picture shows; weights are cos^2 / (z^2 + 0.001)."""
        seen = _in_view(self.vertices, self.normals, view, config)
        if len(seen.row) == 0:
            return
        surface = nearest_surface(samples, view.R, view.t, view.K, view.size)
        is_hidden = surface.hides(seen.u, seen.v, seen.z, seen.slope, tolerance_m=config.tolerance_m)
        is_hidden |= _is_behind_depth(seen, view, tolerance_m=config.tolerance_m)
        is_hidden |= _is_blurred(seen, view.rectangles_px)
        seen = seen.where(~is_hidden)
        weight = seen.cosine.astype(np.float64) ** 2 / (seen.z.astype(np.float64) ** 2 + 1e-3)
        self.total[seen.row] += _between_pixels(view.rgb, seen.u, seen.v) * weight[:, None]
        self.weight[seen.row] += weight

    def result(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return (V, 3) colours, grey where nothing was seen, and (V,) whether anything was."""
        is_seen = self.weight > 0
        colours = np.full((len(is_seen), 3), UNSEEN, dtype=np.uint8)
        mean = self.total[is_seen] / self.weight[is_seen, None]
        colours[is_seen] = np.clip(np.rint(mean), 0, 255).astype(np.uint8)
        return colours, is_seen


class _Seen(NamedTuple):
    """Vertices in view: row, pixel u and v, distance z along the axis, cosine between view and normal; (N,) each."""

    row: NDArray[np.int64]
    u: Floats
    v: Floats
    z: Floats
    cosine: Floats

    @property
    def slope(self) -> Floats:
        """Tangent of the angle between view and normal."""
        return np.asarray(np.sqrt(np.maximum(1 - self.cosine**2, 0)) / self.cosine, dtype=np.float32)

    def where(self, is_chosen: NDArray[np.bool_]) -> _Seen:
        """Return some of them."""
        return _Seen(
            self.row[is_chosen],
            self.u[is_chosen],
            self.v[is_chosen],
            self.z[is_chosen],
            self.cosine[is_chosen],
        )


def _in_view(vertices: Floats, normals: Floats, view: _View, config: ColourConfig) -> _Seen:
    R, t = view.R.astype(np.float32), view.t.astype(np.float32)
    points = (vertices - t) @ R
    row = np.flatnonzero((points[:, 2] > NEAREST_M) & (points[:, 2] < config.distance_m))
    points = points[row]
    z = points[:, 2]
    u = (view.K[0, 0] * (points[:, 0] / z) + view.K[0, 2]).astype(np.float32)
    v = (view.K[1, 1] * (points[:, 1] / z) + view.K[1, 2]).astype(np.float32)
    # The normals of a recorder's triangles may point either way; a surface seen from behind hides itself by depth.
    cosine = np.abs(np.einsum("ni,ni->n", points, normals[row] @ R)) / np.linalg.norm(points, axis=1)
    width, height = view.size
    is_in = (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1) & (cosine > LEAST_COSINE)
    return _Seen(row[is_in], u[is_in], v[is_in], z[is_in], cosine[is_in].astype(np.float32))


def _is_behind_depth(seen: _Seen, view: _View, *, tolerance_m: float) -> NDArray[np.bool_]:
    if view.depth is None:
        return np.zeros(len(seen.row), dtype=np.bool_)
    K, K_depth, image = view.K, view.depth.K, view.depth.depth_mm
    column = np.rint((seen.u - K[0, 2]) / K[0, 0] * K_depth[0, 0] + K_depth[0, 2]).astype(np.int64)
    line = np.rint((seen.v - K[1, 2]) / K[1, 1] * K_depth[1, 1] + K_depth[1, 2]).astype(np.int64)
    is_in = (column >= 0) & (column < image.shape[1]) & (line >= 0) & (line < image.shape[0])
    depth_m = np.zeros(len(seen.row))
    depth_m[is_in] = image[line[is_in], column[is_in]] / 1000.0
    return np.asarray((depth_m > LEAST_DEPTH_M) & (seen.z > depth_m + tolerance_m))


def _is_blurred(seen: _Seen, rectangles_px: NDArray[np.int32]) -> NDArray[np.bool_]:
    blurred = np.zeros(len(seen.row), dtype=np.bool_)
    for x0, y0, x1, y1 in rectangles_px.tolist():
        is_across = (seen.u > x0 - 1 - BLUR_MARGIN_PX) & (seen.u < x1 + BLUR_MARGIN_PX)
        blurred |= is_across & (seen.v > y0 - 1 - BLUR_MARGIN_PX) & (seen.v < y1 + BLUR_MARGIN_PX)
    return blurred


def _between_pixels(rgb: NDArray[np.uint8], u: Floats, v: Floats) -> NDArray[np.float64]:
    """Return (N, 3) colours at places between pixel centres, bilinear."""
    x0, y0 = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    x1, y1 = np.minimum(x0 + 1, rgb.shape[1] - 1), np.minimum(y0 + 1, rgb.shape[0] - 1)
    a, b = (u - x0).astype(np.float64)[:, None], (v - y0).astype(np.float64)[:, None]
    above = rgb[y0, x0] * (1 - a) + rgb[y0, x1] * a
    below = rgb[y1, x0] * (1 - a) + rgb[y1, x1] * a
    return np.asarray(above * (1 - b) + below * b)


def vertex_normals(mesh: Mesh) -> Floats:
    """Return (V, 3) unit normals, the mean over the triangles around each vertex by area; zeros where there is none."""
    import trimesh

    first, second, third = (mesh.vertices[mesh.triangles[:, i]].astype(np.float64) for i in range(3))
    by_area = np.cross(second - first, third - first)
    normals = trimesh.geometry.mean_vertex_normals(len(mesh.vertices), mesh.triangles, by_area)
    return np.asarray(normals, dtype=np.float32)
