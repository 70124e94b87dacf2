import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

from episode_assets.errors import ArtifactMissing, BadConfig
from episode_assets.lerobot import Recipe
from episode_assets.lerobot.recipe_layout import Layout
from episode_assets.lerobot.torch_wrapper import ELEMENTS, MaskedActions
from episode_assets_tests.lerobot.archive import make_scene
from episode_assets_tests.lerobot.lerobots_environment import run_there
from episode_assets_tests.lerobot.test_training_facts import (
    HORIZON,
    ChunkReader,
    dataset_of,
    flickering_hands,
)


class PlainReader(ChunkReader):
    """Gives single rows: no chunks were asked for."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.delta_timestamps = None

    def __getitem__(self, index):
        return {name: values[index] for name, values in self.rows.items()}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    scenes = [make_scene(40), make_scene(40, first_message=1000)]
    scenes[0].kind[10, 0] = scenes[0].kind[20] = 0
    recipe = Recipe(reference_frame="camera", layout=Layout(drop=("right_rotation",)))
    return dataset_of(tmp_path_factory.mktemp("masked"), scenes, recipe)


@pytest.mark.parametrize(
    ("hands", "padded"),
    [("any", {19, 20}), ("both", {9, 10, 19, 20}), ("left", {9, 10, 19, 20}), ("right", {19, 20})],
)
def test_a_step_is_padding_where_a_required_hand_was_not_measured_at_both_ends(root, hands, padded):
    items = MaskedActions(ChunkReader(root), require_hands=hands)

    for row in (0, 8, 15, 36, 39, 41):
        begins, ends = (0, 39) if row < 39 else (39, 78)
        expected = [step in padded or not begins <= step < ends for step in range(row, row + HORIZON)]
        assert items[row]["action_is_pad"].tolist() == expected


def test_the_recipe_decides_where_nobody_says_which_hands(root):
    said, unsaid = (MaskedActions(ChunkReader(root), require_hands=word) for word in ("any", ""))

    assert unsaid[8]["action_is_pad"].tolist() == said[8]["action_is_pad"].tolist()


def test_the_mask_of_elements_names_the_numbers_of_the_hand_that_was_seen(root):
    item = MaskedActions(ChunkReader(root), with_elements=True)[9]

    assert item[ELEMENTS].shape == item["action"].shape == (HORIZON, 12)
    assert item[ELEMENTS][0].tolist() == [False] * 9 + [True] * 3
    assert item[ELEMENTS][2].all()


@pytest.mark.parametrize("state", ["one_hand", "joints"])
def test_where_actions_hold_one_hand_the_other_has_no_say(tmp_path, state):
    scene = make_scene(40)
    scene.kind[10, 0] = scene.kind[20, 1] = 0
    drop = ("gripper",) if state == "one_hand" else ("left",)
    root = dataset_of(tmp_path, [scene], Recipe(state=state, layout=Layout(drop=drop)))

    for hands in ("any", "both"):
        pads = [
            bool(item["action_is_pad"][0]) for item in MaskedActions(ChunkReader(root), require_hands=hands)
        ]
        assert np.flatnonzero(pads).tolist() == [19, 20]


def test_one_action_is_either_padding_or_not(root):
    reader = PlainReader(root)

    assert [bool(MaskedActions(reader)[row]["action_is_pad"]) for row in (18, 19, 20, 21)] == [
        False,
        True,
        True,
        False,
    ]


def test_all_else_of_the_dataset_is_passed_through_and_workers_can_copy_it(root):
    items = MaskedActions(ChunkReader(root))

    assert len(items) == 78 and items.fps == 15 and "observation.state" in items[0]
    for same in (pickle.loads(pickle.dumps(items)), copy.copy(items)):
        assert same[9]["action_is_pad"].tolist() == items[9]["action_is_pad"].tolist()
    with pytest.raises(AttributeError, match="nothing_like_it"):
        items.nothing_like_it  # noqa: B018


def test_tensors_stay_tensors(root):
    torch = pytest.importorskip("torch")
    reader = ChunkReader(root)
    reader.rows["action"] = torch.from_numpy(reader.rows["action"].copy())

    pad = MaskedActions(reader)[8]["action_is_pad"]

    assert pad.dtype == torch.bool and pad.tolist() == [False] * HORIZON


def test_a_dataset_without_masks_and_an_unknown_hand_are_refused(root, tmp_path):
    (tmp_path / "data/chunk-000").mkdir(parents=True)
    reader = ChunkReader(root)

    with pytest.raises(BadConfig, match="lefft"):
        MaskedActions(reader, require_hands="lefft")
    reader.root = tmp_path
    with pytest.raises(ArtifactMissing, match=r"valid\.action"):
        MaskedActions(reader)


def test_a_trainer_needs_neither_our_codecs_nor_our_tables_to_read_masks():
    heavy = ["av", "cv2", "h5py", "scipy", "torch", "yaml", "dagster", "mcap"]
    code = (
        "import sys, episode_assets.lerobot.targets, episode_assets.lerobot.torch_wrapper;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


def test_a_row_outside_any_order_of_files_keeps_its_mask(root):
    reader = PlainReader(root)
    reader.rows = {name: values[::-1] for name, values in reader.rows.items()}

    items = MaskedActions(reader)

    assert np.flatnonzero([bool(items[i]["action_is_pad"]) for i in range(78)]).tolist() == [57, 58]


@pytest.mark.lerobot
@pytest.mark.timeout(300)
def test_a_million_in_every_masked_action_changes_no_bit_of_the_loss_of_lerobots_act(tmp_path):
    root = dataset_of(tmp_path, flickering_hands(), Recipe(require_hands="both"))

    run_there("lerobot.with_lerobot.masked", root)
