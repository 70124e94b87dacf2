"""Depth as a video beside the exact one: same pictures, same holes, half a step apart at most."""

from __future__ import annotations

import json

import numpy as np
import pytest

from episode_assets.bundle import BundleConfig, EpisodeBundle
from episode_assets.errors import ArtifactMissing, BadConfig
from episode_assets.video import probe
from episode_assets_tests.bundle.conftest import Maker
from episode_assets_tests.bundle.recordings import Box, Scene

WITH_VIDEO = BundleConfig(depth_video=True, visualization=False)


def test_the_depth_video_shows_every_picture_and_every_hole_of_the_exact_depth(make: Maker) -> None:
    made = make(Scene(gap_after=7), boxes=(Box(3, 9, 10, 21, 31),), config=WITH_VIDEO)

    with EpisodeBundle.open(made.path) as bundle:
        shown = dict(bundle.depth_video_frames())
        metres = dict(bundle.depth_video_frames([3], unit="m"))
        exact = [bundle.depth_frame(frame) for frame in range(bundle.F)]
        coder, path = bundle.depth_video_coder, bundle.depth_video_path

        assert path is not None
        assert coder is not None
        assert np.abs(probe(path).pts_us - bundle.frames.pts_us).max() == 0
    assert sorted(shown) == list(range(12))
    for frame, image in enumerate(exact):
        assert image is not None
        assert np.array_equal(shown[frame] == 0, image == 0)
        assert np.abs(shown[frame] - image).max() <= 1000 * coder.largest_error_m(1.2) + 0.5
    assert np.array_equal(np.rint(1000 * metres[3]), shown[3])
    assert not shown[3][5:16, 4:11].any()


def test_a_picture_without_depth_is_all_holes_in_the_depth_video(make: Maker) -> None:
    config = BundleConfig(depth_video=True, visualization=False, depth_tolerance_s=0.02)
    made = make(Scene(depth_missing=frozenset({0, 4, 11}), depth_cut=frozenset({6})), config=config)

    with EpisodeBundle.open(made.path) as bundle:
        is_empty = [not image.any() for _, image in bundle.depth_video_frames()]
        assert bundle.depth is not None
        assert is_empty == (~bundle.depth.valid).tolist()
    assert np.flatnonzero(is_empty).tolist() == [0, 4, 6, 11]


def test_depth_beyond_the_range_is_dropped_or_moved_and_counted(make: Maker) -> None:
    near = {"depth_video": True, "visualization": False, "depth_video_max_m": 0.9}
    dropped = make(Scene(), config=BundleConfig(**near))
    moved = make(Scene(), config=BundleConfig(**near, depth_video_outside="clamp"))
    image = dropped.scene.depth_mm(5)

    for made, expected in ((dropped, 0), (moved, 900)):
        with EpisodeBundle.open(made.path) as bundle:
            ((_, shown),) = bundle.depth_video_frames([5])
        assert set(shown[image > 900].tolist()) == {expected}
        assert np.count_nonzero(image > 900) > 0


def test_the_depth_video_is_a_core_file_of_its_own_and_the_rest_stays_as_it_is(make: Maker) -> None:
    plain = make(Scene(), config=BundleConfig(visualization=False))
    made = make(Scene(), config=WITH_VIDEO)
    again = make(Scene(), config=WITH_VIDEO)

    assert set(made.outcome.core) - set(plain.outcome.core) == {"depth.mp4"}
    assert "depth.mp4" in json.loads((made.path / "meta.json").read_text())["saved"]
    assert (made.path / "depth.mp4").read_bytes() == (again.path / "depth.mp4").read_bytes()
    with EpisodeBundle.open(plain.path) as bundle:
        assert bundle.depth_video_path is None
        assert bundle.depth_video_coder is None
        with pytest.raises(ArtifactMissing, match="no depth video"):
            next(bundle.depth_video_frames())


def test_a_recording_without_depth_says_why_there_is_no_depth_video(make: Maker) -> None:
    made = make(Scene().without("depth"), config=WITH_VIDEO)

    assert ("depth.mp4", "no_depth") in [(item.name, item.code) for item in made.outcome.skipped]
    assert not (made.path / "depth.mp4").exists()


@pytest.mark.parametrize(
    "fields", [{"depth_video": 1}, {"depth_video_max_m": 0.01}, {"depth_video_outside": "keep"}]
)
def test_settings_of_the_depth_video_are_checked(fields: dict) -> None:
    with pytest.raises(BadConfig, match="depth_video"):
        BundleConfig(**fields)
