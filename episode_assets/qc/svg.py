"""Charts as inline SVG text: lines, histograms, a map from above, bars over time. No script, no library.

Series are reduced to at most 400 pairs of minimum and maximum, so the size of a chart does not grow with the length
of a recording. Colours are CSS classes; the style sheet gives them a light and a dark value.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 520, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 24
MOST_PAIRS = 400
_PLOT_W, _PLOT_H = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM


def text(value: object) -> str:
    """Return a value as escaped text, safe inside elements and quoted attributes."""
    return html.escape(str(value), quote=True)


@dataclass(frozen=True)
class Line:
    """One line of a chart: its y values and the CSS class of its colour."""

    values: Floats
    css: str = "c1"
    name: str = ""


@dataclass(frozen=True)
class Bar:
    """A stretch of time from `start` to `end` in seconds, with the CSS class of its colour and words for a hint."""

    start: float
    end: float
    css: str
    hint: str = ""


def figure(title: str, svg: str, *, note: str = "") -> str:
    """Wrap a chart with its title."""
    extra = f'<span class="note">{text(note)}</span>' if note else ""
    return f"<figure><figcaption>{text(title)}{extra}</figcaption>{svg}</figure>"


def line_chart(
    title: str,
    seconds: Floats,
    lines: Sequence[Line],
    *,
    unit: str,
    limits: Sequence[float] = (),
    breaks: NDArray[np.bool_] | None = None,
    from_zero: bool = True,
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
    """
    finite = np.concatenate([line.values[np.isfinite(line.values)] for line in lines])
    if len(finite) == 0 or len(seconds) < 2:
        return figure(title, '<p class="none">nothing to draw</p>')
    inside = [value for value in limits if value <= 1.5 * float(finite.max())]
    low, high = _bounds([float(finite.min()), float(finite.max()), *inside], from_zero)
    x = _Scale(float(seconds[0]), float(seconds[-1]), LEFT, WIDTH - RIGHT)
    y = _Scale(low, high, HEIGHT - BOTTOM, TOP)
    drawn = [
        f'<path class="line {line.css}" d="{_path(seconds, line.values, breaks, x, y)}"/>' for line in lines
    ]
    marks = [
        f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(v):.1f}" y2="{y(v):.1f}"/>'
        for v in inside
    ]
    names = " ".join(f'<b class="key {line.css}"></b>{text(line.name)}' for line in lines if line.name)
    legend = f'<div class="legend">{names}</div>' if names else ""
    return figure(title, _svg(title, [*_axes(x, y, time=True), *marks, *drawn]) + legend, note=unit)


def histogram(
    title: str, edges: Floats, groups: Sequence[tuple[str, str, NDArray[np.int64]]], *, unit: str
) -> str:
    """Draw counts per bin; `groups` are (name, CSS class, counts) drawn side by side in each bin."""
    top = max((int(counts.max(initial=0)) for _, _, counts in groups), default=0)
    if top == 0:
        return figure(title, '<p class="none">nothing to draw</p>')
    x = _Scale(float(edges[0]), float(edges[-1]), LEFT, WIDTH - RIGHT)
    y = _Scale(0, float(top), HEIGHT - BOTTOM, TOP)
    bars = []
    for position, (_, css, counts) in enumerate(groups):
        for i, count in enumerate(counts):
            if count:
                left, right = x(float(edges[i])), x(float(edges[i + 1]))
                width = max((right - left) / len(groups) - 0.6, 0.6)
                start = left + position * (right - left) / len(groups)
                bars.append(
                    f'<rect class="fill {css}" x="{start:.1f}" y="{y(float(count)):.1f}" width="{width:.1f}" '
                    f'height="{HEIGHT - BOTTOM - y(float(count)):.1f}"/>'
                )
    names = " ".join(f'<b class="key {css}"></b>{text(name)}' for name, css, _ in groups if name)
    legend = f'<div class="legend">{names}</div>' if names else ""
    return figure(title, _svg(title, [*_axes(x, y, time=False), *bars]) + legend, note=unit)


