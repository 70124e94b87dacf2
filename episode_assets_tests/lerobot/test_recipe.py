import json

import pytest

from episode_assets.errors import BadConfig
from episode_assets.lerobot import Recipe, default_recipe_path
from episode_assets.lerobot.recipe_camera import CameraView
from episode_assets.lerobot.recipe_depth import DepthFeature


def write(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return path


def test_the_shipped_recipe_holds_the_defaults():
    assert Recipe.load(default_recipe_path()) == Recipe()


def test_an_unknown_key_is_an_error_that_names_the_nearest(tmp_path):
    with pytest.raises(BadConfig, match=r"unknown recipe key 'require_hand'.*recipe\.yaml.*'require_hands'"):
        Recipe.load(write(tmp_path, "require_hand: both\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("require_hands: lefft\n", "nearest: left"),
        ("fps: 29.97\n", "'fps' is 29.97"),
        ("fps: true\n", "'fps' is True"),
        ("chunks_size: 1001\n", "1 to 1000"),
        ("min_episode_s: -1\n", "0 to 3600"),
        ("verdicts: [good]\n", "pass, review, fail"),
        ("name: ../x\n", "letters, digits"),
        ("timing: resampled\n", "nearest: resample"),
        ("camera_view: {widht: 224}\n", "camera_view.widht.*'width'"),
        ("camera_view: {width: 225}\n", "'camera_view.width' is 225.*even"),
        ("camera_view: 224\n", "'camera_view' is a mapping"),
        ("camera_view: {encoder: {g: yes}}\n", "'camera_view.encoder.g' is True"),
        ("depth: {enabled: 1}\n", "'depth.enabled' is 1"),
        ("depth: {encoder: {depth_max: 0}}\n", "depth_min"),
        ("depth: {enabled: true, encoder: {pix_fmt: gray}}\n", "gray12le"),
        ("depth: {enabled: true, encoder: {extra_options: {}}}\n", "lossless"),
        ("camera_view: {store: images}\npacking: {version: v2.0}\n", "readers of v2.0 take videos"),
        ("camera_view: {encoder: {extra_options: {bf: [0]}}}\n", "extra_options"),
        ("- a\n- b\n", "mapping"),
        ("name: [\n", "cannot be read"),
    ],
)
def test_a_bad_recipe_is_refused_by_name(tmp_path, text, message):
    with pytest.raises(BadConfig, match=message):
        Recipe.load(write(tmp_path, text))


def test_a_missing_recipe_file_is_refused(tmp_path):
    with pytest.raises(BadConfig, match="cannot be read"):
        Recipe.load(tmp_path / "none.yaml")


def test_file_sizes_do_not_change_what_rows_hold():
    assert Recipe(video_file_mib=50).rows_digest == Recipe().rows_digest
    assert Recipe(require_hands="both").rows_digest != Recipe().rows_digest


def test_a_section_is_read_like_the_recipe_itself(tmp_path):
    text = "camera_view: {width: 224, encoder: {crf: 23, extra_options: {bf: 0}}}\ndepth: {enabled: true}\n"

    recipe = Recipe.load(write(tmp_path, text))

    assert recipe.camera_view.width == 224 and recipe.camera_view.encoder.crf == 23
    assert dict(recipe.camera_view.encoder.extra_options) == {"bf": "0"}
    assert recipe.depth.encoder.depth_max == 10.0
    assert recipe.camera_keys == ("observation.images.ego", "observation.images.ego_depth")
    assert recipe.rows_digest != Recipe().rows_digest


def test_a_recipe_written_as_plain_values_is_read_back_alike():
    recipe = Recipe(camera_view=CameraView(width=64, upright="auto"), depth=DepthFeature(enabled=True))

    assert Recipe.from_mapping(json.loads(json.dumps(recipe.to_mapping()))) == recipe
