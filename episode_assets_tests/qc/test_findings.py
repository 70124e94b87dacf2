"""Findings as data: where, how bad, what to do, how many points, and bounded in the document."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from episode_assets.qc import QualityConfig
from episode_assets.qc.document import document, dumps
from episode_assets.qc.metrics import metric_blocks
from episode_assets_tests.qc.episodes import judged, repeated
from episode_assets_tests.qc.test_checks import with_signals


def lost(judgement):
    return sum(item.points_lost for item in judgement.findings)


def test_a_clean_episode_has_no_finding(evidence):
    assert judged(evidence).findings == ()


def test_a_finding_names_its_place_in_frames_messages_and_time(evidence):
    dark = with_signals(evidence, slice(40, 85), mean=4.0, dark_ratio=0.99, median=3.0)

    finding = judged(dark).findings[0]

    assert (finding.kind, finding.severity, finding.status, finding.stream) == (
        "black",
        "hard",
        "fail",
        "rgb",
    )
    assert (finding.first, finding.last) == (40, 84)
    assert finding.message_start == evidence.message_number[40]
    assert finding.message_end == evidence.message_number[84]
    assert finding.start_ns == evidence.stamps_ns[40]
    assert finding.t_end == pytest.approx((evidence.stamps_ns[84] - evidence.stamps_ns[0]) / 1e9, abs=1e-6)
    assert (finding.value, finding.unit, finding.threshold) == (4.0, "luma", 20.0)
    assert finding.advice


def test_points_are_shared_out_by_time_and_add_up(evidence):
    dark = {"mean": 4.0, "dark_ratio": 0.99, "median": 3.0}
    twice = with_signals(with_signals(evidence, slice(20, 30), **dark), slice(60, 90), **dark)

    judgement = judged(replace(twice, imu=None))

    short, long = (item for item in judgement.findings if item.kind == "black")
    assert long.points_lost == pytest.approx(3 * short.points_lost, rel=0.01)
    assert {item.kind for item in judgement.findings if not item.has_place} >= {"imu_missing"}
    assert lost(judgement) == pytest.approx(sum(part.points for part in judgement.deductions), abs=1e-3)


def test_an_hour_with_hundreds_of_findings_stays_small_and_names_hard_ones_first(evidence):
    long = repeated(evidence, 450)
    numbers = np.arange(len(long))
    busy = with_signals(long, numbers % 61 < 8, mean=4.0, dark_ratio=0.99, median=3.0)
    busy = with_signals(busy, (numbers % 61 > 20) & (numbers % 61 < 26), laplacian_variance=1.0)
    config = QualityConfig(keep_min_s=0.5)
    judgement, blocks = judged(busy, config), metric_blocks(evidence, config)

    text = dumps(document(busy, judgement, blocks, {}, config, signals_sha256="0" * 64))

    content = json.loads(text)
    assert len(judgement.findings) > 1000
    assert content["findings_total"] == len(judgement.findings) > len(content["findings"])
    assert {item["severity"] for item in content["findings"] if item["first"] is not None} == {"hard"}
    assert len(text.encode()) < 300_000
