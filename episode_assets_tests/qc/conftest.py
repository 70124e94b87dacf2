from __future__ import annotations

import pytest

from episode_assets_tests.qc.episodes import Episode, Hands, make_episode


@pytest.fixture(scope="session")
def clean(tmp_path_factory) -> Episode:
    """An episode without any fault."""
    return make_episode(tmp_path_factory.mktemp("clean") / "episode")


@pytest.fixture(scope="session")
def interrupted(tmp_path_factory) -> Episode:
    """An episode in which tracking and pictures are lost for a second and a half."""
    return make_episode(tmp_path_factory.mktemp("lost") / "episode", lost_interval_s=(3.5, 5.0))


@pytest.fixture(scope="session")
def evidence(clean):
    return clean.evidence()


@pytest.fixture(scope="session")
def hands(clean) -> Hands:
    """The joints of the clean episode, for tests that spoil them."""
    return clean.joints()
