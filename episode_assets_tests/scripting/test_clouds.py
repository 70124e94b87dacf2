"""Points of clouds for a script: of the source it asks for, in the world, and of one size for any length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from episode_assets.errors import BadConfig
from episode_assets.scripting import TopicConfig
from episode_assets_tests.bundle.recordings import START_NS, TICK_NS, RecordingWriter, Scene, cloud_message
from episode_assets_tests.bundle.recordings import write_recording as write_scene
from episode_assets_tests.scripting.conftest import Opener

MESH_CLOUD, POINT_CLOUD = "/map/mesh_cloud", "/map/point_cloud"
SQUARE = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])


def write_clouds(path: Path, *clouds: tuple[str, np.ndarray, str]) -> Path:
    """A recording of nothing but clouds, each with its topic and frame."""
    with path.open("wb") as stream:
        writer = RecordingWriter(stream, profile="ros2", library="test")
        for number, (topic, points, frame_id) in enumerate(clouds):
            stamp_ns = START_NS + number * TICK_NS
            writer.add(topic, stamp_ns, cloud_message(stamp_ns, points, frame_id))
        writer.finish()
    return path


def both(path: Path, *, with_mesh_cloud: bool = True) -> Path:
    mesh_cloud = SQUARE if with_mesh_cloud else np.zeros((0, 3))
    return write_clouds(path, (POINT_CLOUD, SQUARE + 5, "world"), (MESH_CLOUD, mesh_cloud, "world"))


def test_the_cloud_of_the_mesh_comes_first_and_the_other_where_it_has_no_points(
    opened: Opener, tmp_path: Path
) -> None:
    full = opened(both(tmp_path / "full.mcap"))
    empty = opened(both(tmp_path / "empty.mcap", with_mesh_cloud=False))

    assert sorted(full.point_cloud()[0].tolist()) == sorted(SQUARE.tolist())
    assert sorted(full.point_cloud("point_cloud")[0].tolist()) == sorted((SQUARE + 5).tolist())
    assert sorted(empty.point_cloud()[0].tolist()) == sorted((SQUARE + 5).tolist())
    assert empty.point_cloud("mesh_cloud")[0].shape == (0, 3)
    with pytest.raises(BadConfig, match="source must be"):
        full.point_cloud("map")


def test_a_topic_is_what_the_script_calls_it(opened: Opener, tmp_path: Path) -> None:
    path = both(tmp_path / "named.mcap")

    session = opened(path, topics=TopicConfig(mesh_cloud=POINT_CLOUD))

    assert sorted(session.point_cloud("mesh_cloud")[0].tolist()) == sorted((SQUARE + 5).tolist())
    assert session.point_cloud("point_cloud")[0].shape == (0, 3)


def test_clouds_in_another_frame_are_not_taken_for_the_world(opened: Opener, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.mcap", Scene(frames=2, cloud_frame="camera_optical_frame"))

    assert opened(scene).point_cloud()[0].shape == (0, 3)


def test_points_do_not_add_up_with_the_length_of_the_recording(opened: Opener, tmp_path: Path) -> None:
    shaking = [
        (POINT_CLOUD, SQUARE + 0.01 + 0.001 * shift, "world") for shift in np.linspace(-1.0, 1.0, 41).tolist()
    ]

    points, colours = opened(write_clouds(tmp_path / "long.mcap", *shaking)).point_cloud()

    assert points.dtype == np.float32
    assert colours is None
    in_order = points[np.lexsort((points[:, 1], points[:, 0]))]
    assert in_order == pytest.approx(SQUARE[[0, 2, 1]] + 0.01, abs=1e-4)
