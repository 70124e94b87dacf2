"""Fingerprints, digests, manifests and pointers: one spelling, and back again without loss."""

from __future__ import annotations

import dataclasses
import json
import posixpath
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.errors import ArtifactDamaged, BadConfig
from episode_assets.outcome import ModelUse, Note, Skipped
from episode_assets.storage import FileEntry, Manifest, Publication, content_digest, fingerprint
from episode_assets.storage.keys import path_problem
from episode_assets.storage.manifest import digest_of

HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
CONFIGS = st.dictionaries(st.text(max_size=8), VALUES, max_size=4)
ENTRIES = st.builds(
    FileEntry,
    path=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    role=st.sampled_from(["core", "view"]),
    bytes=st.integers(0, 2**63 - 1),
    sha256=HEX,
    media_type=st.sampled_from(["", "video/mp4"]),
    frames=st.none() | st.integers(0, 9),
    duration_s=st.none() | st.floats(0, 9),
)
NOTES = st.builds(
    Note,
    st.text(max_size=12),
    st.text(max_size=12),
    st.none() | st.text(max_size=12),
    st.integers(0, 9),
    frame_start=st.none() | st.integers(0, 9),
    t_start=st.none() | st.floats(0, 9),
)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """Draw a manifest that agrees with itself."""
    files = tuple(draw(st.lists(ENTRIES, max_size=5, unique_by=lambda entry: entry.path)))
    digest = digest_of(files)
    text = st.text(max_size=12)
    return Manifest(
        asset="blurred_rgb",
        recording_id=draw(st.none() | st.just("kitchen-01234567")),
        version=digest[:16],
        fingerprint=draw(HEX),
        content_digest=digest,
        inputs=draw(st.dictionaries(text, HEX, max_size=3)),
        code={"package": "episode-assets", "version": draw(text)},
        config=draw(CONFIGS),
        files=files,
        models=tuple(draw(st.lists(st.builds(ModelUse, text, HEX, text), max_size=2))),
        saved=tuple(draw(st.lists(text, max_size=3))),
        skipped=tuple(draw(st.lists(st.builds(Skipped, text, text, text), max_size=2))),
        warnings=tuple(draw(st.lists(NOTES, max_size=2))),
        summary=draw(CONFIGS),
        privacy=draw(st.none() | CONFIGS),
        created_at="2026-01-01T00:00:00.000000Z",
        source=draw(st.none() | CONFIGS),
        datasets=tuple(draw(st.lists(CONFIGS, max_size=2))),
        upstream_models=tuple(draw(st.lists(st.builds(ModelUse, text, HEX, text), max_size=2))),
    )


@given(manifests())
def test_a_manifest_comes_back_as_it_was(manifest: Manifest) -> None:
    text = manifest.to_json()

    assert Manifest.from_json(text) == manifest
    assert text.endswith(b"\n")
    assert json.loads(text)["schema_version"] == 1


@given(manifests(), st.integers(0, 2**32))
def test_a_cut_manifest_is_damage_and_never_another_error(manifest: Manifest, seed: int) -> None:
    text = manifest.to_json()
    cut = random.Random(seed).randrange(len(text) - 1)

    with pytest.raises(ArtifactDamaged):
        Manifest.from_json(text[:cut])


@pytest.mark.parametrize(
    "change",
    [
        {"content_digest": "0" * 64},
        {"version": "0" * 16},
        {"schema": "something.else"},
        {"schema_version": 2},
        {"files": [{"path": "x"}]},
        {"files": 3},
        {"skipped": None},
    ],
)
def test_a_manifest_that_contradicts_itself_is_damage(change: dict[str, Any]) -> None:
    manifest = _sample()
    values = {**json.loads(manifest.to_json()), **change}

    with pytest.raises(ArtifactDamaged):
        Manifest.from_json(json.dumps(values).encode(), where="here")


