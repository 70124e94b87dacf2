"""A script that is interrupted, or whose audit fails, and goes on: nothing is lost, taken twice or told wrongly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from episode_assets.errors import AuditFailed
from episode_assets.scripting import Evaluate, MeshRefiner
from episode_assets_tests.conftest import Demo
from episode_assets_tests.scripting.conftest import MARK_BLUR, Opener
from episode_assets_tests.scripting.stand_ins import COUNTED, INTERRUPTED, Counted, Interrupted
from episode_assets_tests.scripting.test_handed_in_frames import with_mark

ONLY_THE_TEST = "benchmarks.no_faces:make"


def until_it_is_done(action: Callable[[], object]) -> int:
    """Call again after each interruption; returns how many there were."""
    for interruptions in range(20):
        try:
            action()
        except KeyboardInterrupt:
            continue
        return interruptions
    raise AssertionError("it is never done")


def test_an_interrupted_script_can_go_on(opened: Opener, tmp_path: Path) -> None:
    whole, session = (opened(blur=replace(MARK_BLUR, audit_detector=INTERRUPTED)) for _ in range(2))
    Interrupted.after = 0
    for frame in whole.frames():
        whole.add_rgb_frame(frame.index, with_mark(frame))
    whole.export(tmp_path / "whole")

    interruptions = 0
    for frame in session.frames():
        Interrupted.after = {0: 0, 4: 1, 14: 4, 15: 9}.get(frame.index, Interrupted.after)
        interruptions += until_it_is_done(
            lambda frame=frame: session.add_rgb_frame(frame.index, with_mark(frame))
        )
    Interrupted.after = 3
    interruptions += until_it_is_done(lambda: session.export(tmp_path / "gone_on"))

    assert interruptions >= 2
    for name in ("rgb.mp4", "annotation.hdf5", "frames.parquet"):
        assert (tmp_path / "gone_on" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_script_that_breaks_off_after_an_interruption_exports_what_was_taken(
    opened: Opener, tmp_path: Path
) -> None:
    session = opened(blur=replace(MARK_BLUR, audit_detector=INTERRUPTED))
    taken = 0
    with pytest.raises(KeyboardInterrupt):
        for frame in session.frames():
            Interrupted.after = 3 if frame.index == 14 else Interrupted.after
            session.add_rgb_frame(frame.index, frame.rgb)
            taken += 1

    manifest = session.export(tmp_path / "out")

    assert manifest["summary"]["frames"] == taken == 14


def test_a_failed_audit_is_told_again_and_no_picture_searched_anew(
    opened: Opener, marked: Demo, tmp_path: Path
) -> None:
    careless = replace(MARK_BLUR, detector=ONLY_THE_TEST, audit_detector=COUNTED, audit_rounds=0)
    session = opened(marked.path, blur=careless)
    with pytest.raises(AuditFailed) as first:
        session.export(tmp_path / "out")
    searched = Counted.pictures

    for ask in (
        lambda: session.export(tmp_path / "again"),
        lambda: MeshRefiner(session).refine(),
        lambda: Evaluate(session).compute(),
    ):
        with pytest.raises(AuditFailed) as later:
            ask()
        assert str(later.value) == str(first.value)

    assert Counted.pictures == searched
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]
    frame = next(session.frames())
    session.add_rgb_frame(0, frame.rgb)
    assert session.export(tmp_path / "out")["privacy"]["audit"] == "passed"
