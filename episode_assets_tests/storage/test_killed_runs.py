"""Kill -9 at every named write point: readers never notice, and a later run gives what an undisturbed one gives."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from episode_assets.storage import Store
from episode_assets.storage.write_points import NAMES
from episode_assets_tests.processes import started
from episode_assets_tests.storage.killed_publisher import KILLS, contents_of
from episode_assets_tests.storage.samples import BLURRED, digest_of, everything_in

_log = logging.getLogger(__name__)

PACKING = {"draft.file_taken_over", "pack.file_written", "pack.documents_written"}
"""Points that only datasets reach; the tests of growing datasets kill there."""

ELSEWHERE = {
    "local": PACKING | {"publish.object_written"},
    "s3": PACKING | {"replace.temporary_written", "publish.link_written"},
}


@pytest.mark.parametrize("place", ["local", "s3"])
def test_a_publisher_killed_at_any_write_point_leaves_nothing_half_done(
    place: str, request: pytest.FixtureRequest, private_places: Path
) -> None:
    uri = str(request.getfixturevalue(f"{place}_uri"))
    store = Store.open(uri)
    names = [name for name in NAMES if name not in ELSEWHERE[place]]
    order = {"uri": uri, "names": names, "recording": str(private_places / "recording.mcap")}

    with started("storage.polling_reader", uri) as reader, started("storage.killed_publisher") as publisher:
        report, complaints = publisher.communicate(json.dumps(order), timeout=280)
        findings, trouble = reader.communicate("", timeout=60)

    _log.info("write points of %s:\n%s", place, report)
    kills = [f"{name} {number} killed" for name in names for number in range(1, KILLS + 1)]
    assert report.splitlines() == [*kills, "undisturbed 1 ended 0"], complaints

    assert trouble == ""
    seen = json.loads(findings)
    assert seen["problems"] == []
    assert seen["rounds"] > 10
    published = [name for name in names if not name.startswith(("quarantine", "registry"))]
    expected = {_digest(name, number)[:16] for name in published for number in range(1, KILLS + 1)}
    assert set(seen["versions"]) <= expected
    _log.info("%s: %d rounds of reading, %d artifacts checked", place, seen["rounds"], seen["checked"])

    assert set(store.versions(BLURRED)) == expected
    assert store.latest(BLURRED).content_digest == _digest(published[-1], KILLS)
    assert store.verify(BLURRED) == []
    _check_leftovers(store, private_places)


def _check_leftovers(store: Store, places: Path) -> None:
    assert store.sweep() > 0
    assert store.sweep() == 0
    left = everything_in(store.uri)
    assert not [path for path in left if path.startswith("scratch/") and not path.endswith(".lock")]
    assert not [path for path in (places / "scratch").rglob("*") if path.suffix != ".lock"]
    quarantined = [path for path in left if path.startswith("quarantine/")]
    assert {Path(path).suffix for path in quarantined} == {".json", ".parquet"}


def _digest(name: str, number: int) -> str:
    contents = contents_of(name, number)
    del contents["view.txt"]
    return digest_of(contents)
