"""Publishing: what readers see afterwards, what is refused, and what a store may hold."""

from __future__ import annotations

import json
import pickle
import stat
from pathlib import Path

import pytest

from episode_assets.errors import ArtifactDamaged, ArtifactMissing, BadConfig, BadDraft
from episode_assets.outcome import ModelUse, Note, Outcome, Skipped
from episode_assets.storage import ArtifactKey, Manifest, Store
from episode_assets_tests.storage.samples import (
    RAW,
    digest_of,
    everything_in,
    fill,
    fingerprint_of,
    overwrite,
    publish,
    remove,
)

ODD = {"a b/ü#[1]?*%20.json": b"{}", "c'd\"e/$x;y&z.txt": b"odd", "plain.bin": bytes(range(256))}


def test_a_published_artifact_is_the_latest_one_with_the_same_bytes(store: Store) -> None:
    published = publish(store, {"one.json": b"1", "deep/er/two.bin": b"22"}, view=["deep/er/two.bin"])

    latest = store.latest(RAW)

    assert latest == published
    assert latest.path("one.json").read_bytes() == b"1"
    assert latest.path("deep/er/two.bin").read_bytes() == b"22"
    assert latest.read_json("one.json") == 1


def test_the_version_is_the_digest_of_the_core_files_only(store: Store) -> None:
    artifact = publish(store, {"one.json": b"1", "two.json": b"2", "preview.jpg": b"x"}, view=["preview.jpg"])

    expected = digest_of({"one.json": b"1", "two.json": b"2"})
    assert artifact.content_digest == expected
    assert artifact.version == expected[:16]
    assert store.versions(RAW) == (expected[:16],)


def test_a_manifest_tells_what_was_made_from_what(store: Store) -> None:
    draft = store.draft(
        RAW,
        fingerprint=fingerprint_of("x"),
        code_version="7",
        config={"sizes": (1, 2)},
        inputs={"source": "ab"},
    )
    with draft:
        fill(draft.directory, {"one.json": b"1"})
        draft.publish(
            Outcome(
                core=("one.json",),
                saved=("one.json",),
                skipped=(Skipped("mesh.ply", "no_mesh", "the recording has none"),),
                warnings=(Note("truncated", "cut at byte 12"),),
                models=(ModelUse("palm", "c" * 64, "Apache-2.0"),),
                summary={"frames": 3},
            )
        )

    manifest = json.loads(everything_in(store.uri)[f"{RAW.base}/{store.latest(RAW).version}/manifest.json"])

    assert manifest["schema"] == "episode_assets.artifact"
    assert manifest["recording_id"] == RAW.recording_id
    assert manifest["config"] == {"sizes": [1, 2]}
    assert manifest["inputs"] == {"source": "ab"}
    assert manifest["code"]["version"] == "7"
    assert manifest["skipped"] == [
        {"name": "mesh.ply", "code": "no_mesh", "detail": "the recording has none"}
    ]
    assert manifest["warnings"][0]["detail"] == "cut at byte 12"
    assert manifest["models"][0]["sha256"] == "c" * 64
    assert [(entry["path"], entry["role"], entry["bytes"]) for entry in manifest["files"]] == [
        ("one.json", "core", 1)
    ]


def test_the_layout_is_the_documented_one(store: Store) -> None:
    version = publish(store, {"one.json": b"1"}).version

    assert set(everything_in(store.uri)) == {
        f"raw_mcap/{RAW.recording_id}/{version}/one.json",
        f"raw_mcap/{RAW.recording_id}/{version}/manifest.json",
        f"raw_mcap/{RAW.recording_id}/fingerprints/{fingerprint_of('first')}.json",
        f"raw_mcap/{RAW.recording_id}/latest.json",
    }


def test_an_artifact_without_a_recording_lies_right_under_its_recipe(store: Store) -> None:
    key = ArtifactKey("archive_index/default")

    version = publish(store, {"one.json": b"1"}, key=key).version

    assert f"archive_index/default/{version}/one.json" in everything_in(store.uri)
    assert store.keys("archive_index/default") == (key,)


def test_two_fingerprints_may_lead_to_one_version(store: Store) -> None:
    first = publish(store, {"one.json": b"1", "timing.json": b"5"}, view=["timing.json"], run="first")
    second = publish(store, {"one.json": b"1", "timing.json": b"9"}, view=["timing.json"], run="second")

    assert second == first
    assert store.lookup(RAW, fingerprint_of("first")) == store.lookup(RAW, fingerprint_of("second")) == first
    assert store.versions(RAW) == (first.version,)
    assert second.path("timing.json").read_bytes() == b"5"


