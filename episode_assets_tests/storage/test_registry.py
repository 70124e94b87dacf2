"""The registry: one id for the same bytes, a new one for other bytes, and named errors for changed files."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.errors import ArtifactDamaged, ArtifactMissing, BadConfig, BadRecording, SourceChanged
from episode_assets.storage import Store, is_safe_name
from episode_assets.storage.sources import slug
from episode_assets_tests.storage.samples import everything_in, overwrite

LONG = bytes(range(256)) * 1024  # 256 KiB: both ends and a middle that the quick digest does not see


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Return an empty directory for recordings."""
    (tmp_path / "in box").mkdir()
    return tmp_path / "in box"


def test_an_id_is_the_slug_of_the_name_and_digits_of_the_ends(store: Store, inbox: Path) -> None:
    (inbox / "Table Scene.mcap").write_bytes(LONG)

    entry = store.recordings.register(str(inbox / "Table Scene.mcap"), task="lay the table")

    ends = len(LONG).to_bytes(8, "little") + LONG[:65536] + LONG[-65536:]
    assert entry.recording_id == f"table-scene-{hashlib.sha256(ends).hexdigest()[:8]}"
    assert entry == store.recordings.get(entry.recording_id)
    assert (entry.size_bytes, entry.state, entry.sha256) == (len(LONG), "registered", None)
    assert (entry.original_name, entry.aliases, entry.task) == ("Table Scene.mcap", (), "lay the table")
    assert entry.mtime_ns == (inbox / "Table Scene.mcap").stat().st_mtime_ns


def test_ids_by_digest_do_not_hold_the_name(store: Store, inbox: Path) -> None:
    (inbox / "anna-at-home.mcap").write_bytes(b"abc")

    entry = store.recordings.register(str(inbox / "anna-at-home.mcap"), recording_ids="digest")

    assert re.fullmatch(r"r-[0-9a-f]{12}", entry.recording_id)
    with pytest.raises(BadConfig, match="recording_ids"):
        store.recordings.register(str(inbox / "anna-at-home.mcap"), recording_ids="hash")  # type: ignore[arg-type]


def test_a_renamed_file_is_the_same_recording_under_an_alias(store: Store, inbox: Path) -> None:
    (inbox / "one.mcap").write_bytes(LONG)
    first = store.recordings.register(str(inbox / "one.mcap"), task="x")
    (inbox / "one.mcap").rename(inbox / "two.mcap")

    second = store.recordings.register(str(inbox / "two.mcap"))

    assert second.recording_id == first.recording_id
    assert (second.original_name, second.aliases, second.task) == ("one.mcap", ("two.mcap",), "x")
    assert second.uris == (str(inbox / "two.mcap"), str(inbox / "one.mcap"))
    assert store.recordings.check_unchanged(second) == str(inbox / "two.mcap")
    assert store.recordings.list() == (second,)


def test_registering_twice_changes_nothing(store: Store, inbox: Path) -> None:
    (inbox / "one.mcap").write_bytes(b"abc")
    first = store.recordings.register(str(inbox / "one.mcap"))
    before = everything_in(store.uri)

    assert store.recordings.register((inbox / "one.mcap").as_uri()) == first
    assert everything_in(store.uri) == before


def test_a_grown_file_is_a_new_recording_and_the_old_one_has_changed(store: Store, inbox: Path) -> None:
    path = inbox / "one.mcap"
    path.write_bytes(b"abc")
    old = store.recordings.register(str(path))
    path.write_bytes(b"abcdef")

    with pytest.raises(SourceChanged, match=r"it had 3 bytes and has 6 now.*remedy: register the file again"):
        store.recordings.check_unchanged(old)
    new = store.recordings.register(str(path))
    assert new.recording_id != old.recording_id
    assert store.recordings.check_unchanged(new) == str(path)


def test_a_file_written_again_with_the_same_size_has_changed(store: Store, inbox: Path) -> None:
    path = inbox / "one.mcap"
    path.write_bytes(b"abc")
    entry = store.recordings.register(str(path))
    os.utime(path, ns=(1, 1))

    with pytest.raises(SourceChanged, match="written again"):
        store.recordings.check_unchanged(entry)
    again = store.recordings.register(str(path))
    assert again.recording_id == entry.recording_id
    assert store.recordings.check_unchanged(again) == str(path)


def test_a_file_that_is_gone_has_changed(store: Store, inbox: Path) -> None:
    (inbox / "one.mcap").write_bytes(b"abc")
    entry = store.recordings.register(str(inbox / "one.mcap"))
    (inbox / "one.mcap").unlink()

    with pytest.raises(SourceChanged, match="no such file"):
        store.recordings.check_unchanged(entry)


def test_a_changed_middle_is_found_once_the_whole_digest_is_known(store: Store, inbox: Path) -> None:
    path = inbox / "one.mcap"
    path.write_bytes(LONG)
    entry = store.recordings.register(str(path))
    entry = store.recordings.set_sha256(entry.recording_id, hashlib.sha256(LONG).hexdigest())
    path.write_bytes(LONG[:100_000] + b"X" + LONG[100_001:])
    os.utime(path, ns=(1, 1))

    with pytest.raises(SourceChanged, match="other bytes between them"):
        store.recordings.register(str(path))
    with pytest.raises(SourceChanged, match="other bytes between them"):
        store.recordings.set_sha256(entry.recording_id, "0" * 64)


