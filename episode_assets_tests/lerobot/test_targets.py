from dataclasses import replace

import numpy as np
import pytest

from episode_assets.errors import BadConfig
from episode_assets.lerobot import Recipe
from episode_assets.lerobot.columns import data_columns
from episode_assets.lerobot.cuts import Span
from episode_assets.lerobot.recipe_layout import Layout
from episode_assets.lerobot.rows import build_rows
from episode_assets.lerobot.targets import camera_frame_chunks, steps_that_count
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


def chunks_in(recipe, scene, *, horizon=4):
    source = source_of(scene)
    rows = build_rows(source, Span(0, 30), recipe=recipe, fps=15)
    column = next(column for column in data_columns(recipe) if column.key == "observation.state")
    bodies = {"one_hand": [recipe.layout.hand], "camera": ["camera_pose"]}.get(
        recipe.state, ["left", "right"]
    )
    return camera_frame_chunks(
        rows["observation.state"],
        rows["camera.pose"],
        valid_hands=np.stack([rows[f"valid.{body}"] for body in bodies], axis=1),
        valid_camera_pose=rows["valid.camera_pose"],
        horizon=horizon,
        names=column.names,
        reference_frame=recipe.reference_frame,
    )


LAYOUTS = {
    "rot6d": Recipe(),
    "quaternion": Recipe(layout=Layout(rotation="quaternion", grip="bend")),
    "rotation vector": Recipe(layout=Layout(rotation="rotation_vector")),
    "joints": Recipe(state="joints"),
    "one hand": Recipe(state="one_hand", layout=Layout(hand="left")),
    "camera": Recipe(state="camera"),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("frame", ["camera", "world"])
def test_chunks_of_every_layout_are_the_same_in_any_reference_frame(name, frame):
    scene = make_scene(40)
    recipe = LAYOUTS[name]

    here, valid = chunks_in(recipe, scene)
    there, also_valid = chunks_in(replace(recipe, reference_frame=frame), scene)

    np.testing.assert_allclose(here, there, atol=1e-5)
    np.testing.assert_array_equal(valid, also_valid)


def test_joints_of_a_chunk_are_those_that_the_camera_of_its_row_would_see():
    scene = make_scene(40)

    chunks, _ = chunks_in(LAYOUTS["joints"], scene)

    cam_from_world = np.linalg.inv(scene.world_from_optical[5])
    expected = scene.joints_world[8, 1] @ cam_from_world[:3, :3].T + cam_from_world[:3, 3]
    np.testing.assert_allclose(chunks[5, 2, 63:].reshape(21, 3), expected, atol=1e-5)


def test_openings_and_quaternions_of_a_chunk_are_passed_on_and_continuous():
    scene = make_scene(40)
    recipe = LAYOUTS["quaternion"]
    rows = build_rows(source_of(scene), Span(0, 30), recipe=recipe, fps=15)

    chunks, _ = chunks_in(recipe, scene)

    np.testing.assert_array_equal(chunks[3, :, 7], rows["observation.state"][4:8, 7])
    q = chunks[:, :, 3:7]
    assert (np.sum(q[:, 1:] * q[:, :-1], axis=-1) > 0).all()


def test_a_rotation_that_lost_an_element_cannot_be_turned():
    with pytest.raises(BadConfig, match="5 of the 6 elements left_r00"):
        chunks_in(Recipe(layout=Layout(drop=("left_r12",))), make_scene(40))


@pytest.mark.parametrize(
    ("required", "counts"),
    [
        ("any", [True, True, True, False]),
        ("none", [True, True, True, False]),
        ("both", [True, False, False, False]),
        ("left", [True, True, False, False]),
        ("right", [True, False, True, False]),
    ],
)
def test_the_required_hands_decide_which_steps_count(required, counts):
    valid = np.array([[True, True], [True, False], [False, True], [False, False]])

    assert steps_that_count(valid, require_hands=required).tolist() == counts
    assert steps_that_count(valid[:, :1], require_hands=required).tolist() == valid[:, 0].tolist()