def test_a_new_result_leaves_the_old_version_in_place(store: Store) -> None:
    old = publish(store, {"one.json": b"1"}, run="old")
    new = publish(store, {"one.json": b"2"}, run="new")

    assert store.latest(RAW) == new
    assert store.version(RAW, old.version).path("one.json").read_bytes() == b"1"


def test_the_first_result_of_a_fingerprint_stays(store: Store) -> None:
    first = publish(store, {"one.json": b"1"}, run="same")
    again = publish(store, {"one.json": b"2"}, run="same")

    assert again == first
    assert store.latest(RAW) == first
    assert store.versions(RAW) == (first.version,)


def test_reuse_makes_an_older_result_the_latest_again(store: Store) -> None:
    old = publish(store, {"one.json": b"1"}, run="old")
    publish(store, {"one.json": b"2"}, run="new")

    assert store.lookup(RAW, fingerprint_of("old")) == old
    assert store.latest(RAW) != old
    assert store.reuse(RAW, fingerprint_of("old")) == old
    assert store.latest(RAW) == old
    record = store.current(RAW)
    assert record is not None
    assert (record.fingerprint, record.config) == (fingerprint_of("old"), {"run": "old"})


def test_an_unknown_fingerprint_is_no_hit(store: Store) -> None:
    publish(store, {"one.json": b"1"})

    assert store.lookup(RAW, fingerprint_of("never")) is None
    assert store.reuse(RAW, fingerprint_of("never")) is None


def test_names_with_odd_characters_survive_publication(store: Store) -> None:
    publish(store, ODD)

    artifact = store.latest(RAW)

    assert {path: artifact.path(path).read_bytes() for path in ODD} == ODD
    assert store.verify(RAW) == []
    directory = artifact.directory()
    assert {path: (directory / path).read_bytes() for path in ODD} == ODD
    assert Manifest.from_json((directory / "manifest.json").read_bytes()) == artifact.manifest


def test_leaving_a_draft_unpublished_removes_everything(store: Store) -> None:
    with store.draft(RAW, fingerprint=fingerprint_of("x"), code_version="1", config={}, inputs={}) as draft:
        place = draft.directory
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert not list(place.iterdir())
        fill(place, {"one.json": b"1"})

    assert not place.parent.exists()
    assert everything_in(store.uri) == {}
    with pytest.raises(ArtifactMissing, match=r"has not been published.*remedy"):
        store.latest(RAW)


def test_an_error_inside_a_draft_passes_through_and_leaves_nothing(store: Store) -> None:
    with (
        pytest.raises(KeyError, match="mine"),
        store.draft(RAW, fingerprint=fingerprint_of("x"), code_version="1", config={}, inputs={}) as draft,
    ):
        fill(draft.directory, {"one.json": b"1"})
        raise KeyError("mine")

    assert everything_in(store.uri) == {}


@pytest.mark.parametrize(
    ("contents", "outcome", "complaint"),
    [
        (
            {"one.json": b"1"},
            Outcome(core=("one.json", "two.json")),
            r"'two.json' is declared but does not exist",
        ),
        (
            {"one.json": b"1", "x/rest.mp4": b"2"},
            Outcome(core=("one.json",)),
            r"'x/rest.mp4' exists but is not decl",
        ),
        (
            {"one.json": b"1"},
            Outcome(core=("one.json",), view=("one.json",)),
            r"'one.json' is declared twice",
        ),
        ({"one.json": b"1"}, Outcome(core=("../one.json",)), r"'../one.json' is not a plain relative path"),
        ({"one.json": b"1"}, Outcome(core=("/etc/passwd",)), r"not a plain relative path"),
        ({"manifest.json": b"1"}, Outcome(core=("manifest.json",)), r"the name of the manifest"),
        ({"a\nb": b"1"}, Outcome(core=("a\nb",)), r"control character"),
        ({"one.json": b"1"}, Outcome(core=(), view=("one.json",)), r"no core file"),
        ({"one.json": b"1"}, Outcome(core=("one.json",), summary={"mean": float("nan")}), r"as JSON"),
    ],
)
def test_an_outcome_that_disagrees_with_the_directory_is_refused(
    store: Store, contents: dict[str, bytes], outcome: Outcome, complaint: str
) -> None:
    draft = store.draft(RAW, fingerprint=fingerprint_of("x"), code_version="1", config={}, inputs={})
    with draft, pytest.raises(BadDraft, match=complaint) as caught:
        fill(draft.directory, contents)
        draft.publish(outcome)

    assert "\n" not in str(caught.value)
    assert everything_in(store.uri) == {}


