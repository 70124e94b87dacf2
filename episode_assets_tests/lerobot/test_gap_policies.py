"""What an episode does where time is missing: frames that were never recorded, hands that were not seen."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.geometry import rot6d_to_matrix, rotation_angle
from episode_assets.lerobot import Recipe
from episode_assets.lerobot.cuts import cut_episodes
from episode_assets.lerobot.fragment import FragmentReader
from episode_assets.lerobot.hand_interpolation import with_bridged_hands
from episode_assets.lerobot.recipe_gaps import GapChoice
from episode_assets.lerobot.recipe_layout import Layout
from episode_assets.lerobot.rows import build_rows, usable_hands
from episode_assets_tests.lerobot.archive import make_scene, rotation_about, stamps, write_artifacts

HOLE = 30
"""The frame behind the missing ones."""


def recipe_with(policy, *, max_s=0.2, **choices):
    return Recipe(
        min_episode_s=0.0, reference_frame="world", gaps=GapChoice(policy=policy, max_s=max_s), **choices
    )


def even_scene(*, hole_frames, count=60):
    """Return a recording in which both wrists move and turn evenly in time, with pictures missing before `HOLE`."""
    scene = make_scene(stamp_ns=stamps(count, holes=[HOLE], hole_frames=hole_frames))
    seconds = (scene.stamp_ns - scene.stamp_ns[0]) / 1e9
    turn = rotation_about((0.2, 1, -0.4), 0.8 * seconds)
    hands = make_scene(2).joints_world[0] - make_scene(2).joints_world[0][:, :1]
    joints = np.einsum("fij,hkj->fhki", turn, hands) + (seconds[:, None] * [0.3, 0.1, -0.2])[:, None, None]
    return replace(scene, joints_world=joints)


def episodes_of(scene, recipe):
    source = scene.source()
    _, valid = usable_hands(source, reference_frame=recipe.reference_frame)
    cuts = cut_episodes(source, [(0, len(source))], hand_valid=valid, recipe=recipe, fps=15)
    rows = [build_rows(source, span, recipe=recipe, fps=15) for span in cuts.episodes]
    return cuts, rows


@pytest.mark.parametrize(("hole_frames", "why"), [(1, "off_grid"), (4, "gap")])
def test_missing_frames_split_by_default(hole_frames, why):
    cuts, _ = episodes_of(even_scene(hole_frames=hole_frames), recipe_with("split"))

    first, second = cuts.episodes
    assert (first.stop, second.start) == (HOLE - 1, HOLE) and first.breaks == ()
    assert second.before == why


@pytest.mark.parametrize("hole_frames", [1, 4])
def test_masked_rows_stay_and_the_action_across_is_invalid(hole_frames):
    cuts, (rows,) = episodes_of(even_scene(hole_frames=hole_frames), recipe_with("mask"))

    (span,) = cuts.episodes
    assert (span.start, span.stop, span.breaks) == (0, 59, (HOLE,))
    invalid = np.flatnonzero(~rows["valid.action"].all(axis=1))
    assert invalid.tolist() == [HOLE - 1]
    assert rows["valid.left"].all() and rows["source.dt_ns"][HOLE - 1] > 1.9e9 / 15


def test_a_masked_step_is_a_zero_delta():
    recipe = recipe_with("mask", layout=Layout(action="delta", rotation="rotation_vector"))

    _, (rows,) = episodes_of(even_scene(hole_frames=1), recipe)

    assert not rows["action"][HOLE - 1].any() and rows["action"][HOLE].any()


def test_a_bridged_step_is_told_for_one_period_of_the_way():
    """1 cm per frame stays 1 cm per frame; upstream makes .10 of it where ten frames are missing."""
    recipe = recipe_with("interpolate", layout=Layout(action="delta", rotation="rotation_vector"))

    _, (rows,) = episodes_of(even_scene(hole_frames=1), recipe)

    assert rows["valid.action"].all()
    np.testing.assert_allclose(rows["action"][HOLE - 1], rows["action"][HOLE - 2], atol=2e-6)


def test_a_bridged_target_lies_one_period_ahead():
    _, (rows,) = episodes_of(even_scene(hole_frames=1), recipe_with("interpolate"))

    step = rows["action"] - rows["observation.state"]
    position = step.reshape(-1, 2, 9)[:, :, :3]
    np.testing.assert_allclose(position[HOLE - 1], position[HOLE - 2], atol=2e-6)
    now, then = (
        rot6d_to_matrix(rows[key].reshape(-1, 2, 9)[..., 3:]) for key in ("observation.state", "action")
    )
    turned = rotation_angle(np.swapaxes(now, -1, -2) @ then)
    np.testing.assert_allclose(turned, 0.8 / 15, atol=1e-4)


def test_a_gap_beyond_the_limit_splits_even_where_gaps_are_interpolated():
    cuts, _ = episodes_of(even_scene(hole_frames=4), recipe_with("interpolate"))

    assert [span.start for span in cuts.episodes] == [0, HOLE]
    cuts, (rows,) = episodes_of(even_scene(hole_frames=4), recipe_with("interpolate", max_s=0.4))
    assert rows["valid.action"].all() and cuts.episodes[0].breaks == (HOLE,)


def test_no_step_is_bridged_from_a_hand_that_was_not_measured():
    scene = even_scene(hole_frames=1)
    scene.kind[HOLE, 0] = 0

    _, (rows,) = episodes_of(scene, recipe_with("interpolate"))

    assert rows["valid.action"][HOLE - 1].tolist() == [False, True]
    assert np.isfinite(rows["action"]).all()


def without_hand(scene, frames, side=0):
    joints = scene.joints_cam()
    joints[frames, side] = np.nan
    kind = scene.kind.copy()
    kind[frames, side] = 0
    return scene.source(joints_cam=joints, hand_kind=kind)


def test_a_lost_hand_moves_on_as_a_rigid_body_and_is_marked():
    scene = even_scene(hole_frames=0)
    source = without_hand(scene, slice(20, 23))

    filled = with_bridged_hands(source, max_s=0.2)

    np.testing.assert_allclose(filled.joints_cam[20:23], scene.joints_cam()[20:23], atol=1e-9)
    assert filled.hand_kind[19:24, 0].tolist() == [1, 2, 2, 2, 1]
    _, valid = usable_hands(filled, reference_frame="world")
    assert not valid[20:23, 0].any() and valid[20:23, 1].all()
    assert np.isnan(source.joints_cam[20, 0]).all()


@pytest.mark.parametrize(
    "change",
    [
        {"frames": slice(20, 24)},
        {"frames": slice(0, 2)},
        {"frames": slice(58, 60)},
        {"frames": slice(20, 22), "no_pose": 20},
        {"frames": slice(20, 22), "gap": 21},
    ],
    ids=["too long", "before the first", "behind the last", "no camera pose", "across a gap"],
)
def test_no_hand_is_made_up_elsewhere(change):
    scene = even_scene(hole_frames=0)
    if "no_pose" in change:
        scene.world_from_optical[change["no_pose"]] = np.nan
    source = without_hand(scene, change["frames"])
    if "gap" in change:
        source.gap_before[change["gap"]] = True

    filled = with_bridged_hands(source, max_s=0.2)

    assert (filled.hand_kind == source.hand_kind).all()
    np.testing.assert_array_equal(filled.joints_cam, source.joints_cam)


@pytest.mark.parametrize(("policy", "kind"), [("interpolate", 2), ("mask", 3)])
def test_a_fragment_says_which_numbers_were_interpolated(tmp_path, policy, kind):
    scene = make_scene(60)
    scene.kind[20:22, 0] = 0
    recipe = recipe_with(policy)

    write_artifacts(tmp_path, scene).fragment(tmp_path / "out", recipe=recipe)

    rows = pq.read_table(tmp_path / "out/rows.parquet").to_pydict()
    assert [row[0] for row in rows["source.hand_kind"][19:23]] == [1, kind, kind, 1]
    assert rows["valid.left"][19:23] == [True, False, False, True]


@pytest.mark.parametrize(("policy", "lengths", "invalid"), [("split", [19, 19], 0), ("mask", [39], 1)])
def test_resampled_rows_follow_the_same_policies(tmp_path, policy, lengths, invalid):
    scene = make_scene(stamp_ns=stamps(60, holes=[HOLE], hole_frames=4))
    recipe = replace(recipe_with(policy), timing="resample", fps=10)

    fragment, _ = write_artifacts(tmp_path, scene).fragment(tmp_path / "out", recipe=recipe)

    rows = pq.read_table(tmp_path / "out/rows.parquet").to_pydict()
    assert [episode["length"] for episode in FragmentReader.open(fragment, recipe=recipe).episodes] == lengths
    lost = [row for row, valid in enumerate(rows["valid.action"]) if not all(valid)]
    assert len(lost) == invalid and all(rows["source.dt_ns"][row] > 0.2e9 for row in lost)
