"""Small pieces of the page that all sections share: tiles, tables, folded facts, rows of a timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from episode_assets.qc.checks import Check
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.ranges import Flags, Stamps, runs
from episode_assets.qc.svg import Bar, text, time_row
from episode_assets.recording.timeline import gap_before

Content = Mapping[str, Any]
Figure = tuple[str, str, str, int]
"""Key in a metric block, label, unit, decimal places."""

DASH, TIMES, MINUS = "\u2013", "\u00d7", "\u2212"

VERDICT_CSS = {"pass": "good", "review": "warn", "fail": "bad"}
STATUS_CSS = {"pass": "good", "warn": "warn", "fail": "bad", "not_applicable": "idle", "not_run": "idle"}
_MOST_BARS = 400


def flag_row(
    e: Evidence, name: str, stamps: Stamps, flags: Flags, span: float, css: str, *, count: int | None = None
) -> str:
    """Return a timeline row with a bar for every run of true flags."""
    pieces = runs(flags, breaks=gap_before(stamps))[:_MOST_BARS]
    bars = [Bar(max(e.t(stamps[p.first]), 0.0), min(e.t(stamps[p.last]), span), css) for p in pieces]
    bars = [bar for bar in bars if bar.end >= bar.start]
    note = f"{count:,}" if count is not None else f"{100 * float(flags.mean()):.0f} %" if len(flags) else ""
    return time_row(name, bars, span_s=span, note=note)


def answers(checks: Sequence[Check]) -> str:
    """Return checks as rows of a table."""
    return "".join(
        f'<tr><td class="k">{text(check.id)}</td><td><span class="badge {STATUS_CSS[check.status]}">'
        f'{text(check.status.replace("_", " "))}</span></td><td class="wide">{text(check.detail)}</td></tr>'
        for check in checks
    )


def figures(block: Mapping[str, Any], which: Sequence[Figure]) -> list[tuple[str, str]]:
    """Return the named numbers of a metric block as tiles."""
    return [(show(block[key], unit, digits), label) for key, label, unit, digits in which]


def show(value: object, unit: str, digits: int) -> str:
    """Return a value with its unit, a dash where there is none."""
    if value is None or value == "":
        return DASH
    if isinstance(value, str):
        return value
    shown = f"{value:,.{digits}f}" if isinstance(value, int | float) else str(value)
    return f"{shown} {unit}".strip()


def tiles(items: Sequence[tuple[str, str]]) -> str:
    """Return figures as a grid of (value, label)."""
    cells = "".join(
        f'<div class="tile"><b>{text(v)}</b><span>{text(label)}</span></div>' for v, label in items
    )
    return f'<div class="tiles">{cells}</div>'


def charts(charts: Sequence[str]) -> str:
    """Return charts as a grid."""
    return f'<div class="charts">{"".join(charts)}</div>'


def absent_note(words: str) -> str:
    """Return the note of a section that has nothing to show."""
    return f'<div class="card soft">{text(words)}</div>'


def table(heads: Sequence[str], rows: str, *, numbers: Sequence[int] = ()) -> str:
    """Return a table from escaped rows; columns in `numbers` are right-aligned."""
    cells = "".join(
        f'<th class="n">{text(head)}</th>' if i in numbers else f"<th>{text(head)}</th>"
        for i, head in enumerate(heads)
    )
    return f'<div class="table"><table class="stack"><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>'


def facts(values: Mapping[str, Any], *, prefix: str = "") -> str:
    """Return nested values as a table of two columns."""
    rows = "".join(
        f"<tr><td>{text(name)}</td><td>{text(value)}</td></tr>" for name, value in _flat(values, prefix)
    )
    return f'<div class="table"><table class="facts"><tbody>{rows}</tbody></table></div>'


def _flat(values: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            found.append((f"{prefix}{name}", ", ".join(_plain(item) for item in value) or DASH))
        else:
            found.append((f"{prefix}{name}", _plain(value)))
    return found


def _plain(value: object) -> str:
    if value is None:
        return DASH
    if isinstance(value, Mapping):
        return " ".join(f"{key} {_plain(item)}" for key, item in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
