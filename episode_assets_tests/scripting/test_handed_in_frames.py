"""Pictures that a script hands in: searched, blurred anew, in order, of one size, or refused by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import av
import h5py
import numpy as np
import pytest

from episode_assets.anonymization import FaceBlurConfig
from episode_assets.bundle import EpisodeBundle
from episode_assets.demo import DemoConfig
from episode_assets.errors import AuditFailed, BadConfig, ModelMissing
from episode_assets.scripting import MCAPReader, Visualizer
from episode_assets.scripting.camera import SyncedFrame
from episode_assets_tests.anonymization.stand_ins import BLIND
from episode_assets_tests.conftest import Demo, make_demo
from episode_assets_tests.leaks import traces
from episode_assets_tests.scripting.conftest import MARK_BLUR, Opener
from episode_assets_tests.scripting.stand_ins import MAGENTA, RESTLESS

PLANTED = (8, 9, 14)
USABLE = 20


def with_mark(frame: SyncedFrame) -> np.ndarray:
    """A picture with a magenta patch, as if a blur had missed it."""
    picture = frame.rgb.copy()
    if frame.index in PLANTED:
        picture[60:100, 100 + 3 * frame.index : 140 + 3 * frame.index] = MAGENTA
    return picture


def hand_in_all(session: MCAPReader) -> None:
    for frame in session.frames():
        session.add_rgb_frame(frame.index, with_mark(frame))


def no_trace(folder: Path) -> bool:
    return traces(folder, MAGENTA, tolerance=60, pixels=12) == []


def pictures_of(video: Path) -> list[np.ndarray]:
    with av.open(str(video)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_what_the_audit_finds_in_them_is_blurred_and_counted_before_it_reaches_the_disk(
    opened: Opener, tmp_path: Path, scratch: Path
) -> None:
    session = opened()
    out = tmp_path / "out"

    hand_in_all(session)
    during = no_trace(scratch)
    manifest = session.export(out, visualizer=Visualizer(session))

    assert during
    assert (out / "visualization.rrd").is_file()
    assert no_trace(out)
    assert no_trace(scratch)
    privacy = manifest["privacy"]
    assert (privacy["audit"], privacy["pictures"]) == ("passed", "handed in")
    assert (privacy["frames_blurred_anew"], privacy["frames_painted"]) == (len(PLANTED), 0)
    assert len(pictures_of(out / "rgb.mp4")) == USABLE


def test_a_find_stays_covered_before_and_after_it(opened: Opener, tmp_path: Path) -> None:
    session = opened()
    for frame in session.frames():
        picture = np.full_like(frame.rgb, 200)
        if frame.index == 15:
            picture[60:100, 120:160] = MAGENTA
        session.add_rgb_frame(frame.index, picture)
    session.export(tmp_path / "out")

    with EpisodeBundle.open(tmp_path / "out") as bundle:
        frames = bundle.face_boxes.frame_index.tolist()

    # A hold of 0.3 s is four messages; message 16 shows the mark, and the group before it ends with message 14.
    shown = pictures_of(tmp_path / "out" / "rgb.mp4")
    is_covered = [bool(picture[70:90, 130:150].mean() < 150) for picture in shown]
    assert frames == list(range(11, 20))
    assert is_covered == [index in frames for index in range(USABLE)]


def test_frames_keep_what_was_not_blurred(opened: Opener, tmp_path: Path) -> None:
    session = opened()
    handed: dict[int, np.ndarray] = {}
    for frame in session.frames():
        handed[frame.index] = np.full_like(frame.rgb, 40 + 8 * frame.index)
        session.add_rgb_frame(frame.index, handed[frame.index])
    session.export(tmp_path / "out")

    means = [picture.mean() for picture in pictures_of(tmp_path / "out" / "rgb.mp4")]

    assert means == pytest.approx([picture.mean() for picture in handed.values()], abs=3)


def test_a_find_that_stays_costs_its_picture_and_no_other(opened: Opener, tmp_path: Path) -> None:
    session = opened(blur=replace(MARK_BLUR, audit_detector=RESTLESS))
    for frame in session.frames():
        if frame.index < 3:
            session.add_rgb_frame(frame.index, frame.rgb)

    manifest = session.export(tmp_path / "out")

    assert manifest["privacy"]["audit"] == "passed"
    assert manifest["privacy"]["frames_painted"] == 3
    assert all(picture.std() < 3 for picture in pictures_of(tmp_path / "out" / "rgb.mp4"))


def test_frames_may_be_left_out_and_the_others_keep_their_stamps(opened: Opener, tmp_path: Path) -> None:
    session = opened()
    stamps = []
    for frame in session.frames():
        if frame.index % 2 == 0:
            session.add_rgb_frame(frame.index, frame.rgb)
            stamps.append(frame.stamp_ns)

    manifest = session.export(tmp_path / "out")

    with EpisodeBundle.open(tmp_path / "out") as bundle:
        assert bundle.stamps_ns.tolist() == stamps
        assert 7 not in bundle.message_numbers.tolist()
    told = [note["detail"] for note in manifest["warnings"] if note["code"] == "picture_dropped"]
    assert [text.split(":")[0] for text in told] == [
        f"{USABLE // 2} pictures left out (not_handed_in)",
        "1 pictures left out (undecodable)",
    ]


def test_an_odd_size_is_padded_and_the_true_one_kept(tmp_path: Path, opened: Opener) -> None:
    config = DemoConfig(seconds=0.4, width=321, height=181, with_face=False, with_depth=False)
    session = opened(make_demo(tmp_path / "odd.mcap", config).path)
    hand_in_all(session)

    session.export(tmp_path / "out")

    assert pictures_of(tmp_path / "out" / "rgb.mp4")[0].shape == (182, 322, 3)
    with EpisodeBundle.open(tmp_path / "out") as bundle:
        assert bundle.picture_size == (321, 181)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((180, 322, 3), np.uint8), r"frame 2 is 322x180.*320x180"),
        (np.zeros((180, 320), np.uint8), r"frame 2 must be \(height, width, 3\) uint8"),
        (np.zeros((180, 320, 3), np.float32), r"frame 2 must be .* float32"),
        (None, r"frame 2 must be .* NoneType"),
    ],
)
def test_a_picture_of_another_size_or_type_is_named_and_not_taken(
    opened: Opener, tmp_path: Path, picture: np.ndarray | None, words: str
) -> None:
    session = opened()
    for frame in session.frames():
        if frame.index == 2:
            with pytest.raises(BadConfig, match=words):
                session.add_rgb_frame(2, picture)
        if frame.index > 3:
            break
        session.add_rgb_frame(frame.index, frame.rgb)

    session.export(tmp_path / "out")

    assert len(pictures_of(tmp_path / "out" / "rgb.mp4")) == 4


def test_frames_out_of_order_twice_or_unknown_are_named(opened: Opener) -> None:
    session = opened()
    for frame in session.frames():
        if frame.index == 3:
            break
        session.add_rgb_frame(frame.index, frame.rgb)

    for index, words in (
        (1, "frame 1 came after frame 2"),
        (2, "frame 2 came after"),
        (9, "frame 9"),
        (-1, "-1"),
    ):
        with pytest.raises(BadConfig, match=words):
            session.add_rgb_frame(index, frame.rgb)
    with pytest.raises(BadConfig, match="add_hand_pose names frame 77"):
        session.add_hand_pose(77, [])


def test_a_second_export_gives_the_same_video_and_takes_no_more_frames(
    opened: Opener, tmp_path: Path
) -> None:
    session = opened()
    frame = next(session.frames())
    session.add_rgb_frame(0, np.zeros_like(frame.rgb))

    session.export(tmp_path / "first")
    first = (tmp_path / "first" / "rgb.mp4").read_bytes()
    (tmp_path / "first" / "rgb.mp4").write_bytes(b"what a user writes to his own copy")
    session.export(tmp_path / "second")

    assert (tmp_path / "second" / "rgb.mp4").read_bytes() == first
    with pytest.raises(BadConfig, match="after the episode's video was finished"):
        session.add_rgb_frame(0, frame.rgb)


def test_depth_hides_the_face_of_the_recording_whatever_is_handed_in(
    opened: Opener, tmp_path: Path, marked: Demo
) -> None:
    """The pictures that are handed in are black, so nothing in them tells where the face is."""
    session = opened(marked.path)
    for frame in session.frames():
        if frame.index < 6:
            session.add_rgb_frame(frame.index, np.zeros_like(frame.rgb))

    manifest = session.export(tmp_path / "out")

    assert manifest["privacy"]["depth_hole_frames"] == 6
    with h5py.File(tmp_path / "out" / "annotation.hdf5") as file:
        assert (file["depth/frames"][0] == 0).sum() > 20


def test_a_thumbnail_that_is_handed_in_is_searched_too(opened: Opener, tmp_path: Path) -> None:
    session = opened()
    frame = next(session.frames())
    session.add_rgb_frame(0, frame.rgb)
    thumbnail = np.full((201, 301, 3), 90, np.uint8)
    thumbnail[40:80, 50:90] = MAGENTA

    manifest = session.export(tmp_path / "out", thumbnail_rgb=thumbnail)

    assert no_trace(tmp_path / "out")
    assert manifest["privacy"]["thumbnail_boxes_blurred"] >= 1
    with EpisodeBundle.open(tmp_path / "out") as bundle:
        (picture,) = pictures_of(bundle.thumbnail_path)
    assert picture.shape == (201, 301, 3)
    assert picture[150, 250] == pytest.approx([90, 90, 90], abs=4)


def test_files_that_are_not_wanted_are_left_out_and_named(opened: Opener, tmp_path: Path) -> None:
    session = opened()
    session.add_rgb_frame(0, next(session.frames()).rgb)

    manifest = session.export(tmp_path / "out", skip_rgb_mp4=True, skip_thumbnail=True)

    assert not {"rgb.mp4", "thumbnail.jpg"} & {path.name for path in (tmp_path / "out").iterdir()}
    assert {"rgb.mp4 (the caller asked to leave it out)"} <= set(manifest["skipped"])
    assert {"rgb.mp4", "thumbnail.jpg"}.isdisjoint(manifest["saved"])
    with EpisodeBundle.open(tmp_path / "out") as bundle:
        assert bundle.F == 1


def test_the_directory_is_written_whole_or_not_at_all(opened: Opener, tmp_path: Path) -> None:
    session = opened()
    session.add_rgb_frame(0, next(session.frames()).rgb)
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")

    with pytest.raises(BadConfig, match="not empty"):
        session.export(full)
    with pytest.raises(BadConfig, match="thumbnail_rgb must be"):
        session.export(tmp_path / "other", thumbnail_rgb=np.zeros((4, 4), np.uint8))
    manifest = session.export(tmp_path / "deep" / "er")

    assert [path.name for path in full.iterdir()] == ["mine.txt"]
    assert not (tmp_path / "other").exists()
    written = json.loads((tmp_path / "deep" / "er" / "manifest.json").read_text())
    listed = {entry["path"]: entry["bytes"] for entry in written["files"]}
    found = {
        str(path.relative_to(tmp_path / "deep" / "er")): path.stat().st_size
        for path in (tmp_path / "deep" / "er").rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert listed == found
    assert written["privacy"] == manifest["privacy"]
    assert written["skipped_lines"] == manifest["skipped"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["er"]


def test_colours_of_the_mesh_reach_no_file(opened: Opener, tmp_path: Path) -> None:
    session = opened()
    for frame in session.frames():
        if frame.index < 4:
            session.add_rgb_frame(frame.index, frame.rgb)
    session.export(tmp_path / "out")

    with EpisodeBundle.open(tmp_path / "out") as bundle:
        assert bundle.mesh is not None
        colours = bundle.mesh.colours

    assert colours is None or not (abs(colours.astype(int) - MAGENTA) < 60).all(axis=1).any()
    assert session.mesh()[2] is None
    assert session.point_cloud()[1] is None


def test_without_weights_nothing_is_exported(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("EPISODE_ASSETS_MODELS", "EPISODE_ASSETS_CACHE"):
        monkeypatch.setenv(variable, str(tmp_path / "none"))
    session = opened(blur=FaceBlurConfig())
    frame = next(session.frames())

    with pytest.raises(ModelMissing, match="centerface"):
        session.add_rgb_frame(0, frame.rgb)
    with pytest.raises(ModelMissing, match="centerface"):
        session.export(tmp_path / "out")

    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]


@pytest.mark.parametrize("blind", ["detector", "audit_detector"])
def test_a_detector_that_knows_no_face_takes_no_picture(
    opened: Opener, tmp_path: Path, scratch: Path, blind: str
) -> None:
    """Groups are short and wait for nothing, so that they lie on the disk as soon as they are taken."""
    hasty = replace(MARK_BLUR, g=5, fill_s=0.0, hold_s=0.0, smooth_s=0.0)
    session = opened(blur=replace(hasty, **{blind: BLIND}))
    for frame in session.frames():
        with pytest.raises(AuditFailed, match="known-answer"):
            session.add_rgb_frame(frame.index, frame.rgb)
    kept_by_the_blind = list(scratch.rglob("*.segment"))
    with pytest.raises(AuditFailed):
        session.export(tmp_path / "out")

    hand_in_all(opened(blur=hasty))

    assert kept_by_the_blind == []
    assert list(scratch.rglob("*.segment")) != []
    assert not (tmp_path / "out").exists()
