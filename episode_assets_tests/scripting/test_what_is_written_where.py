"""Where a script's files lie: whole or not at all, each at its own name, and nothing beside them."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from episode_assets.errors import BadConfig
from episode_assets.scripting import Evaluate, MCAPReader, Visualizer
from episode_assets_tests.conftest import Demo
from episode_assets_tests.scripting.conftest import Opener
from episode_assets_tests.scripting.stand_ins import MARKS


class InterruptedTerminal(io.StringIO):
    """An error stream whose reader presses Ctrl-C when the bar of the Rerun file appears."""

    def write(self, text: str) -> int:
        if "visualization" in text:
            raise KeyboardInterrupt
        return super().write(text)


def one_frame(session: MCAPReader) -> MCAPReader:
    session.add_rgb_frame(0, next(session.frames()).rgb)
    return session


def test_what_a_killed_export_left_goes_with_the_next_one(
    opened: Opener, plain: Demo, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "ea-notes").mkdir(parents=True)
    script = f"""
import logging, os, signal
from episode_assets.anonymization import FaceBlurConfig
from episode_assets.scripting import MCAPReader, setup_logging

class KillWithThumbnail(logging.Handler):
    def emit(self, record):
        if "Wrote thumbnail" in record.getMessage():
            os.kill(os.getpid(), signal.SIGKILL)

setup_logging()
logging.getLogger("episode_assets").addHandler(KillWithThumbnail())
blur = FaceBlurConfig(detector={MARKS!r}, audit_detector={MARKS!r}, method="fill", min_face_px=20)
session = MCAPReader({str(plain.path)!r}, scratch={str(tmp_path / "scratch")!r}, blur=blur)
frame = next(session.frames())
session.add_rgb_frame(0, frame.rgb)
session.export({str(out / "run_01")!r}, thumbnail_rgb=frame.rgb)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, env=environment)
    left = len(list(out.iterdir()))
    one_frame(opened()).export(out / "run_01")

    assert done.returncode == -signal.SIGKILL, done.stderr
    assert left == 2
    assert sorted(path.name for path in out.iterdir()) == ["ea-notes", "run_01"]


def test_an_interrupted_view_leaves_the_earlier_one(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    viewer, view = Visualizer(one_frame(opened())), tmp_path / "views" / "run_01.rrd"
    viewer.export(view)
    before = view.read_bytes()
    monkeypatch.setattr(sys, "stderr", InterruptedTerminal())

    with caplog.at_level(logging.INFO, "episode_assets"), pytest.raises(KeyboardInterrupt):
        viewer.export(view)

    assert view.read_bytes() == before
    assert [path.name for path in view.parent.iterdir()] == [view.name]


def test_reports_of_two_sessions_in_one_directory_keep_their_numbers(opened: Opener, tmp_path: Path) -> None:
    judged: dict[str, object] = {}
    for name, count in (("run_01", 1), ("run_02", 3)):
        session = opened()
        for frame in session.frames():
            if frame.index < count:
                session.add_rgb_frame(frame.index, frame.rgb)
        evaluate = Evaluate(session)
        evaluate.export(tmp_path / "reports" / f"{name}.html")
        judged[f"{name}.qc.json"] = evaluate.compute()

    told = {path.name: json.loads(path.read_text()) for path in (tmp_path / "reports").glob("*.json")}
    assert told == judged
    assert judged["run_01.qc.json"] != judged["run_02.qc.json"]


def test_a_link_to_an_empty_directory_is_a_place_to_export_to(opened: Opener, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    one_frame(opened()).export(tmp_path / "link")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "rgb.mp4").is_file()


def test_a_directory_in_place_of_a_file_is_named(opened: Opener, tmp_path: Path) -> None:
    session = opened()

    for write in (Evaluate(session).export, Visualizer(session).export):
        with pytest.raises(BadConfig, match="name a file"):
            write(tmp_path)
