"""The full script of the guide, with its imports changed and nothing else, and every door by which pixels come in."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from episode_assets.bundle import EpisodeBundle
from episode_assets.errors import BadConfig
from episode_assets.scripting import (
    Evaluate,
    EvaluateConfig,
    FaceBlurrer,
    HandTracker,
    MCAPReader,
    MeshRefiner,
    RefinedMesh,
    UpperBodyEstimator,
    Visualizer,
    setup_logging,
)
from episode_assets_tests.conftest import Demo
from episode_assets_tests.leaks import traces
from episode_assets_tests.scripting.conftest import Opener
from episode_assets_tests.scripting.stand_ins import MAGENTA


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The package's logger, put back as it was."""
    log = logging.getLogger("episode_assets")
    before = log.level, log.propagate, list(log.handlers)
    yield log
    log.setLevel(before[0])
    log.propagate = before[1]
    log.handlers[:] = before[2]


def test_the_script_of_the_guide_runs_and_leaks_nothing(
    marked: Demo, tmp_path: Path, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    setup_logging("INFO")

    session = MCAPReader(marked.path, scratch=tmp_path / "scratch")
    tracker = HandTracker(model="mediapipe")
    blur = FaceBlurrer(model="mediapipe")
    estimator = UpperBodyEstimator(session=session)
    viz = Visualizer(session, map_3d="auto")

    for frame in session.frames():
        blurred = blur.blur(frame)
        hands = tracker.detect_hands(frame)
        skeleton = estimator.estimate(frame, hands=hands)
        session.add_rgb_frame(frame.index, blurred)
        session.add_hand_pose(frame.index, hands)
        viz.log_frame(frame, hands=hands, skeleton=skeleton)

    mesh = MeshRefiner(session).refine()
    out = tmp_path / "episodes" / "run_01"
    manifest = session.export(out, visualizer=viz, mesh=mesh)
    report = Evaluate(session, config=EvaluateConfig(sync_target=95.0)).export(
        tmp_path / "report" / "report.html"
    )

    assert {
        "rgb.mp4", "thumbnail.jpg", "mesh.ply", "annotation.hdf5:/depth", "annotation.hdf5:/cam-pose",
        "annotation.hdf5:/imu", "annotation.hdf5:/hand-pose", "annotation.hdf5:/metadata", "calibrations/",
        "visualization.rrd",
    } <= set(manifest["saved"])  # fmt: skip
    assert (out / "visualization.rrd").stat().st_size > 1000
    with EpisodeBundle.open(out) as bundle:
        assert session.num_rgb_frames == bundle.F
        found = bundle.left.valid | bundle.right.valid
        assert found.mean() > 0.8
        assert bundle.upper_body is not None
        assert bundle.upper_body.valid.mean() > 0.8
        middle = np.nanmedian(bundle.left.joints_cam[..., 2])
    assert 0.2 < middle < 1.0
    assert (mesh.vertices.shape[1], mesh.faces.shape[1], mesh.vertex_normals.shape[1]) == (3, 3, 3)
    judged = json.loads(Path(report).with_suffix(".qc.json").read_text())
    assert judged["config"]["sync_target"] == 95.0
    assert "<html" in Path(report).read_text().lower()
    for folder in (out, tmp_path / "report", tmp_path / "scratch"):
        assert traces(folder, MAGENTA, tolerance=60, pixels=12) == []
    shown = capsys.readouterr().err
    for stage in (
        "Opened",
        "Opening rgb.mp4",
        "Finalizing rgb.mp4",
        "Exporting episode to",
        "+ rgb.mp4",
        "Evaluation",
    ):
        assert stage in shown


def test_raw_frames_are_blurred_as_the_recording_would_be(
    opened: Opener, marked: Demo, tmp_path: Path
) -> None:
    session = opened(marked.path)
    middle = None
    for frame in session.frames():
        session.add_rgb_frame(frame.index, frame.rgb)
        middle = frame.rgb if frame.index == 9 else middle

    manifest = session.export(tmp_path / "out", thumbnail_rgb=middle)

    assert (np.abs(middle.astype(int) - MAGENTA).max(axis=2) < 60).sum() > 12
    assert traces(tmp_path / "out", MAGENTA, tolerance=60, pixels=12) == []
    assert manifest["privacy"]["frames_with_faces"] == session.num_rgb_frames
    assert manifest["privacy"]["unverified"] == []


def test_without_any_frame_the_whole_recording_is_blurred(
    opened: Opener, marked: Demo, tmp_path: Path
) -> None:
    session = opened(marked.path)

    judged = Evaluate(session).compute()
    manifest = session.export(tmp_path / "out")

    assert judged["privacy"]["audit"] == "passed"
    assert "pictures" not in manifest["privacy"]
    assert "annotation.hdf5:/hand-pose" in {line.split(" ")[0] for line in manifest["skipped"]}
    assert traces(tmp_path, MAGENTA, tolerance=60, pixels=12) == []


def test_a_visualizer_or_mesh_of_somebody_else_is_refused(opened: Opener, tmp_path: Path) -> None:
    class Foreign:
        def export(self, path: Path) -> None:
            path.write_bytes(b"raw pixels")

    session, other = opened(), opened()
    session.add_rgb_frame(0, next(session.frames()).rgb)
    painted = np.tile(np.array(MAGENTA, np.uint8), (3, 1))
    points, faces = np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32)
    mesh = RefinedMesh(points, faces, painted, points, other)

    with pytest.raises(BadConfig, match="visualizer is a Foreign, and what it holds cannot be audited"):
        session.export(tmp_path / "out", visualizer=Foreign())
    with pytest.raises(BadConfig, match="mesh is a tuple"):
        session.export(tmp_path / "out", mesh=(points, faces, painted))
    with pytest.raises(BadConfig, match="another session"):
        session.export(tmp_path / "out", mesh=mesh)
    with pytest.raises(BadConfig, match="another session"):
        session.export(tmp_path / "out", visualizer=Visualizer(other))
    assert not (tmp_path / "out").exists()


def test_a_rerun_file_can_be_written_on_its_own(opened: Opener, marked: Demo, tmp_path: Path) -> None:
    session = opened(marked.path)
    viz = Visualizer(session, output=tmp_path / "views" / "run.rrd")
    for frame in session.frames():
        session.add_rgb_frame(frame.index, frame.rgb)
        viz.log_frame(frame)

    path = viz.export()

    assert Path(path).stat().st_size > 1000
    assert traces(tmp_path, MAGENTA, tolerance=60, pixels=12) == []
    with pytest.raises(BadConfig, match="no place for the Rerun file"):
        Visualizer(session).export()
    with pytest.raises(BadConfig, match="not read from this session"):
        Visualizer(opened(marked.path)).log_frame(frame)
