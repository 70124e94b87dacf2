"""Code that changed has a new code version, or a recorded word that its output is the same."""

from __future__ import annotations

import json

import pytest

from episode_assets_tests.code_closure import RECORD, all_steps, closure, closure_digest


@pytest.mark.parametrize("step", all_steps(), ids=lambda step: step.asset)
def test_changed_code_has_a_new_code_version_or_a_recorded_same_output(step) -> None:
    known = json.loads(RECORD.read_text())[step.asset]

    assert (known["code_version"], known["closure"]) == (step.code_version, closure_digest(step)), (
        f"the code behind {step.asset} changed: raise code_version in pipeline/steps.py, or, if the same inputs give "
        'the same bytes, run `make code-versions WHY="..."`'
    )


def test_the_closure_of_the_blur_reaches_the_encoder_and_not_the_quality_report() -> None:
    blur = next(step for step in all_steps() if step.asset == "blurred_rgb")
    modules = closure(blur)
    assert any(module.startswith("episode_assets.video.") for module in modules)
    assert not any(module.startswith("episode_assets.qc") for module in modules)
