"""A changed threshold of the report is judged from stored numbers: nothing before it is made anew or read again."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
import pytest

from episode_assets.anonymization.signals import SignalMeter
from episode_assets.bundle import BundleConfig, EpisodeBundle
from episode_assets.demo import DemoConfig, write_demo
from episode_assets.hands import HandPoseConfig
from episode_assets.lerobot import Recipe
from episode_assets.pipeline import STEPS, Produced, bring_up_to_date, fragment_step
from episode_assets.pipeline.steps import EPISODE_BUNDLE, QC_REPORT
from episode_assets.qc import QualityConfig
from episode_assets.storage import Store
from episode_assets.video import decode_picture
from episode_assets.video.picture import picture_of
from episode_assets_tests.drawn_faces import BLUR
from episode_assets_tests.pipeline.test_hands_beside import hands

DARK = DemoConfig(
    seconds=5.0,
    width=192,
    height=108,
    depth_width=48,
    capture_scale=1.0,
    with_face=False,
    with_hands=False,
    black_interval_s=(2.3, 2.7),
)
FRAGMENT = fragment_step("default")
PICTURES, BLACK = 75, (35, 40)
"""How many there are, and the first and last black one."""
NOTHING_IS_BLACK = QualityConfig(black_mean_max=0.0, frozen_frames_min=1000)
"""The black pictures are equal as well, and would be frozen ones if they were not black."""
NO_STRETCH_IS_LONG_ENOUGH = QualityConfig(keep_min_s=3.0)
UPSTREAM = [step.asset for step in STEPS if step.asset != "qc_report"]


@dataclass
class Counted:
    """How often each of some functions was entered."""

    entered: dict[CodeType, int] = field(default_factory=dict)

    def of(self, function: Any) -> int:
        return self.entered[function.__code__]


@contextmanager
def counting(*functions: Any) -> Iterator[Counted]:
    """Let the interpreter count calls, whoever makes them and under whatever name the function was imported."""
    counted = Counted({function.__code__: 0 for function in functions})

    def entered(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in counted.entered:
            counted.entered[frame.f_code] += 1

    before = sys.getprofile()
    sys.setprofile(entered)
    try:
        yield counted
    finally:
        sys.setprofile(before)


@dataclass(frozen=True)
class Kitchen:
    """A recording with a black stretch in the middle, and its store."""

    store: Store
    recording: Path
    name: str

    def made(self, quality: QualityConfig) -> dict[str, Produced]:
        """Bring every step up to date, the contribution to a dataset included."""
        configs: dict[str, Any] = {
            "blurred_rgb": BLUR,
            "hand_poses": HandPoseConfig(backend="precomputed"),
            "episode_bundle": BundleConfig(visualization=False),
            "qc_report": quality,
            FRAGMENT.asset: Recipe(require_hands="none"),
        }
        return {
            step.asset: bring_up_to_date(
                self.store, step, self.name, configs.get(step.asset, step.config_type())
            )
            for step in (*STEPS, FRAGMENT)
        }

    def lose_the_recording(self) -> None:
        """Put noise in its place that size and time do not tell from it."""
        facts = self.recording.stat()
        self.recording.write_bytes(np.random.default_rng(0).bytes(facts.st_size))
        os.utime(self.recording, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.fixture
def kitchen(tmp_path: Path) -> Kitchen:
    write_demo(tmp_path / "kitchen.mcap", config=DARK)
    (tmp_path / "kitchen.hands.parquet").write_bytes(hands(*range(PICTURES)))
    store = Store.open(str(tmp_path / "store"))
    entry = store.recordings.register(str(tmp_path / "kitchen.mcap"), task="sort the objects")
    return Kitchen(store, tmp_path / "kitchen.mcap", entry.recording_id)


def report_of(made: dict[str, Produced]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(made["qc_report"].artifact.path("qc.json").read_text())
    return content


def episodes_of(made: dict[str, Produced]) -> object:
    return made[FRAGMENT.asset].artifact.manifest.summary["episodes"]


def kept_frames(content: dict[str, Any]) -> list[tuple[int, int]]:
    return [(item["frame_start"], item["frame_end"]) for item in content["intervals"]]


def most_pictures(content: dict[str, Any]) -> int:
    """Return how many pictures a report may show: its contact sheet, and one for each finding with a place."""
    return QualityConfig().contact_sheet_frames + sum(
        item["first"] is not None for item in content["findings"]
    )


def test_a_changed_threshold_judges_anew_from_what_is_stored(kitchen: Kitchen) -> None:
    with counting(decode_picture, SignalMeter.measure, EpisodeBundle.depth_frame) as at_first:
        first = kitchen.made(QualityConfig())
    kitchen.lose_the_recording()

    assert at_first.of(decode_picture) >= PICTURES
    assert at_first.of(SignalMeter.measure) == at_first.of(EpisodeBundle.depth_frame) == PICTURES
    assert kept_frames(report_of(first)) == [(0, BLACK[0] - 3), (BLACK[1] + 3, PICTURES - 1)]
    assert (report_of(first)["verdict"], episodes_of(first)) == ("review", 2)

    expected = {
        NOTHING_IS_BLACK: ([(0, PICTURES - 1)], "review", 1),
        NO_STRETCH_IS_LONG_ENOUGH: ([], "fail", 0),
    }
    for quality, (kept, verdict, episodes) in expected.items():
        with counting(decode_picture, SignalMeter.measure, EpisodeBundle.depth_frame, picture_of) as counted:
            changed = kitchen.made(quality)

        assert [name for name, item in changed.items() if not item.was_cached] == [
            "qc_report",
            FRAGMENT.asset,
        ]
        assert all(changed[name].artifact == first[name].artifact for name in UPSTREAM)
        content = report_of(changed)
        assert (kept_frames(content), content["verdict"], episodes_of(changed)) == (kept, verdict, episodes)
        assert counted.of(decode_picture) == counted.of(SignalMeter.measure) == 0
        assert counted.of(EpisodeBundle.depth_frame) == 0
        assert 0 < counted.of(picture_of) <= most_pictures(content)

    again = kitchen.made(QualityConfig())
    assert all(item.was_cached for item in again.values())
    assert {name: item.artifact for name, item in again.items()} == {
        n: item.artifact for n, item in first.items()
    }


def test_a_report_from_figures_that_were_taken_before_is_the_one_from_the_images(kitchen: Kitchen) -> None:
    kitchen.made(QualityConfig())
    from_figures = kitchen.made(NOTHING_IS_BLACK)["qc_report"].artifact

    with counting(EpisodeBundle.depth_frame) as counted:
        from_images = bring_up_to_date(
            kitchen.store, QC_REPORT, kitchen.name, NOTHING_IS_BLACK, force=True
        ).artifact

    assert counted.of(EpisodeBundle.depth_frame) == PICTURES
    assert from_images.content_digest == from_figures.content_digest
    names = {item.path for item in from_images.manifest.files}
    assert names == {"qc.json", "report.html", "depth_figures.parquet"}
    for name in names:
        assert from_images.path(name).read_bytes() == from_figures.path(name).read_bytes()


def test_figures_of_another_bundle_are_of_no_use(kitchen: Kitchen) -> None:
    kitchen.made(QualityConfig())
    deflated = BundleConfig(visualization=False, depth_compression=3)
    bring_up_to_date(kitchen.store, EPISODE_BUNDLE, kitchen.name, deflated)

    with counting(EpisodeBundle.depth_frame) as counted:
        bring_up_to_date(kitchen.store, QC_REPORT, kitchen.name, NOTHING_IS_BLACK)

    assert counted.of(EpisodeBundle.depth_frame) == PICTURES


@pytest.mark.parametrize("damage", ["shorter", "noise", "gone"])
def test_figures_that_cannot_be_read_are_taken_again(kitchen: Kitchen, damage: str) -> None:
    first = kitchen.made(QualityConfig())["qc_report"].artifact
    figures = first.path("depth_figures.parquet")
    size = figures.stat().st_size
    figures.unlink()
    if damage != "gone":
        figures.write_bytes(np.random.default_rng(0).bytes(size if damage == "noise" else size // 2))

    with counting(EpisodeBundle.depth_frame) as counted:
        changed = bring_up_to_date(kitchen.store, QC_REPORT, kitchen.name, NOTHING_IS_BLACK).artifact

    assert counted.of(EpisodeBundle.depth_frame) == PICTURES
    assert report_of({"qc_report": Produced(changed, False, 0.0, "")})["verdict"] == "review"
