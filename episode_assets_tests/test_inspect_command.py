from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from episode_assets.cli import main
from episode_assets_tests.conftest import Workplace

OTHER_RUN = [sys.executable, "-m", "episode_assets.cli"]


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["inspect", *arguments])


def cells(output: str, topic: str) -> list[str]:
    (line,) = [line for line in output.splitlines() if line.startswith(topic + " ")]
    return line.split()


def made(output: str) -> dict[str, str]:
    _, _, lines = output.partition("what can be made:\n")
    return {
        line.split()[0]: line.split()[1]
        for line in lines.splitlines()
        if line.startswith("  ") and line[2] != " "
    }


@pytest.fixture
def recordings(shared_data: Path) -> Path:
    return shared_data / "recordings"


def test_a_whole_recording_is_shown_with_every_topic_and_all_assets(recordings: Path) -> None:
    output = call(str(recordings / "table_scene.mcap")).stdout

    assert (
        "28.3 MB, 2913 messages, 56 chunks (compression: none), complete; written by fpv_labs/1.0" in output
    )
    assert cells(output, "/camera/rgb/compressed") == [
        "/camera/rgb/compressed", "rgb", "CompressedImage/cdr", "111", "15.00", "7.93", "1", "-"
    ]  # fmt: skip
    assert cells(output, "/device/imu")[1:5] == ["imu", "Imu/cdr", "800", "100.06"]
    assert "/camera/rgb/compressed: gap of 0.666 s at 3.133 s" in output
    assert made(output) == dict.fromkeys(
        ("blurred_rgb", "hand_poses", "scene_mesh", "episode_bundle", "qc_report", "lerobot_episode"), "yes"
    )
    assert max(map(len, output.splitlines())) <= 100


def test_a_cut_recording_says_where_and_what_becomes_of_it(recordings: Path) -> None:
    output = call(str(recordings / "table_scene_truncated.mcap")).stdout

    assert "truncated" in output
    assert "damage (cut) at byte 16744885" in output
    assert "open: mesh" in output
    assert set(made(output).values()) == {"partly"}
    assert "the recording is cut at byte 16744885: it ends early" in output
    assert max(map(len, output.splitlines())) <= 100


def test_a_recording_without_a_camera_makes_nothing_and_says_why(shared_data: Path) -> None:
    output = call(str(shared_data / "ros2" / "vehicle.mcap")).stdout

    assert set(made(output).values()) == {"no"}
    assert output.count("no camera topic") == 6
    assert "open: rgb" in output


def test_a_recording_of_json_messages_shows_its_encodings(shared_data: Path) -> None:
    output = call(str(shared_data / "json" / "camera.mcap")).stdout

    assert cells(output, "/image/compressed")[1] == "rgb"
    assert cells(output, "/image/compressed")[2].endswith("/json")
    assert made(output)["hand_poses"] == "partly"
    assert "2-D only (no depth)" in output


def test_what_cannot_be_decoded_is_named_beside_its_topic(shared_data: Path) -> None:
    output = call(str(shared_data / "ros2" / "unknown_schema_encoding.mcap")).stdout

    assert cells(output, "/example")[-1] == "all"
    assert "/example: cannot decode: " in output


def test_the_json_holds_the_inventory_and_the_prospects(recordings: Path) -> None:
    path = str(recordings / "table_scene.mcap")
    document = json.loads(call(path, "--json").stdout)

    assert document["uri"] == path
    assert document["schema"] == "episode_assets.inventory"
    assert {"basis", "messages", "topics", "roles", "damage", "clock", "metadata"} <= document.keys()
    assert {"topic", "role", "count", "gaps", "undecodable", "cannot_decode"} <= document["topics"][0].keys()
    assert [item["can"] for item in document["prospects"]] == ["yes"] * 6
    assert document["prospects"][1] == {
        "asset": "hand_poses", "can": "yes", "missing": [], "consequences": []
    }  # fmt: skip


def test_a_pipe_gets_plain_text_and_nothing_beside_it(recordings: Path) -> None:
    done = subprocess.run(
        [*OTHER_RUN, "inspect", str(recordings / "table_scene_truncated.mcap")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert all(char.isprintable() or char == "\n" for char in done.stdout)
    assert done.stdout == call(str(recordings / "table_scene_truncated.mcap")).stdout


def test_any_address_can_be_inspected(recordings: Path) -> None:
    import fsspec

    content = (recordings / "table_scene_truncated.mcap").read_bytes()[:4_000_000]
    with fsspec.open("memory://inspect/cut.mcap", "wb") as file:
        file.write(content)

    output = call("memory://inspect/cut.mcap").stdout
    assert output.startswith("4.0 MB")
    assert "truncated" in output


@pytest.mark.parametrize("address", ["no such.mcap", "memory://nothing.mcap", "nonsense://x"])
def test_what_cannot_be_read_is_one_line(workplace: Workplace, address: str) -> None:
    result = call(address)

    assert result.exit_code != 0
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1
