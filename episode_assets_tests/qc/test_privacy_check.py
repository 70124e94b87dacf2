"""What nobody audited in the report: pictures fail, sound and places that were asked for are named for a look."""

from __future__ import annotations

import pytest

from episode_assets.qc import QualityConfig
from episode_assets.qc.metrics import metric_blocks
from episode_assets.qc.quality import judge
from episode_assets_tests.qc.episodes import check_of


@pytest.mark.parametrize(
    ("names", "status", "verdict", "publishable", "word"),
    [
        ((), "pass", "pass", True, "passed"),
        (("audio.parquet", "location.parquet"), "warn", "review", True, "anonymised audio.parquet"),
        (("audio.parquet", "mask.png"), "fail", "fail", False, "1 pictures"),
    ],
)
def test_only_pictures_that_nobody_audited_keep_an_episode_out_of_datasets(
    evidence, names, status, verdict, publishable, word
):
    config = QualityConfig()

    judgement = judge(evidence, metric_blocks(evidence, config), config, unverified_names=names)

    check = check_of(judgement, "privacy")
    assert (check.status, judgement.verdict, judgement.publishable) == (status, verdict, publishable)
    assert word in check.detail
