"""Short recordings for scripts: one without a face that is cheap to work on, and one with a marked face."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from episode_assets.anonymization import FaceBlurConfig
from episode_assets.demo import DemoConfig
from episode_assets.scripting import MCAPReader
from episode_assets_tests.conftest import Demo, make_demo
from episode_assets_tests.scripting.stand_ins import MAGENTA, MARKS

PLAIN = DemoConfig(
    seconds=1.4, width=320, height=180, with_face=False, mesh_colour=MAGENTA, corrupt_frames=(7,)
)
MARK_BLUR = FaceBlurConfig(detector=MARKS, audit_detector=MARKS, method="fill", min_face_px=20)

Opener = Callable[..., MCAPReader]


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """21 pictures without a face, of which one does not decode, and a mesh with colours."""
    return make_demo(tmp_path_factory.mktemp("plain") / "plain.mcap", PLAIN)


@pytest.fixture(scope="session")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A face with marks of a colour that is nowhere else, in pictures that the models can read."""
    config = DemoConfig(seconds=0.8, width=640, height=360, face_marker=MAGENTA, mesh_colour=MAGENTA)
    return make_demo(tmp_path_factory.mktemp("marked") / "marked.mcap", config)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


@pytest.fixture
def opened(plain: Demo, scratch: Path) -> Iterator[Opener]:
    """Return what opens the recording without a face, with a detector that takes magenta for one."""
    sessions: list[MCAPReader] = []

    def opening(path: Path | None = None, blur: FaceBlurConfig = MARK_BLUR, **options: object) -> MCAPReader:
        sessions.append(MCAPReader(path or plain.path, blur=blur, scratch=scratch, **options))
        return sessions[-1]

    yield opening
    for session in sessions:
        session.close()
