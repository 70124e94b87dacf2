from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.lerobot import Recipe
from episode_assets.lerobot.cuts import REASONS, cut_episodes
from episode_assets.lerobot.source import EpisodeSource
from episode_assets.recording import gap_before
from episode_assets_tests.lerobot.archive import make_scene, stamps

ALL_KEYS = Recipe(min_episode_s=0.0)


def source_of(count=60, *, keys_every=5, stamp_ns=None, valid=None):
    scene = make_scene(count, stamp_ns=stamp_ns)
    count = len(scene)
    return EpisodeSource(
        recording_id="scene",
        message_number=scene.message_number,
        stamp_ns=scene.stamp_ns,
        gap_before=gap_before(scene.stamp_ns),
        is_key=np.arange(count) % keys_every == 0,
        world_from_optical=scene.world_from_optical.copy(),
        intrinsics=np.ones((count, 4)),
        has_depth=np.ones(count, bool),
        joints_cam=scene.joints_cam(),
        joint_valid=scene.joint_valid,
        hand_kind=scene.kind,
        hand_confidence=np.ones((count, 2)),
        hand_smoothed=np.zeros((count, 2), bool),
    )


def cut(source, *, recipe=ALL_KEYS, kept=None, valid=None):
    count = len(source)
    valid = np.ones((count, 2), bool) if valid is None else valid
    cuts = cut_episodes(source, kept or [(0, count)], hand_valid=valid, recipe=recipe, fps=15)
    assert sum(cuts.lost.values()) + sum(len(span) for span in cuts.episodes) == count
    return cuts


def ranges(cuts):
    return [(span.start, span.stop) for span in cuts.episodes]


def test_a_recording_without_faults_is_one_episode_and_a_target():
    cuts = cut(source_of(60))

    assert ranges(cuts) == [(0, 59)]
    assert cuts.lost == {"no_next_frame": 1}


def test_a_gap_ends_an_episode_without_a_made_up_action():
    source = source_of(stamp_ns=stamps(60, holes=[30]), keys_every=1)

    cuts = cut(source)

    assert ranges(cuts) == [(0, 29), (30, 59)]
    assert cuts.episodes[0].after == "gap"
    assert cuts.lost == {"no_next_frame": 2}


def test_an_interval_that_ends_inside_the_recording_keeps_its_last_row():
    """The next source frame exists, so the last action has a true target."""
    cuts = cut(source_of(60), kept=[(0, 30), (40, 60)])

    assert ranges(cuts) == [(0, 30), (40, 59)]
    assert cuts.lost == {"not_kept": 10, "no_next_frame": 1}


def test_a_start_between_key_frames_snaps_inward_and_counts_the_loss():
    cuts = cut(source_of(60), kept=[(7, 50)])

    assert ranges(cuts) == [(10, 50)]
    assert cuts.lost["not_a_key_frame"] == 3
    assert cuts.episodes[0].before == "not_a_key_frame"


def test_an_episode_waits_for_the_first_camera_pose():
    source = source_of(60)
    source.world_from_optical[:12] = np.nan

    cuts = cut(source)

    assert ranges(cuts) == [(15, 59)]
    assert cuts.lost == {"no_camera_pose": 12, "not_a_key_frame": 3, "no_next_frame": 1}


def test_rows_in_the_camera_frame_need_no_pose_to_begin():
    source = source_of(60)
    source.world_from_optical[:12] = np.nan

    assert ranges(cut(source, recipe=replace(ALL_KEYS, reference_frame="camera"))) == [(0, 59)]


@pytest.mark.parametrize(
    ("required", "expected"),
    [("any", [(0, 59)]), ("both", [(0, 20), (30, 59)]), ("right", [(0, 20), (30, 59)]), ("left", [(0, 59)])],
)
def test_a_long_run_without_a_required_hand_ends_the_episode(required, expected):
    valid = np.ones((60, 2), bool)
    valid[20:30, 1] = False

    cuts = cut(source_of(60), recipe=replace(ALL_KEYS, require_hands=required), valid=valid)

    assert ranges(cuts) == expected


def test_a_run_within_the_bridging_limit_stays():
    valid = np.ones((60, 2), bool)
    valid[20:23] = False  # 3 frames of 1/15 s are 0.2 s

    assert ranges(cut(source_of(60), valid=valid)) == [(0, 59)]
    valid[23] = False
    assert ranges(cut(source_of(60), valid=valid)) == [(0, 20), (25, 59)]


def test_short_pieces_are_dropped_and_counted():
    cuts = cut(source_of(60), recipe=Recipe(min_episode_s=1.0), kept=[(0, 10), (20, 60)])

    assert ranges(cuts) == [(20, 59)]
    assert cuts.lost["too_short"] == 10


def test_a_missing_picture_cuts_where_the_grid_breaks():
    source = source_of(stamp_ns=stamps(60, holes=[30], hole_frames=1))

    cuts = cut(source)

    assert ranges(cuts) == [(0, 29), (30, 59)]
    assert cuts.episodes[0].after == "off_grid"


@settings(max_examples=80, deadline=None)
@given(
    keys=st.lists(st.booleans(), min_size=60, max_size=60),
    lost_hands=st.sets(st.integers(0, 59)),
    lost_poses=st.sets(st.integers(0, 59)),
    holes=st.sets(st.integers(1, 59), max_size=4),
    edges=st.lists(st.integers(0, 60), min_size=4, max_size=4, unique=True),
)
def test_every_cut_keeps_its_promises(keys, lost_hands, lost_poses, holes, edges):
    source = source_of(stamp_ns=stamps(60, holes=sorted(holes)))
    source = replace(source, is_key=np.array(keys))
    source.world_from_optical[sorted(lost_poses)] = np.nan
    valid = np.ones((60, 2), bool)
    valid[sorted(lost_hands)] = False
    a, b, c, d = sorted(edges)

    cuts = cut(source, recipe=Recipe(min_episode_s=0.2), kept=[(a, b), (c, d)], valid=valid)

    following = 0
    for span in cuts.episodes:
        assert span.start >= following and len(span) >= 3
        assert source.is_key[span.start] and source.has_pose[span.start]
        assert not source.gap_before[span.start + 1 : span.stop + 1].any()
        assert (a <= span.start and span.stop <= b) or (c <= span.start and span.stop <= d)
        assert span.stop < len(source)
        following = span.stop
    assert set(cuts.lost) <= set(REASONS)
