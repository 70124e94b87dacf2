"""Near-duplicates in large archives: nothing is called the total that is not, and no share is none."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import FrameType

import numpy as np

from episode_assets.qc.archive import Listed, survey
from episode_assets.qc.archive_entry import entry_of
from episode_assets.qc.archive_page import render_archive
from episode_assets.qc.duplicates import MOST_PAIRS, find_duplicates
from episode_assets_tests.qc.archives import MAY_2026_NS, qc_content


def entry(recording_id: str, **values):
    return entry_of(recording_id, "0" * 16, qc_content(recording_id, **values))


def test_more_pairs_than_are_shown_are_not_called_the_total():
    copies = [Listed(entry(f"r{number:04d}", sha256="ab" * 32)) for number in range(MOST_PAIRS + 100)]

    found = survey(copies, [])

    assert len(found.duplicates) == MOST_PAIRS
    assert found.has_more_duplicates
    page = render_archive(found, {})
    assert "more than 500" in page
    assert "the surest 500 pairs of more" in page


def test_as_many_pairs_as_are_shown_are_the_total():
    copies = [entry(f"r{number:04d}", sha256="ab" * 32) for number in range(MOST_PAIRS + 1)]

    found = survey([Listed(item) for item in copies], [])

    assert (len(found.duplicates), found.has_more_duplicates) == (MOST_PAIRS, False)


def test_recordings_that_share_pictures_never_share_nothing():
    digests = [f"{number:016x}" for number in range(200)]
    # The three that both have are the largest of either sketch, so none is among the smallest of both together.
    first = replace(entry("a", sketch=[*digests[0:122:2], *digests[150:153]]), pictures=5000)
    second = replace(entry("b", sketch=[*digests[1:123:2], *digests[150:153]]), pictures=5000)

    (found,) = find_duplicates([first, second])

    assert found.method == "shared pictures"
    assert found.share > 0


def test_the_pairs_do_not_depend_on_the_order_of_the_recordings():
    light = 120 + 50 * np.sin(np.linspace(0, 9, 64))
    at = {"wall_offset_ns": MAY_2026_NS}
    entries = [entry(f"r{number}", light=light + 0.1 * number, **at) for number in range(6)]

    assert find_duplicates(entries) == find_duplicates(entries[::-1])
    assert len(find_duplicates(entries)) == 15


def test_comparing_recordings_of_one_time_and_length_does_not_look_at_every_pair():
    entries = [entry(f"r{number:05d}", wall_offset_ns=MAY_2026_NS) for number in range(1200)]
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        find_duplicates(entries)
    finally:
        sys.setprofile(None)

    assert calls < 200 * len(entries)
