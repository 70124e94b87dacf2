"""The layouts of one hand: 8 state and 7 action numbers, and the one that follows another system bit for bit."""

from dataclasses import replace

import numpy as np
import pytest

from episode_assets.geometry import euler_to_matrix, rotation_exp
from episode_assets.lerobot.cuts import Span, cut_episodes
from episode_assets.lerobot.grip import bend_grip, grip_of_angle, mano_grip, pinch_grip
from episode_assets.lerobot.one_hand import one_hand_actions, one_hand_states
from episode_assets_tests.lerobot.archive import make_scene, right_hand, rotation_about
from episode_assets_tests.lerobot.test_layouts import column_of, recipe_of, rows_of, some_mano
from episode_assets_tests.lerobot.test_rows import source_of

NAMES = ("x", "y", "z", "roll", "pitch", "yaw", "pad", "gripper")


def written_out(states):
    """The definition row by row: float32 differences of positions, rotations composed one pair at a time."""
    from scipy.spatial.transform import Rotation

    actions = np.zeros((len(states), 7), dtype=np.float32)
    for t in range(len(states) - 1):
        actions[t, 0:3] = states[t + 1, 0:3] - states[t, 0:3]
        now = Rotation.from_euler("xyz", states[t, 3:6])
        then = Rotation.from_euler("xyz", states[t + 1, 3:6])
        actions[t, 3:6] = (then * now.inv()).as_euler("xyz")
        actions[t, 6] = states[t + 1, 7]
    actions[-1, 6] = states[-1, 7]
    return actions


def test_actions_are_those_of_the_definition_bit_for_bit():
    from scipy.spatial.transform import Rotation

    generator = np.random.default_rng(5)
    position = np.cumsum(generator.normal(scale=0.01, size=(400, 3)), axis=0)
    rotation = rotation_exp(np.cumsum(generator.normal(scale=0.05, size=(400, 3)), axis=0))
    states = one_hand_states(position, rotation, generator.uniform(-1, 1, 400))

    assert states.dtype == np.float32
    angles = np.stack([Rotation.from_matrix(one).as_euler("xyz") for one in rotation])
    np.testing.assert_array_equal(states[:, 3:6], angles.astype(np.float32))
    np.testing.assert_array_equal(one_hand_actions(states), written_out(states))


def test_a_still_hand_has_the_noise_of_the_definition_and_no_other():
    states = np.tile(np.array([0.1, 0.2, 0.3, 0.4, -0.5, 0.6, 0.0, 1.0], np.float32), (5, 1))

    np.testing.assert_array_equal(one_hand_actions(states).view(np.int32), written_out(states).view(np.int32))


@pytest.mark.parametrize("hand", ["left", "right"])
def test_rows_of_a_recording_are_bit_equal_on_dense_input(hand):
    recipe = recipe_of("data_juicer", hand=hand, reference_frame="world")
    scene = make_scene(60)

    rows = rows_of(recipe, scene=scene, span=Span(10, 60))

    state = rows["observation.state"]
    assert column_of(recipe, "observation.state").names == NAMES
    assert column_of(recipe, "action").names == (*NAMES[:6], "gripper")
    np.testing.assert_array_equal(rows["action"], written_out(state))
    np.testing.assert_allclose(state[:, :3], scene.joints_world[10:, int(hand == "right"), 0], atol=1e-6)
    assert (state[:, 6] == 0).all() and len(state) == 50
    np.testing.assert_array_equal(rows["action"][-1, :6], 0)
    assert rows["action"][-1, 6] == state[-1, 7] and not rows["valid.action"][-1].any()


def test_a_missing_hand_takes_no_step_across_its_hole():
    scene = make_scene(60)
    scene.kind[20:25, 1] = 0

    rows = rows_of(recipe_of("data_juicer"), scene=scene)

    np.testing.assert_array_equal(rows["action"][9:15, :6], 0)
    assert np.abs(rows["action"][[8, 15], :3]).max() > 1e-4
    assert rows["valid.action"][8:16, 1].tolist() == [True] + [False] * 6 + [True]


