"""A mesh for recordings that have none, fused from depth images and camera poses.

Which images take part, and what of them, is decided here; the field they are fused into is in `voxels`. Depth inside
the face boxes of a picture has no part in it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.ply import Mesh
from episode_assets.progress import Progress
from episode_assets.recording import ImageStream
from episode_assets.scene.config import FusionConfig
from episode_assets.scene.depth_reading import DepthReader
from episode_assets.scene.views import Views
from episode_assets.scene.voxels import Camera, VoxelField

LEAST_DEPTH_M = 0.1

EDGE_SHARE = 0.05
"""Where depth jumps by more than this share from one pixel to the next, sensors put points into the empty space."""


def fused(
    stream: ImageStream, views: Views, config: FusionConfig, progress: Progress
) -> tuple[Mesh, dict[str, int]]:
    """Return the surface that the depth images agree on, and counts of the images.

    Memory is that of the field, at most 4 KiB for each of `config.blocks` blocks, whatever the number of images.
    """
    poses = views.poses_at(stream.stamp_ns)
    chosen = np.flatnonzero(poses.valid)[:: config.stride]
    reader = DepthReader(stream, views)
    field = VoxelField(config.voxel_m, config.truncation_m, config.blocks)
    used = 0
    for done, (position, image) in enumerate(zip(chosen.tolist(), reader.read(chosen.tolist()), strict=True)):
        if image is not None:
            pose = poses.world_from_optical[position].astype(np.float32)
            field.add(
                usable_depth(image.depth_mm, config.depth_m),
                Camera(image.K.astype(np.float32), pose[:3, :3], pose[:3, 3]),
            )
            used += 1
        progress("fusing depth", done + 1, len(chosen))
    counts = {
        "images": len(stream),
        "images_posed": int(poses.valid.sum()),
        "images_used": used,
        "images_undecodable": reader.undecodable,
        "images_without_picture": reader.unseen,
        "images_without_intrinsics": reader.uncalibrated,
        "face_pixels_left_out": reader.hole_pixels,
        "blocks": len(field),
        "blocks_refused": field.refused,
    }
    return field.surface(observations=config.observations), counts


def usable_depth(depth_mm: NDArray[np.uint16], farthest_m: float) -> NDArray[np.float32]:
    """Return metres (H, W), 0 where nothing was measured, at edges of depth, and outside the sensor's good range."""
    depth = depth_mm.astype(np.float32) / np.float32(1000)
    is_good = (depth > LEAST_DEPTH_M) & (depth <= farthest_m)
    # Views of the same arrays, so that one pair of neighbours serves rows and columns.
    for places, good in ((depth, is_good), (depth.T, is_good.T)):
        before, after = places[:-1], places[1:]
        is_even = np.abs(after - before) <= EDGE_SHARE * np.minimum(before, after)
        good[:-1] &= is_even
        good[1:] &= is_even
    return np.where(is_good, depth, np.float32(0))
