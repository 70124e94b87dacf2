"""What a script reads of a recording: frames with what is nearest to them, single streams, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from episode_assets.demo import DemoConfig
from episode_assets.errors import BadConfig, BadRecording, MissingStream
from episode_assets.scripting import (
    FaceBlurrer,
    HandTracker,
    MCAPReader,
    MeshRefiner,
    TopicConfig,
    Visualizer,
)
from episode_assets_tests.conftest import Demo, make_demo
from episode_assets_tests.scripting.conftest import Opener
from episode_assets_tests.scripting.stand_ins import MARKS

USABLE = 20


def test_a_session_knows_its_length_its_frames_and_its_cameras(opened: Opener, plain: Demo) -> None:
    session = opened()

    assert session.path == plain.path
    assert session.num_rgb_frames == 21
    assert session.duration == pytest.approx(20 / 15, abs=0.02)
    assert session.num_depth_frames > 0
    assert session.rgb_intrinsics is not None
    assert (session.rgb_intrinsics.width, session.rgb_intrinsics.height) == (320, 180)
    assert session.rgb_intrinsics.K.shape == (3, 3)
    assert session.depth_intrinsics is not None
    assert session.depth_intrinsics.width == plain.config.depth_width
    assert session.R_optical_to_link == pytest.approx(np.diag([1.0, -1.0, -1.0]))


def test_frames_have_what_is_nearest_in_time(opened: Opener) -> None:
    session = opened()
    poses, samples = session.all_camera_poses(), session.all_imu_samples()
    depths = list(session.depth_frames())

    frames = list(session.frames())

    assert [frame.index for frame in frames] == list(range(USABLE))
    for frame in frames:
        assert frame.rgb.shape == (180, 320, 3)
        nearest = min(depths, key=lambda item: abs(item[0] - frame.timestamp))
        assert np.array_equal(frame.depth, nearest[1])
        pose = min(poses, key=lambda item: abs(item[0] - frame.timestamp))[1]
        assert np.array_equal(frame.camera_pose.translation, pose.translation)
        sample = min(samples, key=lambda item: abs(item[0] - frame.timestamp))[1]
        assert np.array_equal(frame.imu["angular_velocity"], sample["angular_velocity"])
        assert frame.rgb_K is not None
        assert frame.depth_K[0, 0] == pytest.approx(session.depth_intrinsics.K[0, 0], rel=0.05)


def test_frames_have_nothing_from_farther_away_than_asked_for(opened: Opener) -> None:
    session = opened()

    near = list(session.frames(max_depth_dt=0.0, max_pose_dt=0.0, max_imu_dt=0.0))

    assert sum(frame.imu is not None for frame in near) < 3  # stamps of both clocks meet now and then
    with pytest.raises(BadConfig, match="max_depth_dt must be"):
        next(session.frames(max_depth_dt=-1))


def test_a_picture_that_does_not_decode_is_left_out_and_counted(opened: Opener) -> None:
    session = opened()

    pictures = list(session.rgb_frames())

    assert len(pictures) == USABLE
    assert [item.reason for item in session.skipped.values()] == ["undecodable"]


def test_what_a_script_does_to_a_frame_reaches_no_other(opened: Opener) -> None:
    session = opened()

    sums = []
    for frame in session.frames():
        sums.append(int(frame.depth.sum()))
        frame.depth[:] = 0
        frame.rgb[:] = 0

    assert min(sums) > 0


def test_the_small_streams_are_there(opened: Opener) -> None:
    session = opened()

    transforms, trajectory = session.tf_transforms(), session.trajectory()

    assert any(child.endswith("optical_frame") for _, _, child, _ in transforms)
    assert len(trajectory) == 1
    assert {"state", "reason"} == set(next(session.tracking_states())[1])
    vertices, triangles, colours = session.mesh()
    assert vertices.shape[1] == triangles.shape[1] == 3
    assert colours is None
    assert session.point_cloud()[0].shape[1] == 3
    with pytest.raises(BadConfig, match="source must be"):
        session.point_cloud("map")


def test_a_recording_of_pictures_alone_reads_as_far_as_it_goes(tmp_path: Path, opened: Opener) -> None:
    bare = DemoConfig(
        seconds=0.3, width=320, height=180, with_face=False, with_depth=False, with_imu=False, with_pose=False,
        with_camera_info=False, with_tracking_state=False, with_mesh=False,
    )  # fmt: skip
    path = make_demo(tmp_path / "bare.mcap", bare).path
    session = opened(path)

    frame = next(session.frames())

    assert (frame.depth, frame.camera_pose, frame.imu, frame.rgb_K, frame.depth_K) == (None,) * 5
    assert session.rgb_intrinsics is None
    assert session.depth_intrinsics is None
    assert session.mesh() is None
    assert list(session.camera_poses()) == []
    with pytest.raises(MissingStream, match="depth, camera_info, pose"):
        opened(path, check_format=True)


def test_a_complete_recording_passes_the_check(opened: Opener) -> None:
    assert opened(check_format=True).num_rgb_frames == 21


def test_topics_with_other_names_can_be_told(opened: Opener) -> None:
    session = opened(topics=TopicConfig(depth="/camera/depth"))

    assert session.num_depth_frames > 0
    with pytest.raises(MissingStream, match="/nowhere"):
        opened(topics=TopicConfig(depth="/nowhere"))


def test_what_is_no_recording_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "no.mcap"
    path.write_bytes(b"no recording")

    with pytest.raises(BadRecording):
        MCAPReader(path, scratch=tmp_path / "scratch")

    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda session: FaceBlurrer(model="mediapipe", gpu_id=0), "no option gpu_id"),
        (lambda session: FaceBlurrer(model="deepface"), "deepface"),
        (
            lambda session: HandTracker(model="mediapipe", min_tracking_confidence=0.3),
            "no option min_tracking",
        ),
        (lambda session: HandTracker(model="precomputed"), "does not look at pictures"),
        (lambda session: HandTracker(model="wilor", model_path="/opt/WiLoR"), "model_path is not used"),
        (lambda session: Visualizer(session, colour="red"), "no option 'colour'"),
        (lambda session: Visualizer(session, trail_len=7), "trail_len=7 has no effect"),
        (lambda session: Visualizer(session, map_3d="both"), "map_3d must be one of"),
        (lambda session: MeshRefiner(session, polish=True), "no option polish"),
    ],
)
def test_an_option_that_does_not_exist_is_an_error(opened: Opener, make, words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        make(opened())


def test_an_exception_in_the_loop_leaves_nothing_on_the_disk(plain: Demo, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    script = f"""
from episode_assets.anonymization import FaceBlurConfig
from episode_assets.scripting import MCAPReader
blur = FaceBlurConfig(detector={MARKS!r}, audit_detector={MARKS!r}, method="fill", g=2, fill_s=0.0, hold_s=0.0)
session = MCAPReader({str(plain.path)!r}, scratch={str(scratch)!r}, blur=blur)
for frame in session.frames():
    session.add_rgb_frame(frame.index, frame.rgb)
    session.add_hand_pose(frame.index, [])
    if frame.index == 12:
        files = [path for path in __import__("pathlib").Path({str(scratch)!r}).rglob("*.segment")]
        print(len(files))
        raise RuntimeError("the script has a mistake")
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment
    )

    assert "the script has a mistake" in done.stderr
    assert int(done.stdout) > 0
    assert [path for path in scratch.rglob("*") if path.is_file()] == []


def test_a_session_that_is_forgotten_takes_its_files_along(
    opened: Opener, plain: Demo, tmp_path: Path
) -> None:
    with MCAPReader(plain.path, scratch=tmp_path / "mine") as session:
        place = session.view.directory
        assert place.is_dir()
        assert place.parent.stat().st_mode & 0o777 == 0o700

    assert not place.exists()
