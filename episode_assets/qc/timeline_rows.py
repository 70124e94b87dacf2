"""Rows of a timeline: a label, bars on a line of the length of the recording, and a word beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from episode_assets.qc.evidence import Evidence
from episode_assets.qc.markup import text
from episode_assets.qc.ranges import Flags, Stamps, runs
from episode_assets.qc.svg import clock, digits_of
from episode_assets.recording.timeline import gap_before

WIDTH, HEIGHT = 1000, 20
MOST_BARS = 300


@dataclass(frozen=True)
class Bar:
    """A stretch of time from `start` to `end` in seconds: CSS class, words for a hint, and where it leads."""

    start: float
    end: float
    css: str
    hint: str = ""
    link: str = ""


def span_of(e: Evidence) -> float:
    """Return the length of the line of time in seconds."""
    return max(e.t(e.stamps_ns[-1]), 1e-3)


def time_row(label: str, bars: Sequence[Bar], *, span_s: float, note: str = "") -> str:
    """Draw one row. Every bar is on it; where there are very many, those that lie closest together become one."""
    digits = digits_of(span_s, WIDTH)
    drawn = "".join(_bar(bar, span_s, digits) for bar in fitted(bars))
    words = f"{label}: {note}" if note else label
    return (
        f'<div class="row"><span class="label">{text(label)}</span>'
        f'<svg class="bars" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="group" '
        f'aria-label="{text(words)}" data-zoom="row" data-x0="0" data-x1="{span_s:.9g}">{drawn}</svg>'
        f'<span class="value">{text(note)}</span></div>'
    )


def fitted(bars: Sequence[Bar]) -> list[Bar]:
    """Return at most `MOST_BARS` bars in order of time that cover all that was given.

    Bars that lead somewhere stay as they are; of the others, neighbours with the smallest gaps are drawn as one.
    """
    ordered = sorted(bars, key=lambda bar: (bar.start, bar.end))
    linked, plain = [bar for bar in ordered if bar.link], [bar for bar in ordered if not bar.link]
    drawn = [*linked, *_joined(plain, max(MOST_BARS - len(linked), 1))]
    return sorted(drawn, key=lambda bar: (bar.start, bar.end))


def _joined(bars: Sequence[Bar], most: int) -> list[Bar]:
    if len(bars) <= most:
        return list(bars)
    ends = np.maximum.accumulate([bar.end for bar in bars])
    gaps = np.array([bar.start for bar in bars[1:]]) - ends[:-1]
    parts = np.sort(np.argsort(-gaps, kind="stable")[: most - 1]) + 1
    edges = [0, *parts.tolist(), len(bars)]
    return [_one(bars[first:stop]) for first, stop in pairwise(edges)]


def _one(bars: Sequence[Bar]) -> Bar:
    if len(bars) == 1:
        return bars[0]
    hint = f"{len(bars)} stretches that lie close together"
    return Bar(bars[0].start, max(bar.end for bar in bars), bars[0].css, hint)


def time_axis(span_s: float) -> str:
    """Draw the axis under a timeline."""
    marks = "".join(f"<span>{text(clock(span_s * i / 4))}</span>" for i in range(5))
    return (
        '<div class="row axis"><span class="label"></span>'
        f'<div class="ticks" data-x1="{span_s:.9g}">{marks}</div><span class="value"></span></div>'
    )


def flag_row(
    e: Evidence, name: str, stamps: Stamps, flags: Flags, css: str, *, count: int | None = None
) -> str:
    """Draw a row with a bar for every run of true flags."""
    span = span_of(e)
    pieces = runs(flags, breaks=gap_before(stamps))
    bars = [Bar(max(e.t(stamps[p.first]), 0.0), min(e.t(stamps[p.last]), span), css) for p in pieces]
    note = f"{count:,}" if count is not None else f"{100 * float(flags.mean()):.0f} %" if len(flags) else ""
    return time_row(name, [bar for bar in bars if bar.end >= bar.start], span_s=span, note=note)


def _bar(bar: Bar, span_s: float, digits: int) -> str:
    left, right = WIDTH * bar.start / span_s, WIDTH * bar.end / span_s
    hint = f"<title>{text(bar.hint)}</title>" if bar.hint else ""
    drawn = (
        f'<rect class="fill {bar.css}" x="{left:.{digits}f}" y="0" width="{max(right - left, 0.0):.{digits}f}" '
        f'height="{HEIGHT}">{hint}</rect>'
    )
    return f'<a href="{bar.link}">{drawn}</a>' if bar.link else drawn
