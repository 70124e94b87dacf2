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

from episode_assets.footage import is_known, lens_at
from episode_assets.outcome import Json
from episode_assets.ply import Mesh
from episode_assets.progress import Progress
from episode_assets.scene.config import ColourConfig
from episode_assets.scene.depth_reading import DepthImage, DepthReader
from episode_assets.scene.facing import Facing, facing
from episode_assets.scene.occlusion import Samples, nearest_surface, sampled
from episode_assets.scene.views import Views
from episode_assets.scene.visible import Camera, Floats, Seen, in_view
from episode_assets.video import decode_frames, picture_to_rgb

UNSEEN = 128
"""Grey level of vertices that no picture shows."""

LEAST_COSINE = 0.05
LEAST_DEPTH_M = 0.1
"""Bounds of the angle between normal and camera, and of depth, below which nothing was measured."""

VOTERS = 12
"""Cameras, spread over the recording, that are asked which side of a surface is its front."""

ENOUGH_HITS = 3
LEAST_HIT_SHARE = 0.2
"""A vertex counts as seen in so many pictures, or in this share of those that it lies in: a surface behind another one
is let through now and then by the noise of depth, and gets specks of the colour in front of it."""

BLUR_MARGIN_PX = 8.0
"""Blurred rectangles grow by this before anything is taken beside them: encoders smear over half a macroblock."""


class Refusal(NamedTuple):
    """Why there are no colours: a stable word and the reason in words."""

    code: str
    detail: str


def refusal(views: Views, config: ColourConfig, *, frame_id: str) -> Refusal | None:
    """Return why a mesh in the frame `frame_id` can get no colours, None where it can."""
    if not config.enabled:
        return Refusal("not_asked_for", "the settings ask for no colours")
    found = _without_poses(views, frame_id) or _without_lens(views)
    if found is None and len(chosen_pictures(views, config)) == 0:
        return Refusal("no_posed_pictures", "no picture has both intrinsics and a pose near enough")
    return found


def _without_poses(views: Views, frame_id: str) -> Refusal | None:
    if not views.has_poses:
        return Refusal("no_pose_messages", "the recording has no camera poses")
    ours, theirs = frame_id.strip("/"), views.frame_id.strip("/")
    if ours and theirs and ours != theirs:
        return Refusal("other_frame", f"the mesh lies in the frame {ours!r}, the camera poses in {theirs!r}")
    return None


def _without_lens(views: Views) -> Refusal | None:
    if views.rgb is None:
        return Refusal("no_intrinsics", "no intrinsics are known for the pictures")
    if not is_known(views.rgb):
        model, count = views.rgb.distortion_model, len(views.rgb.D)
        return Refusal("unknown_lens", f"the lens model {model!r} with {count} coefficients is not known")
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
    cameras = [camera_at(views, frame) for frame in chosen.tolist()]
    eyes = np.array([camera.t for camera in cameras], np.float32)
    samples = sampled(mesh, eyes, reach_m=config.distance_m)
    voters = cameras[:: -(-len(cameras) // VOTERS)]
    paint = _Paint.on(mesh, facing(mesh, voters, samples, farthest_m=config.distance_m))
    pictures = decode_frames(views.video, chosen.tolist())
    depths = _depth_images(views, reader, chosen)
    for done, ((frame, picture), camera, depth) in enumerate(zip(pictures, cameras, depths, strict=True)):
        view = _View(picture_to_rgb(picture), camera, views.boxes.of_frames((frame,)), depth)
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


class _View(NamedTuple):
    """One blurred picture, its camera, where it must not be looked at, and its depth image."""

    rgb: NDArray[np.uint8]
    camera: Camera
    rectangles_px: NDArray[np.int32]
    depth: DepthImage | None


def camera_at(views: Views, frame: int) -> Camera:
    """Return the colour camera of a picture that has intrinsics and a pose."""
    assert views.rgb is not None
    pose = views.poses.world_from_optical[frame]
    return Camera(lens_at(views.rgb, frame), pose[:3, :3], pose[:3, 3])


@dataclass
class _Paint:
    """What the pictures so far say about each of V vertices."""

    vertices: Floats
    facing: Facing
    total: NDArray[np.float64]
    weight: NDArray[np.float64]
    chances: NDArray[np.int32]
    hits: NDArray[np.int32]

    @classmethod
    def on(cls, mesh: Mesh, fronts: Facing) -> _Paint:
        V = len(mesh.vertices)
        return cls(
            mesh.vertices, fronts, np.zeros((V, 3)), np.zeros(V), np.zeros(V, np.int32), np.zeros(V, np.int32)
        )

    def add(self, view: _View, samples: Samples, config: ColourConfig) -> None:
        """Take the colours that one picture shows; weights are cos^2 / (z^2 + 0.001)."""
        camera = view.camera
        seen = in_view(self.vertices, self.facing.normals, camera, farthest_m=config.distance_m)
        cosine = np.where(self.facing.is_two_sided[seen.row], np.abs(seen.cosine), seen.cosine)
        is_usable = (cosine > LEAST_COSINE) & ~_is_blurred(seen, view.rectangles_px)
        seen = seen._replace(cosine=cosine).where(is_usable)
        if len(seen.row) == 0:
            return
        surface = nearest_surface(samples, camera.R, camera.t, camera.lens)
        is_hidden = surface.hides(seen.u, seen.v, seen.z, seen.slope, tolerance_m=config.tolerance_m)
        is_hidden |= _is_behind_depth(seen, view, tolerance_m=config.tolerance_m)
        self.chances[seen.row] += 1
        seen = seen.where(~is_hidden)
        self.hits[seen.row] += 1
        weight = seen.cosine.astype(np.float64) ** 2 / (seen.z.astype(np.float64) ** 2 + 1e-3)
        self.total[seen.row] += _between_pixels(view.rgb, seen.u, seen.v) * weight[:, None]
        self.weight[seen.row] += weight

    def result(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return (V, 3) colours, grey where nothing was seen, and (V,) whether anything was."""
        is_often = (self.hits >= ENOUGH_HITS) | (self.hits >= LEAST_HIT_SHARE * self.chances)
        is_seen = (self.weight > 0) & is_often
        colours = np.full((len(is_seen), 3), UNSEEN, dtype=np.uint8)
        mean = self.total[is_seen] / self.weight[is_seen, None]
        colours[is_seen] = np.clip(np.rint(mean), 0, 255).astype(np.uint8)
        return colours, is_seen


def _is_behind_depth(seen: Seen, view: _View, *, tolerance_m: float) -> NDArray[np.bool_]:
    if view.depth is None:
        return np.zeros(len(seen.row), dtype=np.bool_)
    K, image = view.depth.K, view.depth.depth_mm
    column = np.rint(K[0, 0] * seen.x + K[0, 2]).astype(np.int64)
    line = np.rint(K[1, 1] * seen.y + K[1, 2]).astype(np.int64)
    is_in = (column >= 0) & (column < image.shape[1]) & (line >= 0) & (line < image.shape[0])
    depth_m = np.zeros(len(seen.row))
    depth_m[is_in] = image[line[is_in], column[is_in]] / 1000.0
    return np.asarray((depth_m > LEAST_DEPTH_M) & (seen.z > depth_m + tolerance_m))


def _is_blurred(seen: Seen, rectangles_px: NDArray[np.int32]) -> NDArray[np.bool_]:
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
