"""Recordings in several files, and directories that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from episode_assets.errors import BadRecording
from episode_assets.recording import inspect
from episode_assets.recording.containers.parts import parts_of


def names(parts: tuple[str, ...]) -> list[str]:
    return [Path(part).name for part in parts]


def directory_of(tmp_path: Path, *files: str, listed: list[str] | None = None) -> str:
    for name in files:
        (tmp_path / name).write_bytes(b"")
    if listed is not None:
        lines = ["rosbag2_bagfile_information:", "  relative_file_paths:", *(f"    - {n}" for n in listed)]
        (tmp_path / "metadata.yaml").write_text("\n".join(lines))
    return str(tmp_path)


def test_a_file_is_its_own_only_part(tmp_path: Path) -> None:
    file = tmp_path / "rec_0.mcap"
    file.write_bytes(b"")

    assert parts_of(str(file)) == (str(file),)


def test_the_list_of_the_bag_gives_the_order(tmp_path: Path) -> None:
    place = directory_of(tmp_path, "a.mcap", "b.mcap", "other.mcap", listed=["b.mcap", "a.mcap"])

    assert parts_of(place) == (f"{place}/b.mcap", f"{place}/a.mcap")


def test_parts_listed_from_the_directory_above_lie_beside_the_list(tmp_path: Path) -> None:
    place = directory_of(tmp_path, "bag_0.db3", listed=["bag/bag_0.db3"])

    assert names(parts_of(place)) == ["bag_0.db3"]


def test_a_listed_name_never_leads_out_of_the_directory(tmp_path: Path) -> None:
    place = directory_of(tmp_path, listed=["../../etc/passwd"])

    with pytest.raises(BadRecording, match="1 of 1 parts of the bag are missing: passwd"):
        parts_of(place)


def test_files_without_a_list_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    place = directory_of(tmp_path, *(f"rec_{number}.mcap" for number in range(12)), "notes.txt")

    assert names(parts_of(place)) == [f"rec_{number}.mcap" for number in range(12)]


@pytest.mark.parametrize(
    ("files", "word"),
    [
        (["rec_0.mcap", "rec_1.mcap", "rec_3.mcap"], "numbered 0 to 3: parts of a recording are missing"),
        (["run_20240101.mcap", "run_20990101.mcap"], "or these are several recordings"),
        (["kitchen.mcap", "garden.mcap"], "not the numbered parts of one: garden.mcap, kitchen.mcap"),
        (["rec_0.mcap", "rec_1.db3"], "not the numbered parts of one"),
        (["readme.txt"], "a directory without a recording"),
        ([], "a directory without a recording"),
    ],
)
def test_a_directory_that_is_not_one_recording_is_named(tmp_path: Path, files: list[str], word: str) -> None:
    with pytest.raises(BadRecording, match=word) as caught:
        parts_of(directory_of(tmp_path, *files))

    assert caught.value.remedy


@pytest.mark.parametrize("text", ["[", "a: b", "\x00", "rosbag2_bagfile_information: 3"])
def test_an_unreadable_list_is_named(tmp_path: Path, text: str) -> None:
    directory_of(tmp_path, "rec_0.mcap")
    (tmp_path / "metadata.yaml").write_text(text)

    with pytest.raises(BadRecording, match=r"description of (the|a ROS 2) bag"):
        parts_of(str(tmp_path))


def test_parts_of_a_remote_bag_are_remote_addresses() -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    for number in (2, 10, 9, 1, 3, 4, 5, 6, 7, 8):
        memory.pipe(f"/bags/kitchen/part_{number}.mcap", b"")

    parts = parts_of("memory://bags/kitchen")

    assert parts[:2] == ("memory://bags/kitchen/part_1.mcap", "memory://bags/kitchen/part_2.mcap")
    assert parts[-1] == "memory://bags/kitchen/part_10.mcap"


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_the_sample_bag_has_five_parts(data: Path, storage: str) -> None:
    suffix = "mcap" if storage == "mcap" else "db3"

    assert names(parts_of(str(data / "rosbag2" / storage / "wbag"))) == [
        f"wbag_{n}.{suffix}" for n in range(5)
    ]


def test_a_bag_directory_of_one_file_is_inspected_by_its_directory(data: Path) -> None:
    assert inspect(str(data / "rosbag2" / "sqlite3" / "talker")).messages == 20


def test_inspecting_a_bag_of_several_files_says_how_to_join_them(data: Path) -> None:
    with pytest.raises(BadRecording, match=r"5 files: wbag_0.mcap, .* episode-assets repair DIR OUT"):
        inspect(str(data / "rosbag2" / "mcap" / "wbag"))
