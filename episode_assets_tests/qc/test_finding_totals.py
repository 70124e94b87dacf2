"""Counts and points of findings are exact wherever they are told, also where not all findings are listed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from episode_assets.qc import QualityConfig
from episode_assets.qc.archive_entry import entry_of
from episode_assets.qc.document import document, dumps
from episode_assets.qc.metrics import metric_blocks
from episode_assets_tests.qc.archives import qc_content
from episode_assets_tests.qc.episodes import judged, repeated
from episode_assets_tests.qc.test_checks import with_signals

CONFIG = QualityConfig(keep_min_s=0.2)


@pytest.fixture(scope="module")
def busy(evidence):
    """An hour in which the lens is dark again and again, with far more findings than a document lists."""
    long = repeated(evidence, 200)
    is_dark = np.arange(len(long)) % 60 < 8
    return judged_document(with_signals(long, is_dark, mean=4.0, dark_ratio=0.99, median=3.0), evidence)


def judged_document(e, short):
    judgement = judged(e, CONFIG)
    blocks = metric_blocks(short, CONFIG)
    text = dumps(document(e, judgement, blocks, {}, CONFIG, signals_sha256="0" * 64))
    return judgement, json.loads(text)


def test_totals_by_kind_count_every_finding_and_all_points(busy):
    judgement, content = busy

    (black,) = (item for item in content["findings_by_kind"] if item["kind"] == "black")

    assert black["count"] == sum(item.kind == "black" for item in judgement.findings) > 300
    parts = {part["reason"]: part["deduction"] for part in content["score_parts"]}
    assert black["points_lost"] == pytest.approx(parts["black"], abs=0.01)
    assert sum(item["count"] for item in content["findings_by_kind"]) == content["findings_total"]


def test_the_points_of_listed_findings_add_up_to_the_parts_of_the_score(busy):
    _, content = busy

    listed = sum(item["points_lost"] for item in content["findings"])

    assert listed == pytest.approx(sum(part["deduction"] for part in content["score_parts"]), abs=0.01)
    (rest,) = (item for item in content["findings"] if item["kind"] == "black" and item["first"] is None)
    assert "more of this kind" in rest["text"]


def test_the_archive_tells_the_counts_and_points_of_all_findings(busy):
    judgement, content = busy
    names = ("findings", "findings_by_kind")
    shown = entry_of(
        "a", "0" * 16, qc_content("a", duration_s=3600.0) | {name: content[name] for name in names}
    )

    (black,) = (item for item in shown.found if item.kind == "black")

    lost = sum(item.points_lost for item in judgement.findings if item.kind == "black")
    assert black.count == sum(item.kind == "black" for item in judgement.findings)
    assert black.points == pytest.approx(lost, abs=0.01)
