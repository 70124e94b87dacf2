"""Real pictures: 14 first-person frames of a dinner table with hand boxes drawn by eye."""

from __future__ import annotations

import json

import numpy as np
import pytest

from episode_assets_tests.hands.conftest import estimated

BOX_GROWTH = 0.15
JOINTS_INSIDE = 15


@pytest.fixture(scope="module")
def verdicts(shared_data, scanned, weights, tmp_path_factory):
    """For each measured row: source frame, name of the box that holds most joints or None, side, wearer."""
    del weights
    folder = shared_data / "recordings"
    notes = json.loads((folder / "table_scene.annotations.json").read_text())
    source_frame = {item["index"]: item["source_frame"] for item in notes["rgb_messages"]}
    run = estimated(scanned(folder / "table_scene.mcap"), tmp_path_factory.mktemp("table"))
    rows = []
    for row in run.hands.to_pylist():
        if row["kind"] != 2:
            frame = source_frame[row["message_number"]]
            joints = np.array(row["joints_px"]).reshape(21, 2)
            boxes = notes["source_frames"][frame]["hand_boxes"]
            rows.append((frame, box_of(joints, boxes), row["side"], row["wearer"]))
    return rows


def box_of(joints, boxes):
    inside = {}
    for name, box in boxes.items():
        if box is not None:
            low, high = np.array(box[:2]), np.array(box[2:])
            grow = BOX_GROWTH * (high - low)
            inside[name] = int(((joints >= low - grow) & (joints <= high + grow)).all(axis=1).sum())
    best = max(inside, key=inside.__getitem__)
    return best if inside[best] >= JOINTS_INSIDE else None


def test_a_hand_is_found_on_every_distinct_frame(verdicts):
    assert {frame for frame, box, _, _ in verdicts if box} == set(range(14))


def test_the_wearers_right_hand_is_found_where_it_is_whole(verdicts):
    frames = {
        frame
        for frame, box, side, wearer in verdicts
        if (box, side, wearer) == ("wearer_right", "right", True)
    }

    assert len(frames & set(range(7, 14))) >= 6


def test_nobody_elses_hand_is_taken_for_the_wearers(verdicts):
    assert not [row for row in verdicts if row[3] and not (row[1] or "").startswith("wearer")]


def test_hardly_anything_else_is_taken_for_a_hand(verdicts):
    assert len({frame for frame, box, _, _ in verdicts if box is None}) <= 1


def frames_of(verdicts, *boxes):
    return {(frame, box) for frame, box, _, _ in verdicts if box in boxes}


def test_hands_of_people_across_the_table_are_found(verdicts):
    """35 boxes of A and B, 36 to 110 px long: too small for squares as high as the picture."""
    assert len(frames_of(verdicts, "a_left", "a_right", "b_right")) >= 25


def test_the_neighbours_hands_are_found(verdicts):
    assert len(frames_of(verdicts, "neighbour_left", "neighbour_right")) >= 20
