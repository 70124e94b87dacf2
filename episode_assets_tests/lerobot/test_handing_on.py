"""What leaves the store: writable copies, copies that lead back to nobody, uploads that replace what was there."""

import json
import re
import shutil
import stat
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.errors import ArtifactDamaged, BadConfig, StorageTrouble, UnauditedArtifact
from episode_assets.lerobot import Recipe, pack_dataset, verify_dataset
from episode_assets.lerobot.existing import EpisodeRows, episode_rows, open_dataset
from episode_assets.lerobot.handing_on import copy_dataset, publish_copy, push_dataset
from episode_assets_tests.lerobot.damage import DATA, document, info
from episode_assets_tests.lerobot.plain import plain_dataset

VERSIONS = ("v3.0", "v2.1", "v2.0")


@pytest.fixture(scope="module")
def packed(archive, tmp_path_factory):
    roots = {"v3.0": archive.dataset}
    for version in VERSIONS[1:]:
        roots[version] = tmp_path_factory.mktemp(version)
        recipe = Recipe.from_mapping({"packing": {"version": version}})
        pack_dataset(archive.fragments, roots[version], recipe=recipe)
    return roots


def files_below(root):
    return [path for path in root.rglob("*") if path.is_file()]


def rows_of(root):
    return [rows for rows in episode_rows(open_dataset(root)) if isinstance(rows, EpisodeRows)]


def test_a_copy_is_equal_and_can_be_written_to(packed, tmp_path):
    source = shutil.copytree(packed["v3.0"], tmp_path / "published")
    (source / "manifest.json").write_text("{}")
    for path in files_below(source):
        path.chmod(0o444)

    copy_dataset(source, tmp_path / "copy")

    assert verify_dataset(tmp_path / "copy") == []
    assert not (tmp_path / "copy/manifest.json").exists()
    for path in files_below(tmp_path / "copy"):
        assert path.stat().st_mode & stat.S_IWUSR
        assert path.read_bytes() == (source / path.relative_to(tmp_path / "copy")).read_bytes()


def test_nothing_is_copied_over_what_is_there(packed, tmp_path):
    (tmp_path / "copy").mkdir()

    with pytest.raises(BadConfig, match="exists already"):
        copy_dataset(packed["v3.0"], tmp_path / "copy")
    with pytest.raises(BadConfig, match="no dataset"):
        copy_dataset(tmp_path / "copy", tmp_path / "other")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_public_copy_passes_verification_and_names_no_recording(packed, tmp_path, version):
    made = publish_copy(packed[version], tmp_path / "out")

    assert verify_dataset(made.root) == []
    assert made.dropped == ("source.message_number", "source.frame_index")
    names = re.compile(
        rb"scene[0-9]|bundle_digest|fragment_digest|recording_id|[0-9a-f]{64}|(bb){20}|(ff){20}"
    )
    for path in files_below(made.root):
        content = path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            content = (
                repr((table.schema.metadata, table.to_pylist())).encode() + repr(table.column_names).encode()
            )
        assert not names.search(content), path


@pytest.mark.parametrize("version", VERSIONS)
def test_rows_of_a_public_copy_are_those_of_the_dataset_with_stamps_from_0(packed, tmp_path, version):
    publish_copy(packed[version], tmp_path / "out")

    for found, source in zip(rows_of(tmp_path / "out"), rows_of(packed[version]), strict=True):
        stamps, before = (rows.values("source.timestamp_ns") for rows in (found, source))
        assert stamps[0] == 0
        np.testing.assert_array_equal(stamps, before - before[0])
        same = [name for name in found.table.column_names if name != "source.timestamp_ns"]
        assert found.table.select(same).equals(source.table.select(same))
        assert found.episode.videos == source.episode.videos


def test_only_what_the_dataset_names_becomes_public(packed, tmp_path):
    source = shutil.copytree(packed["v3.0"], tmp_path / "dataset")
    for stray in ("mesh.ply", "meta/notes.txt", "videos/raw.mp4", "manifest.json"):
        (source / stray).write_text("scene0")

    publish_copy(source, tmp_path / "out")

    found = {path.relative_to(tmp_path / "out").parts[0] for path in (tmp_path / "out").rglob("*")}
    assert found == {"README.md", "data", "meta", "videos"}
    assert not (tmp_path / "out/meta/notes.txt").exists()
    assert not (tmp_path / "out/videos/raw.mp4").exists()


def test_shapes_of_hands_do_not_become_public(packed, tmp_path):
    source = shutil.copytree(packed["v3.0"], tmp_path / "dataset")
    table = pq.read_table(source / DATA)
    table = table.append_column("hand.mano_betas", table["hand.confidence"])
    pq.write_table(table, source / DATA)
    entry = {"dtype": "float32", "shape": [2], "names": ["left", "right"]}
    document("meta/info.json", lambda found: found["features"].update({"hand.mano_betas": entry}))(source)

    made = publish_copy(source, tmp_path / "out")

    assert "hand.mano_betas" in made.dropped
    assert "hand.mano_betas" not in pq.read_schema(made.root / DATA).names
    assert "mano" not in (made.root / "meta/info.json").read_text()


