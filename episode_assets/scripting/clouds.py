"""The point clouds of a recording for a script: those of one source, averaged in cubes, whatever the length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import BundleConfig
from episode_assets.bundle.clouds import VoxelGrid, add_clouds
from episode_assets.errors import BadConfig
from episode_assets.recording import Cloud, CloudStream, RecordingView
from episode_assets.scripting.topics import TopicConfig

MESH_CLOUD, POINT_CLOUD, AUTO = "mesh_cloud", "point_cloud", "auto"
SOURCES = (AUTO, MESH_CLOUD, POINT_CLOUD)


def cloud_points(view: RecordingView, topics: TopicConfig, source: str) -> NDArray[np.float32]:
    """Return points (N, 3) metres in the world, one mean per cube of the size that bundles have.

    Clouds in another frame than the poses are left out, as nothing moves them into the world.

    Args:
        view: The recording.
        topics: The topics that a script has named.
        source: `mesh_cloud`, `point_cloud`, or `auto` for the first of both that has points.

    Raises:
        BadConfig: There is no such source.
    """
    if source not in SOURCES:
        raise BadConfig(f"source must be one of {', '.join(SOURCES)}, got {source!r}")
    points = np.zeros((0, 3), np.float32)
    for kind in (MESH_CLOUD, POINT_CLOUD) if source == AUTO else (source,):
        streams = [stream for stream in _in_world(view) if _kind_of(stream, topics) == kind]
        grid = VoxelGrid(BundleConfig().cloud_voxel_m)
        add_clouds(grid, (points for stream in streams for points in _clouds(stream)))
        points = grid.means.astype(np.float32)
        if len(points):
            break
    return points


def _kind_of(stream: CloudStream, topics: TopicConfig) -> str:
    if stream.topic in (topics.mesh_cloud, topics.point_cloud):
        return MESH_CLOUD if stream.topic == topics.mesh_cloud else POINT_CLOUD
    return MESH_CLOUD if stream.topic.endswith(MESH_CLOUD) else POINT_CLOUD


def _in_world(view: RecordingView) -> list[CloudStream]:
    streams = view.point_clouds
    named = [stream.frame_id for stream in (view.pose, *streams) if stream is not None]
    return [stream for stream in streams if stream.frame_id.strip("/") == named[0].strip("/")]


def _clouds(stream: CloudStream) -> Iterator[NDArray[np.floating]]:
    return (cloud.points for cloud in stream.read() if isinstance(cloud, Cloud))
