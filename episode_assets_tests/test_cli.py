"""What a shell script can rely on: exit codes, one line per failure, results on the standard output."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from episode_assets.cli import main
from episode_assets.demo import DemoConfig, write_demo
from episode_assets_tests.conftest import Demo, Workplace


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def error_lines(result: Result) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith("error:")]


def write_bad(path: Path, kind: str, demo: Demo) -> Path:
    data = demo.path.read_bytes()
    content = {
        "empty": b"",
        "text": b"these are no messages\n" * 40,
        "picture": b"\xff\xd8\xff\xe0" + bytes(4000),
        "mangled": data.replace(b"\r\n", b"\n")[:300_000],
        "beheaded": data[:20],
    }[kind]
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["empty", "text", "picture", "mangled", "beheaded"])
def test_a_file_that_is_no_recording_fails_with_one_line_and_leaves_nothing(
    kind: str, workplace: Workplace, small_demo: Demo
) -> None:
    bad = write_bad(workplace.folder / f"{kind}.mcap", kind, small_demo)

    result = call("run", str(bad))

    assert result.exit_code == 1
    lines = error_lines(result)
    assert len(lines) == 1
    assert "raw_mcap" in lines[0]
    assert "remedy" in lines[0]
    assert "Traceback" not in result.output + result.stderr
    assert workplace.store.keys("raw_mcap") == ()
    entry = workplace.store.recordings.list()[0]
    assert entry.state == "unreadable"
    assert entry.reason in lines[0]


def test_a_recording_without_messages_and_one_without_a_camera_say_so(
    workplace: Workplace, tmp_path: Path
) -> None:
    silent, blind = tmp_path / "silent.mcap", tmp_path / "blind.mcap"
    write_demo(silent, config=DemoConfig(seconds=0, width=320, height=180))
    write_demo(blind, config=DemoConfig(seconds=1, width=320, height=180, with_rgb=False))

    for path, word in ((silent, "message"), (blind, "rgb")):
        result = call("run", str(path))
        assert result.exit_code == 1
        assert len(error_lines(result)) >= 1
        assert word in error_lines(result)[0].lower()


def test_a_missing_file_is_a_wrong_call(workplace: Workplace) -> None:
    result = call("run", "nowhere.mcap")
    assert result.exit_code == 2
    assert error_lines(result) == ["error: there is no such file | in nowhere.mcap | remedy: check the path"]


def test_a_file_that_is_not_there_keeps_no_other_from_being_registered(
    workplace: Workplace, small_demo: Demo
) -> None:
    result = call("add", "nowhere.mcap", str(small_demo.path), str(workplace.folder))

    assert result.exit_code == 1
    assert [line.split(" | ")[0] for line in error_lines(result)] == [
        "error: there is no such file",
        "error: this is a directory",
    ]
    assert result.stdout.split() == [entry.recording_id for entry in workplace.store.recordings.list()]
    assert len(result.stdout.split()) == 1


def test_a_file_name_cannot_drive_the_terminal(workplace: Workplace) -> None:
    result = call("inspect", "\x1b[31mred.mcap")

    assert "\x1b" not in result.stderr
    assert "\\x1b[31mred.mcap" in result.stderr


def test_a_misspelt_setting_is_a_wrong_call_that_names_the_right_one(
    workplace: Workplace, small_demo: Demo
) -> None:
    settings = workplace.folder / "settings.yaml"
    settings.write_text("blurred_rgb: {score_treshold: 0.3}\n")

    result = call("run", str(small_demo.path), "--config", str(settings))

    assert result.exit_code == 2
    assert "did you mean 'score_threshold'" in result.stderr


def test_odd_file_names_become_plain_recording_ids(workplace: Workplace, small_demo: Demo) -> None:
    odd = workplace.folder / "küche, [täglich] … 'x' | 100%.mcap"
    odd.write_bytes(small_demo.path.read_bytes())

    result = call("add", str(odd))

    recording_id = result.output.strip()
    assert result.exit_code == 0
    assert recording_id.replace("-", "").replace("_", "").replace(".", "").isalnum()
    assert recording_id.isascii()
    assert workplace.store.recordings.get(recording_id).original_name == odd.name


def test_personal_file_names_stay_out_of_ids_where_the_settings_say_so(
    workplace: Workplace, small_demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = workplace.folder / "settings.yaml"
    settings.write_text("recording_ids: digest\n")
    monkeypatch.setenv("EPISODE_ASSETS_CONFIG", str(settings))
    personal = workplace.folder / "anna schmidt kitchen.mcap"
    personal.write_bytes(small_demo.path.read_bytes())

    result = call("add", str(personal))

    assert result.exit_code == 0
    assert result.stdout.startswith("r-")
    assert "anna" not in result.stdout


def test_an_unknown_recording_is_named_with_the_remedy(workplace: Workplace) -> None:
    for command in (("open", "nobody-00000000", "--print"), ("export", "nobody-00000000", "out")):
        result = call(*command)
        assert result.exit_code == 1
        assert len(error_lines(result)) == 1
        assert "remedy" in error_lines(result)[0]


def test_inspect_prints_a_table_or_json_and_registers_nothing(workplace: Workplace, small_demo: Demo) -> None:
    shown = call("inspect", str(small_demo.path))
    document = json.loads(call("inspect", str(small_demo.path), "--json").output)

    assert "/camera/rgb/compressed" in shown.output
    assert document["messages"] > 0
    assert workplace.store.recordings.list() == ()


def test_status_of_an_empty_store_is_an_empty_table(workplace: Workplace) -> None:
    assert call("status").exit_code == 0
    assert json.loads(call("status", "--json").output)["recordings"] == []


def test_missing_weights_are_one_line_with_the_remedy(
    workplace: Workplace, small_demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPISODE_ASSETS_MODELS", str(workplace.folder / "no-models"))
    monkeypatch.setenv("EPISODE_ASSETS_CACHE", str(workplace.folder / "no-cache"))

    result = call("run", str(small_demo.path))

    assert result.exit_code == 1
    assert any("episode-assets models fetch" in line for line in error_lines(result))
    assert workplace.store.keys("blurred_rgb") == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    workplace: Workplace, small_demo: Demo
) -> None:
    small = workplace.folder / "small-disk"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(small)], check=False)
    if mounted.returncode != 0:
        pytest.skip("this machine does not allow mounting a small file system")
    try:
        result = call("run", str(small_demo.path), "--store", str(small / "store"))
        left = [path for path in small.rglob("*") if path.suffix in {".mp4", ".hdf5"}]
    finally:
        subprocess.run(["umount", str(small)], check=True)

    assert result.exit_code == 1
    assert any("space" in line.lower() or "disk" in line.lower() for line in error_lines(result))
    assert "Traceback" not in result.output + result.stderr
    assert left == []
