"""The gate: without a passed audit no pixel stays in the store and no reader gets the artifact."""

from __future__ import annotations

import json
from typing import Any

import pytest

from episode_assets.errors import ArtifactMissing, AuditFailed, UnauditedArtifact
from episode_assets.outcome import Outcome
from episode_assets.storage import AUDITED_ASSETS, ArtifactKey, Store
from episode_assets_tests.storage.samples import (
    BLURRED,
    PASSED,
    RAW,
    everything_in,
    fill,
    fingerprint_of,
    overwrite,
    publish,
)

PIXELS = b"PIXELS-OF-A-FACE"
CONTENTS = {
    "rgb.mp4": PIXELS,
    "thumbnail.jpg": PIXELS,
    "deep/segment.json.mp4": PIXELS,
    "faces.parquet": b"PAR1",
    "audit.json": b'{"rounds": 2}',
}


@pytest.mark.parametrize("privacy", [None, {}, {"audit": "failed"}, {"audit": True}, {"audit": "PASSED"}])
def test_an_unaudited_artifact_goes_to_quarantine_without_its_pixels(
    store: Store, privacy: dict[str, Any] | None
) -> None:
    with pytest.raises(
        AuditFailed, match=r"blurred_rgb/kitchen-0a1b2c3d was not published.*its pictures were not kept"
    ) as caught:
        publish(store, CONTENTS, key=BLURRED, privacy=privacy, summary={"boxes": 3})

    left = everything_in(store.uri)
    place = f"quarantine/{BLURRED.base}/{fingerprint_of('first')}"
    assert set(left) == {f"{place}/faces.parquet", f"{place}/audit.json", f"{place}/verdict.json"}
    assert not any(PIXELS in content for content in left.values())
    assert "\n" not in str(caught.value)
    verdict = json.loads(left[f"{place}/verdict.json"])
    assert verdict["privacy"] == privacy
    assert verdict["files"] == ["audit.json", "faces.parquet"]


def test_a_quarantined_artifact_is_refused_to_every_reader(store: Store) -> None:
    with pytest.raises(AuditFailed):
        publish(store, CONTENTS, key=BLURRED, privacy={"audit": "failed"})

    with pytest.raises(UnauditedArtifact, match=r"lies in quarantine: its privacy audit says 'failed'"):
        store.latest(BLURRED)
    assert store.lookup(BLURRED, fingerprint_of("first")) is None
    assert store.reuse(BLURRED, fingerprint_of("first")) is None
    assert store.keys("blurred_rgb") == ()
    assert store.versions(BLURRED) == ()
    with pytest.raises(ArtifactMissing):
        store.verify(BLURRED)


def test_files_that_nobody_declared_do_not_escape_the_quarantine_either(store: Store) -> None:
    draft = store.draft(BLURRED, fingerprint=fingerprint_of("x"), code_version="1", config={}, inputs={})
    with draft, pytest.raises(AuditFailed):
        fill(draft.directory, CONTENTS)
        (draft.directory / "linked.json").symlink_to(draft.directory / "rgb.mp4")
        draft.publish(Outcome(core=("audit.json",), privacy={"audit": "failed"}))

    assert not any(PIXELS in content for content in everything_in(store.uri).values())


@pytest.mark.parametrize("known", ["passed", "failed", None])
def test_of_pictures_only_those_stay_that_an_audit_which_knows_faces_vouches_for(
    store: Store, known: str | None
) -> None:
    shown = {"evidence/frame_000003.jpg": b"a still", "evidence/frame_000004.jpg": PIXELS, "x.png": PIXELS}
    vouched = ["evidence/frame_000003.jpg", "rgb.mp4", "x.png"]
    privacy = {"audit": "failed", "known_answer": known, "evidence": vouched}

    with pytest.raises(AuditFailed):
        publish(store, CONTENTS | shown, key=BLURRED, privacy=privacy)

    verdict = store.quarantined(BLURRED)
    assert verdict is not None
    assert verdict.pictures == (("evidence/frame_000003.jpg",) if known == "passed" else ())
    assert not any(PIXELS in content for content in everything_in(store.uri).values())
    for name in verdict.pictures:
        assert store.evidence(verdict, name) == b"a still"


def test_a_failed_audit_leaves_an_earlier_version_as_it_was(store: Store) -> None:
    good = publish(store, {"rgb.mp4": b"blurred"}, key=BLURRED, privacy=PASSED, run="good")

    with pytest.raises(AuditFailed):
        publish(store, CONTENTS, key=BLURRED, privacy={"audit": "failed"}, run="bad")

    assert store.latest(BLURRED) == good
    assert store.lookup(BLURRED, fingerprint_of("bad")) is None


def test_the_youngest_verdict_is_given_for_review(store: Store) -> None:
    assert store.quarantined(BLURRED) is None
    for run, rounds in (("first", 1), ("second", 2), ("first", 3)):
        with pytest.raises(AuditFailed):
            publish(store, CONTENTS, key=BLURRED, run=run, privacy={"audit": "failed", "rounds": rounds})

    verdict = store.quarantined(BLURRED)

    assert verdict is not None
    assert verdict.privacy == {"audit": "failed", "rounds": 3}
    assert verdict.fingerprint == fingerprint_of("first")
    assert verdict.files == ("audit.json", "faces.parquet")


@pytest.mark.parametrize("privacy", [None, {"audit": "failed"}])
def test_a_manifest_whose_verdict_was_taken_out_is_refused(
    store: Store, privacy: dict[str, str] | None
) -> None:
    artifact = publish(store, {"rgb.mp4": b"blurred"}, key=BLURRED, privacy=PASSED)
    path = f"{BLURRED.base}/{artifact.version}/manifest.json"
    manifest = json.loads(everything_in(store.uri)[path])
    overwrite(store.uri, path, json.dumps({**manifest, "privacy": privacy}).encode())

    with pytest.raises(
        UnauditedArtifact, match=r"is refused: (it carries no privacy audit|its privacy audit says)"
    ):
        store.latest(BLURRED)
    with pytest.raises(UnauditedArtifact):
        store.version(BLURRED, artifact.version)
    assert store.lookup(BLURRED, fingerprint_of("first")) is None
    assert store.verify(BLURRED) != []


@pytest.mark.parametrize("asset", sorted(AUDITED_ASSETS))
def test_every_asset_with_pixels_needs_an_audit(local_uri: str, asset: str) -> None:
    store = Store.open(local_uri)
    key = ArtifactKey(f"{asset}/default", "r-1")

    with pytest.raises(AuditFailed):
        publish(store, {"one.json": b"1"}, key=key)
    assert publish(store, {"one.json": b"1"}, key=key, privacy=PASSED) == store.latest(key)


def test_an_asset_without_pixels_needs_no_audit_but_must_not_have_failed_one(store: Store) -> None:
    assert publish(store, {"one.json": b"1"}, key=RAW, run="a") == store.latest(RAW)

    with pytest.raises(AuditFailed):
        publish(store, {"one.json": b"2"}, key=RAW, run="b", privacy={"audit": "failed"})
