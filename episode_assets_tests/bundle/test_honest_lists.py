"""What a bundle says of itself is so: its lists agree with its files, and notes name the frames they speak of."""

from __future__ import annotations

import io
import json
from dataclasses import asdict

import av
import h5py
import pytest

from episode_assets.bundle import BundleConfig
from episode_assets.outcome import FileFacts, Note
from episode_assets_tests.bundle.conftest import Made, Maker
from episode_assets_tests.bundle.recordings import TICK_NS, Hand, Scene


def note(made: Made, code: str) -> Note:
    (found,) = (item for item in made.outcome.warnings if item.code == code)
    return found


def test_files_of_pictures_tell_how_many_and_how_long(make: Maker) -> None:
    made = make(Scene(frames=9), hands=(Hand(2),), config=BundleConfig(hands_preview=True))

    held = FileFacts(9, 8 * TICK_NS / 1e9)
    assert made.outcome.facts == {"rgb.mp4": held, "hands_preview.mp4": held}
    for name in made.outcome.facts:
        with av.open(io.BytesIO((made.path / name).read_bytes())) as file:
            assert sum(1 for _ in file.decode(video=0)) == 9


def test_the_source_and_the_datasets_are_those_of_the_bundle_itself(make: Maker) -> None:
    made = make(Scene(frames=5), hands=(Hand(2),))
    meta = json.loads((made.path / "meta.json").read_text())

    assert dict(made.outcome.source or {}) == meta["source"]
    assert [dict(item) for item in made.outcome.datasets] == meta["datasets"]
    assert meta["warnings"] == [asdict(item) for item in made.outcome.warnings]
    assert set(meta["source"]) >= {"bytes", "sha256", "profile", "clock", "truncated", "messages"}


def test_pictures_without_depth_are_named_by_their_first_and_last(make: Maker) -> None:
    made = make(
        Scene(frames=12, depth_missing=frozenset({4, 5, 8})), config=BundleConfig(depth_tolerance_s=0.01)
    )

    found = note(made, "depth_unpaired")

    assert (found.count, found.frame_start, found.frame_end) == (3, 4, 8)
    assert found.t_start == pytest.approx(4 * TICK_NS / 1e9, abs=1e-6)
    assert found.t_end == pytest.approx(8 * TICK_NS / 1e9, abs=1e-6)


def test_depth_of_another_size_or_cut_short_is_named_by_its_place(make: Maker) -> None:
    other = note(make(Scene(frames=8, depth_halved=frozenset({3, 6}))), "depth_size_changed")
    cut = note(make(Scene(frames=8, depth_cut=frozenset({5}))), "depth_undecodable")

    assert (other.count, other.frame_start, other.frame_end) == (2, 3, 6)
    assert (cut.count, cut.frame_start, cut.frame_end) == (1, 5, 5)


def test_a_picture_left_out_is_placed_between_its_neighbours(make: Maker) -> None:
    made = make(Scene(frames=12), dropped=frozenset({5}))

    found = note(made, "picture_dropped")

    assert (found.frame_start, found.frame_end) == (4, 5)
    assert (made.path / "meta.json").read_text().count("messages 5") == 1


def test_notes_that_have_no_place_claim_none(make: Maker) -> None:
    made = make(Scene(frames=12), dropped=frozenset({5}))

    found = note(made, "depth_unused")

    assert (found.frame_start, found.frame_end, found.t_start, found.t_end) == (None, None, None, None)


def test_every_saved_group_is_in_the_file_and_no_skipped_one(make: Maker) -> None:
    made = make(Scene(frames=5).without("imu", "tracking"), hands=(Hand(2),))

    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        groups = {f"annotation.hdf5:/{name}" for name in file}
    saved = {name for name in made.outcome.saved if name.startswith("annotation.hdf5:")}
    assert saved == groups
    assert {item.name for item in made.outcome.skipped if item.name.startswith("annotation.hdf5:")} == {
        "annotation.hdf5:/imu",
        "annotation.hdf5:/tracking",
    }
    assert "annotation.hdf5:/imu (the recording has no imu messages)" in [
        item.line for item in made.outcome.skipped
    ]
