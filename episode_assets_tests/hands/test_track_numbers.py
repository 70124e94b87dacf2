"""One hand, one number: what networks say of a hand carries the number that its joints have."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from episode_assets.hands import INTERPOLATED, MEASURED, HandPoseConfig
from episode_assets.hands.filling import Holes
from episode_assets.hands.findings import Hands, Seen
from episode_assets.hands.mano import WIDTH
from episode_assets.hands.mano_rows import mano_table
from episode_assets.hands.placing import Placed
from episode_assets.hands.rows import hands_table
from episode_assets.hands.sides import Owners
from episode_assets.hands.sightings import Sightings
from episode_assets.recording import RecordingView, scan_recording
from episode_assets_tests.recording.rig import EPOCH_NS, Rig, compressed_image, jpeg

FRAMES = 5
TRACK = np.array([0, 0, 1, 2, 2, 2])
FRAME = np.array([0, 4, 2, 2, 3, 4])
IS_RIGHT = TRACK == 2
"""A left hand that is missed from 1 to 3, a left one that was seen at 2 only, and a right one from 2 on."""


def filmed(folder: Path) -> RecordingView:
    rig = Rig(folder / "rig.mcap")
    for number in range(FRAMES):
        stamp = EPOCH_NS + number * 50_000_000
        rig.add("/camera/color/image_raw/compressed", compressed_image(stamp, jpeg(number)))
    source, raw = rig.close(), folder / "raw"
    raw.mkdir()
    scan_recording(str(source), raw, recording_id="rig-1")
    return RecordingView.open(raw, str(source))


def sightings() -> Sightings:
    count = len(TRACK)
    joints = np.tile(np.linspace(5, 40, 42, dtype=np.float32).reshape(21, 2), (count, 1, 1))
    return Sightings(
        TRACK,
        FRAME,
        np.tile(np.array([30, 24, 20, 0], np.float32), (count, 1)),
        joints,
        np.zeros((count, 21, 3), np.float32),
        np.full(count, 0.9, np.float32),
        IS_RIGHT.astype(np.float32),
        np.full((count, 21), np.nan, np.float32),
        np.ones((count, WIDTH), np.float32),
    )


def test_no_filled_row_takes_the_place_of_a_hand_that_was_read_and_both_tables_agree(tmp_path: Path) -> None:
    rows, nowhere = sightings(), np.full((len(TRACK), 21, 3), np.nan)
    unsure = np.full(nowhere.shape[:2], np.nan)
    placed = Placed(
        nowhere,
        np.full(len(TRACK), np.nan),
        np.zeros(len(TRACK), bool),
        unsure,
        unsure,
        np.zeros(len(TRACK), bool),
    )
    holes = Holes(
        np.zeros(3, np.int64), np.ones(3, np.int64), np.array([1, 2, 3]), np.array([0.25, 0.5, 0.75])
    )
    hands = Hands(rows, Owners(IS_RIGHT, np.ones(len(TRACK), bool)), placed, holes, ())
    run, sizes = np.zeros(FRAMES, np.int64), np.full((FRAMES, 2), (64, 48), np.int32)
    seen = Seen(rows, sizes, np.ones(FRAMES, bool), run)
    view, config = filmed(tmp_path), HandPoseConfig()

    joints = hands_table(view, seen, hands, config=config).to_pylist()
    mano = mano_table(view, seen, hands, config=config).to_pylist()

    # The line between both ends of the first hand runs through the frame in which the second one was read.
    left = [(row["message_number"], row["kind"]) for row in joints if row["side"] == "left"]
    assert left == [(0, MEASURED), (1, INTERPOLATED), (2, MEASURED), (3, INTERPOLATED), (4, MEASURED)]
    read = [row for row in joints if row["kind"] == MEASURED]
    keys = ("message_number", "side", "wearer", "track")
    assert [[row[key] for key in keys] for row in read] == [[row[key] for key in keys] for row in mano]
