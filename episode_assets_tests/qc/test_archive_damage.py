"""A quality report that holds nonsense is one line of the archive report, whatever the nonsense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.errors import ArtifactDamaged
from episode_assets.qc.archive import Listed, survey
from episode_assets.qc.archive_entry import entry_of
from episode_assets.qc.archive_page import render_archive
from episode_assets.storage import Store
from episode_assets_tests.qc.archives import archive_of, publish_content, qc_content, register

Change = Callable[[dict[str, Any]], object]
INFINITE, NOT_A_NUMBER = float("inf"), float("nan")


def put(*path: str | int, value: object) -> Change:
    """Return a change that sets one value of a document."""

    def change(content: Any) -> None:
        for name in path[:-1]:
            content = content[name]
        content[path[-1]] = value

    return change


NONSENSE: dict[str, Change] = {
    "a score that is no number": put("score", value=NOT_A_NUMBER),
    "an endless score": put("score", value=INFINITE),
    "a score above 100": put("score", value=101.0),
    "endless points": put("findings_by_kind", 0, "points_lost", value=INFINITE),
    "a digest that is a table": put("source_sha256", value={"a": 1}),
    "a digest of another kind": put("source_sha256", value="ab"),
    "a size of 400 digits": put("metrics", "recording", "size_bytes", value=10**400),
    "a negative duration": put("metrics", "recording", "duration_s", value=-5.0),
    "a schema of the future": put("schema_version", value=99),
    "a picture as wide as a city": put("thumbnails", 0, "width", value=10**9),
    "an unknown verdict": put("verdict", value="splendid"),
    "a flag in words": put("publishable", value="yes"),
    "half a curve": put("fingerprint", "brightness", value="0011"),
    "a sketch of numbers": put("fingerprint", "sketch", value=[1, 2]),
    "a stamp of 400 digits": put("first_stamp_ns", value=10**400),
}


@pytest.mark.parametrize("change", NONSENSE.values(), ids=NONSENSE.keys())
def test_a_report_that_holds_nonsense_blocks_no_other(tmp_path, change):
    store = Store.open(str(tmp_path / "store"))
    good, bad = (register(store, tmp_path, name) for name in ("good", "bad"))
    for recording_id in (good, bad):
        content = qc_content(recording_id, found={"black": 1})
        if recording_id == bad:
            change(content)
        publish_content(store, recording_id, content)

    found = archive_of(store)

    assert [item["recording_id"] for item in found["recordings"]] == [good]
    (missing,) = found["without_report"]
    assert (missing["recording_id"], missing["state"]) == (bad, "damaged")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
PLACES = [
    *((name,) for name in qc_content("a")),
    *(("metrics", "recording", name) for name in ("duration_s", "size_bytes")),
    *(("kept", name) for name in ("seconds", "one_hand_seconds", "two_hands_seconds")),
    *(("fingerprint", name) for name in ("sketch", "pictures", "brightness", "contrast")),
    *(("thumbnails", 0, name) for name in ("width", "height", "jpeg_base64")),
    *(("findings_by_kind", 0, name) for name in ("kind", "count", "points_lost")),
]


@given(place=st.sampled_from(PLACES), value=ANYTHING)
def test_whatever_stands_in_a_report_is_refused_or_can_be_shown(place, value):
    content = qc_content("a", found={"black": 1})
    put(*place, value=value)(content)

    try:
        entry = entry_of("a", "0" * 16, content)
    except ArtifactDamaged:
        return

    assert render_archive(survey([Listed(entry)], []), {}).encode("utf-8")
