"""A group of checks passes in the UI only where all of it was judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from episode_assets.defs.quality_answers import answer_of
from episode_assets.qc import QualityConfig
from episode_assets.qc.document import document
from episode_assets.qc.metrics import metric_blocks
from episode_assets_tests.qc.episodes import judged, make_episode


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    return make_episode(tmp_path_factory.mktemp("answers") / "episode", seconds=3.0).evidence()


def content_of(e, config: QualityConfig = QualityConfig()):  # noqa: B008
    blocks = metric_blocks(e, config)
    return document(e, judged(e, config), blocks, {}, config, signals_sha256="0" * 64)


def test_a_group_that_was_judged_and_found_sound_passes(evidence):
    passed, numbers = answer_of("imu", content_of(evidence))

    assert passed
    assert numbers["checks_pass"] > 0


def test_a_group_whose_checks_were_not_run_does_not_pass(evidence):
    passed, numbers = answer_of("hands", content_of(replace(evidence, hands=None)))

    assert not passed
    assert numbers["checks_not_run"] > 0


def test_a_group_whose_required_stream_is_absent_does_not_pass(evidence):
    without = replace(evidence, depth=None, depth_stamps_ns=None)

    passed, numbers = answer_of("depth", content_of(without))
    passed_anyway, _ = answer_of("depth", content_of(without, QualityConfig(depth_required=False)))

    assert (passed, numbers["absent"]) == (False, "no depth")
    assert passed_anyway
