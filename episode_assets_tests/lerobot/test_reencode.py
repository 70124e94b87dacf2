"""Datasets with other encodings: rows and frames stay, key frames come where episodes begin."""

import json
import shutil

import numpy as np
import pytest

from episode_assets.errors import BadConfig
from episode_assets.lerobot import Recipe, pack_dataset, verify_dataset
from episode_assets.lerobot.existing import EpisodeRows, episode_rows, open_dataset
from episode_assets.lerobot.merging import merge_datasets
from episode_assets.lerobot.picture_counts import read_picture_counts
from episode_assets.lerobot.reencode import reencode_dataset
from episode_assets.video import RGBEncoderConfig, decode_frames, probe
from episode_assets_tests.lerobot.archive import read_number
from episode_assets_tests.lerobot.damage import CAMERA, VIDEO, encoded

SMALL = RGBEncoderConfig(crf=30.0, g=8)


@pytest.fixture(scope="module")
def packed(archive, tmp_path_factory):
    root = tmp_path_factory.mktemp("v2.1")
    pack_dataset(archive.fragments, root, recipe=Recipe.from_mapping({"packing": {"version": "v2.1"}}))
    return {"v3.0": archive.dataset, "v2.1": root}


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_every_row_shows_the_frame_that_it_showed_before(packed, tmp_path, version):
    made = reencode_dataset(packed[version], tmp_path / "out", rgb=SMALL)

    assert verify_dataset(made.root) == []
    dataset = open_dataset(made.root)
    for rows in episode_rows(dataset):
        assert isinstance(rows, EpisodeRows)
        part = rows.episode.videos[CAMERA]
        start = round(part.start_s * dataset.fps)
        pictures = decode_frames(dataset.root / part.path, range(start, start + len(rows)))
        assert [read_number(p) for _, p in pictures] == rows.values("source.message_number").tolist()


def test_the_codec_is_another_one_and_the_dataset_says_so(packed, tmp_path):
    config = RGBEncoderConfig(vcodec="libsvtav1", crf=40.0, preset=12, extra_options=())

    made = reencode_dataset(packed["v3.0"], tmp_path / "out", rgb=config)

    facts = open_dataset(made.root).features[CAMERA].info
    assert probe(made.root / VIDEO).codec == facts["video.codec"] == "av1"
    assert (facts["video.crf"], facts["video.g"], facts["is_depth_map"]) == (40, 15, False)
    assert made.frames == {CAMERA: 174}
    assert verify_dataset(made.root) == []


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_statistics_are_those_of_the_pictures(packed, tmp_path, version):
    made = reencode_dataset(packed[version], tmp_path / "out", rgb=SMALL)

    dataset = open_dataset(made.root)
    counts = read_picture_counts(dataset.root)[CAMERA].counts.reshape(3, 256)
    mean = (counts * np.arange(256)).sum(axis=1) / counts.sum(axis=1) / 255
    episodes = [entry[CAMERA] for _, entry in dataset.episode_statistics()]
    weights = [episode.length for episode in dataset.episodes]
    found = np.average([np.ravel(entry["mean"]) for entry in episodes], axis=0, weights=weights)
    np.testing.assert_allclose(found, mean, atol=1e-9)
    whole = dataset.statistics()
    if whole is not None:
        np.testing.assert_allclose(np.ravel(whole[CAMERA]["mean"]), mean)


def test_a_dataset_with_far_key_frames_can_be_joined_afterwards(archive, tmp_path):
    first, others = tmp_path / "first", tmp_path / "others"
    for root, fragments in ((first, archive.fragments[:1]), (others, archive.fragments[1:])):
        root.mkdir()
        pack_dataset(fragments, root, recipe=Recipe())
    encoded(VIDEO, 116, g="30")(others)

    reencode_dataset(others, tmp_path / "mended", rgb=RGBEncoderConfig())
    merge_datasets([first, tmp_path / "mended"], tmp_path / "out")

    assert verify_dataset(tmp_path / "out") == []


def test_rows_are_the_same_bytes_and_no_later_version_takes_the_videos_over(packed, tmp_path):
    made = reencode_dataset(packed["v3.0"], tmp_path / "out", rgb=SMALL)

    data = "data/chunk-000/file-000.parquet"
    assert (made.root / data).read_bytes() == (packed["v3.0"] / data).read_bytes()
    assert "files" not in json.loads((made.root / "meta/episode_assets.json").read_text())


def test_the_same_configuration_gives_the_same_bytes(packed, tmp_path):
    for name in ("once", "again"):
        reencode_dataset(packed["v3.0"], tmp_path / name, rgb=SMALL)

    files = [path.relative_to(tmp_path / "once") for path in (tmp_path / "once").rglob("*") if path.is_file()]
    for path in files:
        assert (tmp_path / "once" / path).read_bytes() == (tmp_path / "again" / path).read_bytes()


def test_a_dataset_of_others_is_encoded_as_well(shared_data, tmp_path):
    source = tmp_path / "dataset"
    shutil.copytree(shared_data / "lerobot-v20/pick_n_place", source, copy_function=shutil.copyfile)
    kept = json.loads((source / "meta/episodes.jsonl").read_text().splitlines()[4])
    (source / "meta/episodes.jsonl").write_text(json.dumps(kept | {"episode_index": 4}) + "\n")

    made = reencode_dataset(
        source,
        tmp_path / "out",
        rgb=RGBEncoderConfig(preset="ultrafast"),
        cameras=["observation.images.ego_view"],
    )

    assert made.frames == {"observation.images.ego_view": 328}
    codes = {problem.code for problem in verify_dataset(made.root)}
    assert "reordered_frames" not in codes
    assert "frame_count" not in codes


def test_a_call_without_anything_to_do_is_refused(packed, tmp_path):
    with pytest.raises(BadConfig, match="nothing is to be encoded"):
        reencode_dataset(packed["v3.0"], tmp_path / "out")
    with pytest.raises(BadConfig, match=r"no video feature 'observation\.images\.left'"):
        reencode_dataset(packed["v3.0"], tmp_path / "out", rgb=SMALL, cameras=["observation.images.left"])
    assert not (tmp_path / "out").exists()
