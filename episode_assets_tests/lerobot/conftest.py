from dataclasses import dataclass
from pathlib import Path

import pytest

from episode_assets.lerobot import Fragment, Recipe, pack_dataset
from episode_assets_tests.lerobot.archive import Scene, make_scene, stamps, write_artifacts


@dataclass(frozen=True)
class Archive:
    """Three recordings with one gap each, their fragments, and the dataset of all."""

    scenes: dict[str, Scene]
    fragments: list[Fragment]
    dataset: Path


@pytest.fixture(scope="session")
def archive(tmp_path_factory) -> Archive:
    root = tmp_path_factory.mktemp("archive")
    recipe, scenes, fragments = Recipe(), {}, []
    for number, task in enumerate(("pour tea", None, "pour tea")):
        name = f"scene{number}-00000000"
        later = stamps(60, holes=[33]) + number * 10**12
        scenes[name] = make_scene(stamp_ns=later, first_message=1000 * (number + 1))
        artifacts = write_artifacts(root / name, scenes[name], recording_id=name)
        fragments.append(artifacts.fragment(root / f"fragment{number}", recipe=recipe, task=task)[0])
    dataset = root / "dataset"
    dataset.mkdir()
    pack_dataset(fragments, dataset, recipe=recipe)
    return Archive(scenes, fragments, dataset)
