"""Figures with thresholds (good, ok) are coloured by them, and by nothing else."""

from __future__ import annotations

import re

import pytest

from episode_assets.qc import QualityConfig
from episode_assets.qc.document import document
from episode_assets.qc.metrics import metric_blocks
from episode_assets.qc.sections import summary
from episode_assets.qc.stream_sections import depth, hands, sync
from episode_assets_tests.qc.episodes import judged

LIMITS = {"good": (60.0, 30.0), "warn": (61.0, 60.0), "bad": (90.0, 61.0)}
FIGURES = {
    "sync_thresholds": (sync, ("sync", "rgb_vs_depth", "within_50ms_pct"), "Pictures to depth, within 50 ms"),
    "depth_valid_thresholds": (depth, ("depth", "valid_pct_mean"), "valid"),
    "hand_any_thresholds": (hands, ("hands", "frames_with_any_hand_pct"), "a hand of anybody"),
    "hand_1plus_thresholds": (hands, ("hands", "frames_with_1plus_hand_pct"), "one hand or more"),
    "hand_2_thresholds": (hands, ("hands", "frames_with_2_hands_pct"), "exactly two hands"),
}


def page_parts(evidence, config):
    judgement, blocks = judged(evidence, config), metric_blocks(evidence, config)
    return judgement, document(evidence, judgement, blocks, {}, config, signals_sha256="0" * 64)


@pytest.mark.parametrize("colour", LIMITS)
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_coloured_by_its_thresholds(evidence, name, colour):
    section, path, label = FIGURES[name]
    judgement, content = page_parts(evidence, QualityConfig(**{name: LIMITS[colour]}))
    block = content["metrics"]
    for key in path[:-1]:
        block = block[key]
    block[path[-1]] = 60.0

    page = section(evidence, judgement, content)

    tile = rf'<div><dd class="(\w+)"><i aria-hidden="true">.</i> 60[.0]* %</dd><dt>{label}</dt>'
    assert re.findall(tile, page) == [colour]


def test_the_score_is_coloured_by_its_thresholds(evidence):
    config = QualityConfig(health_thresholds=(0.0, 0.0), not_run_cap=50.0)
    judgement, content = page_parts(evidence, config)

    assert f'<b class="good">{judgement.score:g}</b>' in summary(evidence, judgement, content, [])
