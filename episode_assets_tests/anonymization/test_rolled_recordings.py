"""Demo recordings of cameras worn sideways and upside down, and of every size, lose the same face to the blur."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from episode_assets.anonymization import FaceBlurConfig, blur_recording
from episode_assets.demo import DemoConfig, DemoTruth, write_demo
from episode_assets.recording import RecordingConfig, RecordingView, scan_recording
from episode_assets.video import decode_frames, decode_picture
from episode_assets_tests.anonymization.measures import lost_share
from episode_assets_tests.demo.independent_reader import read_everything

HD, UHD = (1280, 720), (3840, 2160)
LEAST_VISIBLE = 0.5
LEAST_LOST = 0.95


def clipped(box: np.ndarray, width: int, height: int) -> tuple[int, int, int, int]:
    x0, y0 = np.maximum(np.floor(box[:2]), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(box[2:]) + 1, (width, height)).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def blurred(folder: Path, **options: object) -> tuple[DemoTruth, Path, Path, object]:
    file, raw, directory = folder / "demo.mcap", folder / "raw", folder / "artifact"
    truth = write_demo(file, config=DemoConfig(**options, with_mesh=False))  # type: ignore[arg-type]
    raw.mkdir()
    directory.mkdir()
    scan_recording(str(file), raw, recording_id="demo", config=RecordingConfig())
    outcome = blur_recording(RecordingView.open(raw, str(file)), directory, config=FaceBlurConfig())
    assert outcome.audit_passed, outcome.privacy
    return truth, file, directory, outcome


def lost_shares(truth: DemoTruth, file: Path, directory: Path) -> dict[int, float]:
    """Share of the detail of each visible face that is gone, by frame."""
    width, height = truth.size_px.tolist()
    whole = np.flatnonzero(truth.face_visible_ratio >= LEAST_VISIBLE).tolist()
    jpegs = read_everything(file).topics["/camera/rgb/compressed"]
    return {
        frame: lost_share(
            decode_picture("jpeg", bytes(jpegs[frame].data)).y,
            picture.y,
            clipped(truth.face_box_px[frame], width, height),
        )
        for frame, picture in decode_frames(directory / "rgb.mp4", whole)
    }


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize(
    ("roll_deg", "size"),
    [
        *[(degrees, (640, 360)) for degrees in (90, 180, 270)],
        *[pytest.param(degrees, HD, marks=pytest.mark.long) for degrees in (0, 90, 180, 270)],
        pytest.param(0, UHD, marks=pytest.mark.long),
    ],
)
def test_every_face_of_a_rolled_recording_is_covered(
    roll_deg: int, size: tuple[int, int], tmp_path: Path
) -> None:
    seconds = 4.0 if size == HD else 1.4
    truth, file, directory, outcome = blurred(
        tmp_path, seconds=seconds, width=size[0], height=size[1], roll_deg=roll_deg
    )

    lost = lost_shares(truth, file, directory)

    assert len(lost) >= 10
    assert min(lost.values()) >= LEAST_LOST, lost
    assert outcome.privacy["upright"] == "pose"  # type: ignore[attr-defined]


@pytest.mark.usefixtures("weights")
def test_without_poses_an_accelerometer_with_gravity_stands_pictures_upright(tmp_path: Path) -> None:
    truth, file, directory, outcome = blurred(
        tmp_path, seconds=1.4, width=640, height=360, roll_deg=90, with_pose=False, imu_gravity="included"
    )

    lost = lost_shares(truth, file, directory)

    assert len(lost) >= 10
    assert min(lost.values()) >= LEAST_LOST, lost
    assert outcome.privacy["upright"] == "gravity"  # type: ignore[attr-defined]