def test_splits_leave_together(archive, tmp_path):
    (tmp_path / "dataset").mkdir()
    recipe = Recipe.from_mapping({"packing": {"splits": {"train": 0.5, "val": 0.5}, "split_key": "a"}})
    pack_dataset(archive.fragments, tmp_path / "dataset", recipe=recipe)
    names = {path.name for path in (tmp_path / "dataset").iterdir() if path.is_dir()}

    publish_copy(tmp_path / "dataset", tmp_path / "public")
    copy_dataset(tmp_path / "dataset", tmp_path / "copy")

    for folder in ("public", "copy"):
        assert {path.name for path in (tmp_path / folder).iterdir() if path.is_dir()} == names
        for name in names:
            assert verify_dataset(tmp_path / folder / name) == []


def test_pictures_that_nobody_audited_do_not_become_public(packed, tmp_path):
    source = shutil.copytree(packed["v3.0"], tmp_path / "dataset")
    document("meta/episode_assets.json", lambda found: found["privacy"].update(audit="unknown"))(source)

    for root in (source, plain_dataset(tmp_path / "plain", [30])):
        with pytest.raises(UnauditedArtifact):
            publish_copy(root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@dataclass
class Hub:
    """A repository that remembers what it was asked, in the order of the calls."""

    tags: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    failure: Exception | None = None

    def create_repo(self, repo_id, *, repo_type, private, exist_ok):
        assert exist_ok and repo_type == "dataset"
        self.calls.append(f"create {repo_id} {private}")

    def upload_folder(self, *, repo_id, folder_path, repo_type, commit_message, delete_patterns):
        if self.failure:
            raise self.failure
        self.calls.append(f"upload {repo_id} {sorted(delete_patterns)}")

    def list_repo_refs(self, repo_id, *, repo_type):
        return SimpleNamespace(tags=[SimpleNamespace(name=tag) for tag in self.tags])

    def delete_tag(self, repo_id, *, tag, repo_type):
        self.calls.append(f"untag {tag}")

    def create_tag(self, repo_id, *, tag, repo_type):
        self.calls.append(f"tag {tag}")


@pytest.fixture(scope="module")
def public(packed, tmp_path_factory):
    return publish_copy(packed["v3.0"], tmp_path_factory.mktemp("public") / "out").root


def test_an_upload_replaces_old_files_and_moves_the_tag_that_readers_look_for(public):
    hub = Hub(tags=["v3.0", "other"])

    address = push_dataset(public, "somebody/hands", private=True, api=hub)

    assert address == "https://huggingface.co/datasets/somebody/hands"
    assert hub.calls == [
        "create somebody/hands True",
        "upload somebody/hands ['data/**', 'meta/**', 'videos/**']",
        "untag v3.0",
        "tag v3.0",
    ]


def test_only_public_copies_are_uploaded_unless_somebody_insists(packed, public):
    with pytest.raises(BadConfig, match="no public copy"):
        push_dataset(packed["v3.0"], "somebody/hands", api=Hub())

    hub = Hub()
    push_dataset(packed["v3.0"], "somebody/hands", with_ids=True, api=hub)
    assert hub.calls[-1] == "tag v3.0"


def test_a_damaged_dataset_is_not_uploaded(public, tmp_path):
    root = shutil.copytree(public, tmp_path / "dataset")
    info(total_frames=3)(root)
    hub = Hub()

    with pytest.raises(ArtifactDamaged, match="total_frames"):
        push_dataset(root, "somebody/hands", api=hub)

    assert hub.calls == []


@pytest.mark.parametrize("name", ["hands", "a/b/c", "../up", "somebody/ha nds"])
def test_a_name_that_is_no_repository_is_refused(public, name):
    with pytest.raises(BadConfig, match="owner/name"):
        push_dataset(public, name, api=Hub())


class Answered(OSError):
    """An answer of the Hub that is none of success."""

    def __init__(self, status):
        super().__init__(f"answered {status}")
        self.response = SimpleNamespace(status_code=status)


class Unreachable(Exception):
    """As the client's HTTP package raises it: no OSError."""

    __module__ = "httpx"


@pytest.mark.parametrize(
    "failure", [ConnectionError("gone"), Answered(503), Answered(429), Unreachable("no route")]
)
def test_trouble_of_the_hub_may_be_tried_again(public, failure):
    with pytest.raises(StorageTrouble) as error:
        push_dataset(public, "somebody/hands", api=Hub(failure=failure))

    assert not error.value.is_permanent


@pytest.mark.parametrize("failure", [Answered(401), Answered(403), ValueError("no such name")])
def test_a_refusal_of_the_hub_says_what_to_do(public, failure):
    with pytest.raises(BadConfig, match="hf auth login"):
        push_dataset(public, "somebody/hands", api=Hub(failure=failure))


def test_a_mistake_of_ours_is_no_trouble_of_the_hub(public):
    with pytest.raises(ZeroDivisionError):
        push_dataset(public, "somebody/hands", api=Hub(failure=ZeroDivisionError()))


def test_a_public_copy_says_what_it_is(public):
    card = (public / "README.md").read_text()

    assert card.startswith("---\nlicense: other\n")
    assert "face-blurred" in card
    assert "- screens" in card
    assert json.loads((public / "meta/episode_assets.json").read_text())["public"] is True
