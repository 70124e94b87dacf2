"""Copies for users, and reading everything again to find damage."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from episode_assets.errors import ArtifactMissing, BadConfig
from episode_assets.storage import Manifest, Store
from episode_assets_tests.storage.samples import RAW, everything_in, overwrite, publish, remove


@pytest.mark.usefixtures("ordinary_umask")
def test_an_export_is_a_writable_copy(store: Store, tmp_path: Path) -> None:
    artifact = publish(store, {"one.json": b"1", "deep/two ü.json": b"2"})
    before = everything_in(store.uri)

    exported = store.export(RAW, tmp_path / "out" / "here")

    assert exported == tmp_path / "out" / "here"
    assert (exported / "deep" / "two ü.json").read_bytes() == b"2"
    assert Manifest.from_json((exported / "manifest.json").read_bytes()) == artifact.manifest
    for path in ("one.json", "deep/two ü.json", "manifest.json"):
        assert stat.S_IMODE((exported / path).stat().st_mode) == 0o644
    (exported / "one.json").write_bytes(b"changed")
    assert everything_in(store.uri) == before


def test_an_export_does_not_touch_what_is_there(store: Store, tmp_path: Path) -> None:
    publish(store, {"one.json": b"1"})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_bytes(b"dear")

    with pytest.raises(BadConfig, match="not empty"):
        store.export(RAW, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_an_empty_directory_may_be_exported_to(store: Store, tmp_path: Path) -> None:
    publish(store, {"one.json": b"1"})
    (tmp_path / "mine").mkdir()

    store.export(RAW, tmp_path / "mine")

    assert (tmp_path / "mine" / "one.json").read_bytes() == b"1"


def test_verify_finds_every_kind_of_damage(store: Store) -> None:
    artifact = publish(store, {name: name.encode() for name in ("same", "other", "longer", "gone")})
    assert store.verify(RAW) == []
    version = f"{RAW.base}/{artifact.version}"

    overwrite(store.uri, f"{version}/other", b"OTHER")
    overwrite(store.uri, f"{version}/longer", b"much longer")
    overwrite(store.uri, f"{version}/stranger", b"x")
    remove(store.uri, f"{version}/gone")

    assert store.verify(RAW) == [
        "gone: missing",
        "longer: 11 bytes instead of 6",
        "other: its content has changed (SHA-256 differs)",
        "stranger: not in the manifest",
    ]


def test_verify_reports_a_broken_manifest(store: Store) -> None:
    artifact = publish(store, {"one.json": b"1"})
    overwrite(store.uri, f"{RAW.base}/{artifact.version}/manifest.json", b"{}")

    assert len(store.verify(RAW)) == 1
    assert "manifest cannot be read" in store.verify(RAW)[0]


def test_nothing_published_cannot_be_verified_or_exported(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ArtifactMissing):
        store.verify(RAW)
    with pytest.raises(ArtifactMissing):
        store.export(RAW, tmp_path / "x")
    assert not (tmp_path / "x").exists()
