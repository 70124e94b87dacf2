"""Skeletons over the blurred video: at the joints and nowhere else, in their colours, at the true times."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from episode_assets.bundle import BundleConfig, EpisodeBundle
from episode_assets.bundle.hand_drawing import COLOURS
from episode_assets.bundle.hands_preview import write_hands_preview
from episode_assets.errors import ArtifactDamaged, BadConfig
from episode_assets.footage import read_frame_table
from episode_assets.progress import silent
from episode_assets.storage import ArtifactKey, Store
from episode_assets.video import decode_frames, picture_to_rgb, probe
from episode_assets_tests.bundle.conftest import Made, Maker
from episode_assets_tests.bundle.recordings import (
    RECORDING_ID,
    Hand,
    Scene,
    grey_of,
    joints_of,
    write_blurred,
    write_hands,
)

PLAIN = BundleConfig(visualization=False)
ASKED = BundleConfig(hands_preview=True, visualization=False)
WIDE = Scene(frames=6, width=320, height=240)


def frames_of(video: Path) -> list[np.ndarray]:
    return [picture_to_rgb(picture).astype(int) for _, picture in decode_frames(video)]


def preview_of(made: Made) -> list[np.ndarray]:
    return frames_of(made.path / "hands_preview.mp4")


def colours_at(rgb: np.ndarray, hand: Hand) -> np.ndarray:
    """Mean colour of the 3 x 3 pixels at each joint, (21, 3)."""
    corners = np.rint(joints_of(hand)[0]).astype(int)
    return np.array([rgb[y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1)) for x, y in corners])


def distance(colours: np.ndarray, name: str) -> np.ndarray:
    return np.abs(colours - np.array(COLOURS[name])).max(axis=1)


def changed_share(drawn: np.ndarray, plain: np.ndarray) -> float:
    """Share of pixels with a colour, in a video that is grey."""
    return float((drawn.max(axis=2) - drawn.min(axis=2) > 40).mean() - (np.ptp(plain, axis=2) > 40).mean())


def test_joints_have_the_colour_of_their_hand(make: Maker) -> None:
    left, right = Hand(1, side="left", at=(70, 180), confidence=1.0), Hand(1, at=(220, 180), confidence=1.0)
    other = Hand(3, side="left", wearer=False, at=(150, 180), confidence=1.0)

    pictures = preview_of(make(WIDE, hands=(left, right, other), config=ASKED))

    assert distance(colours_at(pictures[1], left), "left").max() < 60
    assert distance(colours_at(pictures[1], right), "right").max() < 60
    assert distance(colours_at(pictures[3], other), "other").max() < 60
    assert distance(colours_at(pictures[1], left), "right").min() > 100


def test_hands_of_a_turned_camera_are_drawn_in_the_recorded_pixels(make: Maker) -> None:
    upright = Hand(1, at=(90, 250), confidence=1.0)

    picture = preview_of(make(Scene(frames=3, width=180, height=320), hands=(upright,), config=ASKED))[1]

    assert picture.shape == (320, 180, 3)
    assert distance(colours_at(picture, upright), "right").max() < 60


def test_pictures_without_hands_are_those_of_the_video(make: Maker) -> None:
    made = make(WIDE, hands=(Hand(1, at=(150, 180)),), config=ASKED)

    drawn, plain = preview_of(made), frames_of(made.path / "rgb.mp4")

    assert [float(np.abs(a - b).mean()) < 3 for a, b in zip(drawn, plain, strict=True)] == [
        True, False, True, True, True, True,
    ]  # fmt: skip
    assert [float(np.median(picture)) for picture in drawn] == pytest.approx(
        [grey_of(i) for i in range(6)], abs=6
    )


@pytest.mark.parametrize("kind", [1, 3])
def test_masked_joints_are_not_drawn(kind: int, make: Maker) -> None:
    hand = Hand(2, at=(150, 180), valid_joints=9, confidence=1.0, kind=kind)

    colours = colours_at(preview_of(make(WIDE, hands=(hand,), config=ASKED))[2], hand)

    assert distance(colours, "right")[:9].max() < 60
    assert np.ptp(colours, axis=1)[9:].max() < 25


def test_less_sure_hands_are_fainter_and_only_what_was_not_read_is_dashed(make: Maker) -> None:
    sure = Hand(0, at=(150, 180), confidence=1.0)
    doubtful = Hand(1, at=(150, 180), confidence=0.1)
    filled = Hand(2, at=(150, 180), confidence=0.0, kind=2)
    held = Hand(3, at=(150, 180), confidence=1.0, kind=3)
    made = make(WIDE, hands=(sure, doubtful, filled, held), config=ASKED)

    pictures, plain = preview_of(made), frames_of(made.path / "rgb.mp4")
    colour = [np.ptp(colours_at(pictures[i], sure), axis=1).mean() for i in range(4)]
    share = [changed_share(pictures[i], plain[i]) for i in range(4)]

    assert colour[0] > 1.6 * colour[1] > 40
    assert colour[2] == pytest.approx(colour[1], rel=0.3)
    assert 0 < share[2] < 0.85 * share[1]
    assert colour[3] > 1.6 * colour[1]
    assert share[3] == pytest.approx(share[0], rel=0.1)


def test_frames_keep_their_stamps_across_a_gap_and_odd_sizes(make: Maker) -> None:
    made = make(
        Scene(frames=8, width=65, height=49, gap_after=3),
        hands=(Hand(4),),
        config=ASKED,
        dropped=frozenset({2}),
    )

    preview = probe(made.path / "hands_preview.mp4")

    with EpisodeBundle.open(made.path) as bundle:
        expected = (bundle.stamps_ns - bundle.stamps_ns[0]) / 1000
        assert bundle.hands_preview_path == made.path / "hands_preview.mp4"
    assert np.abs(np.asarray(preview.pts_us) - expected).max() <= 1
    assert np.diff(expected).max() > 2.5 * np.median(np.diff(expected))


def test_it_is_a_view_that_is_made_on_request_only(make: Maker) -> None:
    hands = (Hand(1, at=(20, 40)),)
    plain, asked = make(hands=hands), make(hands=hands, config=ASKED)

    assert plain.outcome.view == ()
    assert not (plain.path / "hands_preview.mp4").exists()
    assert asked.outcome.view == ("hands_preview.mp4",)
    assert "hands_preview.mp4" not in asked.outcome.core
    saved = [json.loads((made.path / "meta.json").read_text())["saved"] for made in (plain, asked)]
    assert set(saved[1]) - set(saved[0]) == {"hands_preview.mp4"}
    assert sorted(path.name for path in asked.path.iterdir() if path.name not in set(asked.outcome.core)) == [
        "calibrations",
        "hands_preview.mp4",
    ]
    with EpisodeBundle.open(plain.path) as bundle:
        assert bundle.hands_preview_path is None


def test_asking_for_it_later_publishes_a_version_that_has_it(make: Maker, tmp_path: Path) -> None:
    store, key = Store.open(str(tmp_path / "store")), ArtifactKey("episode_bundle", RECORDING_ID)
    published = []
    for number, config in enumerate((PLAIN, ASKED)):
        made = make(hands=(Hand(1, at=(20, 40)),), config=config)
        with store.draft(key, fingerprint=f"{number:064x}", code_version="1", config={}, inputs={}) as draft:
            shutil.copytree(made.path, draft.directory, dirs_exist_ok=True)
            published.append(draft.publish(made.outcome))

    assert [artifact.manifest.entry("hands_preview.mp4") is not None for artifact in published] == [
        False,
        True,
    ]
    assert store.latest(key) == published[1]
    assert probe(published[1].path("hands_preview.mp4")).frames == made.scene.frames


def test_without_hand_poses_it_is_skipped_with_a_reason(make: Maker) -> None:
    made = make(hands=None, config=ASKED)

    assert made.reasons()["hands_preview.mp4"] == "no_hand_poses"
    with pytest.raises(BadConfig, match="true or false"):
        BundleConfig(hands_preview="yes")  # type: ignore[arg-type]


def test_hands_out_of_order_are_named_instead_of_left_out(tmp_path: Path) -> None:
    blurred = write_blurred(tmp_path / "blurred", WIDE)
    hands = write_hands(tmp_path / "hands", WIDE, (Hand(3), Hand(1)))

    with pytest.raises(ArtifactDamaged, match="hands of frame 1 come after those of a later one"):
        write_hands_preview(
            blurred / "rgb.mp4",
            hands / "hands.parquet",
            read_frame_table(blurred / "frames.parquet"),
            tmp_path / "preview.mp4",
            progress=silent,
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blurred", "hands"]
