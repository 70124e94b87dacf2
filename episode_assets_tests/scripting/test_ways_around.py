"""Ways around the audit that a script may take, on purpose or not: none of them leads to a file."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from episode_assets.bundle import EpisodeBundle
from episode_assets.errors import ArtifactDamaged, ArtifactMissing
from episode_assets.scripting import Evaluate, MCAPReader, Visualizer
from episode_assets_tests.leaks import traces
from episode_assets_tests.scripting.conftest import Opener
from episode_assets_tests.scripting.stand_ins import MAGENTA


def hand_in(session: MCAPReader, count: int = 4) -> None:
    for frame in session.frames():
        if frame.index < count:
            session.add_rgb_frame(frame.index, frame.rgb)


def is_unmarked(folder: Path) -> bool:
    return traces(folder, MAGENTA, tolerance=60, pixels=12) == []


def painted_video(path: Path, like: Path) -> None:
    """A video of the times of another one, all magenta."""
    import av

    with av.open(str(like)) as known, av.open(str(path), "w") as made:
        source = known.streams.video[0]
        stream = made.add_stream("libx264", options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = source.width, source.height, "yuv420p"
        stream.codec_context.time_base = source.time_base
        for frame in known.decode(video=0):
            pixels = np.tile(np.array(MAGENTA, np.uint8), (source.height, source.width, 1))
            picture = type(frame).from_ndarray(pixels, format="rgb24")
            picture.pts, picture.time_base = frame.pts, frame.time_base
            made.mux(stream.encode(picture))
        made.mux(stream.encode(None))


def test_a_video_put_in_place_of_one_that_was_left_out_is_shown_nowhere(
    opened: Opener, tmp_path: Path
) -> None:
    session, out, shown = opened(), tmp_path / "out", tmp_path / "shown"
    hand_in(session)
    session.export(tmp_path / "full")
    session.export(out, skip_rgb_mp4=True)
    painted_video(out / "rgb.mp4", tmp_path / "full" / "rgb.mp4")
    assert not is_unmarked(out)

    Evaluate(session).export(shown / "report.html")
    Visualizer(session).export(shown / "view.rrd")

    assert is_unmarked(shown)
    with pytest.raises(ArtifactDamaged, match=r"nobody audited it.*rgb\.mp4"):
        EpisodeBundle.open(out)


def test_a_video_that_was_changed_after_the_export_is_shown_nowhere(opened: Opener, tmp_path: Path) -> None:
    session, out, shown = opened(), tmp_path / "out", tmp_path / "shown"
    hand_in(session)
    session.export(out)
    painted_video(tmp_path / "mine.mp4", out / "rgb.mp4")
    shutil.move(tmp_path / "mine.mp4", out / "rgb.mp4")

    Evaluate(session).export(shown / "report.html")
    Visualizer(session).export(shown / "view.rrd")

    assert is_unmarked(shown)


def test_an_episode_without_a_video_can_be_judged_and_shown(opened: Opener, tmp_path: Path) -> None:
    session = opened()
    hand_in(session)
    session.export(tmp_path / "out", skip_rgb_mp4=True, skip_thumbnail=True)

    judged = Evaluate(session).compute()
    view = Visualizer(session).export(tmp_path / "view.rrd")

    assert judged["frames"] == 4
    assert Path(view).stat().st_size > 1000
    with EpisodeBundle.open(tmp_path / "out") as bundle:
        with pytest.raises(ArtifactMissing, match=r"rgb\.mp4"):
            bundle.video_path  # noqa: B018
        with pytest.raises(ArtifactMissing, match=r"thumbnail\.jpg"):
            bundle.thumbnail_path  # noqa: B018


@pytest.mark.parametrize("name", ["rgb.mp4", "thumbnail.jpg", "depth.mp4"])
def test_a_bundle_takes_no_picture_that_its_list_does_not_name(
    opened: Opener, tmp_path: Path, name: str
) -> None:
    session, out = opened(), tmp_path / "out"
    hand_in(session, 2)
    session.export(out, skip_rgb_mp4=True, skip_thumbnail=True)
    (out / "notes.txt").write_text("files of a user's own are fine")
    with EpisodeBundle.open(out):
        pass

    (out / name).write_bytes(b"mine")

    with pytest.raises(ArtifactDamaged, match=name):
        EpisodeBundle.open(out)
