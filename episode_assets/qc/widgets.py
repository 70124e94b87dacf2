"""Small pieces of the page that all sections share: tiles, badges, tables, folded facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from episode_assets.qc.checks import Check
from episode_assets.qc.markup import DASH, text

Content = Mapping[str, Any]
Figure = tuple[str, str, str, int]
"""Key in a metric block, label, unit, decimal places."""
Tile = tuple[str, str, str]
"""Value, label, colour class or an empty string."""

VERDICT_CSS = {"pass": "good", "review": "warn", "fail": "bad"}
STATUS_CSS = {"pass": "good", "warn": "warn", "fail": "bad", "not_applicable": "idle", "not_run": "idle"}
_SIGNS = {"good": "\u2713", "warn": "!", "bad": "\u2715", "idle": "\u2013"}


def badge(word: str, css: str) -> str:
    """Return a word in a coloured frame, with a sign for those who do not see the colour."""
    return f'<span class="badge {css}"><i aria-hidden="true">{_SIGNS[css]}</i>{text(spoken(word))}</span>'


def spoken(name: str) -> str:
    """Return an id as words."""
    return name.replace("_", " ")


def answers(checks: Sequence[Check]) -> str:
    """Return checks as rows of a table."""
    return "".join(
        f'<tr><th scope="row">{text(spoken(check.id))}</th><td>{badge(check.status, STATUS_CSS[check.status])}</td>'
        f'<td class="wide">{text(check.detail)}</td></tr>'
        for check in checks
    )


def figures(
    block: Mapping[str, Any],
    which: Sequence[Figure],
    *,
    limits: Mapping[str, Sequence[float]] | None = None,
) -> list[Tile]:
    """Return the named numbers of a metric block as tiles; one that the block lacks is left out.

    Those with (good, ok) in `limits` are coloured by them.
    """
    known = limits or {}
    return [
        (show(block[key], unit, digits), label, grade(block[key], known.get(key)))
        for key, label, unit, digits in which
        if key in block
    ]


def grade(value: float | None, limits: Sequence[float] | None) -> str:
    """Return the colour class of a number by its limits (good, ok); none where either is unknown."""
    if value is None or limits is None:
        return ""
    good, ok = limits
    return "good" if value >= good else "warn" if value >= ok else "bad"


def show(value: object, unit: str, digits: int) -> str:
    """Return a value with its unit, a dash where there is none."""
    if value is None or value == "":
        return DASH
    if isinstance(value, str):
        return value
    shown = f"{value:,.{digits}f}" if isinstance(value, int | float) else str(value)
    return f"{shown} {unit}".strip()


def tiles(items: Sequence[tuple[str, str] | Tile]) -> str:
    """Return figures as a grid of (value, label) or (value, label, colour class)."""
    return f'<dl class="tiles">{"".join(_tile(*item) for item in items)}</dl>'


def _tile(value: str, label: str, css: str = "") -> str:
    marked = f' class="{css}"' if css else ""
    sign = f'<i aria-hidden="true">{_SIGNS[css]}</i> ' if css else ""
    return f"<div><dd{marked}>{sign}{text(value)}</dd><dt>{text(label)}</dt></div>"


def charts(drawn: Sequence[str]) -> str:
    """Return charts as a grid."""
    return f'<div class="charts">{"".join(drawn)}</div>'


def absent_note(words: str) -> str:
    """Return the note of a section that has nothing to show."""
    return f'<p class="card soft">{text(words)}</p>'


def table(caption: str, heads: Sequence[str], rows: str, *, numbers: Sequence[int] = ()) -> str:
    """Return a table from escaped rows; columns in `numbers` are right-aligned. It scrolls in a frame of its own."""
    cells = "".join(
        f'<th scope="col"{" class=n" if i in numbers else ""}>{text(head)}</th>'
        for i, head in enumerate(heads)
    )
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{text(caption)}"><table><caption>{text(caption)}'
        f"</caption><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def facts(values: Mapping[str, Any], *, prefix: str = "") -> str:
    """Return nested values as a table of two columns."""
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>'
        for name, value in _flat(values, prefix)
    )
    return f'<div class="table"><table class="facts"><tbody>{rows}</tbody></table></div>'


def _flat(values: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            found += [(f"{prefix}{name} {place}", _plain(item)) for place, item in enumerate(value, start=1)]
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
