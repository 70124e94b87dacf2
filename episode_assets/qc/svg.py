"""Charts as inline SVG: lines, histograms, a map from above. They are readable as they are; a script may zoom them.

What is drawn lies in an inner `svg` of its own whose view box the script narrows; `data-*` attributes tell it the
values at the edges. Colours are CSS classes; the style sheet gives them a light and a dark value. Rows of a timeline
are in `timeline_rows`, fewer points for long series in `series`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.qc.markup import DASH, text
from episode_assets.qc.series import Span, pieces, stretches, thinned

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 520, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 24
PLOT_W, PLOT_H = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
_FINEST_S = 0.01
_MOST_PATH_POINTS = 1600


@dataclass(frozen=True)
class Line:
    """One line of a chart: its y values and the CSS class of its colour."""

    values: Floats
    css: str = "c1"
    name: str = ""


@dataclass(frozen=True)
class Mark:
    """A finding on a chart: its number on the page, seconds from `start` to `end`, CSS class and words for a hint."""

    number: int
    start: float
    end: float
    css: str
    hint: str

    @property
    def link(self) -> str:
        """Address of the finding on the page."""
        return f"#finding-{self.number}"


@dataclass(frozen=True)
class Scale:
    """Maps values between `low` and `high` to places between `start` and `stop`."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        if self.high == self.low:
            return self.start
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)


def line_chart(
    title: str,
    seconds: Floats,
    lines: Sequence[Line],
    *,
    unit: str,
    limits: Sequence[float] = (),
    breaks: NDArray[np.bool_] | None = None,
    from_zero: bool = True,
    marks: Sequence[Mark] = (),
    span: Span | None = None,
) -> str:
    """Draw values over time.

    Args:
        title: Caption.
        seconds: (N,) times of the values.
        lines: One or two lines of (N,) values; NaN interrupts a line.
        unit: Unit of the values.
        limits: Values to mark with a dashed line.
        breaks: (N,) true where a line may not be drawn from the value before.
        from_zero: Whether the y axis includes zero.
        marks: Findings to show behind the lines.
        span: Seconds at both ends of the axis; by default those of the values. Charts with equal spans line up.
    """
    finite = np.concatenate([line.values[np.isfinite(line.values)] for line in lines])
    if len(finite) == 0 or len(seconds) < 2:
        return empty_figure(title)
    inside = [value for value in limits if value <= 1.5 * float(finite.max())]
    low, high = _bounds([float(finite.min()), float(finite.max()), *inside], from_zero)
    first, last = span or (float(seconds[0]), float(seconds[-1]))
    x, y = Scale(first, max(last, first + 1e-3), 0, PLOT_W), Scale(low, high, PLOT_H, 0)
    starts = stretches(seconds, [(mark.start, mark.end) for mark in marks])
    drawn = [
        *(_mark(mark, x) for mark in marks),
        *(_limit(y(value)) for value in inside),
        *(
            f'<path class="line {line.css}" d="{_path(seconds, line.values, breaks, starts, x, y)}"/>'
            for line in lines
        ),
    ]
    words = f"{title}, {_words(finite, unit)}, from {clock(first)} to {clock(last)}"
    return _figure(
        title, _chart(words, "time", x, y, drawn), note=unit, names=[(line.name, line.css) for line in lines]
    )


def histogram(
    title: str,
    edges: Floats,
    groups: Sequence[tuple[str, str, NDArray[np.int64]]],
    *,
    unit: str,
    limits: Sequence[float] = (),
) -> str:
    """Draw counts per bin; `groups` are (name, CSS class, counts) drawn side by side in each bin."""
    top = max((int(counts.max(initial=0)) for _, _, counts in groups), default=0)
    if top == 0:
        return empty_figure(title)
    x, y = Scale(float(edges[0]), float(edges[-1]), 0, PLOT_W), Scale(0, float(top), PLOT_H, 0)
    bars = [
        _bar(x, y, edges, i, int(count), position / len(groups), 1 / len(groups), css)
        for position, (_, css, counts) in enumerate(groups)
        for i, count in enumerate(counts)
        if count
    ]
    bars += [
        f'<path class="limit" d="M{x(value):.1f} 0V{PLOT_H}"/>' for value in limits if x.low < value < x.high
    ]
    words = f"Histogram of {title.lower()}, {unit}, from {short(x.low)} to {short(x.high)}"
    return _figure(
        title, _chart(words, "value", x, y, bars), note=unit, names=[(name, css) for name, css, _ in groups]
    )