def plan(title: str, points: Floats, *, unit: str = "m") -> str:
    """Draw a path seen from above with equal scales; (N, 2) right and forward. Start is a ring, the end a dot."""
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 2:
        return figure(title, '<p class="none">nothing to draw</p>')
    points = points[:: max(1, len(points) // (2 * MOST_PAIRS))]
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    span = max(float(np.ptp(points[:, 0])) / _PLOT_W, float(np.ptp(points[:, 1])) / _PLOT_H, 1e-3) * 1.1
    half_w, half_h = span * _PLOT_W / 2, span * _PLOT_H / 2
    x = _Scale(centre[0] - half_w, centre[0] + half_w, LEFT, WIDTH - RIGHT)
    y = _Scale(centre[1] - half_h, centre[1] + half_h, HEIGHT - BOTTOM, TOP)
    pairs = [(x(float(a)), y(float(b))) for a, b in points]
    path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in pairs)
    ends = (
        f'<circle class="ring c1" cx="{pairs[0][0]:.1f}" cy="{pairs[0][1]:.1f}" r="5"/>'
        f'<circle class="fill c2" cx="{pairs[-1][0]:.1f}" cy="{pairs[-1][1]:.1f}" r="4"/>'
    )
    legend = '<div class="legend"><b class="key ring c1"></b>start <b class="key c2"></b>end</div>'
    body = [*_axes(x, y, time=False), f'<path class="line c1" d="{path}"/>', ends]
    return figure(title, _svg(title, body) + legend, note=unit)


def time_row(label: str, bars: Sequence[Bar], *, span_s: float, note: str = "") -> str:
    """Draw one row of a timeline: a label and bars on a line of the length of the recording."""
    drawn = []
    for bar in bars:
        left = 1000 * bar.start / span_s
        width = max(1000 * (bar.end - bar.start) / span_s, 2.0)
        hint = f"<title>{text(bar.hint)}</title>" if bar.hint else ""
        drawn.append(
            f'<rect class="fill {bar.css}" x="{min(left, 998):.1f}" y="0" width="{width:.1f}" height="20">{hint}</rect>'
        )
    return (
        f'<div class="row"><span class="label">{text(label)}</span>'
        f'<svg class="bars" viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" '
        f'aria-label="{text(label)}">{"".join(drawn)}</svg><span class="value">{text(note)}</span></div>'
    )


def time_axis(span_s: float) -> str:
    """Draw the axis under a timeline."""
    marks = "".join(f"<span>{text(clock(span_s * i / 4))}</span>" for i in range(5))
    return f'<div class="row axis"><span class="label"></span><div class="ticks">{marks}</div><span></span></div>'


def ring(share: float, label: str, css: str) -> str:
    """Draw a score as a ring with a number inside; `share` is 0 to 1."""
    round_ = 2 * math.pi * 44
    return (
        f'<svg class="ring-chart" viewBox="0 0 110 110" role="img" aria-label="{text(label)}">'
        '<circle class="track" cx="55" cy="55" r="44"/>'
        f'<circle class="arc {css}" cx="55" cy="55" r="44" stroke-dasharray="{share * round_:.1f} {round_:.1f}" '
        'transform="rotate(-90 55 55)"/>'
        f'<text x="55" y="64" text-anchor="middle" class="score">{text(label)}</text></svg>'
    )


def clock(seconds: float) -> str:
    """Return a time as 12.3 s below two minutes, else as 3:05."""
    if seconds < 120:
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


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        if self.high == self.low:
            return self.start
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)


def _svg(title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _bounds(values: Sequence[float], from_zero: bool) -> tuple[float, float]:
    low, high = min(values), max(values)
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1e-9:
        return low - 0.5, high + 0.5
    pad = 0.04 * (high - low)
    return (low if from_zero and low == 0 else low - pad), high + pad


def _axes(x: _Scale, y: _Scale, *, time: bool) -> list[str]:
    parts = []
    for value in _ticks(y.low, y.high, 4):
        at = y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{short(value)}</text>'
        )
    for value in _ticks(x.low, x.high, 5):
        label = clock(value) if time else short(value)
        is_near = (x(value) < LEFT + 14, x(value) > WIDTH - RIGHT - 14)
        anchor = {(True, False): "start", (False, True): "end"}.get(is_near, "middle")
        parts.append(
            f'<text class="tick" x="{x(value):.1f}" y="{HEIGHT - 7}" text-anchor="{anchor}">{text(label)}</text>'
        )
    return parts


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


def _path(seconds: Floats, values: Floats, breaks: NDArray[np.bool_] | None, x: _Scale, y: _Scale) -> str:
    """Return path data through the values, thinned to minima and maxima, interrupted at NaN and breaks."""
    is_cut = ~np.isfinite(values)
    starts = np.zeros(len(values), np.bool_) if breaks is None else breaks
    parts: list[str] = []
    pen_up = True
    for i in _kept_points(values):
        if is_cut[i]:
            pen_up = True
            continue
        pen_up = pen_up or bool(starts[i])
        parts.append(f"{'M' if pen_up else 'L'}{x(float(seconds[i])):.1f} {y(float(values[i])):.1f}")
        pen_up = False
    return "".join(parts)


def _kept_points(values: Floats) -> list[int]:
    if len(values) <= 2 * MOST_PAIRS:
        return list(range(len(values)))
    kept: list[int] = []
    for bucket in np.array_split(np.arange(len(values)), MOST_PAIRS):
        inside = values[bucket]
        if not np.isfinite(inside).any():
            kept.append(int(bucket[0]))
            continue
        pair = {int(bucket[np.nanargmin(inside)]), int(bucket[np.nanargmax(inside)])}
        holes = bucket[~np.isfinite(inside)]
        kept.extend(sorted(pair | ({int(holes[0])} if len(holes) else set())))
    return kept
