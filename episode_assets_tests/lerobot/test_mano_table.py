import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from episode_assets.errors import ArtifactDamaged
from episode_assets.geometry import rotation_exp
from episode_assets.hands import MANO_SCHEMA
from episode_assets.lerobot import Recipe
from episode_assets.lerobot.arrow_values import column_values
from episode_assets.lerobot.fragment import FragmentReader
from episode_assets.lerobot.mano_table import FILE, read_mano_table
from episode_assets.lerobot.recipe_layout import Layout
from episode_assets_tests.lerobot.archive import make_scene, write_artifacts

NUMBERS = np.array([4, 5, 9])
TRACK = np.array([[0, 1], [0, -1], [7, 1]])


def row(message, side, track, *, angle=0.0, wearer=True):
    values = {
        "recording_id": "scene",
        "message_number": message,
        "side": side,
        "wearer": wearer,
        "track": track,
        "backend": "wilor",
        "global_orient": rotation_exp([0, angle, 0]).reshape(-1).tolist(),
        "hand_pose": np.tile(rotation_exp([0, 0, angle]), (15, 1, 1)).reshape(-1).tolist(),
        "betas": [angle] * 10,
    }
    empty = {
        field.name: [0.0] * field.type.list_size if pa.types.is_fixed_size_list(field.type) else 0
        for field in MANO_SCHEMA
    }
    return empty | values


def write_mano(directory, rows):
    pq.write_table(pa.Table.from_pylist(rows, schema=MANO_SCHEMA), directory / FILE)


def test_numbers_are_those_of_the_hand_that_the_frame_has(tmp_path):
    rows = [row(4, "left", 0, angle=0.1), row(4, "left", 3, angle=9), row(5, "left", 0, angle=0.2)]
    rows += [
        row(5, "right", 1, angle=9),
        row(9, "left", 7, angle=0.3, wearer=False),
        row(9, "right", 1, angle=0.4),
    ]
    write_mano(tmp_path, [*rows, row(77, "left", 0)])

    found = read_mano_table(tmp_path, NUMBERS, TRACK)

    assert found.is_known.tolist() == [[True, False], [True, False], [False, True]]
    np.testing.assert_allclose(found.betas[[0, 1, 2], [0, 0, 1], 0], [0.1, 0.2, 0.4], atol=1e-6)
    np.testing.assert_allclose(found.orientation[1, 0], rotation_exp([0, 0.2, 0]), atol=1e-6)
    np.testing.assert_allclose(found.fingers[2, 1, 14], rotation_exp([0, 0, 0.4]), atol=1e-6)


def test_a_backend_without_mano_gives_none_and_a_damaged_table_says_so(tmp_path):
    assert read_mano_table(tmp_path, NUMBERS, TRACK) is None

    (tmp_path / FILE).write_bytes(b"no table")
    with pytest.raises(ArtifactDamaged, match="MANO"):
        read_mano_table(tmp_path, NUMBERS, TRACK)


def test_a_recording_without_mano_is_left_out_of_a_layout_that_needs_it(tmp_path):
    artifacts = write_artifacts(tmp_path / "in", make_scene(60))

    _, outcome = artifacts.fragment(tmp_path / "out", recipe=Recipe(state="mano"))

    assert json.loads((tmp_path / "out/episodes.json").read_text())["left_out"]["code"] == "no_mano"
    assert [item.code for item in outcome.skipped] == ["no_mano"]


def test_a_contribution_turns_fingers_into_states_and_wrists_into_the_episode(tmp_path):
    scene = make_scene(60)
    artifacts = write_artifacts(tmp_path / "in", scene)
    write_mano(
        artifacts.hands,
        [row(i, side, t, angle=0.01 * i) for i in range(60) for t, side in enumerate(("left", "right"))],
    )
    recipe = Recipe(
        state="mano", reference_frame="world", layout=Layout(wrist_axes="mano", rotation="rotation_vector")
    )

    fragment, _ = artifacts.fragment(tmp_path / "out", recipe=recipe)

    table = FragmentReader.open(fragment, recipe=recipe).row_table(0)
    state = column_values(table["observation.state"]).reshape(-1, 2, 51)
    for i in (0, 20, 40):
        turned = scene.world_from_optical[i, :3, :3] @ rotation_exp([0, 0.01 * i, 0])
        np.testing.assert_allclose(rotation_exp(state[i, 1, 3:6]), turned, atol=1e-5)
        np.testing.assert_allclose(
            state[i, 0, 6:].reshape(15, 3), np.tile([0, 0, 0.01 * i], (15, 1)), atol=1e-5
        )
