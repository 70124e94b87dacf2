"""The page over all recordings: totals, one sortable and filterable row per recording, duplicates, and what is missing.

It is one file. Pictures are inside as long as they fit; rows grow with the archive, by less than two kilobytes each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from episode_assets.qc.archive import Archive, Listed, Totals, Unreported, day_of
from episode_assets.qc.archive_entry import ArchiveEntry
from episode_assets.qc.checks import counted
from episode_assets.qc.duplicates import METHODS, Duplicate
from episode_assets.qc.markup import DASH, TIMES, text
from episode_assets.qc.shell import page_around
from episode_assets.qc.svg import clock
from episode_assets.qc.widgets import VERDICT_CSS, absent_note, badge, spoken, table, tiles

MOST_PICTURE_BYTES = 3_500_000
_MOST_KINDS_SHOWN = 4
_LONGEST_TASK = 90
_STATE_CSS = {"quarantined": "bad", "failed": "bad", "damaged": "bad", "unfinished": "idle"}
_HEADS = (
    ("", ""),
    ("recording", "text"),
    ("verdict", "points"),
    ("score", "number"),
    ("recorded", "number"),
    ("kept", "number"),
    ("a hand", "number"),
    ("two hands", "number"),
    ("findings", "points"),
    ("day", "text"),
)
_RANK = {"fail": 0, "review": 1, "pass": 2}


def render_archive(archive: Archive, reports: Mapping[str, str]) -> str:
    """Return the page; `reports` are relative addresses of reports by recording."""
    parts = [
        ("summary", "Summary", _summary(archive)),
        ("time", "Over time", _over_time(archive)),
        ("recordings", "Recordings", _recordings(archive, reports)),
        ("duplicates", "Near-duplicates", _duplicates(archive)),
        ("missing", "Without a report", _missing(archive.unreported)),
    ]
    body = "".join(
        f'<section id="{id_}" aria-label="{text(name)}"><h2>{text(name)}</h2>{inner}</section>'
        for id_, name, inner in parts
    )
    heading = f"<h1>{counted(archive.totals.recordings + len(archive.unreported), 'recording')}</h1>"
    return page_around(
        title="archive · quality",
        links=[(id_, name) for id_, name, _ in parts],
        body=heading + body + "<footer>all pictures on this page are face-blurred</footer>",
        styles=("report.css", "archive.css"),
        scripts=("shell.js", "archive.js"),
    )


def _summary(archive: Archive) -> str:
    totals = archive.totals
    cells = [
        (f"{totals.recordings:,}", "with a report"),
        (f"{len(archive.unreported):,}", "without a report"),
        (_hours(totals.recorded_h), "recorded"),
        (_hours(totals.kept_h), "valid: kept"),
        (_hours(totals.one_hand_h), "valid with a hand"),
        (_hours(totals.two_hands_h), "valid with both hands"),
        *((f"{count:,}", f"verdict {word}") for word, count in archive.verdicts.items()),
        (
            f"{'more than ' if archive.has_more_duplicates else ''}{len(archive.duplicates):,}",
            "pairs of near-duplicates",
        ),
        (_bytes(totals.size_bytes), "size of the recordings"),
    ]
    return tiles(cells)


def _over_time(archive: Archive) -> str:
    undated = f"{counted(archive.undated, 'recording')} without a wall clock {'is' if archive.undated == 1 else 'are'}"
    note = f'<p class="soft">{undated} left out here. Days are in UTC.</p>' if archive.undated else ""
    if not archive.over_time:
        return absent_note("No recording has a wall clock.")
    most = max(totals.recorded_h for totals in archive.over_time.values()) or 1.0
    rows = "".join(_period(name, totals, most) for name, totals in archive.over_time.items())
    heads = ("when", "", "recordings", "recorded", "kept", "a hand", "two hands")
    return (
        table(
            "Hours by time of recording; the bar shows recorded and kept",
            heads,
            rows,
            numbers=(2, 3, 4, 5, 6),
        )
        + note
    )


def _period(name: str, totals: Totals, most: float) -> str:
    recorded, kept = 100 * totals.recorded_h / most, 100 * totals.kept_h / most
    bar = (
        '<svg class="hours" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="fill idle" width="{recorded:.2f}" height="10"/>'
        f'<rect class="fill good" width="{kept:.2f}" height="10"/></svg>'
    )
    hours = (totals.recorded_h, totals.kept_h, totals.one_hand_h, totals.two_hands_h)
    cells = "".join(f"<td class=n>{_hours(value)}</td>" for value in hours)
    return f'<tr><th scope="row">{text(name)}</th><td>{bar}</td><td class=n>{totals.recordings:,}</td>{cells}</tr>'


def _recordings(archive: Archive, reports: Mapping[str, str]) -> str:
    if not archive.listed:
        return absent_note("No recording has a report yet.")
    twins = _twins(archive.duplicates)
    left = MOST_PICTURE_BYTES
    rows = []
    for place, item in enumerate(archive.listed):
        picture = item.entry.picture if item.shows_picture and len(item.entry.picture) <= left else ""
        left -= len(picture)
        rows.append(_row(place, item, picture, reports.get(item.entry.recording_id), twins))
    heads = "".join(_head(name, kind) for name, kind in _HEADS)
    return (
        f'{_controls(archive)}<div class="table" tabindex="0" role="region" aria-label="recordings">'
        f'<table class="recordings"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _head(name: str, kind: str) -> str:
    css = " class=n" if kind == "number" else ""
    kind_of = f' data-kind="{kind}"' if kind else ""
    return f'<th scope="col"{css}{kind_of}>{text(name) or "<span class=unseen>picture</span>"}</th>'


def _controls(archive: Archive) -> str:
    kinds = sorted({found.kind for item in archive.listed for found in item.entry.found})
    options = "".join(f'<option value="{text(kind)}">{text(spoken(kind))}</option>' for kind in kinds)
    verdicts = "".join(f'<option value="{word}">{word}</option>' for word in archive.verdicts)
    return (
        '<form class="controls" hidden><label>Search<input type="search" name="words" placeholder="id, task, finding">'
        f'</label><label>Verdict<select name="verdict"><option value="">all</option>{verdicts}</select></label>'
        f'<label>Finding<select name="kind"><option value="">any</option>{options}</select></label>'
        '<label class="tick-box"><input type="checkbox" name="twin"> near-duplicates only</label>'
        '<output aria-live="polite"></output></form>'
    )


def _row(
    place: int, item: Listed, picture: str, report: str | None, twins: Mapping[str, Sequence[str]]
) -> str:
    entry = item.entry
    kinds = " ".join(found.kind for found in entry.found)
    twin = ' data-twin="1"' if entry.recording_id in twins else ""
    hours = (entry.duration_s, entry.kept_s, entry.one_hand_s, entry.two_hands_s)
    times = "".join(f'<td class=n data-v="{value:.6g}">{text(clock(value))}</td>' for value in hours)
    points = sum(found.points for found in entry.found)
    day = "" if entry.start_ns is None else day_of(entry.start_ns)
    verdict = badge(entry.verdict, VERDICT_CSS.get(entry.verdict, "idle"))
    return (
        f'<tr id="r{place}" data-verdict="{text(entry.verdict)}" data-kinds="{text(kinds)}"{twin}>'
        f'<td class="p">{_image(entry, picture)}</td><th scope="row" data-v="{text(entry.recording_id)}">'
        f"{_name(item, report)}</th>"
        f'<td data-v="{_RANK.get(entry.verdict, 0)}">{verdict}</td>'
        f'<td class=n data-v="{entry.score:g}">{entry.score:.1f}</td>{times}'
        f'<td class="found" data-v="{points:.6g}">{_found(entry)}</td>'
        f'<td data-v="{day}">{day or DASH}</td></tr>'
    )


def _image(entry: ArchiveEntry, picture: str) -> str:
    if not picture:
        return ""
    width, height = entry.picture_px
    return (
        f'<img src="data:image/jpeg;base64,{picture}" width="{width}" height="{height}" loading="lazy" '
        f'alt="a face-blurred frame">'
    )


def _name(item: Listed, report: str | None) -> str:
    name = f"<bdi>{text(item.entry.recording_id)}</bdi>"
    linked = f'<a href="{text(report, longest=2000)}">{name}</a>' if report else name
    task = f"<small><bdi>{text(item.task, longest=_LONGEST_TASK)}</bdi></small>" if item.task else ""
    pending = "<small>what is to be hidden has changed; run it again</small>" if item.is_hidden else ""
    held = (
        f"<small><bdi>{badge('quarantined', 'bad')} {text(item.quarantined)}</bdi></small>"
        if item.quarantined
        else ""
    )
    return linked + task + pending + held


def _found(entry: ArchiveEntry) -> str:
    if not entry.found:
        return DASH
    shown = ", ".join(
        text(spoken(found.kind)) + (f" {TIMES}{found.count}" if found.count > 1 else "")
        for found in entry.found[:_MOST_KINDS_SHOWN]
    )
    more = len(entry.found) - _MOST_KINDS_SHOWN
    return shown + (f" and {more} more" if more > 0 else "")


def _twins(duplicates: Sequence[Duplicate]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in duplicates:
        found.setdefault(item.first, []).append(item.second)
        found.setdefault(item.second, []).append(item.first)
    return found


def _duplicates(archive: Archive) -> str:
    duplicates = archive.duplicates
    used = {item.method for item in duplicates}
    method_rows = "".join(
        f'<tr><th scope="row">{text(name)}</th><td class="wide">{text(words)}</td></tr>'
        for name, words in METHODS.items()
    )
    how = (
        "<details><summary>How they are found, and what is missed</summary>"
        f'<div class="table"><table class="facts"><tbody>{method_rows}</tbody></table></div></details>'
    )
    if not used:
        return absent_note("No two recordings seem to hold the same.") + how
    rows = "".join(
        f'<tr><th scope="row"><bdi>{text(item.first)}</bdi></th><td><bdi>{text(item.second)}</bdi></td>'
        f"<td>{text(item.method)}</td><td class=n>{100 * item.share:.0f} %</td></tr>"
        for item in duplicates
    )
    heads = ("recording", "and", "seen by", "share")
    caption = counted(len(duplicates), "pair")
    if archive.has_more_duplicates:
        caption = f"the surest {caption} of more"
    return table(caption, heads, rows, numbers=(3,)) + how


def _missing(unreported: Sequence[Unreported]) -> str:
    if not unreported:
        return absent_note("Every recording has a report.")
    rows = "".join(
        f'<tr><th scope="row"><bdi>{text(item.recording_id)}</bdi></th><td>{badge(item.state, _STATE_CSS[item.state])}'
        f'</td><td class="wide"><bdi>{text(item.reason)}</bdi></td></tr>'
        for item in unreported
    )
    return table("Recordings that cannot be shown, and why", ("recording", "state", "why"), rows)


def _hours(hours: float) -> str:
    return f"{hours:,.1f} h" if hours >= 10 else f"{hours:.2f} h"


def _bytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"
