"""The real LeRobot reads our language column and takes the subtask that is being done at each row.

Needs the environment of `make verify-lerobot`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from episode_assets_tests.lerobot.test_language import RECIPE, SPOKEN, pack

pytestmark = [pytest.mark.lerobot, pytest.mark.timeout(600)]

REPOSITORY = Path(__file__).parents[2]
SCRIPT = """
import json, sys
from lerobot.datasets.language_render import active_at
from lerobot.datasets.lerobot_dataset import LeRobotDataset

dataset = LeRobotDataset("local/spoken", root=sys.argv[1], video_backend="pyav")
told = []
for row in range(len(dataset)):
    item = dataset[row]
    entries = item["language_persistent"]
    found = active_at(float(item["timestamp"]), persistent=entries, style="subtask") if entries else None
    told.append([item["task"], found and found["content"]])
print(json.dumps(told))
"""


def test_lerobot_takes_the_subtask_of_each_row(tmp_path):
    python = REPOSITORY / ".venv-lerobot" / "bin" / "python"
    if not python.exists():
        pytest.skip("LeRobot has no environment; `make verify-lerobot` makes one and runs this")
    root = pack(tmp_path, RECIPE, [SPOKEN, None])

    done = subprocess.run(
        [str(python), "-c", SCRIPT, str(root)],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    spoken = ["reach"] * 15 + ["pour"] * 15 + [None] * 15 + ["drink"] * 14
    assert told == [["visit", words] for words in spoken] + [["visit", None]] * 59
