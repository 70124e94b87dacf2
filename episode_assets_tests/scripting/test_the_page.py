"""The page for people who write their own loop: its names exist, and its snippets do what it says."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest

from episode_assets import scripting
from episode_assets.bundle import EpisodeBundle
from episode_assets.errors import UnauditedArtifact
from episode_assets.lerobot.contribution import refuse_unverified
from episode_assets_tests.scripting.conftest import Opener

PAGE = (Path(__file__).parents[2] / "docs" / "scripting.md").read_text(encoding="utf-8")
NAMES = re.findall(r"^\| `(stera\.[\w.]+)` \| `([\w.]+)` \|$", PAGE, re.MULTILINE)
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def found(name: str) -> object:
    parts = name.split(".")
    if parts[0] != "episode_assets":
        parts = ["episode_assets", "scripting", *parts]
    thing: object = importlib.import_module("episode_assets")
    for number, part in enumerate(parts[1:], 2):
        if not hasattr(thing, part):
            importlib.import_module(".".join(parts[:number]))
        thing = getattr(thing, part)
    return thing


def test_every_name_of_the_table_is_there() -> None:
    assert len(NAMES) > 35
    assert all(found(ours) is not None for _, ours in NAMES)
    shown = {ours.split(".")[0] for _, ours in NAMES if not ours.startswith("episode_assets")}
    assert shown == set(scripting.__all__)


def test_the_script_of_the_page_is_the_one_that_is_tested() -> None:
    script = (Path(__file__).parent / "test_guide_script.py").read_text(encoding="utf-8")
    calls = re.findall(r"(?:session|tracker|blur|estimator|viz)\.\w+\(.*?\)", SNIPPETS[0])

    assert len(calls) >= 8
    assert [call for call in calls if call not in script and "export" not in call] == []


def test_groups_of_a_users_own_can_be_appended(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = opened()
    session.add_rgb_frame(0, next(session.frames()).rgb)
    session.add_hand_pose(0, [])
    session.export(tmp_path / "episodes" / "run_01")
    monkeypatch.chdir(tmp_path)

    exec(SNIPPETS[1], {})

    assert capsys.readouterr().out == "1 (1, 21, 3)\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"audit": "unverified"}, "audit says 'passed', found 'unverified'"),
        ({"unverified": ["rgb.mp4"]}, "nobody audited rgb.mp4"),
        ({"unverified": ["audio.parquet", "thumbnail.jpg"]}, "nobody audited thumbnail.jpg of"),
    ],
)
def test_no_dataset_takes_a_bundle_whose_pictures_nobody_audited(
    opened: Opener, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    session = opened()
    session.add_rgb_frame(0, next(session.frames()).rgb)
    session.export(tmp_path / "out")
    with EpisodeBundle.open(tmp_path / "out") as bundle:
        refuse_unverified(bundle)
    path = tmp_path / "out" / "meta.json"
    meta = json.loads(path.read_text())
    path.write_text(json.dumps({**meta, "privacy": {**meta["privacy"], **change}}))

    with EpisodeBundle.open(tmp_path / "out") as bundle, pytest.raises(UnauditedArtifact, match=words):
        refuse_unverified(bundle)
