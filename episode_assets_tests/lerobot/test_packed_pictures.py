import json

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.lerobot import Recipe, pack_dataset, verify_dataset
from episode_assets.lerobot.recipe_camera import CameraView
from episode_assets.lerobot.recipe_depth import DepthFeature
from episode_assets.lerobot.recipe_packing import Packing
from episode_assets.video import RGBEncoderConfig, decode_depth_codes, decode_frames
from episode_assets_tests.lerobot.archive import make_scene, read_number, stamps, write_artifacts
from episode_assets_tests.lerobot.test_own_pictures import DEPTH, RGB, resized, with_depth

LIKE_THE_BUNDLE = RGBEncoderConfig(g=5, preset="ultrafast")
DEEP = DepthFeature(enabled=True)


def packed(tmp_path, recipe):
    """Pack two recordings with a gap each under a recipe."""
    fragments = []
    for number in range(2):
        scene = make_scene(
            stamp_ns=stamps(48, holes=[25]) + number * 10**12,
            first_message=1000 * (number + 1),
            kept=((3, 47),),
        )
        name = f"scene{number}-00000000"
        artifacts = write_artifacts(tmp_path / name, scene, recording_id=name)
        with_depth(48, missing=[30])[1](artifacts)
        fragments.append(artifacts.fragment(tmp_path / f"fragment{number}", recipe=recipe)[0])
    dataset = tmp_path / "dataset"
    dataset.mkdir()
    pack_dataset(fragments, dataset, recipe=recipe)
    return dataset


def info_of(dataset):
    return json.loads((dataset / "meta/info.json").read_text())


def stats_of(dataset):
    return json.loads((dataset / "meta/stats.json").read_text())


def rows_of(dataset, *names):
    return pq.read_table(dataset / "data", columns=list(names)).to_pydict()


def numbers_in(dataset):
    return [
        read_number(resized(picture.y))
        for path in sorted((dataset / "videos" / RGB).glob("*/*.mp4"))
        for _, picture in decode_frames(path)
    ]


RECIPES = {
    "resized": Recipe(camera_view=CameraView(width=128)),
    "always encoded": Recipe(camera_view=CameraView(encode="always")),
    "unaligned": Recipe(camera_view=CameraView(encoder=LIKE_THE_BUNDLE), unaligned_start="reencode"),
    "resampled": Recipe(fps=10, timing="resample"),
    "with depth": Recipe(depth=DEEP),
}


@pytest.mark.parametrize("name", RECIPES)
def test_every_row_of_a_dataset_shows_its_own_frame(tmp_path, name):
    dataset = packed(tmp_path, RECIPES[name])

    rows = rows_of(dataset, "source.message_number", "index")

    assert numbers_in(dataset) == rows["source.message_number"]
    assert rows["index"] == list(range(len(rows["index"])))
    assert verify_dataset(dataset) == []


@pytest.mark.parametrize(
    "choices",
    [
        {"gaps": {"policy": "mask"}},
        {"state": "data_juicer"},
        {"layout": {"action": "delta", "scarce": "keep"}},
    ],
)
def test_resampling_goes_with_every_other_choice(tmp_path, choices):
    dataset = packed(tmp_path, Recipe.from_mapping({"timing": "resample", "fps": 10, **choices}))

    assert numbers_in(dataset) == rows_of(dataset, "source.message_number")["source.message_number"]
    assert verify_dataset(dataset) == []


def test_episodes_that_were_encoded_share_a_file_with_copied_ones(tmp_path):
    dataset = packed(tmp_path, RECIPES["unaligned"])

    assert len(list((dataset / "videos").rglob("*.mp4"))) == 1
    assert info_of(dataset)["features"][RGB]["info"]["video.crf"] is None


def test_depth_is_described_as_its_readers_expect(tmp_path):
    dataset = packed(tmp_path, RECIPES["with depth"])

    feature = info_of(dataset)["features"][DEPTH]
    codes = [
        codes
        for path in sorted((dataset / "videos" / DEPTH).glob("*/*.mp4"))
        for _, codes in decode_depth_codes(path)
    ]
    valid = rows_of(dataset, "valid.depth")["valid.depth"]
    assert feature["shape"] == [34, 48, 1] and feature["info"]["is_depth_map"] is True
    assert feature["info"]["video.depth_max"] == 10.0 and feature["info"]["depth_unit"] == "mm"
    assert feature["info"]["video.pix_fmt"] == "gray12le" and feature["info"]["video.channels"] == 1
    assert len(codes) == len(valid)
    assert [bool(code.any()) for code in codes] == [bool(known) for known in valid]
    found = stats_of(dataset)[DEPTH]
    assert np.shape(found["mean"]) == (1, 1, 1) and found["count"] == [sum(valid)]
    assert 300 <= found["min"][0][0][0] < found["q50"][0][0][0] < found["max"][0][0][0] <= 10_000


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_a_dataset_of_images_holds_one_per_row_and_no_video(tmp_path, version):
    recipe = Recipe(
        camera_view=CameraView(store="images"),
        depth=DepthFeature(enabled=True, store="tiff"),
        packing=Packing(version=version),
    )
    dataset = packed(tmp_path, recipe)

    info, rows = info_of(dataset), rows_of(dataset, RGB, DEPTH, "source.message_number")
    assert info["features"][RGB]["dtype"] == "image" and info["video_path"] is None
    assert info["features"][DEPTH]["shape"] == [34, 48, 1]
    assert not (dataset / "videos").exists()
    shown = [cv2.imdecode(np.frombuffer(image["bytes"], np.uint8), 0) for image in rows[RGB]]
    assert [read_number(resized(luma)) for luma in shown] == rows["source.message_number"]
    depth = [cv2.imdecode(np.frombuffer(image["bytes"], np.uint8), -1) for image in rows[DEPTH]]
    assert depth[5].dtype == np.uint16 and depth[5].shape == (34, 48)
    assert verify_dataset(dataset) == []


def test_depth_that_only_some_recordings_have_leaves_the_others_out(tmp_path):
    recipe, fragments = Recipe(depth=DEEP), []
    for number in range(2):
        scene = make_scene(stamp_ns=stamps(30) + number * 10**12, first_message=1000 * number)
        artifacts = write_artifacts(tmp_path / f"in{number}", scene, recording_id=f"scene{number}-00000000")
        if number:
            with_depth(30)[1](artifacts)
        fragments.append(artifacts.fragment(tmp_path / f"fragment{number}", recipe=recipe)[0])
    (tmp_path / "dataset").mkdir()

    outcome = pack_dataset(fragments, tmp_path / "dataset", recipe=recipe)

    assert [(item.name, item.code) for item in outcome.skipped] == [("scene0-00000000", "no_depth")]
