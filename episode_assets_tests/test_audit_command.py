"""`audit`: a finished video is searched at a command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from episode_assets.anonymization import FaceBlurConfig, blur_recording
from episode_assets.cli import main
from episode_assets.video import decode_picture
from episode_assets_tests.anonymization.conftest import weights
from episode_assets_tests.anonymization.liars import BLIND, KNOWN_ONLY
from episode_assets_tests.anonymization.material import Scene, record
from episode_assets_tests.anonymization.pasting import write_video

__all__ = ["weights"]

FRAMES = 6
SCENE = Scene(faces={2: (100.0, 80.0), 3: (110.0, 80.0)})

pytestmark = pytest.mark.usefixtures("weights")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["audit", *arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "plain.mp4"
    write_video([decode_picture("jpeg", SCENE.jpeg(frame)) for frame in range(FRAMES)], path)
    return path


def test_faces_of_a_video_are_listed_and_fail_the_command(video: Path) -> None:
    result = call(str(video))

    assert result.exit_code == 1
    lines = [line.split() for line in result.stdout.splitlines()]
    assert {line[0] for line in lines if line[-1] == "strong"} == {"2", "3"}
    assert lines[-1][:4] == ["6", "frames", "searched", "for"]


def test_what_is_hidden_is_no_find(weights: Path, tmp_path: Path) -> None:
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    view = record(tmp_path, [SCENE.jpeg(frame) for frame in range(FRAMES)])
    assert blur_recording(view, artifact, config=FaceBlurConfig()).audit_passed

    result = call(str(artifact / "rgb.mp4"), "--faces", str(artifact / "faces.parquet"), "--turned", "0")

    assert result.exit_code == 0
    assert "0 strong and 0 weak finds" in result.stdout


def test_a_table_hides_nothing_in_a_video_that_shows_its_faces_elsewhere(video: Path, tmp_path: Path) -> None:
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    other = Scene(faces=dict.fromkeys(range(FRAMES), (220.0, 20.0)))
    view = record(tmp_path, [other.jpeg(frame) for frame in range(FRAMES)])
    blur_recording(view, artifact, config=FaceBlurConfig())

    assert call(str(video), "--faces", str(artifact / "faces.parquet"), "--turned", "0").exit_code == 1


def test_a_detector_that_does_not_know_faces_passes_no_video(video: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"blurred_rgb: {{detector: '{KNOWN_ONLY}', audit_detector: '{BLIND}'}}")

    result = call(str(video), "--config", str(settings))

    assert result.exit_code == 1
    assert "known-answer test was not found" in result.stdout


def test_what_is_no_video_or_no_table_is_named_in_one_line(video: Path, tmp_path: Path) -> None:
    (tmp_path / "words.mp4").write_text("words")

    for arguments in ([str(tmp_path / "words.mp4")], [str(video), "--faces", str(video)]):
        result = call(*arguments)
        assert result.exit_code in {1, 2}
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1
