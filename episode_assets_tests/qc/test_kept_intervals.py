"""Kept intervals on their way from the judgement into datasets: none is lost, whatever the length of the recording."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from episode_assets.errors import ArtifactDamaged
from episode_assets.lerobot.inputs import read_verdict
from episode_assets.qc import QualityConfig
from episode_assets.qc.document import document, dumps
from episode_assets.qc.metrics import metric_blocks
from episode_assets_tests.qc.episodes import judged, repeated

PAUSE_NS = 300_000_000


def with_many_gaps(evidence, times):
    """Return a long recording that loses a third of a second every four seconds."""
    long = repeated(evidence, times)
    gaps = np.arange(len(long)) % 60 == 0
    gaps[0] = False
    stamps = long.stamps_ns + np.cumsum(gaps) * PAUSE_NS
    return replace(long, stamps_ns=stamps, gap_before=gaps, pose=None, imu=None, tracking=None)


def content_of(e, judgement):
    blocks = metric_blocks(e, QualityConfig())
    return document(e, judgement, blocks, {}, QualityConfig(), signals_sha256="0" * 64)


def test_every_kept_interval_of_a_long_recording_reaches_the_dataset(evidence, tmp_path):
    e = with_many_gaps(evidence, 300)
    judgement = judged(e)
    (tmp_path / "qc.json").write_text(dumps(content_of(e, judgement)))

    found = read_verdict(tmp_path, e.message_number)

    assert len(judgement.kept) == 600
    assert found.kept == tuple((item.first, item.last + 1) for item in judgement.kept)


def test_lists_for_readers_give_way_to_kept_intervals(evidence):
    e = with_many_gaps(evidence, 300)
    content = content_of(e, judged(e))

    assert len(content["intervals"]) == content["kept"]["intervals"] == 600
    assert 0 < len(content["findings"]) < content["findings_total"]
    assert 0 < len(content["reasons"]) < content["reasons_total"]
    assert len(dumps(content).encode()) < 300_000


def test_a_report_that_lists_fewer_intervals_than_it_keeps_is_refused(evidence, tmp_path):
    e = with_many_gaps(evidence, 3)
    content = content_of(e, judged(e))
    (tmp_path / "qc.json").write_text(dumps(content | {"intervals": content["intervals"][:-1]}))

    with pytest.raises(ArtifactDamaged, match="keeps 6 intervals and lists 5"):
        read_verdict(tmp_path, e.message_number)
