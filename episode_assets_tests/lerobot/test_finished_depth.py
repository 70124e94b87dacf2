"""Datasets with depth, as video and as images: verified, joined, made public and encoded anew like all others."""

import json

import numpy as np
import pytest

from episode_assets.lerobot import Recipe, examine_dataset, pack_dataset
from episode_assets.lerobot.existing import open_dataset
from episode_assets.lerobot.handing_on import publish_copy
from episode_assets.lerobot.info import describe_dataset
from episode_assets.lerobot.merging import merge_datasets
from episode_assets.lerobot.picture_counting import counts_of
from episode_assets.lerobot.picture_counts import PICTURE_COUNTS, read_picture_counts
from episode_assets.lerobot.reencode import reencode_dataset
from episode_assets.progress import silent
from episode_assets.video import DepthEncoderConfig, RGBEncoderConfig, decode_depth_codes
from episode_assets_tests.lerobot.archive import make_scene, stamps, write_artifacts
from episode_assets_tests.lerobot.test_own_pictures import with_depth

RGB, DEPTH = "observation.images.ego", "observation.images.ego_depth"
RECIPES = {
    "video": {"depth": {"enabled": True}},
    "images": {"camera_view": {"store": "images"}, "depth": {"enabled": True, "store": "tiff"}},
}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """By way of storing: one recording as a dataset, another one, and both packed at once."""
    root = tmp_path_factory.mktemp("depth")
    recordings = []
    for number in range(2):
        name = f"scene{number}-00000000"
        scene = make_scene(stamp_ns=stamps(40, holes=[21]) + number * 10**12, first_message=1000 * number)
        recordings.append(write_artifacts(root / name, scene, recording_id=name))
        with_depth(40, missing=[5])[1](recordings[-1])
    found = {}
    for label, values in RECIPES.items():
        recipe = Recipe.from_mapping(values)
        made = [one.fragment(root / label / one.recording_id, recipe=recipe)[0] for one in recordings]
        found[label] = []
        for number, chosen in enumerate((made[:1], made[1:], made)):
            directory = root / label / f"dataset{number}"
            directory.mkdir()
            pack_dataset(chosen, directory, recipe=recipe)
            found[label].append(directory)
    return found


def statistics(root):
    return json.loads((root / "meta/stats.json").read_text())


@pytest.mark.parametrize("label", RECIPES)
def test_they_pass_verification_with_every_picture_decoded(parts, label):
    verdict = examine_dataset(parts[label][2], decode=True)

    assert [str(item) for item in (*verdict.problems, *verdict.warnings)] == []


@pytest.mark.parametrize("label", RECIPES)
def test_joined_ones_have_the_statistics_of_packing_everything_at_once(parts, label, tmp_path):
    first, second, whole = parts[label]

    merge_datasets([first, second], tmp_path / "out")

    assert examine_dataset(tmp_path / "out", decode=True).passed
    assert statistics(tmp_path / "out") == statistics(whole)


@pytest.mark.parametrize("label", RECIPES)
def test_counting_by_decoding_gives_what_the_packer_has_stored(parts, label, tmp_path):
    """Depth is exact; colours differ by the rounding of one conversion from YUV or another."""
    publish_copy(parts[label][2], tmp_path / "out")
    stored = read_picture_counts(tmp_path / "out")
    (tmp_path / "out" / PICTURE_COUNTS).unlink()
    dataset = open_dataset(tmp_path / "out")

    counted = {key: counts_of(dataset, dataset.features[key], silent) for key in (RGB, DEPTH)}

    assert counted[DEPTH].pictures == stored[DEPTH].pictures
    np.testing.assert_array_equal(counted[DEPTH].counts, stored[DEPTH].counts)
    assert counted[RGB].counts.sum() == stored[RGB].counts.sum()
    for found in zip(counted[RGB].counts.reshape(3, 256), stored[RGB].counts.reshape(3, 256), strict=True):
        means = [np.average(np.arange(256), weights=counts) for counts in found]
        assert abs(means[0] - means[1]) < 2


def test_codes_survive_another_encoding_and_keep_their_meaning(parts, tmp_path):
    source = parts["video"][2]
    wide_groups = DepthEncoderConfig(depth_max=5.0, g=30)

    made = reencode_dataset(source, tmp_path / "out", rgb=RGBEncoderConfig(crf=30.0), depth=wide_groups)

    assert examine_dataset(made.root, decode=True).passed
    before, after = open_dataset(source), open_dataset(made.root)
    path = before.episodes[0].videos[DEPTH].path
    for (_, old), (_, new) in zip(
        decode_depth_codes(source / path), decode_depth_codes(made.root / path), strict=True
    ):
        np.testing.assert_array_equal(old, new)
    assert (
        after.features[DEPTH].info["video.depth_max"]
        == before.features[DEPTH].info["video.depth_max"]
        == 10.0
    )
    assert statistics(made.root)[DEPTH] == statistics(source)[DEPTH]


def test_policies_are_told_that_depth_is_one_more_picture_to_them(parts):
    summary = describe_dataset(parts["video"][2])

    assert summary.inputs.depth == (DEPTH,)
    assert all(any(DEPTH in text for text in summary.warnings[name]) for name in ("act", "pi0", "vqbet"))
