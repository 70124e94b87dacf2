"""The page about tasks: what it shows can be read, and what it names is there."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

from episode_assets.lerobot.recipe_gaps import GapChoice
from episode_assets.lerobot.recipe_segments import SegmentChoice
from episode_assets.lerobot.segments import as_segments
from episode_assets.lerobot.task_sidecar import read_task_sidecar
from episode_assets_tests.lerobot.archive import stamps

PAGE = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")


def test_the_file_of_the_page_is_read_as_it_says():
    (content,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    at = stamps(300)

    said = read_task_sidecar(content.encode(), first_stamp_ns=int(at[0]), where="page")

    found = as_segments(said, at)
    assert [(one.task, len(one.subtasks)) for one in found] == [("pour tea", 2), ("N/A", 0), ("drink", 0)]


def test_every_choice_of_the_page_is_there_and_the_other_way_round():
    for section, kind in (("segments", SegmentChoice), ("gaps", GapChoice)):
        hints = get_type_hints(kind)
        for item in fields(kind):
            assert f"`{section}.{item.name}" in PAGE or f"`{item.name}`" in PAGE, item.name
            for word in get_args(hints[item.name]):
                assert f"`{word}`" in PAGE or f": {word}`" in PAGE or not isinstance(word, str), word
        named = set(re.findall(rf"`{section}\.(\w+)", PAGE)) - {"caption"}
        assert named <= {item.name for item in fields(kind)}


def test_the_captioner_of_the_page_can_be_asked():
    namespace: dict = {}
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

    exec(snippet, namespace)

    asked = namespace["Captioner"](model="any", prompt="what is done?")
    assert asked.caption([], seconds=[]) == "pours tea"