def test_states_and_tasks_are_kept(store: Store, inbox: Path) -> None:
    (inbox / "one.mcap").write_bytes(b"abc")
    recording_id = store.recordings.register(str(inbox / "one.mcap")).recording_id

    store.recordings.note_state(recording_id, "unreadable", "not an\nMCAP file")
    store.recordings.set_task(recording_id, "fold towels")
    entry = store.recordings.register(str(inbox / "one.mcap"))

    assert (entry.state, entry.reason, entry.task) == ("unreadable", "not an MCAP file", "fold towels")
    with pytest.raises(BadConfig, match="the state is"):
        store.recordings.note_state(recording_id, "lost")  # type: ignore[arg-type]


def test_an_unknown_recording_is_named_with_a_remedy(store: Store) -> None:
    with pytest.raises(ArtifactMissing, match=r"no recording 'nobody-1'.*episode-assets add"):
        store.recordings.get("nobody-1")
    with pytest.raises(BadConfig, match="is not a recording id"):
        store.recordings.get("../latest")


def test_one_broken_entry_does_not_hide_the_others(store: Store, inbox: Path) -> None:
    for name in ("one", "two"):
        (inbox / name).write_text(name)
    one, two = (store.recordings.register(str(inbox / name)) for name in ("one", "two"))
    overwrite(store.uri, f"recordings/{one.recording_id}.json", b'{"half')

    assert store.recordings.list() == (two,)
    assert store.recordings.ids() == (one.recording_id, two.recording_id)
    with pytest.raises(ArtifactDamaged, match="registry entry cannot be read"):
        store.recordings.get(one.recording_id)


@pytest.mark.parametrize(
    "name",
    [
        "Küche & Bad (1).mcap",
        "été #2?.mcap",
        "a b\tc.mcap",
        "...mcap",
        "日本語.mcap",
        "x" * 200 + ".mcap",
        "-rf",
        "a..b",
    ],
)
def test_a_file_with_an_odd_name_can_be_registered(store: Store, inbox: Path, name: str) -> None:
    (inbox / name).write_bytes(b"abc")

    entry = store.recordings.register(str(inbox / name))

    assert is_safe_name(entry.recording_id)
    assert store.recordings.get(entry.recording_id).original_name == name
    assert store.recordings.check_unchanged(entry) == str(inbox / name)


def test_a_file_name_that_is_no_text_can_be_registered(store: Store, inbox: Path) -> None:
    path = os.fsdecode(os.fsencode(inbox) + b"/\xff\xfe.mcap")
    try:
        Path(path).write_bytes(b"abc")
    except OSError:
        pytest.skip("this file system takes only names that are UTF-8")

    entry = store.recordings.register(path)

    assert store.recordings.get(entry.recording_id) == entry
    assert store.recordings.check_unchanged(entry) == path


def test_what_is_not_a_file_is_refused(store: Store, inbox: Path) -> None:
    with pytest.raises(BadRecording, match="no such file"):
        store.recordings.register(str(inbox / "none.mcap"))
    with pytest.raises(BadRecording, match="not a file"):
        store.recordings.register(str(inbox))


def test_a_recording_in_an_object_store_has_the_id_that_it_has_on_disk(
    store: Store, inbox: Path, s3_bucket: str
) -> None:
    (inbox / "A b#1.mcap").write_bytes(LONG)
    local = store.recordings.register(str(inbox / "A b#1.mcap"))
    uri = f"{s3_bucket}/in box {inbox.parent.name}/A b#1.mcap"
    with fsspec.open(uri, "wb") as file:
        file.write(LONG)

    remote = store.recordings.register(uri)

    assert remote.recording_id == local.recording_id
    assert (remote.uri, remote.mtime_ns) == (uri, None)
    assert remote.etag
    assert store.recordings.check_unchanged(remote) == uri
    with pytest.raises(BadRecording, match="no such file"):
        store.recordings.register(f"{s3_bucket}/nothing.mcap")


def test_a_remote_file_that_was_written_again_has_changed(store: Store, s3_bucket: str, inbox: Path) -> None:
    uri = f"{s3_bucket}/{inbox.parent.name}.mcap"
    with fsspec.open(uri, "wb") as file:
        file.write(b"abc")
    entry = store.recordings.register(uri)
    with fsspec.open(uri, "wb") as file:
        file.write(b"xyz")

    with pytest.raises(SourceChanged, match="written again"):
        store.recordings.check_unchanged(entry)


@given(st.text(max_size=200))
def test_a_slug_of_any_name_makes_a_safe_id(name: str) -> None:
    made = slug(name)

    assert is_safe_name(f"{made}-0123456789abcdef")
    assert made == slug(made) or made.endswith((".mcap", ".bag", ".db3", ".zst", ".zstd", ".gz"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("table_scene.mcap", "table_scene"),
        ("2024-05-01 Küche.MCAP", "2024-05-01-kuche"),
        ("a.b.mcap.zst", "a.b"),
        ("rosbag.bag", "rosbag"),
        ("日本", "recording"),
        ("..", "recording"),
    ],
)
def test_a_slug_keeps_what_people_recognise(name: str, expected: str) -> None:
    assert slug(name) == expected
