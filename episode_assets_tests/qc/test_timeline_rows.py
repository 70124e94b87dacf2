"""The line of time of a long recording leaves nothing out, however much there is to draw."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from episode_assets.qc.sections import timeline
from episode_assets.qc.timeline_rows import MOST_BARS, WIDTH, Bar, fitted, time_row
from episode_assets_tests.qc.episodes import judged, repeated


def bars_in(row: str) -> list[tuple[float, float]]:
    found = re.findall(r'<rect[^>]* x="([\d.]+)"[^>]* width="([\d.]+)"', row)
    return [(float(x), float(x) + float(width)) for x, width in found]


@pytest.fixture(scope="module")
def interrupted(evidence):
    """Forty minutes in which pictures pause every four seconds: 600 kept intervals."""
    long = repeated(evidence, 300)
    gap = long.gap_before.copy()
    gap[::60] = True
    gap[0] = False
    stamps = long.stamps_ns + np.cumsum(gap) * 300_000_000
    return replace(long, stamps_ns=stamps, gap_before=gap, pose=None, imu=None, tracking=None)


def test_the_row_of_what_is_kept_reaches_from_the_first_to_the_last_interval(interrupted):
    judgement = judged(interrupted)
    assert len(judgement.kept) == 600

    page = timeline(interrupted, judgement)

    kept = bars_in(page[: page.index("</svg>")])
    last = interrupted.t(interrupted.stamps_ns[judgement.kept[-1].last])
    assert kept[0][0] < 1
    assert kept[-1][1] == pytest.approx(WIDTH * last / interrupted.t(interrupted.stamps_ns[-1]), abs=1)
    assert len(kept) <= MOST_BARS


def test_a_list_of_kept_intervals_that_is_cut_says_so(interrupted):
    assert "the first 60 of 600 kept intervals" in timeline(interrupted, judged(interrupted))


def test_bars_that_lead_somewhere_stay_and_the_widest_gaps_stay_open():
    close = [Bar(i * 1.0, i * 1.0 + 0.9, "good") for i in range(2000)]
    far = [Bar(5000.0, 5001.0, "good")]
    linked = [Bar(i * 10.0, i * 10.0 + 5, "bad", link=f"#finding-{i}") for i in range(100)]

    drawn = fitted([*linked, *close, *far])

    assert len(drawn) == MOST_BARS
    assert [bar for bar in drawn if bar.link] == linked
    assert far[0] in drawn
    seen = np.zeros(2000, bool)
    for bar in drawn:
        if not bar.link and bar.start < 2000:
            seen[int(bar.start) : int(bar.end) + 1] = True
    assert seen.all()


def test_few_bars_are_drawn_as_they_are():
    bars = [Bar(0.0, 1.0, "good", "first"), Bar(1.1, 2.0, "warn", "second")]

    assert fitted(bars) == bars
    assert len(bars_in(time_row("kept", bars, span_s=2.0))) == 2