def plan(
    title: str,
    points: Floats,
    *,
    seconds: Floats,
    breaks: NDArray[np.bool_],
    unit: str = "m",
    marks: Sequence[Mark] = (),
) -> str:
    """Draw a path seen from above with equal scales. Start is a ring, the end a dot, findings are thick.

    Args:
        title: Caption.
        points: (N, 2) right and forward.
        seconds: (N,) times of the points.
        breaks: (N,) true where the path may not be drawn from the point before.
        unit: Unit of the points.
        marks: Findings to show on the path.
    """
    is_known = np.isfinite(points).all(axis=1)
    piece = np.cumsum(breaks | ~is_known, dtype=np.int64)[is_known]
    points, seconds = points[is_known], seconds[is_known]
    if len(points) < 2:
        return empty_figure(title)
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    span = max(float(np.ptp(points[:, 0])) / PLOT_W, float(np.ptp(points[:, 1])) / PLOT_H, 1e-3) * 1.1
    half_w, half_h = span * PLOT_W / 2, span * PLOT_H / 2
    x = Scale(centre[0] - half_w, centre[0] + half_w, 0, PLOT_W)
    y = Scale(centre[1] - half_h, centre[1] + half_h, PLOT_H, 0)
    places = np.column_stack(
        [x.start + (points[:, 0] - x.low) / span, PLOT_H - (points[:, 1] - y.low) / span]
    )
    drawn = [
        f'<path class="line c1" d="{_polyline(places, piece)}"/>',
        *(_mark_on_path(mark, places, seconds) for mark in marks),
        *(_dot(css, places[row]) for css, row in (("c1", 0), ("hollow", 0), ("c2", -1))),
    ]
    extent = np.ptp(points, axis=0)
    words = f"{title}: {extent[0]:.2f} by {extent[1]:.2f} {unit}"
    names = [("start", "ring"), ("end", "c2")]
    return _figure(title, _chart(words, "plan", x, y, drawn), note=unit, names=names)


def ring(share: float, label: str, css: str, words: str) -> str:
    """Draw a score as a ring with a number inside; `share` is 0 to 1."""
    round_ = 2 * math.pi * 44
    return (
        f'<svg class="ring-chart" viewBox="0 0 110 110" role="img" aria-label="{text(words)}">'
        '<circle class="track" cx="55" cy="55" r="44"/>'
        f'<circle class="arc {css}" cx="55" cy="55" r="44" stroke-dasharray="{share * round_:.1f} {round_:.1f}" '
        'transform="rotate(-90 55 55)"/>'
        f'<text x="55" y="65" text-anchor="middle" class="score">{text(label)}</text></svg>'
    )


def empty_figure(title: str) -> str:
    """Return the frame of a chart that has nothing to draw."""
    return f'<figure><figcaption>{text(title)}</figcaption><p class="none">nothing to draw</p></figure>'


