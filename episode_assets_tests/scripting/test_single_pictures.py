"""A picture on its own that a script hands in: what any search finds in it is blurred, sure or not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from episode_assets.anonymization.single_picture import audited_picture
from episode_assets.errors import AuditFailed
from episode_assets.video import picture_to_rgb
from episode_assets.video.rgb import picture_from_rgb
from episode_assets_tests.scripting.conftest import MARK_BLUR
from episode_assets_tests.scripting.stand_ins import MAGENTA, MARKS, RESTLESS, UNSURE

ONLY_THE_TEST = "benchmarks.no_faces:make"


def marked_picture() -> np.ndarray:
    rgb = np.full((180, 320, 3), 90, np.uint8)
    rgb[40:100, 50:110] = MAGENTA
    return rgb


@pytest.mark.parametrize(
    ("detector", "audit_detector"), [(MARKS, MARKS), (UNSURE, UNSURE), (MARKS, ONLY_THE_TEST)]
)
def test_what_is_found_is_blurred_whoever_finds_it_and_however_sure(
    detector: str, audit_detector: str
) -> None:
    config = replace(MARK_BLUR, detector=detector, audit_detector=audit_detector)

    audited = audited_picture(picture_from_rgb(marked_picture()), config)

    shown = picture_to_rgb(audited.picture).astype(int)
    assert not (abs(shown - MAGENTA) < 60).all(axis=2).any()
    assert audited.faces == 1
    assert shown[150, 250] == pytest.approx([90, 90, 90], abs=4)
    audited.picture.y[:] = 16  # the caller's own


def test_what_cannot_be_hidden_is_refused() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (180, 320, 1), np.uint8).repeat(3, axis=2)

    with pytest.raises(AuditFailed, match="cannot be blurred away"):
        audited_picture(picture_from_rgb(noise), replace(MARK_BLUR, audit_detector=RESTLESS))