def test_the_plain_layout_of_one_hand_knows_its_last_step_and_true_time():
    recipe = recipe_of("one_hand", reference_frame="world")
    scene = make_scene(60)

    rows = rows_of(recipe, scene=scene)

    state, action = rows["observation.state"].astype(float), rows["action"].astype(float)
    np.testing.assert_allclose(
        euler_to_matrix(action[:-1, 3:6]) @ euler_to_matrix(state[:-1, 3:6]),
        euler_to_matrix(state[1:, 3:6]),
        atol=1e-5,
    )
    assert np.abs(action[-1, :3]).max() > 1e-4 and rows["valid.action"][-1].all()


def test_angles_next_to_a_quarter_turn_are_marked():
    scene = make_scene(60)
    upright = rotation_about((0, 1, 0), np.pi / 2)
    scene.joints_world[20] = right_hand() @ upright.T + scene.joints_world[20, :, :1]

    rows = rows_of(recipe_of("one_hand", reference_frame="world"), scene=scene)

    assert np.flatnonzero(rows["hand.near_gimbal_lock"][:, 1]).tolist() == [10]


def curled(angle):
    """Return a hand whose 15 joints are bent by one angle each."""
    joints = np.zeros((21, 3))
    for finger in range(5):
        direction = rotation_about((0, 0, 1), 0.2 * finger - 0.4) @ np.array([1.0, 0, 0])
        axis = np.cross(direction, [0, 0, 1.0])
        at = np.zeros(3)
        for bone in range(4):
            at = at + 0.03 * rotation_about(axis, angle * bone) @ direction
            joints[1 + 4 * finger + bone] = at
    return joints


@pytest.mark.parametrize(
    ("angle", "opening"), [(0.0, 1.0), (0.15, 1.0), (0.375, 0.0), (0.6, -1.0), (1.2, -1.0), (0.2625, 0.5)]
)
def test_bends_tell_how_far_a_hand_is_open(angle, opening):
    assert bend_grip(curled(angle)[None])[0] == pytest.approx(opening, abs=1e-6)
    fingers = rotation_exp(np.tile([0.0, angle, 0.0], (1, 15, 1)))
    assert mano_grip(fingers)[0] == pytest.approx(opening, abs=1e-6)
    assert grip_of_angle(angle) == pytest.approx(opening)


@pytest.mark.parametrize(
    ("distance", "opening"), [(0.08, 1.0), (0.2, 1.0), (0.02, -1.0), (0.0, -1.0), (0.05, 0.0)]
)
def test_a_pinch_is_the_distance_of_two_tips_over_the_width_of_the_hand(distance, opening):
    joints = np.zeros((1, 21, 3))
    joints[0, 4, 0], joints[0, 5, 1] = distance, 0.08

    assert pinch_grip(joints)[0] == pytest.approx(opening)


def test_a_hand_with_an_unseen_finger_has_a_masked_opening_and_a_measured_wrist():
    scene = make_scene(60)
    scene.joint_valid[20, 1, 12] = False

    rows = rows_of(recipe_of(grip="bend"), scene=scene)

    assert rows["valid.right"][10] and not rows["valid.grip"][10, 1] and rows["valid.grip"][10, 0]
    assert rows["valid.grip_step"][:, 1].tolist().count(False) == 2


def test_openings_of_mano_stand_in_the_rows():
    mano = some_mano(60)

    rows = rows_of(recipe_of(grip="mano"), mano=mano)

    place = column_of(recipe_of(grip="mano"), "observation.state").names.index("left_grip")
    np.testing.assert_allclose(
        rows["observation.state"][:, place], mano_grip(mano.fingers[10:40, 0]), atol=1e-6
    )


def test_only_the_layout_of_the_other_system_keeps_a_row_without_a_next_frame():
    source = source_of(make_scene(60))
    seen = np.ones((60, 2), bool)

    ends = {
        state: cut_episodes(source, [(0, 60)], hand_valid=seen, recipe=recipe_of(state), fps=15)
        .episodes[0]
        .stop
        for state in ("one_hand", "data_juicer")
    }

    assert ends == {"one_hand": 59, "data_juicer": 60}


@pytest.mark.parametrize(
    ("recipe", "required"),
    [
        (recipe_of(), "any"),
        (recipe_of("one_hand"), "right"),
        (recipe_of("data_juicer", hand="left"), "left"),
        (recipe_of(drop=("left",)), "right"),
        (recipe_of("camera"), "none"),
    ],
)
def test_only_hands_that_actions_hold_are_required(recipe, required):
    assert recipe.required_hands == required
    assert replace(recipe, require_hands="none").required_hands == "none"
