"""Further views of one camera: features of their own, with pictures, intrinsics and statistics of their own."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.errors import BadConfig
from episode_assets.lerobot import Recipe, pack_dataset, verify_dataset
from episode_assets.video import decode_frames
from episode_assets_tests.lerobot.archive import make_scene, read_number, stamps
from episode_assets_tests.lerobot.test_own_pictures import fragment_of, messages, pictures_of, resized

WIDE, CLOSE = "observation.images.ego", "observation.images.close"
TWO_VIEWS = {"views": {"close": {"width": 96, "height": 96, "fit": "stretch"}}}


def test_each_view_shows_the_frame_of_its_row(tmp_path):
    recipe = Recipe.from_mapping({**TWO_VIEWS, "camera_view": {"upright": "180"}})

    reader, _ = fragment_of(tmp_path, make_scene(stamp_ns=stamps(50, holes=[27])), recipe)

    assert reader.video_keys == (WIDE, CLOSE)
    sizes = {key: (facts["width"], facts["height"]) for key, facts in reader.document["video"].items()}
    assert sizes == {WIDE: (64, 48), CLOSE: (96, 96)}
    for position in range(2):
        for key in (WIDE, CLOSE):
            shown = [read_number(resized(one.y[::-1, ::-1])) for one in pictures_of(reader, position, key)]
            assert shown == messages(reader, position)


def test_the_intrinsics_of_a_view_are_those_of_its_own_picture(tmp_path):
    recipe = Recipe.from_mapping(TWO_VIEWS)

    reader, _ = fragment_of(tmp_path, make_scene(30), recipe)

    table = reader.row_table(0).to_pydict()
    fx, fy, cx, cy = np.array(table["camera.intrinsics"]).T
    expected = [1.5 * fx, 2 * fy, 1.5 * (cx + 0.5) - 0.5, 2 * (cy + 0.5) - 0.5]
    np.testing.assert_allclose(table["camera.close_intrinsics"], np.transpose(expected), rtol=1e-6)


def test_one_view_is_copied_while_another_is_encoded(tmp_path):
    reader, _ = fragment_of(tmp_path, make_scene(30), Recipe.from_mapping(TWO_VIEWS))

    assert {key: place["from"] for key, place in reader.episodes[0]["videos"].items()} == {
        WIDE: "bundle",
        CLOSE: "own",
    }
    assert reader.episodes[0]["frame_start"] % 5 == 0


def test_a_dataset_of_two_views_holds_every_rule(tmp_path):
    recipe = Recipe.from_mapping({**TWO_VIEWS, "packing": {"version": "v3.0"}})
    reader, _ = fragment_of(tmp_path, make_scene(40, kept=((2, 39),)), recipe)
    dataset = tmp_path / "dataset"
    dataset.mkdir()

    pack_dataset([reader.fragment], dataset, recipe=recipe)

    assert verify_dataset(dataset) == []
    info = json.loads((dataset / "meta/info.json").read_text())
    assert [key for key, feature in info["features"].items() if feature["dtype"] == "video"] == [WIDE, CLOSE]
    shown = pq.read_table(dataset / "data")["source.message_number"].to_pylist()
    for key in (WIDE, CLOSE):
        (path,) = (dataset / "videos" / key).rglob("*.mp4")
        assert [read_number(resized(picture.y)) for _, picture in decode_frames(path)] == shown


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ({"ego": {}}, "'views' is 'ego'"),
        ({"ego_depth": {}}, "names of their own"),
        ({"Close": {}}, "names of their own"),
        ({"close": {"upright": "cw90"}}, "views turn with the camera"),
        ({"close": {"widht": 2}}, "views.close.widht.*'width'"),
        ({"close": 224}, "'views.close' is a mapping"),
    ],
)
def test_a_bad_view_is_refused_by_name(views, message):
    with pytest.raises(BadConfig, match=message):
        Recipe.from_mapping({"views": views})


def test_views_survive_being_written_as_plain_values():
    recipe = Recipe.from_mapping(TWO_VIEWS)

    assert Recipe.from_mapping(json.loads(json.dumps(recipe.to_mapping()))) == recipe
