"""The real LeRobot reads our language column and takes the subtask that is being done at each row."""

from __future__ import annotations

import json

import pytest

from episode_assets_tests.lerobot.lerobots_environment import run_there
from episode_assets_tests.lerobot.test_language import RECIPE, SPOKEN, pack

pytestmark = [pytest.mark.lerobot, pytest.mark.timeout(600)]


def test_lerobot_takes_the_subtask_of_each_row(tmp_path):
    root = pack(tmp_path, RECIPE, [SPOKEN, None])

    told = json.loads(run_there("lerobot.with_lerobot.spoken", root).splitlines()[-1])

    spoken = ["reach"] * 15 + ["pour"] * 15 + [None] * 15 + ["drink"] * 14
    assert told == [["visit", words] for words in spoken] + [["visit", None]] * 59
