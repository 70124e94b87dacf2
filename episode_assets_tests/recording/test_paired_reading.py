"""Two streams read side by side, where compressed chunks hold both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from episode_assets.errors import BadRecording
from episode_assets.recording import ImageMessage, PairedReading, RecordingView, decode_depth
from episode_assets_tests.recording.rig import write_rig

FRAMES = 12
Views = Callable[..., RecordingView]


def paired(view: RecordingView, most_bytes: int) -> PairedReading:
    assert view.depth is not None
    return PairedReading(view.rgb, view.depth, most_bytes=most_bytes)


def depths(pair: PairedReading, start: int = 0, stop: int = FRAMES) -> list[int]:
    read = list(pair.read_past_damage(start, stop))
    assert [position for position, _ in read] == list(range(start, stop))
    return [int(decode_depth(message)[0, 0]) for _, message in read if isinstance(message, ImageMessage)]


@pytest.mark.parametrize("most_bytes", [0, 5000, 1 << 20])
@pytest.mark.parametrize("compression", ["zstd", ""])
def test_both_streams_are_what_they_are_apart(
    compression: str, most_bytes: int, tmp_path: Path, view_of: Views
) -> None:
    view = view_of(write_rig(tmp_path / "rig.mcap", frames=FRAMES, compression=compression, chunk_bytes=8000))
    pair = paired(view, most_bytes)

    steps = list(pair.steps(0, FRAMES))

    assert [step.message for step in steps] == [step.message for step in view.rgb.steps(0, FRAMES)]
    assert depths(pair) == [500 + number for number in range(FRAMES)]
    assert depths(pair, 3, 7) == [503, 504, 505, 506]


def test_what_lies_in_chunks_that_were_read_needs_no_second_reading(tmp_path: Path, view_of: Views) -> None:
    file = write_rig(tmp_path / "rig.mcap", frames=FRAMES, compression="zstd", chunk_bytes=8000)
    pair = paired(view_of(file), 1 << 20)
    list(pair.steps(0, FRAMES))

    file.unlink()

    assert depths(pair) == [500 + number for number in range(FRAMES)]


def test_no_more_is_kept_than_allowed(tmp_path: Path, view_of: Views) -> None:
    file = write_rig(tmp_path / "rig.mcap", frames=FRAMES, compression="zstd", chunk_bytes=8000)
    pair = paired(view_of(file), 3 * 1700)  # a depth message has 1,536 bytes of picture
    list(pair.steps(0, FRAMES))

    file.unlink()

    assert depths(pair, 0, 3) == [500, 501, 502]
    with pytest.raises(BadRecording):
        depths(pair, 3, 4)
