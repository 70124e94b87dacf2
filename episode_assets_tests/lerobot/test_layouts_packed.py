"""Datasets of every layout are sound."""

import pytest

from episode_assets.lerobot import Recipe, pack_dataset, verify_dataset
from episode_assets.lerobot.recipe_layout import Layout
from episode_assets.lerobot.recipe_packing import Packing
from episode_assets_tests.lerobot.archive import make_scene, write_artifacts
from episode_assets_tests.lerobot.test_mano_table import row, write_mano

KEEP = {"scarce": "keep"}
"""Synthetic hands never open or close, and the synthetic camera never rolls."""

LAYOUTS = {
    "one hand": {"state": "one_hand", "layout": Layout(**KEEP)},
    "data juicer": {"state": "data_juicer", "layout": Layout(hand="left", **KEEP)},
    "joints": {"state": "joints", "layout": Layout(action="delta", step_frame="body")},
    "camera": {"state": "camera", "layout": Layout(rotation="euler", action="velocity", **KEEP)},
    "mano": {
        "state": "mano",
        "layout": Layout(extra=("mano", "handedness", "imu"), wrist_axes="mano", **KEEP),
    },
}


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    scene = make_scene(40)
    scene.kind[10, 0] = 0
    artifacts = write_artifacts(tmp_path_factory.mktemp("recording"), scene)
    hands = [(int(m), side, t) for m in scene.message_number for t, side in enumerate(("left", "right"))]
    write_mano(artifacts.hands, [row(m, side, t, angle=0.1 + 0.01 * (m % 7)) for m, side, t in hands])
    return artifacts


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_dataset_of_a_layout_is_sound(tmp_path, recording, name):
    for version in ("v3.0", "v2.0"):
        recipe = Recipe(packing=Packing(version=version), **LAYOUTS[name])
        fragment, _ = recording.fragment(tmp_path / f"fragment {version}", recipe=recipe)
        (tmp_path / version).mkdir()

        pack_dataset([fragment], tmp_path / version, recipe=recipe)

        assert [str(problem) for problem in verify_dataset(tmp_path / version)] == []