def test_a_link_in_a_draft_is_refused(store: Store) -> None:
    with store.draft(RAW, fingerprint=fingerprint_of("x"), code_version="1", config={}, inputs={}) as draft:
        (draft.directory / "one.json").symlink_to("/etc/hostname")
        with pytest.raises(BadDraft, match="is a link or a device"):
            draft.publish(Outcome(core=("one.json",)))


def test_a_draft_is_published_once(store: Store) -> None:
    with store.draft(RAW, fingerprint=fingerprint_of("x"), code_version="1", config={}, inputs={}) as draft:
        fill(draft.directory, {"one.json": b"1"})
        draft.publish(Outcome(core=("one.json",)))
        with pytest.raises(BadDraft, match="published before"):
            draft.publish(Outcome(core=("one.json",)))


def test_empty_directories_are_not_published(local_uri: str) -> None:
    store = Store.open(local_uri)
    with store.draft(RAW, fingerprint=fingerprint_of("x"), code_version="1", config={}, inputs={}) as draft:
        fill(draft.directory, {"one.json": b"1"})
        (draft.directory / "empty" / "er").mkdir(parents=True)
        artifact = draft.publish(Outcome(core=("one.json",)))

    assert sorted(path.name for path in artifact.directory().iterdir()) == ["manifest.json", "one.json"]


