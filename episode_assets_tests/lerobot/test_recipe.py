import pytest

from episode_assets.errors import BadConfig
from episode_assets.lerobot import Recipe, default_recipe_path


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
        ("timing: resample\n", "not available yet"),
        ("unaligned_start: reencode\n", "not available yet"),
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
