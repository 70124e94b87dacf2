"""The Rerun viewer opens the file without a complaint and shows its video; drawn by Chromium's software renderer."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from episode_assets.bundle import BundleConfig
from episode_assets.bundle.rerun_names import PICTURE
from episode_assets.video import RGBEncoderConfig, SegmentEncoder, decode_frames, join_segments, probe
from episode_assets_tests.bundle.conftest import Maker
from episode_assets_tests.bundle.recordings import Box, Hand, Scene

BLUE, BLUE_YUV = (30, 60, 230), (79, 204, 98)
"""The same colour as RGB and as limited-range BT.601."""

PATIENCE_S = 60.0


def paint(blurred: Path) -> None:
    """Encode the video anew as the package does, in a colour that occurs nowhere else.

    Players go by the rate that is told inside the encoded pictures; one without sense leaves the viewer waiting.
    """
    video, whole = blurred / "rgb.mp4", blurred / "painted.mp4"
    encoder = SegmentEncoder(RGBEncoderConfig(), true_width=320, true_height=240)
    for (_, picture), pts_us in zip(decode_frames(video), probe(video).pts_us.tolist(), strict=True):
        for plane, value in zip((picture.y, picture.u, picture.v), BLUE_YUV, strict=True):
            plane[:] = value
        encoder.encode(picture, pts_us=pts_us)
    encoder.finish().save(blurred / "segment")
    join_segments([blurred / "segment"], whole)
    whole.replace(video)


def renderer() -> Path:
    """Chromium's software Vulkan, described for a program outside of it."""
    folders = (Path("/usr/lib"), Path("/opt"), Path("/usr/share"))
    found = [path for folder in folders for path in folder.glob("*/libvk_swiftshader.so")]
    assert found, "Chromium is not installed"
    return found[0]


@contextmanager
def viewer_of(path: Path, home: Path) -> Iterator[Any]:
    from rerun.experimental import ViewerClient

    settings = {
        "file_format_version": "1.0.0",
        "ICD": {"library_path": str(renderer()), "api_version": "1.1.0"},
    }
    (home / "renderer.json").write_text(json.dumps(settings))
    environment = {**os.environ, "HOME": str(home), "VK_ICD_FILENAMES": str(home / "renderer.json")}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    rerun = [sys.executable, "-m", "rerun"]
    subprocess.run([*rerun, "analytics", "disable"], env=environment, check=True, capture_output=True)
    place = ["--headless", "--renderer", "vulkan", "--bind", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        [*rerun, *place, "--window-size", "1500x950", str(path)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield opened(lambda: ViewerClient.connect(f"rerun+http://127.0.0.1:{port}/proxy"))
        finally:
            # The program is started by a script, which does not hand on that it is ended.
            os.killpg(process.pid, signal.SIGTERM)


def opened(connect: Any) -> Any:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            client = connect()
            state = client.get_state()
        except ConnectionError:
            time.sleep(0.2)
            continue
        if state.recordings and not state.loading:
            return client
        time.sleep(0.2)
    raise AssertionError("the viewer did not open the file")


def share_of_blue(client: Any) -> float:
    """Share of the left third of the window, where the pictures are."""
    window = np.asarray(Image.open(io.BytesIO(client.take_screenshot())).convert("RGB")).astype(int)
    left = window[:, : window.shape[1] // 3]
    return float((np.abs(left - BLUE).max(axis=2) < 30).mean())


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the viewer decodes H.264 with the program ffmpeg")
def test_the_viewer_opens_it_without_a_complaint(make: Maker, tmp_path: Path) -> None:
    scene = Scene(frames=60, width=320, height=240)
    hands, boxes = (Hand(1, at=(150, 180)), Hand(1, side="left", at=(60, 180))), (Box(1, 8, 6, 60, 80),)
    made = make(scene, hands=hands, boxes=boxes, prepare=paint, config=BundleConfig())

    with viewer_of(made.path / "visualization.rrd", tmp_path) as client:
        end = time.monotonic() + PATIENCE_S
        while share_of_blue(client) < 0.2 and time.monotonic() < end:
            time.sleep(0.5)
        share, state = share_of_blue(client), client.get_state()

    assert share >= 0.2
    assert {view.name: view.reports for view in state.views} == {
        "video": [], "video and hands": [], "depth": [], "scene": [], "tracking": [],
        "acceleration, m/s2": [], "angular velocity, rad/s": [],
    }  # fmt: skip
    assert {view.origin.strip("/") for view in state.views if view.name.startswith("video")} == {PICTURE}
    (recording,) = state.recordings
    assert {timeline.name for timeline in recording.timelines} == {"time", "frame"}
    assert recording.current_timeline == "time"
