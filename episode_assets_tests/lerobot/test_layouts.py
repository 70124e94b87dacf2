from dataclasses import replace

import numpy as np
import pytest

from episode_assets.errors import BadConfig
from episode_assets.geometry import (
    euler_to_matrix,
    quaternion_to_matrix,
    rot6d_to_matrix,
    rotation_exp,
    rotation_log,
)
from episode_assets.lerobot import Recipe
from episode_assets.lerobot.columns import data_columns, fragment_columns
from episode_assets.lerobot.cuts import Span
from episode_assets.lerobot.recipe_layout import Layout
from episode_assets.lerobot.rows import build_rows
from episode_assets.lerobot.source import ManoHands
from episode_assets.lerobot.statistics import element_masks
from episode_assets_tests.lerobot.archive import make_scene, rotation_about, stamps
from episode_assets_tests.lerobot.test_rows import source_of

SPAN = Span(10, 40)
COUNT = len(SPAN)


def recipe_of(state="bimanual", *, reference_frame="episode", **layout):
    return Recipe(state=state, reference_frame=reference_frame, layout=Layout(**layout))


def rows_of(recipe, *, scene=None, span=SPAN, fps=15, mano=None):
    source = replace(source_of(make_scene(60) if scene is None else scene), mano=mano)
    return build_rows(source, span, recipe=recipe, fps=fps)


def column_of(recipe, key):
    return next(column for column in data_columns(recipe) if column.key == key)


def some_mano(frames):
    turns = np.random.default_rng(3).normal(scale=0.3, size=(frames, 2, 16, 3))
    rotations = rotation_exp(turns)
    return ManoHands(rotations[:, :, 0], rotations[:, :, 1:], np.full((frames, 2, 10), 0.5))


CHOICES = [
    {"state": "bimanual"},
    {"state": "bimanual", "grip": "bend"},
    {"state": "bimanual", "grip": "pinch", "action": "delta", "step_rotation": "rot6d"},
    {"state": "bimanual", "rotation": "quaternion", "action": "velocity"},
    {
        "state": "bimanual",
        "rotation": "euler",
        "action": "delta",
        "step_frame": "body",
        "step_rotation": "euler",
    },
    {"state": "bimanual", "rotation": "rotation_vector", "drop": ("left", "right_rotation")},
    {"state": "bimanual", "wrist_axes": "mano", "grip": "mano", "extra": ("mano", "handedness", "imu")},
    {"state": "one_hand"},
    {"state": "one_hand", "hand": "left", "grip": "pinch"},
    {"state": "data_juicer"},
    {"state": "joints"},
    {"state": "joints", "action": "delta", "step_frame": "body"},
    {"state": "mano", "action": "delta"},
    {"state": "camera", "rotation": "euler"},
    {"state": "camera", "action": "delta"},
]


@pytest.mark.parametrize("frame", ["episode", "camera", "world"])
@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: "-".join(map(str, choice.values())))
def test_every_layout_fills_its_columns_with_finite_numbers_of_the_right_width(choice, frame):
    recipe = recipe_of(reference_frame=frame, **choice)
    scene = make_scene(60)
    scene.kind[15:20, 0] = 0
    scene.kind[20, 1] = 2
    source = replace(
        source_of(scene), mano=some_mano(60), handedness=np.full((60, 2), 0.9), imu=np.full((60, 6), 0.5)
    )

    rows = build_rows(source, SPAN, recipe=recipe, fps=15)

    for column in fragment_columns(recipe):
        values = rows[column.key]
        assert values.reshape(COUNT, -1).shape == (COUNT, column.width), column.key
        assert values.dtype == column.dtype, column.key
        assert np.isfinite(values).all(), column.key
        assert element_masks(column, rows).shape == (COUNT, column.width)
        assert column.names is None or len(set(column.names)) == column.width
    assert [g.start for g in column_of(recipe, "action").groups[1:]] == [
        g.stop for g in column_of(recipe, "action").groups[:-1]
    ]


