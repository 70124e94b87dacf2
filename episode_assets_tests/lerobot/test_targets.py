import numpy as np
import pytest

from episode_assets.lerobot import Recipe
from episode_assets.lerobot.cuts import Span
from episode_assets.lerobot.rows import build_rows
from episode_assets.lerobot.targets import camera_frame_chunks
from episode_assets_tests.lerobot.archive import make_scene
from episode_assets_tests.lerobot.test_rows import source_of


def chunks_of(rows, horizon=4):
    return camera_frame_chunks(
        rows["observation.state"],
        rows["camera.pose"],
        valid_hands=np.stack([rows["valid.left"], rows["valid.right"]], axis=1),
        valid_camera_pose=rows["valid.camera_pose"],
        horizon=horizon,
    )


def test_a_chunk_shows_the_next_wrists_from_the_camera_of_its_row():
    scene = make_scene(40)
    rows = build_rows(source_of(scene), Span(0, 30), recipe=Recipe(), fps=15)

    chunks, valid = chunks_of(rows)

    cam_from_world = np.linalg.inv(scene.world_from_optical[7])
    for step in range(4):
        expected = cam_from_world[:3, :3] @ scene.joints_world[8 + step, 0, 0] + cam_from_world[:3, 3]
        np.testing.assert_allclose(chunks[7, step, :3], expected, atol=1e-5)
    assert valid[:26].all()
    assert valid[28].tolist() == [[True, True]] + [[False, False]] * 3


@pytest.mark.parametrize("frame", ["episode", "world"])
def test_chunks_are_the_same_in_any_reference_frame(frame):
    source = source_of(make_scene(40))
    first = chunks_of(build_rows(source, Span(0, 30), recipe=Recipe(), fps=15))[0]

    other = chunks_of(build_rows(source, Span(0, 30), recipe=Recipe(reference_frame=frame), fps=15))[0]

    np.testing.assert_allclose(first, other, atol=1e-5)


def test_a_held_hand_is_masked_in_every_chunk_that_reaches_it():
    scene = make_scene(40)
    scene.kind[10, 1] = 0

    _, valid = chunks_of(build_rows(source_of(scene), Span(0, 30), recipe=Recipe(), fps=15))

    assert not valid[9, 0, 1] and not valid[6, 3, 1] and valid[9, 0, 0] and valid[10, 0, 1]
