"""How pictures stand: told by pose or gravity, else by samples; and recordings rolled without either are covered."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from episode_assets.anonymization import FaceBlurConfig, blur_recording
from episode_assets.anonymization.turning import Turn
from episode_assets.anonymization.upright import Upright, clearest_quarters
from episode_assets.recording import Attitude
from episode_assets.video import decode_frames, decode_picture
from episode_assets_tests.anonymization.material import Scene, encode, record
from episode_assets_tests.anonymization.measures import lost_share

FRAMES = 20


def upright(
    *degrees: float | None, source: str = "pose", sampled: int | None = None, key_stride: int = 3
) -> Upright:
    roll = np.array([math.nan if value is None else math.radians(value) for value in degrees])
    return Upright(Attitude(roll, source), key_stride, sampled)  # type: ignore[arg-type]


def test_a_known_roll_gives_one_turn_and_an_unknown_one_all_right_angles_on_a_grid() -> None:
    stands = upright(100, None, None, None, 30, sampled=3)

    assert stands.turns(0) == (Turn(1),)
    assert stands.turns(1) == stands.turns(2) == (Turn(3),)
    assert stands.turns(3) == (Turn(3), Turn(0), Turn(1), Turn(2))
    assert stands.turns(4)[0] == pytest.approx((0, math.radians(30)))
    assert stands.unknown == 3


def test_the_record_names_what_tells_how_pictures_stand() -> None:
    assert upright(0, None).grounds == "pose"
    assert upright(0, 0, source="gravity").grounds == "gravity"
    assert upright(None, None, sampled=0).grounds == "sampled"
    assert upright(None, None).grounds == upright(None, source="none").grounds == "assumed"


def test_the_known_answer_is_asked_in_every_kind_of_turn_that_is_used() -> None:
    assert upright(0, 10, -15).all_turns() == (Turn(0),)
    assert [turn.quarters for turn in upright(0, 180, 95).all_turns()] == [0, 1, 2]
    assert any(turn.rest_rad for turn in upright(0, 40).all_turns())
    assert [turn.quarters for turn in upright(0, None).all_turns()] == [0, 1, 2, 3]


def test_samples_are_spread_over_the_pictures_of_unknown_roll() -> None:
    many = upright(*[0] * 100, *[None] * 1000)

    assert upright(0, 0).samples() == ()
    assert upright(0, None, None).samples() == (1, 2)
    assert len(many.samples()) == 12
    assert 100 <= min(many.samples()) < 150 and 1050 < max(many.samples()) < 1100


def test_samples_tell_an_angle_only_by_a_clear_margin() -> None:
    def told(*totals: float) -> int | None:
        return clearest_quarters(np.array([totals, np.zeros(4)]))

    assert told(0, 0, 1.8, 0.6) == 2
    assert told(0, 0, 1.8, 1.0) is None
    assert told(0, 0, 0.9, 0) is None  # one face alone may be a mistake


def rolled_recording(quarters: int, folder: Path) -> tuple[Scene, list[bytes], Path]:
    """A face crosses the picture; all pictures are turned clockwise, as a camera on its side records them."""
    scene = Scene(faces={frame: (20 + 8.0 * frame, 70 + 2.0 * frame) for frame in range(3, FRAMES - 3)})
    jpegs = [encode(np.ascontiguousarray(np.rot90(scene.picture(f), -quarters))) for f in range(FRAMES)]
    (folder / "artifact").mkdir()
    return scene, jpegs, folder / "artifact"


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("quarters", [1, 2])
def test_a_rolled_recording_without_pose_is_sampled_and_covered(quarters: int, tmp_path: Path) -> None:
    scene, jpegs, directory = rolled_recording(quarters, tmp_path)

    outcome = blur_recording(record(tmp_path, jpegs), directory, config=FaceBlurConfig(), workers=quarters)

    assert outcome.audit_passed
    assert outcome.privacy is not None
    assert (outcome.privacy["upright"], outcome.privacy["upright_unknown"]) == ("sampled", FRAMES)
    assert outcome.privacy["upright_turned_degrees"] == 90 * quarters
    assert f"turned by {90 * quarters} degrees" in str(outcome.privacy["not_removed"])
    for frame, picture in decode_frames(directory / "rgb.mp4", sorted(scene.faces)):
        source, result = (
            np.rot90(whole.y, quarters) for whole in (decode_picture("jpeg", jpegs[frame]), picture)
        )
        assert lost_share(source, result, scene.face_box(frame)) > 0.95, frame


@pytest.mark.usefixtures("weights")
def test_a_recording_without_faces_is_assumed_to_be_upright(tmp_path: Path) -> None:
    (tmp_path / "artifact").mkdir()
    scene = Scene(size=(160, 120))

    outcome = blur_recording(
        record(tmp_path, [scene.jpeg(frame) for frame in range(5)]),
        tmp_path / "artifact",
        config=FaceBlurConfig(),
    )

    assert outcome.privacy is not None
    assert (outcome.privacy["upright"], outcome.privacy["upright_turned_degrees"]) == ("assumed", 0)