@pytest.mark.parametrize(
    ("form", "back"),
    [
        ("rot6d", rot6d_to_matrix),
        ("quaternion", quaternion_to_matrix),
        ("rotation_vector", rotation_exp),
        ("euler", euler_to_matrix),
    ],
)
def test_every_form_of_a_rotation_leads_back_to_the_same_rotation(form, back):
    plain = rows_of(recipe_of())["observation.state"][:, 3:9]

    recipe = recipe_of(rotation=form)
    state = rows_of(recipe)["observation.state"]

    group = next(g for g in column_of(recipe, "observation.state").groups if g.name == "left_rotation")
    assert group.rotation == form
    np.testing.assert_allclose(back(state[:, group.start : group.stop]), rot6d_to_matrix(plain), atol=1e-5)


def test_quaternions_of_a_hand_never_jump_and_targets_follow_states():
    scene = make_scene(stamp_ns=stamps(300))
    turn = rotation_about((0, 0, 1), 0.2 * np.arange(300))
    scene = replace(scene, joints_world=np.einsum("fij,fhkj->fhki", turn, scene.joints_world))

    rows = rows_of(recipe_of(rotation="quaternion"), scene=scene, span=Span(0, 299))

    q = rows["observation.state"][:, 3:7]
    assert (np.sum(q[1:] * q[:-1], axis=1) > 0).all() and (q[:, 3] < 0).any()
    np.testing.assert_array_equal(rows["action"][:-1], rows["observation.state"][1:])


def wrist(scene, frame, side=1):
    joints = scene.joints_world[frame, side]
    return joints[0], joints


@pytest.mark.parametrize("axes", ["world", "body"])
def test_a_delta_leads_from_one_state_to_the_next(axes):
    recipe = recipe_of(reference_frame="world", action="delta", step_frame=axes)
    rows = rows_of(recipe)

    state, action = rows["observation.state"].astype(float), rows["action"].astype(float)
    now, then = rot6d_to_matrix(state[:-1, 12:18]), rot6d_to_matrix(state[1:, 12:18])
    moved, turned = action[:-1, 6:9], rotation_exp(action[:-1, 9:12])
    if axes == "body":
        np.testing.assert_allclose(now @ turned, then, atol=1e-5)
        moved = (now @ moved[:, :, None])[:, :, 0]
    else:
        np.testing.assert_allclose(turned @ now, then, atol=1e-5)
    np.testing.assert_allclose(state[:-1, 9:12] + moved, state[1:, 9:12], atol=1e-6)


def test_a_late_picture_is_no_fast_hand():
    even = stamps(60)
    late = even.copy()
    late[21:] += 13_000_000
    scene = make_scene(60)

    told = rows_of(recipe_of(action="delta"), scene=replace(scene, stamp_ns=late))["action"]
    plain = rows_of(recipe_of(action="delta"), scene=replace(scene, stamp_ns=even))["action"]

    ratio = (1 / 15) / ((late[21] - late[20]) / 1e9)
    np.testing.assert_allclose(told[10], plain[10] * ratio, rtol=1e-4)
    np.testing.assert_allclose(told[11:], plain[11:], rtol=1e-4, atol=1e-7)


def test_velocities_are_per_second():
    delta = rows_of(recipe_of(action="delta"))["action"]

    velocity = rows_of(recipe_of(action="velocity"))["action"]

    np.testing.assert_allclose(velocity, delta * 15, rtol=1e-4, atol=1e-6)


def test_no_step_crosses_a_gap():
    scene = make_scene(stamp_ns=stamps(60, holes=[20]))

    rows = rows_of(recipe_of(action="delta"), scene=scene)

    assert (
        not rows["valid.action"][9].any() and rows["valid.action"][8].all() and rows["valid.action"][10].all()
    )
    np.testing.assert_array_equal(rows["action"][9], 0)


def test_a_row_that_repeats_a_frame_has_no_measured_step():
    frames = np.array([10, 11, 11, 12, 13])
    source = source_of(make_scene(60))

    rows = build_rows(source, Span(10, 14), recipe=recipe_of(action="delta"), fps=15, frames=frames)

    assert rows["valid.action"][:, 0].tolist() == [True, False, True, True]
    assert rows["source.frame_index"].tolist() == [10, 11, 11, 12]
    np.testing.assert_array_equal(rows["action"][1], 0)


