"""Ways around the audit that a script may take, on purpose or not: none of them leads to a file."""

from __future__ import annotations

import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from episode_assets.bundle import EpisodeBundle
from episode_assets.errors import ArtifactDamaged, ArtifactMissing, BadConfig
from episode_assets.scripting import Evaluate, FaceBlurrer, MCAPReader, MeshRefiner, RefinedMesh, Visualizer
from episode_assets_tests.conftest import Demo
from episode_assets_tests.leaks import traces
from episode_assets_tests.scripting.conftest import MARK_BLUR, Opener
from episode_assets_tests.scripting.stand_ins import COUNTED, MAGENTA, MARKS, Counted

SAME_SEARCH = {"model": MARKS, "audit_detector": MARKS, "min_face_px": MARK_BLUR.min_face_px}


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


def depth_holes_of(session: MCAPReader, out: Path) -> int:
    return session.export(out)["privacy"]["depth_hole_frames"]


def test_depth_hides_a_face_that_a_script_covered_before_it_was_searched(
    opened: Opener, marked: Demo, tmp_path: Path
) -> None:
    session, blur = opened(marked.path), FaceBlurrer(**SAME_SEARCH)
    for frame in session.frames():
        if frame.index < 4:
            frame.rgb[:] = 90
            session.add_rgb_frame(frame.index, blur.blur(frame))

    assert depth_holes_of(session, tmp_path / "out") == 4


def test_depth_hides_a_face_that_a_laxer_search_missed(opened: Opener, marked: Demo, tmp_path: Path) -> None:
    session, lax = opened(marked.path), FaceBlurrer(min_face_px=400)
    found = 0
    for frame in session.frames():
        if frame.index < 4:
            found += len(lax.detect_boxes([frame])[0])
            session.add_rgb_frame(frame.index, np.full_like(frame.rgb, 90))

    assert found == 0
    assert depth_holes_of(session, tmp_path / "out") == 4


def test_a_recorded_picture_that_was_searched_alike_is_not_searched_again(
    opened: Opener, marked: Demo, tmp_path: Path
) -> None:
    session = opened(marked.path, blur=replace(MARK_BLUR, detector=COUNTED))
    blur = FaceBlurrer(**{**SAME_SEARCH, "model": COUNTED}, box_scale=2.5)
    frames = [frame for frame, _ in zip(session.frames(), range(3), strict=False)]
    blurred = [blur.blur(frame) for frame in frames]
    session.add_rgb_frame(0, blurred[0])
    before = Counted.pictures

    for frame, picture in zip(frames[1:], blurred[1:], strict=True):
        session.add_rgb_frame(frame.index, picture)

    assert Counted.pictures == before


def test_a_mesh_that_a_script_changed_or_made_is_refused(
    opened: Opener, marked: Demo, tmp_path: Path
) -> None:
    session = opened(marked.path)
    hand_in(session)
    made = MeshRefiner(session).refine()
    painted = np.tile(np.array(MAGENTA, np.uint8), (len(made.vertices), 1))
    forged = (
        replace(made, vertex_colors=painted),
        RefinedMesh(made.vertices, made.faces, painted, made.vertex_normals, session),
    )

    for mesh in forged:
        with pytest.raises(BadConfig, match="not as MeshRefiner made it"):
            session.export(tmp_path / "out", mesh=mesh)
    session.export(tmp_path / "out", mesh=made)

    with EpisodeBundle.open(tmp_path / "out") as bundle:
        assert bundle.mesh is not None
        assert np.array_equal(bundle.mesh.colours, made.vertex_colors)
    assert [field.name for field in fields(made) if "directory" in field.name] == []
