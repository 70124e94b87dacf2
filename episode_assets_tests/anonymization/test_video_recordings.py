"""Recordings whose colour pictures are a video: the same blur, cut anywhere, and nothing shown that is not whole."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.anonymization import FaceBlurConfig, blur_recording, passes
from episode_assets.outcome import Outcome
from episode_assets.recording import RecordingConfig, RecordingView, scan_recording
from episode_assets.video import decode_frames
from episode_assets_tests.anonymization.material import START_NS, STEP_NS, TOPIC, Scene
from episode_assets_tests.anonymization.measures import lost_share
from episode_assets_tests.recording.rig import Rig, compressed_image
from episode_assets_tests.video.moving import Payload, decoded, payloads

FRAMES = 36
CONFIG = FaceBlurConfig(g=8)

pytestmark = pytest.mark.usefixtures("weights")


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(faces={frame: (20 + 8.0 * (frame - 6), 70 + 2.0 * (frame - 6)) for frame in range(6, 30)})


@pytest.fixture(scope="module")
def stream(scene: Scene) -> tuple[Payload, ...]:
    return payloads("h264", (scene.picture(frame) for frame in range(FRAMES)))


def recorded(folder: Path, stream: Sequence[Payload]) -> RecordingView:
    rig = Rig(folder / "recording.mcap")
    for payload in stream:
        rig.add(TOPIC, compressed_image(START_NS + payload.frame * STEP_NS, payload.data, name="h264"))
    file = rig.close()
    (folder / "raw").mkdir()
    scan_recording(str(file), folder / "raw", recording_id="room-1", config=RecordingConfig())
    return RecordingView.open(folder / "raw", str(file))


def blurred(
    view: RecordingView, directory: Path, config: FaceBlurConfig = CONFIG, *, workers: int = 1
) -> Outcome:
    directory.mkdir(mode=0o700)
    return blur_recording(view, directory, config=config, workers=workers)


def digests(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


def psnr_db(source: np.ndarray, result: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((source.astype(float) - result) ** 2)))


def flat(planes: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([plane.ravel() for plane in planes])


def test_a_video_is_blurred_frame_by_frame_and_encoded_anew(
    scene: Scene, stream: tuple[Payload, ...], tmp_path: Path
) -> None:
    outcome = blurred(recorded(tmp_path, stream), tmp_path / "artifact")
    source = decoded("h264", stream)

    assert outcome.audit_passed
    published = dict(decode_frames(tmp_path / "artifact" / "rgb.mp4"))
    assert len(published) == FRAMES
    held = set(pq.read_table(tmp_path / "artifact" / "faces.parquet")["frame_index"].to_pylist())
    assert len(set(published) - held) >= 4
    for frame, picture in published.items():
        if frame in scene.faces:
            assert lost_share(source[frame][0], picture.y, scene.face_box(frame)) > 0.95, frame
        elif frame not in held:
            published_planes = (picture.y, picture.u, picture.v)
            assert psnr_db(flat(source[frame]), flat(published_planes)) >= 50, frame
    video = (tmp_path / "artifact" / "rgb.mp4").read_bytes()
    assert not any(payload.data[-60:] in video for payload in stream)


def test_neither_units_nor_workers_change_a_byte_of_a_broken_video(
    stream: tuple[Payload, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begins inside a group, has lost one picture, and has units that begin anywhere in a group."""
    view = recorded(tmp_path, [*stream[7:24], *stream[25:]])
    config = FaceBlurConfig(g=4, max_dropped_ratio=0.5)

    outcomes, bytes_of = [], []
    for length, workers in ((4, 1), (12, 2), (60, 1)):
        monkeypatch.setattr(passes, "UNIT_FRAMES", length)
        outcomes.append(blurred(view, tmp_path / f"artifact_{length}", config, workers=workers))
        bytes_of.append(digests(tmp_path / f"artifact_{length}"))

    assert outcomes[0].audit_passed
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert all(digest == bytes_of[0] for digest in bytes_of)
    dropped = pq.read_table(tmp_path / "artifact_4" / "dropped.parquet").to_pydict()
    frames = pq.read_table(tmp_path / "artifact_4" / "frames.parquet").to_pydict()
    keys = [payload.frame for payload in stream if payload.is_key]
    first, behind_loss = next(k for k in keys if k >= 7), next(k for k in keys if k > 24)
    # Message n is frame n + 7, from message 17 on frame n + 8.
    lost = [*range(first - 7), *range(17, behind_loss - 8)]
    assert dropped["message_number"] == lost
    assert len(lost) > 2
    assert set(dropped["reason"]) == {"undecodable"}
    assert frames["message_number"] == [number for number in range(28) if number not in lost]
    assert outcomes[0].summary["dropped"] == len(lost)
