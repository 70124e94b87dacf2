"""Tracks after the fact: cuts between chunks, short holes, votes on sides, and whose hand it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from episode_assets.hands.filling import find_holes
from episode_assets.hands.joining import Piece, bridge, stitch, without_short, without_weak_ends
from episode_assets.hands.sides import decide_owners
from episode_assets.hands.sightings import Sightings, join_sightings, no_sightings

F, W, H = 600.0, 1280, 720
K = np.array([[F, 0, W / 2], [0, F, H / 2], [0, 0, 1]])


def hand(*, side: str = "right", forearm: tuple[float, float] = (0.0, 1.0)) -> np.ndarray:
    """(21, 3) metres: an upright hand turned so that its forearm leaves along the given direction."""
    joints = np.zeros((21, 3))
    thumb = -1 if side == "right" else 1
    joints[1:5, 0], joints[1:5, 1] = (
        thumb * np.array([0.03, 0.05, 0.065, 0.075]),
        [-0.02, -0.045, -0.065, -0.085],
    )
    for finger, x in enumerate((0.03, 0.01, -0.012, -0.03)):
        joints[5 + 4 * finger : 9 + 4 * finger, 0] = thumb * x
        joints[5 + 4 * finger : 9 + 4 * finger, 1] = -0.085 - 0.027 * np.arange(4)
    down = np.array(forearm) / np.hypot(*forearm)
    across = np.array([down[1], -down[0]])
    return np.stack(
        [
            joints[:, 0] * across[0] + joints[:, 1] * down[0],
            joints[:, 0] * across[1] + joints[:, 1] * down[1],
            joints[:, 2],
        ],
        axis=1,
    )


def rows(
    track: int,
    positions: range | list[int],
    *,
    at: tuple[float, float] = (0.15, 0.2),
    z: float = 0.5,
    right: float = 0.9,
    forearm: tuple[float, float] = (0.3, 1.0),
    presence: float = 0.9,
) -> Sightings:
    """A still hand whose wrist is `at` metres right of and below the optical axis, `z` away."""
    count = len(positions)
    shape = hand(forearm=forearm)
    place = shape + np.array([*at, z])
    pixels = place[:, :2] / z * F + [W / 2, H / 2]
    side = 2.5 * np.ptp(pixels, axis=0).max()
    return replace(
        no_sightings(),
        track=np.full(count, track, np.int64),
        position=np.array(list(positions), np.int64),
        region=np.tile([*pixels.mean(axis=0), side, 0.1], (count, 1)).astype(np.float32),
        joints_px=np.tile(pixels, (count, 1, 1)).astype(np.float32),
        shape_m=np.tile(shape, (count, 1, 1)).astype(np.float32),
        presence=np.full(count, presence, np.float32),
        right=np.full(count, right, np.float32),
        depth_m=np.full((count, 21), np.nan, np.float32),
        mano=np.zeros((count, 0), np.float32),
    )


def owners(*tracks: Sightings):
    table = join_sightings(tracks).sorted()
    return table, decide_owners(table, np.tile(K, (len(table), 1, 1)), reach_m=1.2)


def test_a_track_over_a_cut_is_one_track_and_each_frame_comes_from_its_own_chunk():
    first = Piece(rows(0, range(14), presence=0.8), 0, 10)
    second = Piece(rows(3, range(6, 20), presence=0.9), 10, 20)

    table = stitch([first, second])

    assert set(table.track) == {0}
    np.testing.assert_array_equal(table.position, range(20))
    np.testing.assert_allclose(table.presence, [0.8] * 10 + [0.9] * 10, rtol=1e-6)


def test_two_hands_over_a_cut_are_not_mixed_up():
    left, right = {"at": (-0.2, 0.2)}, {"at": (0.2, 0.2)}
    first = Piece(join_sightings([rows(0, range(14), **left), rows(1, range(14), **right)]), 0, 10)
    second = Piece(join_sightings([rows(0, range(6, 20), **right), rows(1, range(6, 20), **left)]), 10, 20)

    table = stitch([first, second])

    for track in (0, 1):
        assert np.ptp(table.joints_px[table.track == track, 0, 0]) < 1


def test_chunks_that_share_no_frames_share_no_tracks():
    table = stitch([Piece(rows(0, range(10)), 0, 10), Piece(rows(0, range(10, 20)), 10, 20)])

    assert set(table.track) == {0, 1}


def test_a_short_hole_joins_two_tracks_and_a_long_one_does_not():
    run = np.zeros(100, np.int64)
    short = join_sightings([rows(0, range(10)), rows(1, range(15, 25))])
    long = join_sightings([rows(0, range(10)), rows(1, range(16, 25))])

    assert set(bridge(short, run=run, max_hole_frames=5).track) == {0}
    assert set(bridge(long, run=run, max_hole_frames=5).track) == {0, 1}


def test_a_hole_is_never_bridged_across_a_gap_to_another_place_or_to_the_other_hand():
    first = rows(0, range(10))
    one_run, two_runs = np.zeros(30, np.int64), (np.arange(30) >= 11).astype(np.int64)

    for second, run in (
        (rows(1, range(12, 20)), two_runs),
        (rows(1, range(12, 20), at=(-0.3, 0.2)), one_run),
        (rows(1, range(12, 20), right=0.1), one_run),
        (rows(1, range(12, 20), z=1.0, at=(0.3, 0.4)), one_run),
    ):
        assert set(bridge(join_sightings([first, second]), run=run, max_hole_frames=5).track) == {0, 1}


def test_tracks_of_fewer_than_five_frames_are_dropped():
    table = join_sightings([rows(0, range(4)), rows(1, range(5))])

    assert set(without_short(table, min_frames=5).track) == {1}


def test_a_doubtful_row_is_kept_between_sure_ones_and_cut_off_at_the_ends():
    presence = [0.6, 0.45, 0.9, 0.45, 0.9, 0.6, 0.45, 0.6]
    table = replace(rows(0, range(8)), presence=np.array(presence, np.float32))

    kept = without_weak_ends(table, sure=0.7, passable=0.5)

    np.testing.assert_array_equal(kept.position, [2, 3, 4, 5])


def test_a_track_without_a_sure_row_keeps_what_lies_between_its_passable_ones():
    table = replace(rows(0, range(5)), presence=np.array([0.4, 0.6, 0.4, 0.6, 0.4], np.float32))

    np.testing.assert_array_equal(without_weak_ends(table, sure=0.7, passable=0.5).position, [1, 2, 3])


def test_a_hole_is_filled_on_the_line_between_its_ends_in_time():
    holes = find_holes(
        np.array([0, 0]),
        np.array([0, 3]),
        stamps_ns=np.array([0, 10, 40, 100]),
        run=np.zeros(4, np.int64),
        is_decodable=np.array([True, True, True, True]),
        max_frames=5,
    )

    np.testing.assert_array_equal(holes.position, [1, 2])
    np.testing.assert_allclose(holes.between(np.array([[0.0], [10.0]])), [[1.0], [4.0]])


def test_holes_are_not_filled_between_tracks_over_gaps_or_where_no_picture_is():
    common = {"stamps_ns": np.arange(20) * 10, "max_frames": 5}
    everywhere, one_run = np.ones(20, bool), np.zeros(20, np.int64)
    two_runs = (np.arange(20) >= 4).astype(np.int64)

    def count(track, position, run, decodable):
        return len(
            find_holes(
                np.array(track), np.array(position), run=run, is_decodable=decodable, **common
            ).position
        )

    assert count([0, 1], [2, 5], one_run, everywhere) == 0
    assert count([0, 0], [2, 5], two_runs, everywhere) == 0
    assert count([0, 0], [2, 9], one_run, everywhere) == 0
    assert count([0, 0], [2, 5], one_run, np.arange(20) != 3) == 1


def test_one_wrong_frame_does_not_change_the_side_of_a_track():
    table = rows(0, range(10))
    right = table.right.copy()
    right[4] = 0.01

    verdict = owners(replace(table, right=right))[1]

    assert verdict.is_right.all()


def test_sure_frames_outvote_more_unsure_ones():
    unsure, sure = rows(0, range(6), right=0.2, presence=0.1), rows(0, range(6, 10), right=0.9, presence=0.9)

    assert owners(unsure, sure)[1].is_right.all()


def test_the_wearers_hands_are_near_and_come_from_below():
    right, left = (
        rows(0, range(9), at=(0.15, 0.2)),
        rows(1, range(9), at=(-0.15, 0.2), right=0.1, forearm=(-0.3, 1)),
    )

    table, verdict = owners(right, left)

    assert verdict.is_wearer.all()
    np.testing.assert_array_equal(verdict.is_right, table.track == 0)


def test_hands_of_others_are_not_the_wearers():
    across = rows(0, range(9), at=(0.1, -0.2), forearm=(0.2, -1.0))
    far = rows(1, range(9), at=(0.3, 0.4), z=1.6)
    neighbour = rows(2, range(9), at=(-0.42, 0.3), z=0.6, forearm=(-0.05, 1.0))

    assert not owners(across, far, neighbour)[1].is_wearer.any()


def test_an_arm_that_comes_from_far_ahead_is_not_the_wearers():
    """Somebody across the table reaches towards the wearer: near enough, and from below in the picture."""
    flat = rows(0, range(9), at=(0.1, 0.1), z=0.75)
    leaning = flat.shape_m.copy()
    leaning[..., 2] = leaning[..., 1]

    assert owners(flat)[1].is_wearer.all()
    assert not owners(replace(flat, shape_m=leaning))[1].is_wearer.any()


def test_the_wearer_has_one_right_hand_at_a_time():
    first, second = rows(0, range(10)), rows(1, range(5, 15), at=(0.3, 0.25), presence=0.8)

    table, verdict = owners(first, second)

    shared = verdict.is_wearer & verdict.is_right
    assert np.bincount(table.position[shared]).max() == 1
    assert shared[table.track == 0].all()
    assert shared[(table.track == 1) & (table.position >= 10)].all()


def test_a_doubtful_hand_beside_a_sure_right_one_is_the_left():
    sure, doubtful = (
        rows(0, range(10), right=0.99),
        rows(1, range(10), at=(-0.1, 0.2), right=0.6, forearm=(-0.3, 1), presence=0.8),
    )

    table, verdict = owners(sure, doubtful)

    np.testing.assert_array_equal(verdict.is_right, table.track == 0)
    assert verdict.is_wearer.all()
