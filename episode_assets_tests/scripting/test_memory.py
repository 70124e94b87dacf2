"""Pictures that are handed in do not pile up: what is held does not grow with their number."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np

from episode_assets.anonymization.handed_in import HandedInPictures
from episode_assets.demo import DemoConfig
from episode_assets.scripting import MCAPReader
from episode_assets.video import Picture
from episode_assets_tests.conftest import make_demo
from episode_assets_tests.scripting.conftest import MARK_BLUR


def held_after(session: MCAPReader, scratch: Path, frames: int) -> int:
    """Most bytes that were held at once while so many pictures were handed in."""
    pictures = HandedInPictures(session.view, scratch, size=(320, 180), config=MARK_BLUR)
    noise = np.random.default_rng(0)
    tracemalloc.start()
    for position in range(frames):
        picture = Picture.blank(320, 180)
        picture.y[:] = noise.integers(
            60, 180, picture.y.shape, np.uint8
        )  # what does not shrink when it is encoded
        pictures.add(position, picture)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def test_three_times_the_frames_are_held_in_as_much_memory(tmp_path: Path) -> None:
    config = DemoConfig(
        seconds=6.0,
        width=320,
        height=180,
        with_face=False,
        with_hands=False,
        with_depth=False,
        with_imu=False,
    )
    demo = make_demo(tmp_path / "long.mcap", config)
    with MCAPReader(demo.path, scratch=tmp_path / "scratch", blur=MARK_BLUR) as session:
        short = held_after(session, tmp_path / "short", 40)
        long = held_after(session, tmp_path / "long", 90)

    # A picture has 86 kB, encoded 40 kB: the 50 more would be 2 MB.
    assert long < short + 1e6
