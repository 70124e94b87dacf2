"""The sections of the page about findings: their table with pictures and advice, all checks, and the contact sheet.

Every row carries the number that the marks on the charts lead to, and a link that leads to the chart.
"""

from __future__ import annotations

from collections.abc import Sequence

from episode_assets.qc.checks import Check, counted
from episode_assets.qc.document import Judgement
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.findings import Finding
from episode_assets.qc.marks import css_of, section_of, shown_findings
from episode_assets.qc.markup import DASH, MINUS, text
from episode_assets.qc.pictures import Pictures, SheetPicture
from episode_assets.qc.svg import clock
from episode_assets.qc.widgets import answers, badge, show, spoken, table

_OPEN = "Checks to look at"
_FOLDS = {
    _OPEN: ("fail", "warn", "not_run"),
    "had nothing to judge": ("not_applicable",),
    "passed": ("pass",),
}
_ORDER = {"fail": 0, "warn": 1, "not_run": 2}
_CHECK_HEADS = ("check", "answer", "detail")
_HEADS = ("picture", "finding", "weight", "time", "frames", "value", "what it is and what to do", "points")


def findings(judgement: Judgement, pictures: Pictures) -> str:
    """All findings with picture, place, value against threshold, advice and the points they cost."""
    shown = shown_findings(judgement)
    if not shown:
        return '<p class="card soft">Nothing was found that a reader would have to look at.</p>'
    rows = "".join(_row(number, item, pictures.of(item)) for number, item in enumerate(shown))
    caption = f"{counted(len(judgement.findings), 'finding')}, those that cut something out first"
    hidden = len(judgement.findings) - len(shown)
    more = (
        f'<p class="soft">{hidden:,} more of the same kinds are left out here; their stretches are on the timeline.</p>'
        if hidden
        else ""
    )
    listed = table(caption, _HEADS, rows, numbers=(4, 5, 7)).replace("<table>", '<table class="findings">', 1)
    return listed + more


def checks(judgement: Judgement) -> str:
    """All checks with what they answered; those that passed or had nothing to judge are folded."""
    by_answer = {
        word: [item for item in judgement.checks if item.status in words] for word, words in _FOLDS.items()
    }
    looked_at = sorted(by_answer.pop(_OPEN), key=lambda item: _ORDER[item.status])
    shown = table(_OPEN, _CHECK_HEADS, answers(looked_at)) if looked_at else ""
    return shown + "".join(_fold(word, items) for word, items in by_answer.items() if items)


def _fold(word: str, items: Sequence[Check]) -> str:
    caption = f"{counted(len(items), 'check')} {word}"
    listed = table(caption, _CHECK_HEADS, answers(items))
    return f"<details><summary>{text(caption)}</summary>{listed}</details>"


def contact_sheet(e: Evidence, pictures: Pictures) -> str:
    """A few pictures of the blurred video: one per kind of finding, the rest evenly spread."""
    if not pictures.sheet:
        return '<p class="card soft">No pictures were asked for.</p>'
    shots = "".join(_shot(e, picture) for picture in pictures.sheet)
    return f'<div class="sheet">{shots}</div>'


def _row(number: int, item: Finding, picture: SheetPicture | None) -> str:
    css = css_of(item)
    weight = "cuts" if item.severity == "hard" else item.status
    advice = f'<p class="advice">{text(item.advice)}</p>' if item.advice else ""
    return (
        f'<tr id="finding-{number}" tabindex="-1"><td class="p">{_picture(item, picture)}</td>'
        f'<th scope="row">{text(spoken(item.kind))}<small>{text(item.stream)}</small></th>'
        f"<td>{badge(weight, css)}</td><td>{_time(number, item)}</td><td class=n>{_frames(item)}</td>"
        f'<td class=n>{_value(item)}</td><td class="wide">{text(_sentence(item))}{advice}</td>'
        f"<td class=n>{_points(item.points_lost)}</td></tr>"
    )


def _picture(item: Finding, picture: SheetPicture | None) -> str:
    if picture is None:
        return ""
    return (
        f'<img src="{picture.data_uri}" width="{picture.width}" height="{picture.height}" loading="lazy" '
        f'alt="frame {picture.frame}, {text(spoken(item.kind))}">'
    )


def _time(number: int, item: Finding) -> str:
    section = section_of(item)
    if item.t_start is None or item.t_end is None:
        return f'<a href="#{section}">whole recording</a>'
    words = (
        clock(item.t_start)
        if item.t_end <= item.t_start
        else f"{clock(item.t_start)} {DASH} {clock(item.t_end)}"
    )
    return (
        f'<a class="show" href="#{section}" data-start="{item.t_start:.6g}" data-end="{item.t_end:.6g}" '
        f'data-finding="{number}" title="show on the charts">{text(words)}</a>'
    )


def _frames(item: Finding) -> str:
    if item.first is None or item.last is None:
        return DASH
    return f"{item.first:,}" if item.first == item.last else f"{item.first:,}{DASH}{item.last:,}"


def _value(item: Finding) -> str:
    if item.value is None:
        return DASH
    limit = "" if item.threshold is None else f"<small>limit {text(_number(item.threshold))}</small>"
    return f"{text(show(_number(item.value), '', 0))} {text(item.unit)}{limit}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _points(points: float) -> str:
    return f"{MINUS}{points:.2f}" if points >= 0.005 else DASH


def _sentence(item: Finding) -> str:
    return item.text[:1].upper() + item.text[1:]


def _shot(e: Evidence, picture: SheetPicture) -> str:
    t = e.t(e.stamps_ns[picture.frame])
    kind = f" {badge(picture.reason, 'warn')}" if picture.reason else ""
    return (
        f'<figure class="shot"><img src="{picture.data_uri}" width="{picture.width}" height="{picture.height}" '
        f'alt="face-blurred frame {picture.frame}" loading="lazy"><figcaption><span>frame {picture.frame:,}, '
        f'<a class="show" href="#timeline" data-start="{t:.6g}" data-end="{t:.6g}">{text(clock(t))}</a>{kind}</span>'
        "</figcaption></figure>"
    )