@pytest.mark.usefixtures("ordinary_umask")
def test_published_files_are_read_only_and_the_scratch_is_private(local_uri: str) -> None:
    store = Store.open(local_uri)
    artifact = publish(store, {"one.json": b"1", "deep/two.json": b"2"})

    root = artifact.directory()
    for path in (root / "one.json", root / "deep" / "two.json", root / "manifest.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert stat.S_IMODE(root.stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "deep").stat().st_mode) == 0o755
    assert stat.S_IMODE((Path(local_uri) / "scratch").stat().st_mode) == 0o700


def test_a_local_store_has_a_link_to_the_latest_version(local_uri: str) -> None:
    store = Store.open(local_uri)
    publish(store, {"one.json": b"1"}, run="old")
    publish(store, {"one.json": b"2"}, run="new")

    link = Path(local_uri) / RAW.base / "latest"

    assert link.is_symlink()
    assert (link / "one.json").read_bytes() == b"2"
    assert not link.readlink().is_absolute()


def test_a_file_linked_from_another_artifact_is_published_without_a_copy(local_uri: str) -> None:
    store = Store.open(local_uri)
    first = publish(store, {"rgb.mp4": b"video"}, key=ArtifactKey("one_asset", "r-1"))
    with store.draft(RAW, fingerprint=fingerprint_of("x"), code_version="1", config={}, inputs={}) as draft:
        (draft.directory / "rgb.mp4").hardlink_to(first.path("rgb.mp4"))
        second = draft.publish(Outcome(core=("rgb.mp4",)))

    assert second.path("rgb.mp4").stat().st_ino == first.path("rgb.mp4").stat().st_ino


def test_a_missing_or_resized_file_is_no_hit_and_damages_the_artifact(store: Store) -> None:
    artifact = publish(store, {"one.json": b"1", "two.json": b"2"})
    path = f"{RAW.base}/{artifact.version}/two.json"

    overwrite(store.uri, path, b"longer")
    assert store.lookup(RAW, fingerprint_of("first")) is None
    with pytest.raises(ArtifactDamaged, match=r"1 of 2 files.*'two.json': expected 1 bytes, found 6 bytes"):
        store.latest(RAW)

    remove(store.uri, path)
    assert store.lookup(RAW, fingerprint_of("first")) is None
    with pytest.raises(ArtifactDamaged, match="found no such file"):
        store.latest(RAW)


@pytest.mark.parametrize("damage", ["missing file", "broken manifest", "no manifest", "broken pointer"])
def test_publishing_again_repairs_a_damaged_version(store: Store, damage: str) -> None:
    contents = {"one.json": b"1", "two.json": b"2", "view.txt": b"v"}
    artifact = publish(store, contents, view=["view.txt"])
    version = f"{RAW.base}/{artifact.version}"
    if damage == "missing file":
        remove(store.uri, f"{version}/two.json")
    elif damage == "broken manifest":
        overwrite(store.uri, f"{version}/manifest.json", b'{"schema": 1')
    elif damage == "no manifest":
        remove(store.uri, f"{version}/manifest.json")
    else:
        overwrite(store.uri, f"{RAW.base}/latest.json", b"half a po")
    if damage != "no manifest":
        with pytest.raises(ArtifactDamaged):
            store.latest(RAW)

    publish(store, contents, view=["view.txt"])

    assert store.latest(RAW).content_digest == artifact.content_digest
    assert store.verify(RAW) == []


def test_publishing_again_repairs_silent_damage_on_a_disk(local_uri: str) -> None:
    store = Store.open(local_uri)
    artifact = publish(store, {"one.json": b"1"})
    overwrite(local_uri, f"{RAW.base}/{artifact.version}/one.json", b"X")

    publish(store, {"one.json": b"1"})

    assert store.latest(RAW).path("one.json").read_bytes() == b"1"
    assert store.verify(RAW) == []


def test_a_manifest_of_another_artifact_is_not_believed(store: Store) -> None:
    artifact = publish(store, {"one.json": b"1"})
    other = ArtifactKey("raw_mcap", "garden-99999999")
    for path, content in everything_in(store.uri).items():
        overwrite(store.uri, path.replace("kitchen-0a1b2c3d", "garden-99999999"), content)

    with pytest.raises(ArtifactDamaged, match="the manifest is that of raw_mcap, kitchen-0a1b2c3d"):
        store.version(other, artifact.version)


def test_a_question_for_an_unknown_file_lists_what_is_there(store: Store) -> None:
    artifact = publish(store, {"one.json": b"1"})

    with pytest.raises(ArtifactMissing, match=r"no file 'rgb.mp4'; it has one.json"):
        artifact.path("rgb.mp4")
    with pytest.raises(ArtifactMissing, match="no version"):
        store.version(RAW, "../../etc")


def test_keys_lists_recordings_with_a_latest_version(store: Store) -> None:
    keys = [ArtifactKey("raw_mcap", name) for name in ("b-1", "a-1", "c-1")]
    for key in keys[:2]:
        publish(store, {"one.json": b"1"}, key=key)
    with store.draft(keys[2], fingerprint=fingerprint_of("x"), code_version="1", config={}, inputs={}):
        assert store.keys("raw_mcap") == (keys[1], keys[0])

    assert store.keys("hand_poses") == ()


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a b", "x" * 129, "a..b", "ü", "a\n"])
def test_a_recording_id_that_could_leave_its_directory_is_refused(name: str) -> None:
    with pytest.raises(BadConfig, match="is not a recording id"):
        ArtifactKey("raw_mcap", name)


@pytest.mark.parametrize(
    "name", ["recordings", "scratch/x", "quarantine", "forgotten", "../raw_mcap", "a//b", ""]
)
def test_an_asset_name_that_is_a_place_of_the_store_is_refused(name: str) -> None:
    with pytest.raises(BadConfig, match="is not the name of an asset"):
        ArtifactKey(name)


def test_a_store_and_its_artifacts_travel_to_worker_processes(store: Store) -> None:
    artifact = publish(store, {"one.json": b"1"})

    there = pickle.loads(pickle.dumps(store))
    copy = pickle.loads(pickle.dumps(artifact))

    assert there.latest(RAW) == artifact
    assert copy.path("one.json").read_bytes() == b"1"


def test_a_store_address_may_be_written_in_several_ways(tmp_path: Path) -> None:
    artifact = publish(Store.open(tmp_path / "a b"), {"one.json": b"1"})

    assert Store.open((tmp_path / "a b").as_uri()).latest(RAW) == artifact
    assert Store.open(f"{tmp_path}/a b/").uri == str(tmp_path / "a b")


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [("", "empty"), ("s3://", "names no bucket"), ("nowhere://x", "cannot be opened")],
)
def test_an_address_that_cannot_be_a_store_is_refused(uri: str, complaint: str) -> None:
    with pytest.raises(BadConfig, match=complaint):
        Store.open(uri)


def test_a_file_is_not_a_store(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")

    with pytest.raises(BadConfig, match="is a file"):
        Store.open(tmp_path / "x")
