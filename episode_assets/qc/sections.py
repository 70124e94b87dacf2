"""The sections of the page about the judgement as a whole: summary, timeline, privacy, reference.

They show what `qc.json` holds and decide nothing; findings are in `finding_sections`, single streams in
`stream_sections`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from episode_assets.qc.checks import counted
from episode_assets.qc.document import Judgement
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.findings import Finding
from episode_assets.qc.marks import css_of, shown_findings
from episode_assets.qc.markup import MINUS, TIMES, text
from episode_assets.qc.pictures import SheetPicture
from episode_assets.qc.ranges import Stamps
from episode_assets.qc.svg import clock, ring
from episode_assets.qc.timeline_rows import Bar, flag_row, span_of, time_axis, time_row
from episode_assets.qc.tracking_checks import TRACKING_NORMAL
from episode_assets.qc.widgets import VERDICT_CSS, Content, badge, facts, grade, show, spoken, table, tiles

_MOST_DOUBTS = 6
_MOST_INTERVALS = 60
_REFERENCE = {
    "recording": "Recording",
    "rgb": "Pictures",
    "depth": "Depth",
    "trajectory": "Trajectory",
    "imu": "IMU",
    "tracking_state": "Tracking",
    "tf": "Transforms",
    "sync": "Sync",
    "hands": "Hands",
    "mesh": "Mesh",
    "point_cloud": "Point cloud",
}


def summary(e: Evidence, judgement: Judgement, content: Content, sheet: Sequence[SheetPicture]) -> str:
    """The verdict, the score and the figures that a reader wants first."""
    css = VERDICT_CSS[judgement.verdict]
    health = grade(judgement.score, content["config"]["health_thresholds"])
    words = f"score {judgement.score:g} of 100, verdict {judgement.verdict}"
    score_ring = ring(judgement.score / 100, f"{judgement.score:.0f}", css, words)
    shown = next((picture for picture in sheet if not picture.reason), None)
    picture = f'<img class="picture" src="{shown.data_uri}" alt="a face-blurred frame">' if shown else ""
    publishable = (
        badge("may be published", "good") if judgement.publishable else badge("not for datasets", "bad")
    )
    return (
        f'<div class="card top"><div class="{css}">{score_ring}</div><div class="who"><h1><bdi>{text(e.recording_id)}'
        f"</bdi></h1><p>{badge(judgement.verdict, css)} {publishable}</p>"
        f'<p class="soft">Score <b class="{health}">{judgement.score:g}</b> of 100. By Stera\'s formula it would be '
        f"{content['score_stera']:g}.</p>{_doubts(judgement)}</div>{picture}</div>"
        f'<div class="card">{_kept_row(e, judgement)}{time_axis(span_of(e))}</div>{tiles(_headline(content))}'
        f"{_breakdown(judgement)}"
    )


def _doubts(judgement: Judgement) -> str:
    if not judgement.doubts:
        return "<p>Nothing to object to.</p>"
    listed = "".join(f"<li>{text(item)}</li>" for item in judgement.doubts[:_MOST_DOUBTS])
    more = len(judgement.doubts) - _MOST_DOUBTS
    return f"<ul>{listed}{f'<li>and {more} more, see the checks</li>' if more > 0 else ''}</ul>"


def _headline(content: Content) -> list[tuple[str, str]]:
    rgb, kept = content["metrics"]["rgb"], content["kept"]
    hands, depth, imu = (content["metrics"][name] for name in ("hands", "depth", "imu"))
    path = content["metrics"]["trajectory"]
    return [
        (clock(content["metrics"]["recording"]["duration_s"]), "duration"),
        (f"{rgb['video_frames']:,}", "frames"),
        (show(rgb["fps"], "Hz", 2), "frame rate"),
        (f"{rgb['width']} {TIMES} {rgb['height']}", "picture"),
        (clock(kept["seconds"]), f"kept, {100 * kept['share']:.0f} % of all"),
        (clock(kept["one_hand_seconds"]), "kept with a hand"),
        (clock(kept["two_hands_seconds"]), "kept with both hands"),
        (show(None if hands is None else hands["wearer_any_hand_pct"], "%", 0), "frames with a hand"),
        (show(None if depth is None else depth["valid_pct_mean"], "%", 0), "valid depth"),
        (show(None if imu is None else imu["effective_rate_hz"], "Hz", 0), "IMU rate"),
        (show(None if path is None else path["path_length_m"], "m", 1), "distance"),
        (show(content["metrics"]["recording"]["size_mb"], "MiB", 0), "recording"),
    ]


def _breakdown(judgement: Judgement) -> str:
    """The score as a bar that every deduction takes a piece from, and the pieces as a table."""
    if not judgement.deductions:
        return '<p class="soft">No points were lost.</p>'
    lost = sorted(judgement.deductions, key=lambda item: -item.points)
    pieces = [("good", judgement.score, "left"), *(("bad", item.points, item.reason) for item in lost)]
    total = sum(points for _, points, _ in pieces)
    at, drawn = 0.0, ""
    for css, points, name in pieces:
        width = 1000 * points / total
        hint = f"{spoken(name)}: {points:g} points"
        drawn += (
            f'<rect class="fill {css}" x="{at:.1f}" y="0" width="{max(width - 2, 1):.1f}" height="20">'
            f"<title>{text(hint)}</title></rect>"
        )
        at += width
    rows = "".join(
        f'<tr><th scope="row">{text(spoken(item.reason))}</th><td class=n>{MINUS}{item.points:g}</td>'
        f'<td class="wide">{text(item.text)}</td></tr>'
        for item in lost
    )
    bar = (
        f'<svg class="bars" viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" '
        f'aria-label="{judgement.score:g} of 100 points are left">{drawn}</svg>'
    )
    listed = table("Points lost", ("reason", "points", "because"), rows, numbers=(1,))
    return f"<h3>Where the points went</h3>{bar}{listed}"


def timeline(e: Evidence, judgement: Judgement) -> str:
    """What is kept, what was found, and which streams are live, all on one line of time."""
    rows = [_kept_row(e, judgement), *_finding_rows(e, judgement)]
    rows += ["<h3>Streams</h3>", *_coverage(e), time_axis(span_of(e))]
    return f'<div class="card">{"".join(rows)}{_kept_table(e, judgement)}</div>'


def _kept_table(e: Evidence, judgement: Judgement) -> str:
    """The kept intervals with what ends them, folded."""
    rows = "".join(
        f"<tr><td class=n>{item.first:,}</td><td class=n>{item.last:,}</td><td class=n>"
        f"{text(clock(e.t(e.stamps_ns[item.first])))}</td><td class=n>{text(clock(e.t(e.stamps_ns[item.last])))}</td>"
        f"<td>{text(spoken(item.reason_before))}</td><td>{text(spoken(item.reason_after))}</td></tr>"
        for item in judgement.kept[:_MOST_INTERVALS]
    )
    if not rows:
        return ""
    heads = ("first frame", "last frame", "from", "to", "begins after", "ends before")
    count = counted(len(judgement.kept), "kept interval")
    shown = f", the first {_MOST_INTERVALS} of {count}" if len(judgement.kept) > _MOST_INTERVALS else ""
    caption = f"Kept intervals, from which datasets are cut{shown}"
    listed = table(caption, heads, rows, numbers=(0, 1, 2, 3))
    return f"<details><summary>{count}</summary>{listed}</details>"


def _kept_row(e: Evidence, judgement: Judgement) -> str:
    bars = [
        Bar(
            e.t(e.stamps_ns[item.first]),
            e.t(e.stamps_ns[item.last]),
            "good",
            f"kept: frames {item.first} to {item.last}, between {spoken(item.reason_before)} and "
            f"{spoken(item.reason_after)}",
        )
        for item in judgement.kept
    ]
    return time_row("kept", bars, span_s=span_of(e), note=counted(len(bars), "interval"))


def _finding_rows(e: Evidence, judgement: Judgement) -> list[str]:
    """One row per kind of finding; bars of findings that have a row in the table lead there."""
    numbers = {id(finding): number for number, finding in enumerate(shown_findings(judgement))}
    by_kind: dict[str, list[Finding]] = {}
    for finding in judgement.findings:
        if finding.has_place:
            by_kind.setdefault(finding.kind, []).append(finding)
    rows = []
    for kind, found in by_kind.items():
        bars = [_finding_bar(item, numbers.get(id(item))) for item in found]
        rows.append(time_row(spoken(kind), bars, span_s=span_of(e), note=f"{len(found):,} {TIMES}"))
    return rows


def _finding_bar(item: Finding, number: int | None) -> Bar:
    hint = f"{spoken(item.kind)}: frames {item.first} to {item.last}"
    link = "" if number is None else f"#finding-{number}"
    return Bar(max(item.t_start or 0.0, 0.0), item.t_end or 0.0, css_of(item), hint, link)


def _coverage(e: Evidence) -> list[str]:
    streams: list[tuple[str, Stamps | None]] = [
        ("pictures", e.rgb_stamps_ns),
        ("depth", e.depth_stamps_ns),
        ("pose", None if e.pose is None else e.pose.stamp_ns),
        ("IMU", None if e.imu is None else e.imu.stamp_ns),
    ]
    rows = [_stream_row(e, name, stamps) for name, stamps in streams]
    if e.tracking is not None:
        normal = e.tracking.state == TRACKING_NORMAL
        rows.append(flag_row(e, "tracking normal", e.tracking.stamp_ns, normal, "good"))
    for name, hand in (("left hand", e.left), ("right hand", e.right)):
        rows.append(flag_row(e, name, e.stamps_ns, hand.valid, "c2"))
    if len(e.faces):
        has_box = np.zeros(len(e), np.bool_)
        has_box[e.faces.frame_index] = True
        rows.append(flag_row(e, "blurred faces", e.stamps_ns, has_box, "idle"))
    return rows


def _stream_row(e: Evidence, name: str, stamps: Stamps | None) -> str:
    if stamps is None or len(stamps) == 0:
        return time_row(name, [], span_s=span_of(e), note="absent")
    return flag_row(e, name, stamps, np.ones(len(stamps), np.bool_), "c1", count=len(stamps))


def privacy(content: Content) -> str:
    """The audit's verdict, repeated, and what is not removed."""
    block = content["privacy"]
    cells = [
        (str(block["audit"]), "audit of the blurred video"),
        (f"{block['boxes']:,}", "blurred boxes"),
        (f"{block['tracks']:,}", "tracks"),
        (f"{100 * block['frames_with_boxes_share']:.0f} %", "frames with a box"),
        (show(block["box_side_px_median"], "px", 0), "median box side"),
        (str(block["depth_hole_frames"] or 0), "depth frames with holes"),
    ]
    kept = ", ".join(str(item) for item in block["not_removed"])
    return (
        f'{tiles(cells)}<div class="card"><p>{text(block["risk"])}</p><p>Faces are blurred; this is not removed: '
        f"{text(kept)}.</p><details><summary>The audit in full</summary>{facts(block['verdict'])}</details></div>"
    )


def reference(content: Content) -> str:
    """All figures, the configuration and the versions, folded."""
    metrics = content["metrics"]
    folded = "".join(
        f"<details><summary>{text(title)}</summary>{facts(metrics[key])}</details>"
        for key, title in _REFERENCE.items()
        if metrics.get(key)
    )
    settings = f"<details><summary>Configuration</summary>{facts(content['config'])}</details>"
    versions = {
        "schema": f"{content['schema']} {content['schema_version']}",
        "made by": f"episode-assets {content['code_version']}",
        "digest of the configuration": content["config_hash"],
        "digest of the recording": content["source_sha256"] or "unknown",
        "digest of the numbers taken before blurring": content["signals"]["sha256"],
    }
    made = f"<details><summary>Versions and digests</summary>{facts(versions)}</details>"
    return f'<div class="card">{folded}{settings}{made}</div>'


def footer(content: Content) -> str:
    """What made the page, from what."""
    return (
        f"<footer>episode-assets {text(content['code_version'])} · configuration {text(content['config_hash'][:12])} · "
        f"recording {text((content['source_sha256'] or 'unknown')[:12])} · all pictures on this page are face-blurred"
        "</footer>"
    )
