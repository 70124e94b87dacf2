"""Code that changed has a new code version, or a recorded word that its output is the same."""

from __future__ import annotations

import json

import pytest

from episode_assets_tests.code_closure import RECORD, all_assets, closure, closure_digest


@pytest.mark.parametrize("asset", all_assets(), ids=lambda asset: asset.asset)
def test_changed_code_has_a_new_code_version_or_a_recorded_same_output(asset) -> None:
    known = json.loads(RECORD.read_text())[asset.asset]

    assert (known["code_version"], known["closure"]) == (asset.code_version, closure_digest(asset)), (
        f"the code behind {asset.asset} changed: raise its code version, or, if the same inputs give "
        'the same bytes, run `make code-versions WHY="..."`'
    )


def test_the_closure_of_the_blur_reaches_the_encoder_and_not_the_quality_report() -> None:
    blur = next(asset for asset in all_assets() if asset.asset == "blurred_rgb")
    modules = closure(blur)
    assert any(module.startswith("episode_assets.video.") for module in modules)
    assert not any(module.startswith("episode_assets.qc") for module in modules)


def test_the_closure_of_the_archive_report_reaches_its_page_and_its_survey_and_not_the_encoder() -> None:
    archive = next(asset for asset in all_assets() if asset.asset == "archive_report")
    modules = closure(archive)
    assert modules >= {
        "episode_assets.pipeline.archive",
        "episode_assets.qc.archive_page",
        "episode_assets.qc.duplicates",
    }
    assert "episode_assets.anonymization.blur" not in modules
