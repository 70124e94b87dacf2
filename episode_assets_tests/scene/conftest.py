"""The rooms that several tests of the scene look at; each is recorded and blurred once."""

from __future__ import annotations

import pytest

from episode_assets_tests.scene.places import Built, Place, make_place


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Three seconds of a table in a room; nobody is in view."""
    return make_place(tmp_path_factory.mktemp("room") / "room", with_hands=False)


@pytest.fixture(scope="session")
def built(room: Place, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Its mesh, with the settings as they are."""
    return room.build(tmp_path_factory.mktemp("built") / "mesh")
