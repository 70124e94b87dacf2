"""Hands that the recording or a file brings: which picture they belong to, which frame they are in, what is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from episode_assets.errors import BadConfig, BadRecording, MissingStream, ModelMissing
from episode_assets.hands import (
    BODY_ESTIMATED,
    BODY_JOINT_NAMES,
    BODY_MEASURED,
    HANDS_SCHEMA,
    JOINT_NAMES,
    UPPER_BODY_FILE,
    HandPoseConfig,
    PrecomputedOptions,
)
from episode_assets.pipeline.settings import build_config
from episode_assets.recording import RecordingConfig, RecordingView, scan_recording
from episode_assets_tests.hands.conftest import Estimated, estimated
from episode_assets_tests.recording import rig as ros
from episode_assets_tests.recording.rig import EPOCH_NS, Rig, T

STEP_NS = 50_000_000
FRAMES = 8
SIZE = (64, 48)
FOCAL = 50.0
OPTICAL = "camera_color_optical_frame"
OPTICAL_XYZW = (-0.5, 0.5, -0.5, 0.5)
MOUNT_M = (0.1, 0.0, 0.2)
LEFT, RIGHT = "/left_hand/joints", "/right_hand/joints"


def hand(frame: int, *, right: bool = False) -> np.ndarray:
    """21 different points 0.5 m before the camera, others in each frame and for each side."""
    joint = np.arange(21.0)
    x = 0.02 * (joint % 5) + (0.02 if right else -0.12) + 0.002 * frame
    y = 0.03 * (joint // 5) - 0.05
    return np.stack([x, y, 0.5 + 0.003 * joint], axis=1)


def poses(stamp_ns: int, points: Any, *, frame: str = OPTICAL) -> Any:
    return T.PoseArray(ros.header(stamp_ns, frame), [ros.pose(point) for point in points])


def walking(stamp_ns: int) -> tuple[float, float, float]:
    return (0.2 * (stamp_ns - EPOCH_NS) / 1e9, 0.0, 1.5)


class Scene:
    """A rig with pictures, calibration, and camera poses, to which a test adds its hands."""

    def __init__(self, folder: Path, *, calibrated: bool = True, posed: bool = True) -> None:
        self.folder = folder
        self.stamps = [EPOCH_NS + STEP_NS * frame for frame in range(FRAMES)]
        self.rig = Rig(folder / "rig.mcap")
        edge = (EPOCH_NS, "base_link", OPTICAL, MOUNT_M, OPTICAL_XYZW)
        self.rig.add("/tf_static", ros.tf_message(edge))
        for frame, stamp in enumerate(self.stamps):
            picture = ros.compressed_image(stamp, ros.jpeg(frame, *SIZE))
            self.rig.add("/camera/color/image_raw/compressed", picture)
            if calibrated:
                self.rig.add("/camera/color/camera_info", ros.camera_info(stamp, size=SIZE, focal=FOCAL))
            if posed:
                self.rig.add("/odom", ros.odometry(stamp, walking(stamp)))

    def view(self, topics: tuple[str, ...] = ()) -> RecordingView:
        file, raw = self.rig.close(), self.folder / "raw"
        raw.mkdir()
        scan_recording(str(file), raw, recording_id="rig-1", config=RecordingConfig(topics=topics))
        return RecordingView.open(raw, str(file))


def given(view: RecordingView, folder: Path, **options: Any) -> Estimated:
    config = HandPoseConfig(backend="precomputed", precomputed=PrecomputedOptions(**options))
    return estimated(view, folder / "hands", config=config)


def world_of(points: np.ndarray, stamp_ns: int) -> np.ndarray:
    """Optical to world by hand: x forward is optical z, y left is optical -x, z up is optical -y."""
    body = np.stack([points[:, 2], -points[:, 0], -points[:, 1]], axis=1) + MOUNT_M
    return body + walking(stamp_ns)


def pixels_of(points: np.ndarray) -> np.ndarray:
    return FOCAL * points[:, :2] / points[:, 2:] + [SIZE[0] / 2, SIZE[1] / 2]


def rows_of(run: Estimated, name: str, width: int) -> np.ndarray:
    return run.numbers(name).reshape(run.hands.num_rows, -1, width)


def test_hands_of_topics_stand_in_their_pictures_as_they_were_sent(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    for frame, stamp in enumerate(scene.stamps):
        scene.rig.add(LEFT, poses(stamp + 3_000_000, hand(frame)))
        scene.rig.add(RIGHT, poses(stamp - 4_000_000, hand(frame, right=True)))

    run = given(scene.view(), tmp_path)

    assert run.hands.schema.equals(HANDS_SCHEMA)
    assert run.hands["side"].to_pylist() == ["left", "right"] * FRAMES
    assert run.hands["message_number"].to_pylist() == [frame for frame in range(FRAMES) for _ in range(2)]
    expected = np.stack([hand(frame, right=right) for frame in range(FRAMES) for right in (False, True)])
    stamps = np.repeat(scene.stamps, 2)
    np.testing.assert_allclose(rows_of(run, "joints_cam", 3), expected, atol=1e-6)
    np.testing.assert_allclose(
        rows_of(run, "joints_px", 2), np.stack([pixels_of(points) for points in expected]), atol=1e-3
    )
    np.testing.assert_allclose(
        rows_of(run, "joints_world", 3),
        np.stack([world_of(points, stamp) for points, stamp in zip(expected, stamps, strict=True)]),
        atol=1e-5,
    )
    assert set(run.hands["anchor"].to_pylist()) == {"given"}
    assert set(run.hands["kind"].to_pylist()) == {1}
    assert set(run.hands["wearer"].to_pylist()) == {True}
    assert set(run.hands["backend"].to_pylist()) == {"precomputed"}
    assert run.hands["depth_dt_ns"].null_count == run.hands["scale"].null_count == 2 * FRAMES
    assert run.notes()[("unstated_confidence", "hands")] == 2 * FRAMES
    assert run.outcome.models == ()


def test_wrists_that_were_given_are_no_measurement_of_the_body(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    for frame, stamp in enumerate(scene.stamps):
        scene.rig.add(LEFT, poses(stamp, hand(frame)))

    estimated(scene.view(), tmp_path / "hands", config=HandPoseConfig(backend="precomputed", upper_body=True))

    source = pq.read_table(tmp_path / "hands" / UPPER_BODY_FILE)["joint_source"].to_pylist()
    wrist, camera = BODY_JOINT_NAMES.index("left_wrist"), BODY_JOINT_NAMES.index("mount_cam")
    assert {row[wrist] for row in source} == {BODY_ESTIMATED}
    assert {row[camera] for row in source} == {BODY_MEASURED}


def test_joints_outside_the_picture_or_behind_the_camera_are_not_valid(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    points = hand(0)
    points[4, 0], points[8, 2] = 2.0, -0.5
    points[12] = np.nan
    scene.rig.add(LEFT, poses(scene.stamps[0], points))

    run = given(scene.view(), tmp_path)

    assert np.flatnonzero(~run.numbers("joint_valid")[0].astype(bool)).tolist() == [4, 8, 12]
    assert np.isnan(rows_of(run, "joints_px", 2)[0, [8, 12]]).all()
    assert np.isnan(rows_of(run, "joints_cam", 3)[0, 12]).all()
    np.testing.assert_allclose(rows_of(run, "joints_cam", 3)[0, 4], points[4], atol=1e-6)


@pytest.mark.parametrize(
    ("off_ns", "is_taken"), [(24_000_000, True), (-25_000_000, True), (26_000_000, False)]
)
def test_a_picture_takes_a_hand_within_half_a_frame_period_only(
    off_ns: int, is_taken: bool, tmp_path: Path
) -> None:
    scene = Scene(tmp_path)
    # Beyond the last picture and before the first there is no other that could take it.
    stamp = scene.stamps[-1] + off_ns if off_ns > 0 else scene.stamps[0] + off_ns
    scene.rig.add(LEFT, poses(stamp, hand(0)))

    run = given(scene.view(), tmp_path)

    assert run.hands.num_rows == int(is_taken)
    assert run.notes().get(("unused_hands", "hands"), 0) == int(not is_taken)


def test_a_missing_hand_is_not_filled_from_its_neighbours(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    for frame in (0, 1, 3, 4):
        scene.rig.add(LEFT, poses(scene.stamps[frame], hand(frame)))

    run = given(scene.view(), tmp_path)

    assert run.hands["message_number"].to_pylist() == [0, 1, 3, 4]


def test_of_two_hands_near_a_picture_the_nearest_counts(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    for off_ns, number in ((-9_000_000, 1), (2_000_000, 2), (8_000_000, 3)):
        scene.rig.add(LEFT, poses(scene.stamps[2] + off_ns, hand(number)))

    run = given(scene.view(), tmp_path)

    np.testing.assert_allclose(rows_of(run, "joints_cam", 3)[0], hand(2), atol=1e-6)


@pytest.mark.parametrize("frame", ["odom", "/odom", "base_link", "glove"])
def test_hands_in_other_frames_are_brought_to_the_camera(frame: str, tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    offset = np.array([0.02, 0.03, -0.04])
    scene.rig.add("/tf_static", ros.tf_message((EPOCH_NS, "base_link", "glove", offset, ros.IDENTITY)))
    for number, stamp in enumerate(scene.stamps):
        world = world_of(hand(number), stamp)
        body = world - walking(stamp)
        sent = {"base_link": body, "glove": body - offset}.get(frame, world)
        scene.rig.add(LEFT, poses(stamp, sent, frame=frame))

    run = given(scene.view(), tmp_path)

    expected = np.stack([hand(number) for number in range(FRAMES)])
    np.testing.assert_allclose(rows_of(run, "joints_cam", 3), expected, atol=1e-5)
    np.testing.assert_allclose(
        rows_of(run, "joints_world", 3),
        np.stack([world_of(points, stamp) for points, stamp in zip(expected, scene.stamps, strict=True)]),
        atol=1e-5,
    )


def test_a_frame_that_moves_or_is_unknown_is_named(tmp_path: Path) -> None:
    for number, frame in enumerate(("wrist", "nowhere", "")):
        folder = tmp_path / str(number)
        folder.mkdir()
        scene = Scene(folder)
        for step, stamp in enumerate(scene.stamps):
            scene.rig.add(
                "/tf", ros.tf_message((stamp, "base_link", "wrist", (0.1 * step, 0, 0), ros.IDENTITY))
            )
            scene.rig.add(LEFT, poses(stamp, hand(step), frame=frame))
        view = scene.view()

        with pytest.raises(BadRecording, match=rf"{frame or 'not stated'}.*{LEFT}.*precomputed\.frame"):
            given(view, folder)

        told = given(view, folder, frame="camera")
        np.testing.assert_allclose(rows_of(told, "joints_cam", 3)[0], hand(0), atol=1e-6)


def test_without_calibration_pixels_stay_unknown_and_without_poses_the_world_does(tmp_path: Path) -> None:
    scene = Scene(tmp_path, calibrated=False, posed=False)
    scene.rig.add(LEFT, poses(scene.stamps[0], hand(0)))

    run = given(scene.view(), tmp_path)

    assert np.isnan(run.numbers("joints_px")).all()
    assert run.numbers("joint_valid").all()
    assert run.hands["joints_world"].null_count == 1
    assert [(item.name, item.code) for item in run.outcome.skipped] == [
        ("hands.parquet:joints_world", "not_given")
    ]


def test_a_repeated_wrist_is_no_hand_and_odd_messages_are_left_out_and_counted(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.rig.add(LEFT, poses(scene.stamps[0], [hand(0)[0]] * 21))
    scene.rig.add(LEFT, poses(scene.stamps[1], hand(1)[:20]))
    scene.rig.add(LEFT, poses(scene.stamps[2], hand(2)))
    scene.rig.add(LEFT, poses(scene.stamps[2], hand(3)))

    run = given(scene.view(), tmp_path)

    assert run.hands["message_number"].to_pylist() == [0, 2]
    assert run.numbers("joint_valid").sum(axis=1).tolist() == [1, 21]
    np.testing.assert_allclose(rows_of(run, "joints_cam", 3)[1], hand(2), atol=1e-6)
    for code in ("wrist_only", "odd_hands", "duplicate_stamps"):
        assert run.notes()[(code, "hands")] == 1


def test_topics_that_do_not_say_which_hand_they_have_are_named_and_can_be_told(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.rig.add("/hands/a", poses(scene.stamps[0], hand(0)))
    scene.rig.add("/hands/b", poses(scene.stamps[0], hand(0, right=True)))
    view = scene.view()

    with pytest.raises(BadRecording, match=r"/hands/a.*precomputed\.left"):
        given(view, tmp_path)
    with pytest.raises(MissingStream, match=r"/hands/c.*/hands/a, /hands/b.*precomputed\.left"):
        given(view, tmp_path, left="/hands/c")

    run = given(view, tmp_path, left="/hands/b", right="/hands/a")

    np.testing.assert_allclose(rows_of(run, "joints_cam", 3)[0], hand(0, right=True), atol=1e-6)
    assert run.hands["side"].to_pylist() == ["left", "right"]


def test_a_recording_without_hands_is_refused_before_a_picture_is_decoded(tmp_path: Path) -> None:
    view = Scene(tmp_path).view()
    Path(view.source).unlink()

    with pytest.raises(MissingStream, match=r"no topic has hands.*hands=/topic.*precomputed\.file"):
        given(view, tmp_path)


def test_messages_of_another_number_of_joints_are_refused_with_the_joints_that_are_needed(
    tmp_path: Path,
) -> None:
    scene = Scene(tmp_path)
    scene.rig.add(LEFT, poses(scene.stamps[0], np.tile(hand(0), (2, 1))[:26]))

    with pytest.raises(BadRecording, match=r"21 poses; the first has 26.*wrist, thumb_cmc"):
        given(scene.view(), tmp_path)


# Files


def joint_table(frames: range, *, by: str = "stamp_ns", frame: str = "camera", **extra: Any) -> pa.Table:
    """One row per joint, the joints by name and in no order."""
    rows: dict[str, list[Any]] = {name: [] for name in (by, "side", "joint", "x", "y", "z")}
    for number in frames:
        for right in (False, True):
            for joint in np.random.default_rng(number).permutation(21):
                place = hand(number, right=right)[joint]
                rows[by].append(EPOCH_NS + STEP_NS * number if by == "stamp_ns" else number)
                rows["side"].append("right" if right else "left")
                rows["joint"].append(JOINT_NAMES[joint])
                for name, value in zip("xyz", place, strict=True):
                    rows[name].append(value)
    table = pa.table(rows)
    for name, column in extra.items():
        table = table.append_column(name, pa.array(column))
    return table.replace_schema_metadata({"frame": frame} if frame else None)


def written(table: pa.Table, folder: Path) -> str:
    path = folder / "known.parquet"
    pq.write_table(table, path)
    return str(path)


@pytest.mark.parametrize("by", ["stamp_ns", "message_number"])
def test_a_file_gives_the_hands_of_its_stamps_or_message_numbers(by: str, tmp_path: Path) -> None:
    table = joint_table(range(2, 6), by=by, confidence=np.linspace(0.5, 0.9, 4 * 42))

    run = given(Scene(tmp_path).view(), tmp_path, file=written(table, tmp_path))

    assert run.hands["message_number"].to_pylist() == [2, 2, 3, 3, 4, 4, 5, 5]
    expected = np.stack([hand(number, right=right) for number in range(2, 6) for right in (False, True)])
    np.testing.assert_allclose(rows_of(run, "joints_cam", 3), expected, atol=1e-6)
    # The least sure joint speaks for the hand.
    np.testing.assert_allclose(run.hands["confidence"], np.linspace(0.5, 0.9, 4 * 42)[::21], atol=1e-6)
    assert [use.name for use in run.outcome.models] == ["precomputed_hands"]


def test_pixels_of_a_file_are_taken_as_they_are_and_need_no_metres(tmp_path: Path) -> None:
    whole = joint_table(range(1))
    u, v = np.arange(42.0), np.arange(42.0) / 2
    both = whole.append_column("u", pa.array(u)).append_column("v", pa.array(v))
    flat = both.drop_columns(["x", "y", "z"])
    view = Scene(tmp_path).view()
    order = [JOINT_NAMES.index(name) for name in whole["joint"].to_pylist()[:21]]
    expected = np.zeros((21, 2))
    expected[order] = np.stack([u, v], axis=1)[:21]

    for number, table in enumerate((both, flat)):
        folder = tmp_path / str(number)
        folder.mkdir()
        run = given(view, folder, file=written(table, folder))

        np.testing.assert_allclose(rows_of(run, "joints_px", 2)[0], expected, atol=1e-4)
        assert set(run.hands["anchor"].to_pylist()) == {("given", "pixel_only")[number]}
    assert run.hands["joints_cam"].null_count == 2


def test_the_frame_of_a_file_is_stated_or_set_and_never_guessed(tmp_path: Path) -> None:
    view = Scene(tmp_path).view()
    table = joint_table(range(1))
    world = np.stack(
        [
            world_of(np.array([[x, y, z]]), EPOCH_NS)[0]
            for x, y, z in zip(*(table[name].to_numpy() for name in "xyz"), strict=True)
        ]
    )
    for number, name in enumerate("xyz"):
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(world[:, number]))
    unstated = written(table.replace_schema_metadata(None), tmp_path)

    with pytest.raises(BadRecording, match=r"frame.*not stated.*known\.parquet.*precomputed\.frame"):
        given(view, tmp_path, file=unstated)
    set_run = given(view, tmp_path, file=unstated, frame="world")
    np.testing.assert_allclose(rows_of(set_run, "joints_cam", 3)[0], hand(0), atol=1e-5)
    stated_run = given(
        view, tmp_path, file=written(table.replace_schema_metadata({"frame": "world"}), tmp_path)
    )
    np.testing.assert_allclose(rows_of(stated_run, "joints_cam", 3)[0], hand(0), atol=1e-5)


def _with(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop_columns(["side"]), "side are missing"),
        (lambda t: t.drop_columns(["z"]), "z are missing"),
        (lambda t: t.drop_columns(["x", "y", "z"]), "x, y, z are missing"),
        (lambda t: t.drop_columns(["stamp_ns"]), "no stamps"),
        (lambda t: t.append_column("message_number", t["stamp_ns"]), "not both"),
        (lambda t: t.append_column("colour", t["x"]), "no column 'colour'"),
        (lambda t: _with(t, "side", ["west"] * len(t)), "no side 'west'"),
        (lambda t: _with(t, "joint", ["elbow"] * len(t)), "no joint 'elbow'"),
        (lambda t: _with(t, "joint", [21] * len(t)), "no joint 21"),
        (lambda t: _with(t, "joint", [3] * len(t)), "left thumb_ip is there twice"),
        (lambda t: _with(t, "stamp_ns", [1.5] * len(t)), "stamp_ns must be integers"),
        (lambda t: _with(t, "x", ["a"] * len(t)), "x must be numbers"),
        (lambda t: t.append_column("confidence", pa.array([1.5] * len(t))), "confidence must lie"),
    ],
)
def test_a_file_that_does_not_fit_is_told_what_is_wrong(change: Any, words: str, tmp_path: Path) -> None:
    view = Scene(tmp_path).view()
    Path(view.source).unlink()  # nothing may be decoded before
    file = written(change(joint_table(range(1))), tmp_path)

    with pytest.raises(BadRecording, match=rf"{words}.*known\.parquet.*one row per joint"):
        given(view, tmp_path, file=file)


def test_a_file_that_is_no_parquet_or_not_there_is_named(tmp_path: Path) -> None:
    view = Scene(tmp_path).view()
    (tmp_path / "known.parquet").write_bytes(b"no table")

    with pytest.raises(BadRecording, match=r"read as Parquet.*known\.parquet"):
        given(view, tmp_path, file=str(tmp_path / "known.parquet"))
    with pytest.raises(ModelMissing, match=r"precomputed\.file.*missing\.parquet"):
        given(view, tmp_path, file=str(tmp_path / "missing.parquet"))


def test_the_digest_of_the_file_counts_and_its_place_does_not(tmp_path: Path) -> None:
    def digests(file: Path) -> list[str]:
        config = HandPoseConfig(backend="precomputed", precomputed=PrecomputedOptions(file=str(file)))
        return [use.sha256 for use in config.models()]

    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(content)

    assert digests(tmp_path / "a") == digests(tmp_path / "b") != digests(tmp_path / "c")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"backend": "precomputed", "precomputed": {"fiel": "x"}}, "fiel"),
        ({"backend": "precomputed", "precomputed": {"frame": "moon"}}, r"precomputed\.frame"),
        ({"backend": "precomputed", "precomputed": {"file": "x", "left": "/l"}}, r"precomputed\.left"),
        ({"backend": "precomputed", "precomputed": {"left": "/l", "right": "/l"}}, r"precomputed\.right"),
        ({"precomputed": {"file": "x"}}, "set backend to precomputed"),
        ({"backend": "precomputd"}, "no hand backend.*precomputed"),
    ],
)
def test_options_that_are_unknown_wrong_or_without_effect_are_errors(values: Any, words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        build_config(HandPoseConfig, values, where="hand_poses")


def test_pictures_that_do_not_decode_have_no_given_hands(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    broken = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()[:40]
    late = scene.stamps[-1] + STEP_NS
    scene.rig.add("/camera/color/image_raw/compressed", ros.compressed_image(late, broken))
    scene.rig.add(LEFT, poses(late, hand(0)))
    scene.rig.add(LEFT, poses(scene.stamps[0], hand(0)))

    run = given(scene.view(), tmp_path)

    assert run.hands["message_number"].to_pylist() == [0]
    assert run.notes()[("undecodable", "rgb")] == 1
