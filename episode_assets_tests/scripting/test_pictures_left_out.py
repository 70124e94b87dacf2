"""Recordings of which many pictures cannot be used: refused as everywhere else, unless a script says otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from episode_assets.errors import BadRecording
from episode_assets.scripting import MCAPReader
from episode_assets_tests.anonymization.material import Scene, encode, record
from episode_assets_tests.scripting.conftest import MARK_BLUR, Opener


@pytest.fixture
def odd_beginning(tmp_path: Path) -> Path:
    """Twelve pictures, of which the first alone has another size."""
    scene = Scene(size=(160, 120))
    jpegs = [scene.jpeg(frame) for frame in range(12)]
    jpegs[0] = encode(Scene(size=(80, 60)).picture(0))
    return Path(record(tmp_path, jpegs).source)


def hand_in_all(session: MCAPReader) -> int:
    frames = list(session.frames())
    for frame in frames:
        session.add_rgb_frame(frame.index, frame.rgb)
    return len(frames)


def test_one_odd_picture_at_the_beginning_does_not_stand_for_all_others(
    opened: Opener, odd_beginning: Path, tmp_path: Path
) -> None:
    session = opened(odd_beginning)

    taken = hand_in_all(session)

    assert taken == 1
    with pytest.raises(
        BadRecording, match=r"11 of 12 colour pictures cannot be used \(message 1: size_change"
    ):
        session.export(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_script_may_ask_for_what_is_left(opened: Opener, odd_beginning: Path, tmp_path: Path) -> None:
    session = opened(odd_beginning, blur=replace(MARK_BLUR, max_dropped_ratio=1.0))
    hand_in_all(session)

    manifest = session.export(tmp_path / "out")

    (note,) = [note for note in manifest["warnings"] if note["code"] == "picture_dropped"]
    assert note["count"] == 11
