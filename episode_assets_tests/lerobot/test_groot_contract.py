"""A reader written to GR00T's contract alone opens our v2.0 and finds pictures, texts and rotations as they were."""

import json
import shutil

import numpy as np
import pytest

from episode_assets.lerobot import Recipe, pack_dataset
from episode_assets_tests.lerobot.archive import (
    make_scene,
    rotation_about,
    stamps,
    wrist_rotations,
    write_artifacts,
)
from episode_assets_tests.lerobot.groot_reader import ContractBroken, GrootDataset
from episode_assets_tests.lerobot.with_lerobot.opened import read_mark

TASKS = ("pour tea", "fold a towel")
FRAMES = 30
# The synthetic hands go forward at one speed, which is no spread to normalise by.
STEPS = {"action": "delta", "scarce": "keep"}


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    root = tmp_path_factory.mktemp("recordings")
    made = []
    for number in range(len(TASKS)):
        scene = make_scene(
            stamp_ns=stamps(FRAMES) + number * 10**12, first_message=1000 * (number + 1), preset="veryfast"
        )
        made.append(write_artifacts(root / f"{number}", scene, recording_id=f"scene{number}-00000000"))
    return made


@pytest.fixture(scope="module")
def dataset(artifacts, tmp_path_factory):
    return opened(artifacts, tmp_path_factory.mktemp("groot"), {})


def opened(artifacts, root, layout):
    """Return the v2.0 dataset of both recordings in the frame of their world."""
    recipe = Recipe.from_mapping(
        {"reference_frame": "world", "layout": layout, "packing": {"version": "v2.0"}}
    )
    fragments = [
        one.fragment(root / f"fragment{number}", recipe=recipe, task=TASKS[number])[0]
        for number, one in enumerate(artifacts)
    ]
    (root / "dataset").mkdir()
    pack_dataset(fragments, root / "dataset", recipe=recipe)
    return GrootDataset(root / "dataset")


def true_rotations(rows):
    """Return the wrists' rotations of the synthetic scene at rows, in its world."""
    return wrist_rotations(np.arange(rows) / 15)


@pytest.mark.parametrize("rotation", ["rot6d", "quaternion", "rotation_vector"])
def test_rotations_come_back_as_they_were_in_every_form(artifacts, tmp_path, rotation):
    dataset = opened(artifacts, tmp_path, {"rotation": rotation})

    for side in ("left", "right"):
        length = dataset.lengths[0]
        state = dataset.rotations("state", f"{side}_rotation", 0)
        target = dataset.rotations("action", f"{side}_rotation", 0)
        np.testing.assert_allclose(state, true_rotations(length), atol=2e-6)
        np.testing.assert_allclose(target, true_rotations(length + 1)[1:], atol=2e-6)
        np.testing.assert_allclose(
            state @ np.swapaxes(state, 1, 2), np.tile(np.eye(3), (length, 1, 1)), atol=1e-6
        )


def test_steps_come_back_as_the_rotation_from_row_to_row(artifacts, tmp_path):
    dataset = opened(artifacts, tmp_path, STEPS)

    true = true_rotations(dataset.lengths[0] + 1)
    steps = dataset.rotations("action", "right_rotation", 0)
    np.testing.assert_allclose(steps @ true[:-1], true[1:], atol=2e-6)


def test_euler_angles_carry_no_rotation_type_because_the_letters_mean_another_rotation_there(
    artifacts, tmp_path
):
    dataset = opened(artifacts, tmp_path, {"rotation": "euler"})

    with pytest.raises(ContractBroken, match="no rotation_type"):
        dataset.rotations("state", "right_rotation", 0)
    roll, pitch, yaw = dataset.values("state", "right_rotation", 0, range(dataset.lengths[0])).T.astype(float)
    about = [rotation_about(axis, angle) for axis, angle in zip(np.eye(3), (roll, pitch, yaw), strict=True)]
    np.testing.assert_allclose(about[2] @ about[1] @ about[0], true_rotations(dataset.lengths[0]), atol=2e-6)


def test_every_picture_is_that_of_its_row(dataset):
    for episode, length in dataset.lengths.items():
        pictures = dataset.frames("ego", episode, range(length))
        seen = [read_mark(picture.transpose(2, 0, 1)) for picture in pictures]
        assert seen == dataset.rows(episode)["source.message_number"].to_pylist()


def test_rate_and_texts_are_those_of_the_recordings(dataset):
    assert dataset.camera("ego") == ("observation.images.ego", 15.0)
    for episode, task in enumerate(TASKS):
        assert dataset.annotation("human.action.task_description", episode, row=3) == task


def test_outside_the_episode_targets_hold_still_and_steps_are_zero(dataset, artifacts, tmp_path):
    last = dataset.lengths[0] - 1
    held = dataset.values("action", "right_position", 0, [last, last + 1, last + 5])
    assert (held == held[0]).all() and np.abs(held).max() > 0
    steps = opened(artifacts, tmp_path, STEPS).values("action", "right_position", 0, [last, last + 1])
    assert np.abs(steps[0]).max() > 0 and not steps[1].any()


def test_every_part_has_statistics_of_its_width(dataset):
    for modality in ("state", "action"):
        for name, part in dataset.slices(modality).items():
            found = dataset.statistics(modality, name)
            assert {len(values) for values in found.values()} == {part.end - part.start}
            assert (found["min"] <= found["q01"]).all() and (found["q99"] <= found["max"]).all()


def change(dataset, name, edit):
    """Change one metadata file of a dataset."""
    path = dataset.root / "meta" / name
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("stats.json", lambda stats: stats["action"].pop("q99")),
        ("stats.json", lambda stats: stats["observation.state"].update(count=[60])),
        ("modality.json", lambda modality: modality["state"]["right_rotation"].update(end=99)),
    ],
)
def test_the_reader_refuses_what_the_real_one_would_stumble_over(dataset, tmp_path, name, edit):
    broken = GrootDataset(shutil.copytree(dataset.root, tmp_path / "broken", copy_function=shutil.copyfile))
    change(broken, name, edit)

    with pytest.raises(ContractBroken):
        broken.statistics("state", "right_rotation")
