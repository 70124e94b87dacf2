"""The report over all recordings follows what happens after a report was made, and while it is made itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from episode_assets.pipeline.archive import bring_archive_up_to_date
from episode_assets.qc.archive import ARCHIVE_JSON, ARCHIVE_PAGE, INDEX
from episode_assets.storage import ArtifactKey, Store
from episode_assets_tests.qc.archives import archive_of, publish, publish_blurred, quarantine, register

PICTURE = "data:image/jpeg"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "store"))


def page_of(store: Store) -> str:
    return bring_archive_up_to_date(store).artifact.path(ARCHIVE_PAGE).read_text(encoding="utf-8")


def index_of(store: Store) -> str:
    return bring_archive_up_to_date(store).artifact.path(INDEX).read_text(encoding="utf-8")


def test_a_recording_quarantined_after_its_report_is_marked_and_shows_no_picture(store, tmp_path):
    recording_id = register(store, tmp_path, "a")
    publish_blurred(store, recording_id)
    publish(store, recording_id)
    assert PICTURE in page_of(store)

    quarantine(store, recording_id, reason="a face at frame 7")

    assert PICTURE not in page_of(store)
    assert "a face at frame 7" in page_of(store)
    (row,) = archive_of(store)["recordings"]
    assert row["quarantined"].startswith("blurred_rgb: ")


def test_a_quarantine_that_was_overcome_is_not_told(store, tmp_path):
    recording_id = register(store, tmp_path, "a")
    quarantine(store, recording_id)
    publish_blurred(store, recording_id)
    publish(store, recording_id)

    (row,) = archive_of(store)["recordings"]

    assert row["quarantined"] == ""
    assert PICTURE in page_of(store)


def test_a_verdict_that_cannot_be_read_counts_as_one(store, tmp_path):
    recording_id = register(store, tmp_path, "a")
    publish(store, recording_id)
    quarantine(store, recording_id)
    (verdict,) = Path(store.uri, "quarantine").rglob("verdict.json")
    verdict.chmod(0o644)
    verdict.write_text("{broken")

    assert "cannot be read" in page_of(store)
    assert PICTURE not in page_of(store)


def test_a_picture_that_must_not_be_shown_is_in_no_file_and_comes_back_later(store, tmp_path):
    recording_id = register(store, tmp_path, "a")
    publish(store, recording_id)
    picture = '"picture":"/9j/'
    assert picture in index_of(store)

    store.recordings.change_redactions(recording_id, lambda _before: b"schema: 1\n")
    assert picture not in index_of(store)
    assert [item["recording_id"] for item in archive_of(store)["recordings"]] == [recording_id]

    store.recordings.change_redactions(recording_id, lambda _before: b"")
    assert picture in index_of(store)
    assert PICTURE in page_of(store)


def test_the_last_of_two_reports_made_at_once_leads_to_the_present(store, tmp_path):
    publish(store, register(store, tmp_path, "a"))
    others: list[str] = []

    def another_run_meanwhile(*_progress: object) -> None:
        if not others:
            others.append(register(store, tmp_path, "b"))
            publish(store, others[0])
            bring_archive_up_to_date(store)

    bring_archive_up_to_date(store, progress=another_run_meanwhile)

    shown = store.latest(ArtifactKey("archive_report")).read_json(ARCHIVE_JSON)["recordings"]
    assert others[0] in [item["recording_id"] for item in shown]
    assert len(shown) == 2
