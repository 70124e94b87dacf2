"""The whole computation on demo recordings, against the truth of their geometry."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.compute as pc
import pytest

from episode_assets.errors import MissingStream
from episode_assets.hands import (
    FRAMES_FILE,
    FRAMES_SCHEMA,
    HANDS_FILE,
    HANDS_SCHEMA,
    HandPoseConfig,
    estimate_hands,
)
from episode_assets_tests.hands.conftest import SIZE, estimated

CUT = HandPoseConfig(chunk_frames=20, margin_s=0.4)


def truth_rows(run):
    """Frame of the truth and side index of each row."""
    frame_of = {int(number): index for index, number in enumerate(run.truth.message_number)}
    frames = np.array([frame_of[number] for number in run.hands["message_number"].to_pylist()])
    sides = np.array([("left", "right").index(side) for side in run.hands["side"].to_pylist()])
    return frames, sides


def column(run, name):
    return run.hands[name].to_numpy(zero_copy_only=False)


def test_the_wearers_hands_are_found_in_nearly_every_frame(whole):
    found = {
        (number, side)
        for number, side, wearer, kind in zip(
            column(whole, "message_number"),
            column(whole, "side"),
            column(whole, "wearer"),
            column(whole, "kind"),
            strict=True,
        )
        if wearer and kind == 1
    }
    in_view = whole.truth.hand_in_view

    assert len(found) >= 0.95 * in_view.sum()
    assert not pc.any(pc.invert(whole.hands["wearer"])).as_py()


def test_joints_lie_where_they_are_in_the_picture_and_in_space(whole):
    frames, sides = truth_rows(whole)
    valid = whole.numbers("joint_valid").astype(bool)

    off_px = np.linalg.norm(
        whole.numbers("joints_px").reshape(-1, 21, 2) - whole.truth.hand_joints_px[frames, sides], axis=2
    )
    off_m = np.linalg.norm(
        whole.numbers("joints_cam").reshape(-1, 21, 3) - whole.truth.hand_joints_cam[frames, sides], axis=2
    )

    # 25 px at 1280 px, and this recording is half as large.
    assert (off_px[valid] <= 25 * SIZE[0] / 1280).mean() >= 0.9
    assert (off_m[valid] <= 0.03).mean() >= 0.9


def test_world_joints_are_the_camera_joints_seen_through_the_pose(whole):
    frames, _ = truth_rows(whole)
    R, t = whole.truth.world_from_optical
    cam = whole.numbers("joints_cam").reshape(-1, 21, 3)

    expected = np.einsum("fij,fkj->fki", R[frames], cam) + t[frames, None]

    np.testing.assert_allclose(whole.numbers("joints_world").reshape(-1, 21, 3), expected, atol=1e-4)


def test_the_tables_have_the_promised_columns_and_order(whole):
    assert whole.hands.schema.equals(HANDS_SCHEMA)
    assert whole.hands.schema.metadata == HANDS_SCHEMA.metadata
    assert whole.frames.schema.equals(FRAMES_SCHEMA)
    keys = list(
        zip(column(whole, "frame_index"), ~column(whole, "wearer"), column(whole, "side"), strict=True)
    )
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_the_outcome_lists_files_models_and_numbers(whole):
    outcome = whole.outcome

    assert outcome.core == (HANDS_FILE, FRAMES_FILE)
    assert [model.name for model in outcome.models] == [
        "palm_detection_lite",
        "hand_landmark_full",
        "hand_landmark_lite",
    ]
    assert outcome.summary["frames"] == whole.frames.num_rows
    assert outcome.summary["hands_anchored"] == pc.sum(pc.equal(whole.hands["anchor"], "anchored")).as_py()
    json.dumps(outcome.described(), allow_nan=False)


@pytest.fixture(scope="module")
def cut(whole_view, weights, tmp_path_factory):
    """The same recording in chunks of 20 frames, so that there is something to share and tracks cross cuts."""
    del weights
    directory = tmp_path_factory.mktemp("cut")
    return directory, estimated(whole_view[0], directory, config=CUT)


def test_two_workers_give_the_same_bytes_as_one(whole_view, cut, tmp_path):
    alone, _ = cut

    estimated(whole_view[0], tmp_path, config=CUT, workers=2)

    for name in (HANDS_FILE, FRAMES_FILE):
        assert (tmp_path / name).read_bytes() == (alone / name).read_bytes()


def test_a_track_goes_on_over_the_cuts_between_chunks(cut):
    assert cut[1].outcome.summary["tracks"] == 2


def test_undecodable_pictures_are_counted_and_have_no_rows(difficult):
    frames = difficult.frames.to_pydict()

    assert difficult.notes()[("undecodable", "rgb")] == 2
    assert [n for n, good in zip(frames["message_number"], frames["decodable"], strict=True) if not good] == [
        8,
        9,
    ]
    assert frames["frame_index"][7:11] == [7, None, None, 8]
    assert not {8, 9} & set(column(difficult, "message_number"))
    assert difficult.outcome.summary["frames"] == difficult.frames.num_rows - 2


def test_frame_numbers_of_hands_are_those_of_the_frame_table(difficult):
    index_of = dict(
        zip(
            difficult.frames["message_number"].to_pylist(),
            difficult.frames["frame_index"].to_pylist(),
            strict=True,
        )
    )

    for number, index in zip(
        column(difficult, "message_number"), column(difficult, "frame_index"), strict=True
    ):
        assert index_of[number] == index


def test_no_track_crosses_a_gap_of_the_recording(difficult):
    gap = int(np.flatnonzero(difficult.truth.gap_before)[0])
    number = column(difficult, "message_number")
    track = column(difficult, "track")

    assert not set(track[number < gap]) & set(track[number >= gap])
    assert set(number[number >= gap])


def test_both_hands_are_found_again_after_a_gap(difficult):
    assert difficult.outcome.summary["frames_with_wearer_hand"] >= 0.9 * difficult.outcome.summary["frames"]


def test_without_depth_and_pose_hands_stay_in_the_picture(bare):
    assert bare.hands.num_rows > 0
    for name in ("joints_cam", "joints_world", "depth_dt_ns", "scale"):
        assert bare.hands[name].null_count == bare.hands.num_rows
    assert set(column(bare, "anchor")) == {"pixel_only"}
    assert whole_names(bare) == {
        ("hands.parquet:joints_cam", "no_depth_messages"),
        ("hands.parquet:joints_world", "no_pose_messages"),
    }
    assert column(bare, "wearer").all()


def whole_names(run):
    return {(item.name, item.code) for item in run.outcome.skipped}


def test_a_recording_without_pictures_is_refused(demo_view, tmp_path):
    view, _ = demo_view(seconds=0.5, with_rgb=False)

    with pytest.raises(MissingStream):
        estimate_hands(view, tmp_path)


def test_a_backend_can_be_given_by_import_path(demo_view, tmp_path):
    view, _ = demo_view(seconds=1.0, fps=10)
    backend = "episode_assets_tests.hands.stand_in:make"

    run = estimated(view, tmp_path, config=HandPoseConfig(backend=backend))

    assert set(column(run, "backend")) == {backend}
    assert run.outcome.models == ()
    # The stand-in calls a hand right in pictures with more red than blue, as the demo's are: a wrong channel order
    # would make it left.
    assert set(column(run, "side")) == {"right"}


def test_missing_frames_of_a_hand_are_filled_marked_and_never_valid(demo_view, tmp_path):
    """Damaged pictures have no rows at all; here the picture is whole and the estimator sees nothing in it."""
    view, _ = demo_view(seconds=1.0, fps=10)

    run = estimated(view, tmp_path, config=HandPoseConfig(backend="episode_assets_tests.hands.blinking:make"))

    kind = column(run, "kind")
    filled = kind == 2
    assert 0 < filled.sum() < len(kind)
    assert not run.numbers("joint_valid")[filled].any()
    assert (column(run, "confidence")[filled] == 0).all()
    assert run.hands["handedness"].null_count == filled.sum()


def test_progress_ends_with_all_frames(demo_view, tmp_path):
    view, _ = demo_view(seconds=1.0, fps=10)
    seen = []

    estimate_hands(
        view,
        tmp_path,
        config=HandPoseConfig(backend="episode_assets_tests.hands.stand_in:make"),
        progress=lambda stage, done, total: seen.append((stage, done, total)),
    )

    assert seen[0][1] == 0
    assert seen[-1][1] == seen[-1][2] == len(view.rgb)