def test_a_step_of_a_missing_hand_is_zero_and_masked():
    scene = make_scene(60)
    scene.kind[20, 0] = 0

    rows = rows_of(recipe_of(action="delta"), scene=scene)

    assert rows["valid.action"][8:12, 0].tolist() == [True, False, False, True]
    np.testing.assert_array_equal(rows["action"][9:11, :6], 0)
    assert np.abs(rows["action"][9:11, 6:]).max() > 1e-4


def test_joints_are_masked_one_by_one_in_states_and_in_steps():
    scene = make_scene(60)
    scene.joint_valid[20, 1, 8] = False
    recipe = recipe_of("joints")

    rows = rows_of(recipe, scene=scene)

    place = column_of(recipe, "observation.state").names.index("right_08_x")
    state = element_masks(column_of(recipe, "observation.state"), rows)[:, place]
    action = element_masks(column_of(recipe, "action"), rows)[:, place]
    assert np.flatnonzero(~state).tolist() == [10] and np.flatnonzero(~action).tolist() == [9, 10]
    np.testing.assert_array_equal(rows["observation.state"], rows["hand.joints"])
    np.testing.assert_array_equal(rows["action"][:-1], rows["observation.state"][1:])


def test_the_camera_can_be_what_moves():
    recipe = recipe_of("camera", rotation="quaternion")
    scene = make_scene(60)
    scene.world_from_optical[20] = np.nan
    source = replace(source_of(scene), joints_cam=source_of(make_scene(60)).joints_cam)

    rows = build_rows(source, SPAN, recipe=recipe, fps=15)

    np.testing.assert_allclose(rows["observation.state"], rows["camera.pose"], atol=1e-6)
    masks = element_masks(column_of(recipe, "action"), rows)
    assert np.flatnonzero(~masks[:, 0]).tolist() == [9, 10]


def test_mano_gives_the_axes_of_the_wrist_and_the_fingers():
    mano = some_mano(60)
    scene = make_scene(60)
    recipe = recipe_of("mano", wrist_axes="mano", rotation="rotation_vector", reference_frame="world")

    rows = rows_of(recipe, scene=scene, mano=mano)

    state = rows["observation.state"].reshape(COUNT, 2, 51)
    world = scene.world_from_optical[10:40, None, :3, :3] @ mano.orientation[10:40]
    np.testing.assert_allclose(rotation_exp(state[:, :, 3:6]), world, atol=1e-5)
    np.testing.assert_allclose(
        state[:, :, 6:].reshape(COUNT, 2, 15, 3), rotation_log(mano.fingers[10:40]), atol=1e-5
    )


def test_a_hand_whose_network_said_nothing_is_masked_in_the_layout_of_mano():
    mano = some_mano(60)
    mano.orientation[20, 0], mano.fingers[20, 0] = np.nan, np.nan

    rows = rows_of(recipe_of("mano"), mano=mano)

    assert not rows["valid.mano"][10, 0] and rows["valid.left"][10]
    assert rows["valid.mano_step"][:, 0].tolist().count(False) == 2


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"drop": ("left_grp",), "grip": "bend"}, "left_grip"),
        ({"drop": ("left", "right")}, "drop fewer"),
        ({"state": "one_hand", "action": "delta"}, "fixed"),
        ({"state": "data_juicer", "grip": "none"}, "bend"),
        ({"state": "joints", "grip": "bend"}, "none"),
        ({"extra": ("betas",)}, "handedness"),
    ],
)
def test_choices_that_a_layout_does_not_have_are_refused(choice, words):
    with pytest.raises(BadConfig, match=words):
        recipe_of(**choice)


def test_dropped_elements_leave_state_and_action_together_with_their_masks():
    recipe = recipe_of(grip="bend", drop=("left_rotation", "right_grip"))
    column = column_of(recipe, "observation.state")

    assert column.names[:4] == ("left_x", "left_y", "left_z", "left_grip") and len(column.names) == 13
    assert [group.name for group in column.groups] == [
        "left_position",
        "left_grip",
        "right_position",
        "right_rotation",
    ]
    full = rows_of(recipe_of(grip="bend"))["observation.state"]
    np.testing.assert_array_equal(rows_of(recipe)["observation.state"][:, 4:], full[:, 10:19])
