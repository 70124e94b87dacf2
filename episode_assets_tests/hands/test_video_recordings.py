"""Hands in recordings whose colour pictures are a video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from episode_assets.hands import HandPoseConfig
from episode_assets.recording import RecordingView
from episode_assets_tests.hands.conftest import Estimated, estimated
from episode_assets_tests.recording.rig import EPOCH_NS, Rig, compressed_image
from episode_assets_tests.video.builders import jpeg
from episode_assets_tests.video.moving import Payload, payloads

FRAMES, STEP_NS = 30, 66_666_667
BACKEND = "episode_assets_tests.hands.stand_in:make"

Scan = Callable[[Path], RecordingView]


def picture(number: int) -> np.ndarray:
    """A bright spot that wanders over a dark gradient."""
    y, x = np.mgrid[:240, :320]
    spot = 160 * np.exp(-((x - 60 - 6 * number) ** 2 + (y - 120) ** 2) / 800)
    return np.clip(np.dstack([40 + x / 8 + spot, 40 + y / 8 + spot, 30 + spot]), 0, 255).astype(np.uint8)


def written(file: Path, messages: Sequence[tuple[int, bytes]], name: str) -> Path:
    rig = Rig(file)
    for number, data in messages:
        rig.add("/camera/color", compressed_image(EPOCH_NS + number * STEP_NS, data, name=name))
    return rig.close()


@pytest.fixture(scope="module")
def stream() -> tuple[Payload, ...]:
    return payloads("h264", (picture(number) for number in range(FRAMES)))


def config(chunk_frames: int) -> HandPoseConfig:
    return HandPoseConfig(backend=BACKEND, chunk_frames=chunk_frames, margin_s=0.4)


def joints(run: Estimated) -> np.ndarray:
    return run.numbers("joints_px").reshape(-1, 42)


def test_a_video_gives_the_hands_of_the_same_pictures_as_stills(
    stream: tuple[Payload, ...], scanned: Scan, tmp_path: Path
) -> None:
    stills = [(number, jpeg(picture(number)[:, :, ::-1])) for number in range(FRAMES)]
    video = [(payload.frame, payload.data) for payload in stream]

    runs = [
        estimated(
            scanned(written(tmp_path / f"{name}.mcap", messages, name)), tmp_path / name, config=config(300)
        )
        for name, messages in (("jpeg", stills), ("h264", video))
    ]

    assert [run.frames["message_number"].to_pylist() for run in runs] == [list(range(FRAMES))] * 2
    assert runs[0].hands["message_number"].to_pylist() == runs[1].hands["message_number"].to_pylist()
    assert np.abs(joints(runs[0]) - joints(runs[1])).max() < 4


def test_pictures_without_their_key_frame_have_no_hands_and_are_counted(
    stream: tuple[Payload, ...], scanned: Scan, tmp_path: Path
) -> None:
    messages = [(p.frame, p.data) for p in stream if p.frame >= 4 and p.frame != 23]
    view = scanned(written(tmp_path / "broken.mcap", messages, "h264"))

    runs = [
        estimated(view, tmp_path / f"out_{length}_{workers}", config=config(length), workers=workers)
        for length, workers in ((300, 1), (11, 1), (11, 2))
    ]

    decodable = [*range(6, 19)]  # message 6 is frame 10; 19 would need frame 23, and no key frame follows
    assert [run.notes()[("undecodable", "rgb")] for run in runs] == [6 + 6] * 3
    assert set(runs[0].hands["message_number"].to_pylist()) <= set(decodable)
    assert runs[1].hands.equals(runs[2].hands)
    assert runs[1].frames.equals(runs[2].frames)