def test_a_manifest_of_the_first_release_is_read() -> None:
    manifest = _sample()
    values = json.loads(manifest.to_json())
    later = ("source", "datasets", "upstream_models", "episode_id", "skipped_lines")
    first = {name: value for name, value in values.items() if name not in later}
    first["files"] = [
        {name: item[name] for name in ("path", "role", "bytes", "sha256")} for item in first["files"]
    ]

    assert Manifest.from_json(json.dumps(first).encode()) == manifest


def test_scripts_for_the_stera_layout_find_their_lists() -> None:
    skipped = (Skipped("mesh.ply", "no_mesh_messages", "the recording has no mesh"),)

    values = json.loads(dataclasses.replace(_sample(), skipped=skipped, saved=("rgb.mp4",)).to_json())

    assert values["episode_id"] == values["recording_id"]
    assert values["saved"] == ["rgb.mp4"]
    assert values["skipped_lines"] == ["mesh.ply (the recording has no mesh)"]


def test_a_key_added_by_a_later_release_is_ignored() -> None:
    manifest = _sample()

    assert Manifest.from_json(json.dumps({**json.loads(manifest.to_json()), "new": 1}).encode()) == manifest


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), HEX), max_size=6), st.randoms())
def test_a_content_digest_does_not_depend_on_the_order(
    pairs: list[tuple[str, str]], chance: random.Random
) -> None:
    shuffled = list(pairs)
    chance.shuffle(shuffled)

    assert content_digest(pairs) == content_digest(shuffled)


def test_a_content_digest_tells_paths_from_contents() -> None:
    assert content_digest([("a", "b")]) != content_digest([("b", "a")])
    assert content_digest([("a", "b"), ("c", "d")]) != content_digest([("a", "b")])


def test_a_fingerprint_changes_with_each_of_its_parts() -> None:
    parts: dict[str, Any] = {"asset": "a", "code_version": "1", "config": {}, "models": {}, "inputs": {}}
    changes: list[dict[str, Any]] = [
        {},
        {"asset": "b"},
        {"code_version": "2"},
        {"config": {"x": 1}},
        {"config": {"x": 1.5}},
        {"models": {"x": "1"}},
        {"inputs": {"x": "1"}},
    ]

    assert len({fingerprint(**{**parts, **change}) for change in changes}) == len(changes)


@given(CONFIGS)
def test_a_fingerprint_does_not_depend_on_order_or_kind_of_sequence(config: dict[str, Any]) -> None:
    def told_otherwise(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: told_otherwise(value[key]) for key in reversed(list(value))}
        return tuple(told_otherwise(item) for item in value) if isinstance(value, list) else value

    def made(config: Any) -> str:
        return fingerprint(asset="a", code_version="1", config=config, models={}, inputs={})

    assert made(config) == made(told_otherwise(config))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_a_configuration_that_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(BadConfig, match="cannot be fingerprinted"):
        fingerprint(asset="a", code_version="1", config={"x": value}, models={}, inputs={})


@given(HEX, HEX, CONFIGS)
def test_a_publication_comes_back_as_it_was(name: str, digest: str, config: dict[str, Any]) -> None:
    record = Publication(
        name, digest[:16], digest, "3", config, {"m": digest}, {"raw_mcap": name}, "2026-01-01"
    )

    assert Publication.from_json(record.to_json()) == record


@given(st.dictionaries(st.text(max_size=8), VALUES) | VALUES)
def test_any_other_json_is_no_publication(value: Any) -> None:
    with pytest.raises(ValueError, match="not a publication record"):
        Publication.from_json(json.dumps(value).encode())


@given(st.text(max_size=40))
def test_an_accepted_path_stays_inside_its_directory(path: str) -> None:
    if path_problem(path) is None:
        assert posixpath.normpath(f"/base/{path}") == f"/base/{path}"
        assert path.encode("utf-8")


def _sample() -> Manifest:
    files = (FileEntry("one.json", "core", 1, "a" * 64),)
    digest = digest_of(files)
    empty = Manifest(
        "raw_mcap", "r-1", digest[:16], "f" * 64, digest, {}, {}, {}, files, (), (), (), (), {}, None, ""
    )
    return dataclasses.replace(empty, created_at="2026-01-01T00:00:00.000000Z")
