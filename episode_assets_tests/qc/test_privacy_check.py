"""What nobody audited in the report: pictures fail, sound and places that were asked for are named for a look."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from episode_assets.bundle import EpisodeBundle
from episode_assets.errors import UnauditedArtifact
from episode_assets.lerobot.contribution import refuse_unverified
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


@pytest.fixture
def episode(clean, tmp_path):
    """The episode without a fault, with a list of contents that a test may change."""
    shutil.copytree(clean.base, tmp_path / "episode")
    return replace(clean, base=tmp_path / "episode")


def change_privacy(episode, changed: dict[str, object]) -> None:
    path = episode.base / "bundle" / "meta.json"
    meta = json.loads(path.read_text())
    path.write_text(json.dumps({**meta, "privacy": {**meta["privacy"], **changed}}))


@pytest.mark.parametrize("audit", ["failed", "unverified", None, True])
def test_a_bundle_whose_own_record_has_no_passed_audit_is_not_judged(episode, tmp_path, audit):
    change_privacy(episode, {"audit": audit})

    with pytest.raises(UnauditedArtifact, match="episode_bundle"):
        episode.report(tmp_path / "report")

    assert list((tmp_path / "report").iterdir()) == []


MALFORMED = ("rgb.mp4", {"rgb.mp4": "not audited"}, True, None, ["thumbnail.jpg", 7])


@pytest.mark.parametrize("names", MALFORMED)
def test_a_list_that_cannot_be_read_keeps_an_episode_out_of_datasets(episode, tmp_path, names):
    change_privacy(episode, {"unverified": names})

    episode.report(tmp_path / "report")

    content = json.loads((tmp_path / "report" / "qc.json").read_text())
    (check,) = [check for check in content["checks"] if check["id"] == "privacy"]
    assert (check["status"], content["verdict"], content["publishable"]) == ("fail", "fail", False)
    assert "rgb.mp4" in content["privacy"]["unverified"]
    with EpisodeBundle.open(episode.base / "bundle") as bundle, pytest.raises(UnauditedArtifact):
        refuse_unverified(bundle)
