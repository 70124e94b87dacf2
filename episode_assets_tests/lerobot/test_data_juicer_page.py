"""The page for people who come from Data-Juicer: its names exist, and its requirements are tested."""

import importlib
import inspect
import re
from pathlib import Path

from episode_assets.lerobot import data_juicer
from episode_assets.lerobot.data_juicer import ExportToLeRobotMapper
from episode_assets_tests.lerobot import test_data_juicer, test_hand_motion
from episode_assets_tests.lerobot.archive import make_scene, write_artifacts
from episode_assets_tests.lerobot.test_data_juicer import hand, sample_of

PAGE = (Path(__file__).parents[2] / "docs" / "data-juicer.md").read_text(encoding="utf-8")
NAMES = re.findall(r"^\| `(\w+_mapper\.[\w.]+)` \| `([\w.]+)` \|$", PAGE, re.MULTILINE)
OPTIONS = {
    "output_dir": "./lerobot_output",
    "hand_action_field": "hand_action_tags",
    "fps": 10,
    "robot_type": "egodex_hand",
    "chunks_size": 1000,
    "segment_field": None,
    "frame_field": "video_frames",
}
"""Positional options of their exporter with their defaults, in order."""


def found(name):
    parts = name.split(".")
    if parts[0] != "episode_assets":
        parts = [*data_juicer.__name__.split("."), *parts]
    thing = importlib.import_module("episode_assets")
    for number, part in enumerate(parts[1:], 2):
        if not hasattr(thing, part):
            importlib.import_module(".".join(parts[:number]))
        thing = getattr(thing, part)
    return thing


def test_every_name_of_the_table_is_there():
    assert len(NAMES) >= 8
    assert all(found(ours) is not None for _, ours in NAMES)
    assert {ours.split(".")[0] for _, ours in NAMES if not ours.startswith("episode_assets")} == set(
        data_juicer.__all__
    )


def test_options_have_their_names_order_and_defaults():
    given = inspect.signature(ExportToLeRobotMapper).parameters
    positional = {name: one.default for name, one in given.items() if one.kind is one.POSITIONAL_OR_KEYWORD}
    assert list(positional.items()) == list(OPTIONS.items())
    final = inspect.signature(ExportToLeRobotMapper.finalize_dataset).parameters
    assert {name: one.default for name, one in final.items()} == {
        "output_dir": inspect.Parameter.empty,
        **{name: OPTIONS[name] for name in ("fps", "robot_type", "chunks_size")},
    }


def test_every_requirement_of_the_page_has_a_test_or_names_its_file():
    rows = re.findall(r"^\| (R\d+) \|.*\| (.*) \|$", PAGE, re.MULTILINE)
    assert [name for name, _ in rows] == [f"R{number}" for number in range(1, 20)]
    tested = {name.split("_")[1].upper() for name in dir(test_data_juicer) if name.startswith("test_r")}
    here = Path(__file__).parent
    for name, holds in rows:
        files = re.findall(r"`(test_\w+\.py)`", holds)
        assert name in tested or files, name
        assert all((here / file).is_file() or (here.parent / file).is_file() for file in files)
    assert hasattr(test_hand_motion, "test_a_still_hand_is_no_segment_at_all")


def test_every_code_of_the_page_is_one_that_is_told():
    told = "".join(path.read_text() for path in Path(inspect.getfile(data_juicer)).parent.glob("*.py"))
    listed = PAGE[PAGE.index("**Left out.**") : PAGE.index("## Names")]
    codes = [code for code in re.findall(r"`([a-z_]+)`", listed) if code != "lerobot_left_out"]

    assert len(codes) == 15 and [code for code in codes if f'"{code}"' not in told] == []
    used = set(re.findall(r'(?:NoEpisode\(\s*|require\([^"]*)"([a-z_]+)"', told))
    assert used <= set(codes)


def test_the_snippet_of_the_page_runs(tmp_path, monkeypatch):
    video = write_artifacts(tmp_path / "bundle", make_scene(20)).bundle / "rgb.mp4"
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)

    exec(snippet, {"samples": [sample_of(str(video), hand())]})

    assert (tmp_path / "lerobot_output/meta/info.json").is_file()
