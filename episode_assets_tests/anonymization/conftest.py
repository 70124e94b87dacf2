from __future__ import annotations

from pathlib import Path

import pytest

from episode_assets import models
from episode_assets.anonymization.centerface import CenterFace, make_centerface
from episode_assets.errors import ModelMissing

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"sample data are not at {DATA}")
    return DATA


@pytest.fixture(scope="session")
def weights() -> Path:
    """The CenterFace file."""
    try:
        return models.find("centerface")
    except ModelMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def centerface(weights: Path) -> CenterFace:
    return make_centerface(score_threshold=0.2)
