"""Faces in rolled pictures are found where they are, once the roll is known."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.anonymization.boxes import overlap_ratios
from episode_assets.anonymization.centerface import CenterFace
from episode_assets.anonymization.known_answer import ask
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.anonymization.turning import Turn, all_right_angles, plan_turning, turn_out
from episode_assets.video import Picture, decode_picture
from episode_assets_tests.anonymization.material import Scene

SIZE = (481, 360)


def rolled(clockwise_deg: float) -> tuple[Picture, np.ndarray]:
    """A scene with one face, its content rolled clockwise about the centre; and the hull of the face (4,)."""
    scene = Scene(size=SIZE, faces={0: (250.0, 120.0)})
    matrix = cv2.getRotationMatrix2D((SIZE[0] / 2 - 0.5, SIZE[1] / 2 - 0.5), -clockwise_deg, 1.0)
    content = cv2.warpAffine(scene.picture(0), matrix, SIZE, borderValue=(110, 120, 140))
    x0, y0, x1, y1 = scene.face_box(0)
    corners = np.array([[x, y, 1] for x in (x0, x1) for y in (y0, y1)]) @ matrix.T
    picture = decode_picture("rgb8", content.tobytes(), width=SIZE[0], height=SIZE[1], step=3 * SIZE[0])
    return picture, np.concatenate([corners.min(axis=0), corners.max(axis=0)])


def search_of(centerface: CenterFace) -> FaceSearch:
    return FaceSearch(
        centerface, width=SIZE[0], height=SIZE[1], min_face_px=32, tile_px=1280, score_threshold=0.2
    )


@pytest.mark.parametrize("degrees", [0, 15, 30, 45, 90, 120, 180, 200, 270, -60, -135])
def test_a_face_is_found_where_it_is_whatever_the_roll(degrees: int, centerface: CenterFace) -> None:
    picture, face = rolled(degrees)

    (box,) = search_of(centerface)(picture, (turn_out(math.radians(degrees)),))

    assert box[4] > 0.6
    assert overlap_ratios(box[None], face[None].astype(np.float32))[0, 0] > 0.55


def test_without_its_turn_the_same_face_is_lost(centerface: CenterFace) -> None:
    picture, _ = rolled(180)

    assert (search_of(centerface)(picture)[:, 4] < 0.5).all()


def test_a_face_seen_in_several_turns_is_reported_once_and_where_it_is_surest(centerface: CenterFace) -> None:
    picture, face = rolled(90)

    (box,) = search_of(centerface)(picture, all_right_angles())

    assert box[4] > 0.6
    assert overlap_ratios(box[None], face[None].astype(np.float32))[0, 0] > 0.55


@pytest.mark.parametrize(
    ("degrees", "quarters", "rest"),
    [(0, 0, 0), (20, 0, 0), (-19, 0, 0), (25, 0, 25), (71, 1, 0), (65, 1, -25), (180, 2, 0), (-90, 3, 0)],
)
def test_small_rests_of_a_roll_are_left(degrees: float, quarters: int, rest: float) -> None:
    turn = turn_out(math.radians(degrees))

    assert turn.quarters == quarters
    assert math.degrees(turn.rest_rad) == pytest.approx(rest)


@given(
    st.floats(-math.pi, math.pi),
    st.integers(1, 300),
    st.integers(1, 300),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_what_is_turned_comes_back_to_its_place(
    roll: float, width: int, height: int, right: float, down: float
) -> None:
    """A spot of the source, put where its content lies on the canvas, has a hull around the spot."""
    turning = plan_turning(turn_out(roll), width, height, lambda *size: (size[0] + 13, size[1] + 7))
    spot = np.array([right * width, down * height])
    angle = turning.turn.angle_rad
    back = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    upright = back @ (spot - np.array([width, height]) / 2) + np.array(turning.upright) / 2
    box = np.array([[*(upright - 2), *(upright + 2), 0.5]], np.float32)

    (hull,) = turning.to_source(box)

    assert ((hull[:2] < spot) & (hull[2:4] > spot)).all()
    assert (hull[:2] + hull[2:4]) / 2 == pytest.approx(spot, abs=0.01)
    assert (upright >= -0.01).all() and (upright <= np.array(turning.upright) + 0.01).all()


@pytest.mark.parametrize("turn", [*all_right_angles(), Turn(0, math.radians(30)), Turn(3, math.radians(-40))])
def test_the_known_answer_is_found_in_every_turn(turn: Turn, centerface: CenterFace) -> None:
    assert ask(centerface, min_face_px=24, needed_score=0.5, turns=(turn,)).passed
