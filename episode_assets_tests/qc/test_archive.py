"""The report over all recordings: what is in it, what it costs, and that one broken recording is one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from episode_assets.pipeline.archive import bring_archive_up_to_date
from episode_assets.qc.archive import ARCHIVE_PAGE, Listed, survey
from episode_assets.qc.archive_entry import entry_of
from episode_assets.qc.archive_page import render_archive
from episode_assets.qc.duplicates import find_duplicates
from episode_assets.qc.fingerprint import fingerprint as fingerprint_of
from episode_assets.storage import Store
from episode_assets_tests.qc.archives import (
    MAY_2026_NS,
    archive_of,
    publish,
    qc_content,
    quarantine,
    register,
)
from episode_assets_tests.qc.episodes import make_episode

DAY_NS = 86_400_000_000_000
_collections: list[list[str]] = []


def _note_opened(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open":
        for found in _collections:
            found.append(str(arguments[0]))


sys.addaudithook(_note_opened)


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """Collect the path of every file that Python opens meanwhile."""
    found: list[str] = []
    _collections.append(found)
    try:
        yield found
    finally:
        _collections.remove(found)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "store"))


def entry(recording_id: str, **values):
    return entry_of(recording_id, "0" * 16, qc_content(recording_id, **values))


def page_of(store: Store) -> str:
    return bring_archive_up_to_date(store).artifact.path(ARCHIVE_PAGE).read_text(encoding="utf-8")


def test_an_archive_without_recordings_is_a_page(store):
    content = archive_of(store)

    assert content["totals"]["recordings"] == 0
    assert content["recordings"] == content["without_report"] == []


def test_totals_are_the_hours_of_all_reports(store, tmp_path):
    for name, kept in (("a", 1800.0), ("b", 900.0)):
        publish(store, register(store, tmp_path, name), duration_s=3600.0, kept_s=kept, two_hands_s=360.0)

    totals = archive_of(store)["totals"]

    assert totals == {
        "recordings": 2,
        "recorded_h": 2.0,
        "kept_h": 0.75,
        "one_hand_h": pytest.approx(80 / 3600, abs=1e-4),
        "two_hands_h": 0.2,
        "size_bytes": 2_000_000,
    }


def test_only_recordings_with_a_wall_clock_appear_over_time(store, tmp_path):
    for name, offset in (("a", MAY_2026_NS), ("b", MAY_2026_NS + DAY_NS), ("c", None), ("d", 10**30)):
        publish(store, register(store, tmp_path, name), wall_offset_ns=offset)

    content = archive_of(store)

    assert list(content["over_time"]) == ["2026-05-01", "2026-05-02"]
    assert content["undated"] == 2


def test_a_recording_without_a_report_is_listed_with_its_reason(store, tmp_path):
    waiting, bad, refused = (register(store, tmp_path, name) for name in ("waiting", "bad", "refused"))
    store.recordings.note_state(bad, "unreadable", "no MCAP magic at its start")
    quarantine(store, refused)

    found = {item["recording_id"]: item for item in archive_of(store)["without_report"]}

    assert found[waiting]["state"] == "unfinished"
    assert "raw_mcap" in found[waiting]["reason"]
    assert (found[bad]["state"], found[bad]["reason"]) == ("failed", "no MCAP magic at its start")
    assert found[refused]["state"] == "quarantined"
    assert "a face" in found[refused]["reason"]


def test_only_reports_that_changed_are_opened(store, tmp_path):
    ids = [register(store, tmp_path, f"r{number}") for number in range(12)]
    for recording_id in ids:
        publish(store, recording_id)
    with opened_files() as first:
        bring_archive_up_to_date(store)
    publish(store, ids[7], score=41.0)

    with opened_files() as second:
        produced = bring_archive_up_to_date(store)

    assert sum(path.endswith("qc.json") for path in first) == 12
    assert [Path(path).parts[-3] for path in second if path.endswith("qc.json")] == [ids[7]]
    scores = {
        item["recording_id"]: item["score"]
        for item in produced.artifact.read_json("archive.json")["recordings"]
    }
    assert scores[ids[7]] == 41.0
    assert set(scores) == set(ids)


def test_nothing_new_makes_nothing(store, tmp_path):
    publish(store, register(store, tmp_path, "a"))
    first = bring_archive_up_to_date(store)

    again = bring_archive_up_to_date(store)
    forced = bring_archive_up_to_date(store, force=True)

    assert (first.was_cached, again.was_cached, forced.was_cached) == (False, True, False)
    assert first.artifact.content_digest == again.artifact.content_digest == forced.artifact.content_digest


def test_a_new_task_text_makes_the_page_anew(store, tmp_path):
    recording_id = register(store, tmp_path, "a", task="fold the laundry")
    publish(store, recording_id)
    assert "fold the laundry" in page_of(store)

    store.recordings.set_task(recording_id, "peel an apple")

    assert "peel an apple" in page_of(store)


@pytest.mark.parametrize("content", ["{}", "not json", '{"schema": "something.else"}', "[1, 2]"])
def test_one_broken_report_is_one_line(store, tmp_path, content):
    good, bad = (register(store, tmp_path, name) for name in ("good", "bad"))
    publish(store, good)
    version = publish(store, bad)
    path = Path(store.uri) / "qc_report" / bad / version / "qc.json"
    path.chmod(0o644)
    path.write_text(content.ljust(path.stat().st_size))

    content = archive_of(store)

    assert [item["recording_id"] for item in content["recordings"]] == [good]
    (missing,) = content["without_report"]
    assert (missing["recording_id"], missing["state"]) == (bad, "damaged")
    assert str(tmp_path) not in missing["reason"]


def test_a_repaired_report_comes_back(store, tmp_path):
    recording_id = register(store, tmp_path, "a")
    version = publish(store, recording_id)
    path = Path(store.uri) / "qc_report" / recording_id / version / "qc.json"
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole[:-9])
    assert archive_of(store)["recordings"] == []

    path.write_bytes(whole)

    assert [item["recording_id"] for item in archive_of(store)["recordings"]] == [recording_id]


def test_a_recording_with_new_redactions_shows_no_picture_until_it_is_made_again(store, tmp_path):
    recording_id = register(store, tmp_path, "a")
    publish(store, recording_id)
    assert "data:image/jpeg" in page_of(store)

    store.recordings.change_redactions(recording_id, lambda _before: b"schema: 1\n")

    text = page_of(store)
    assert "data:image/jpeg" not in text
    assert "what is to be hidden has changed" in text


def test_every_row_leads_to_its_report(store, tmp_path):
    recording_id = register(store, tmp_path, "a")
    publish(store, recording_id)
    artifact = bring_archive_up_to_date(store).artifact

    (row,) = artifact.read_json("archive.json")["recordings"]

    assert f'href="{row["report"]}"' in artifact.path(ARCHIVE_PAGE).read_text(encoding="utf-8")
    assert (artifact.directory() / row["report"]).resolve().read_text().startswith("<!doctype html>")


def test_what_is_published_is_audited(store, tmp_path):
    publish(store, register(store, tmp_path, "a"))

    manifest = bring_archive_up_to_date(store).artifact.manifest

    assert manifest.privacy["audit"] == "passed"
    assert {file.path: file.role for file in manifest.files} == {
        "archive.html": "core",
        "archive.json": "core",
        "index.json": "core",
    }


def test_recordings_that_need_attention_come_first():
    listed = [
        Listed(entry(name, verdict=verdict, score=score))
        for name, verdict, score in (
            ("a", "pass", 99.0),
            ("b", "review", 70.0),
            ("c", "fail", 90.0),
            ("d", "review", 60.0),
        )
    ]

    found = survey(listed, [])

    assert [item.entry.recording_id for item in found.listed] == ["c", "d", "b", "a"]
    assert found.verdicts == {"pass": 1, "review": 2, "fail": 1}


def test_unrelated_recordings_are_no_duplicates():
    assert find_duplicates([entry(f"r{number}") for number in range(40)]) == ()


def test_equal_files_are_duplicates():
    (found,) = find_duplicates(
        [entry(name, sha256="ab" * 32) for name in ("b", "a")] + [entry("c", sha256="cd" * 32)]
    )

    assert (found.first, found.second, found.method) == ("a", "b", "equal files")


def test_a_piece_of_a_recording_is_found_by_its_pictures():
    rng = np.random.default_rng(3)
    digests = sorted(rng.bytes(8).hex() for _ in range(900))
    part = sorted(rng.permutation(digests)[:300].tolist())
    whole = entry("whole", duration_s=60.0, sketch=digests[:64])
    piece = entry("piece", duration_s=20.0, sketch=part[:64])

    (found,) = find_duplicates([whole, piece, entry("other")])

    assert (found.first, found.second, found.method) == ("piece", "whole", "shared pictures")
    assert found.share == pytest.approx(1.0, abs=0.35)


def test_a_copy_that_was_coded_anew_is_found_by_its_course_of_light():
    light = 120 + 50 * np.sin(np.linspace(0, 9, 64))
    copies = [entry("a", light=light), entry("b", light=light + 1.0)]
    still = [entry(name, light=np.full(64, 90.0)) for name in ("c", "d")]
    longer = entry("e", light=light, duration_s=90.0)

    (found,) = find_duplicates([*copies, *still, longer])

    assert (found.first, found.second, found.method) == ("a", "b", "same course of light")


def test_copies_of_real_recordings_are_found(tmp_path):
    kinds = {
        "first": {},
        "cut": {"lost_interval_s": (1.2, 1.8)},
        "coded-anew": {"jpeg_quality": 60},
        "other": {"seed": 8},
    }
    prints = {
        name: fingerprint_of(
            make_episode(tmp_path / name, seconds=2.5, hands=False, with_mesh=False, **options).evidence()
        )
        for name, options in kinds.items()
    }
    entries = [
        entry_of(name, "0" * 16, qc_content(name) | {"fingerprint": found}) for name, found in prints.items()
    ]

    found = {(item.first, item.second): item for item in find_duplicates(entries)}

    assert found["cut", "first"].method == "shared pictures"
    assert found["coded-anew", "first"].method == "same course of light"
    assert all(item.share > 0.85 for item in found.values())
    assert not any("other" in pair for pair in found)


def test_overlapping_stamps_count_with_a_wall_clock_only():
    at = {"wall_offset_ns": MAY_2026_NS}
    overlapping = [entry("a", **at), entry("b", first_stamp_ns=20_000_000_000, **at)]
    after = entry("c", first_stamp_ns=200_000_000_000, **at)

    (found,) = find_duplicates([*overlapping, after, entry("d"), entry("e")])

    assert (found.first, found.second, found.method) == ("a", "b", "overlapping time")
    assert found.share == pytest.approx(0.67, abs=0.01)


HOSTILE = (
    '<script>document.title="taken"</script>',
    '"><img src=x onerror=alert(1)>',
    "]]>--><style>*{display:none}</style>",
    "\u202egnitirw desrever \u2066",
    "a" * 10_000,
    "\x00\x1b[31m\ud800",
)


@pytest.mark.parametrize(
    "words", HOSTILE, ids=["script", "attribute", "comment", "direction", "long", "control"]
)
def test_hostile_words_stay_words(words):
    listed = [Listed(entry("a", reasons=(words,), found={words: 2}), task=words)]

    text = render_archive(survey(listed, []), {"a": words})

    assert text.count("<script") == 1
    assert "<img src=x" not in text
    assert "display:none}</style>" not in text
    assert "\u202e" not in text
    assert len(text) < 60_000
    assert text.encode("utf-8")


def test_a_thousand_recordings_fit_a_page_that_opens_at_once():
    kinds = dict.fromkeys(("black", "blurred", "rgb_gap", "tracking_lost", "hand_speed", "depth_valid"), 3)
    listed = [
        Listed(
            entry(f"kitchen-{number:04d}-0123abcd", seed=number, verdict="review", found=kinds),
            task="make a cup of tea and put the milk back",
        )
        for number in range(1000)
    ]

    text = render_archive(survey(listed, []), {item.entry.recording_id: "../../x" for item in listed})

    assert text.count("<tr id=") == 1000
    assert len(text.encode()) < 5_000_000


def test_the_json_is_strict(store, tmp_path):
    publish(store, register(store, tmp_path, "a"), score=12.5)
    artifact = bring_archive_up_to_date(store).artifact

    for name in ("archive.json", "index.json"):
        text = artifact.path(name).read_text(encoding="ascii")
        json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not strict JSON"))