def clock(seconds: float) -> str:
    """Return a time as 12.3 s below two minutes, else as 3:05."""
    if abs(seconds) < 120:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def short(value: float) -> str:
    """Return an axis number that fits its margin: 1,500,000 becomes 1.5M, 20,000 becomes 20k."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= factor:
            unit = 1e3 if letter == "k" else factor
            return f"{value / unit:g}{letter}"
    return f"{value:g}"


def digits_of(span: float, width: float) -> int:
    """Return the decimals that places on an axis need so that two frames stay apart when it is zoomed."""
    return min(4, max(1, math.ceil(math.log10(max(span, 1e-9) / width / _FINEST_S))))


def _figure(title: str, chart: str, *, note: str, names: Sequence[tuple[str, str]]) -> str:
    extra = f'<span class="note">{text(note)}</span>' if note else ""
    keys = " ".join(f'<span><b class="key {css}"></b>{text(name)}</span>' for name, css in names if name)
    legend = f'<div class="legend">{keys}</div>' if keys else ""
    return f"<figure><figcaption><span>{text(title)}</span>{extra}</figcaption>{chart}{legend}</figure>"


def _chart(words: str, kind: str, x: Scale, y: Scale, parts: Sequence[str]) -> str:
    grid, numbers = _y_axis(y)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="group" aria-label="{text(words)}" data-zoom="{kind}" '
        f'data-x0="{x.low:.6g}" data-x1="{x.high:.9g}" data-y0="{y.low:.6g}" data-y1="{y.high:.6g}">'
        f'{grid}<svg class="plot" x="{LEFT}" y="{TOP}" width="{PLOT_W}" height="{PLOT_H}" '
        f'viewBox="0 0 {PLOT_W} {PLOT_H}" preserveAspectRatio="none">{"".join(parts)}</svg>'
        f'<g class="ys">{numbers}</g><g class="xs">{_x_axis(x, is_time=kind == "time")}</g></svg>'
    )


def _y_axis(y: Scale) -> tuple[str, str]:
    ticks = [(value, TOP + y(value)) for value in _ticks(y.low, y.high, 4)]
    grid = "".join(f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>' for _, at in ticks)
    numbers = "".join(
        f'<text class="tick" x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{short(value)}</text>'
        for value, at in ticks
    )
    return grid, numbers


def _x_axis(x: Scale, *, is_time: bool) -> str:
    parts = []
    for value in _ticks(x.low, x.high, 5):
        at = LEFT + x(value)
        is_near = (at < LEFT + 14, at > WIDTH - RIGHT - 14)
        anchor = {(True, False): "start", (False, True): "end"}.get(is_near, "middle")
        label = clock(value) if is_time else short(value)
        parts.append(
            f'<text class="tick" x="{at:.1f}" y="{HEIGHT - 7}" text-anchor="{anchor}">{text(label)}</text>'
        )
    return "".join(parts)


def _mark(mark: Mark, x: Scale) -> str:
    digits = digits_of(x.high - x.low, PLOT_W)
    start, end = x(mark.start), x(mark.end)
    return (
        f'<a href="{mark.link}" class="mark {mark.css}"><title>{text(mark.hint)}</title><rect x="{start:.{digits}f}" '
        f'y="0" width="{max(end - start, 0.0):.{digits}f}" height="{PLOT_H}"/></a>'
    )


def _mark_on_path(mark: Mark, places: Floats, seconds: Floats) -> str:
    first = max(int(np.searchsorted(seconds, mark.start, side="right")) - 1, 0)
    last = min(int(np.searchsorted(seconds, mark.end)), len(seconds) - 1)
    stretch = places[first : last + 1]
    path = _polyline(stretch, np.zeros(len(stretch), np.int64), most=_MOST_PATH_POINTS // 20)
    return (
        f'<a href="{mark.link}" class="mark {mark.css}"><title>{text(mark.hint)}</title>'
        f'<path class="stretch" d="{path}"/></a>'
    )


def _dot(css: str, place: Floats) -> str:
    return f'<path class="dot {css}" d="M{place[0]:.1f} {place[1]:.1f}h0"/>'


def _polyline(places: Floats, piece: NDArray[np.int64], *, most: int = _MOST_PATH_POINTS) -> str:
    """Return path data through evenly chosen places; equal numbers of `piece` are joined."""
    chosen = np.unique(np.linspace(0, len(places) - 1, min(most, len(places))).round().astype(int))
    begins = np.diff(piece[chosen], prepend=-1) != 0
    drawn = "".join(
        f"{'M' if is_first else 'L'}{places[row, 0]:.1f} {places[row, 1]:.1f}"
        for row, is_first in zip(chosen, begins, strict=True)
    )
    return drawn + ("h0" if len(chosen) == 1 else "")


def _limit(at: float) -> str:
    return f'<path class="limit" d="M0 {at:.1f}H{PLOT_W}"/>'


def _bar(x: Scale, y: Scale, edges: Floats, i: int, count: int, offset: float, share: float, css: str) -> str:
    left, right = x(float(edges[i])), x(float(edges[i + 1]))
    width = max((right - left) * share - 0.6, 0.6)
    return (
        f'<rect class="fill {css}" x="{left + offset * (right - left):.1f}" y="{y(count):.1f}" width="{width:.1f}" '
        f'height="{PLOT_H - y(count):.1f}"/>'
    )


def _words(finite: Floats, unit: str) -> str:
    return (
        f"{short(float(f'{finite.min():.3g}'))} {DASH} {short(float(f'{finite.max():.3g}'))} {unit}".strip()
    )


def _bounds(values: Sequence[float], from_zero: bool) -> tuple[float, float]:
    low, high = min(values), max(values)
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1e-9:
        return low - 0.5, high + 0.5
    pad = 0.04 * (high - low)
    return (low if from_zero and low == 0 else low - pad), high + pad


def _ticks(low: float, high: float, about: int) -> list[float]:
    span = high - low
    if span <= 0:
        return [low]
    rough = span / about
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(f"{i * step:.10g}") for i in range(first, last + 1)]


def _path(
    seconds: Floats,
    values: Floats,
    breaks: NDArray[np.bool_] | None,
    starts: NDArray[np.int64],
    x: Scale,
    y: Scale,
) -> str:
    """Return path data through the kept values, interrupted at holes and breaks; a lone value is a dot."""
    piece = pieces(values, breaks)
    digits = digits_of(x.high - x.low, PLOT_W)
    kept = thinned(values, starts)
    parts: list[str] = []
    before = -1
    for place, i in enumerate(kept):
        is_first = piece[i] != before
        is_last = place + 1 == len(kept) or piece[kept[place + 1]] != piece[i]
        parts.append(
            f"{'M' if is_first else 'L'}{x(float(seconds[i])):.{digits}f} {y(float(values[i])):.1f}"
            f"{'h0' if is_first and is_last else ''}"
        )
        before = int(piece[i])
    return "".join(parts)
