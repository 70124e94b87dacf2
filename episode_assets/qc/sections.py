"""The sections of the page about the judgement: summary, timeline, findings, pictures, privacy, reference.

They show what `qc.json` holds and decide nothing; sections about single streams are in `stream_sections`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from episode_assets.qc.checks import Check, counted
from episode_assets.qc.document import Judgement
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.pictures import SheetPicture
from episode_assets.qc.ranges import Stamps
from episode_assets.qc.stream_checks import TRACKING_NORMAL
from episode_assets.qc.svg import Bar, clock, ring, text, time_axis, time_row
from episode_assets.qc.widgets import (
    DASH,
    MINUS,
    TIMES,
    VERDICT_CSS,
    Content,
    answers,
    facts,
    flag_row,
    show,
    table,
    tiles,
)

_MOST_FINDINGS = 120


def summary(
    e: Evidence,
    judgement: Judgement,
    content: Content,
    pictures: Sequence[SheetPicture],
    images: Sequence[str],
) -> str:
    """The verdict, the score and the figures that a reader wants first."""
    css = VERDICT_CSS[judgement.verdict]
    shown = next((image for picture, image in zip(pictures, images, strict=True) if not picture.reason), None)
    picture = f'<img class="picture" src="{shown}" alt="a face-blurred picture">' if shown else ""
    doubts = "".join(f"<li>{text(item)}</li>" for item in judgement.doubts[:8])
    more = len(judgement.doubts) - 8
    doubts += f"<li>and {more} more</li>" if more > 0 else ""
    why = f"<ul>{doubts}</ul>" if doubts else '<p class="soft">Nothing to object to.</p>'
    return (
        f'<div class="card top"><div class="{css}">{ring(judgement.score / 100, f"{judgement.score:.0f}", css)}</div>'
        f"<div><h1>{text(e.recording_id)}</h1><p><span class='badge {css}'>{text(judgement.verdict)}</span> "
        f'<span class="soft">score {judgement.score:g} of 100 · by Stera\'s formula '
        f"{content['score_stera']:g}</span></p>{why}</div>{picture}</div>{tiles(_headline(content))}"
        f"{_deductions(judgement)}"
    )


def _headline(content: Content) -> list[tuple[str, str]]:
    rgb, kept = content["metrics"]["rgb"], content["kept"]
    hands, depth, imu = (content["metrics"][name] for name in ("hands", "depth", "imu"))
    path = content["metrics"]["trajectory"]
    return [
        (clock(content["metrics"]["recording"]["duration_s"]), "duration"),
        (f"{rgb['video_frames']:,}", "frames"),
        (show(rgb["fps"], "Hz", 2), "frame rate"),
        (f"{rgb['width']} {TIMES} {rgb['height']}", "picture"),
        (
            clock(kept["seconds"]),
            f"kept: {100 * kept['share']:.0f} % in {counted(kept['intervals'], 'interval')}",
        ),
        (clock(kept["one_hand_seconds"]), "kept with a hand"),
        (clock(kept["two_hands_seconds"]), "kept with both hands"),
        (show(None if hands is None else hands["wearer_any_hand_pct"], "%", 0), "frames with a hand"),
        (show(None if depth is None else depth["valid_pct_mean"], "%", 0), "valid depth"),
        (show(None if imu is None else imu["effective_rate_hz"], "Hz", 0), "IMU rate"),
        (show(None if path is None else path["path_length_m"], "m", 1), "distance"),
        (show(content["metrics"]["recording"]["size_mb"], "MiB", 0), "recording"),
    ]


def _deductions(judgement: Judgement) -> str:
    if not judgement.deductions:
        return ""
    rows = "".join(
        f'<tr><td class="k">{text(item.reason)}</td><td class="n">{MINUS}{item.points:g}</td>'
        f'<td class="wide">{text(item.text)}</td></tr>'
        for item in sorted(judgement.deductions, key=lambda item: -item.points)
    )
    return f"<h3>Points lost</h3>{table(('reason', 'points', 'because'), rows, numbers=(1,))}"


def timeline(e: Evidence, judgement: Judgement) -> str:
    """What is kept, what was found, and which streams are live, all on one line of time."""
    span = max(e.t(e.stamps_ns[-1]), 1e-3)
    kept = [
        Bar(
            e.t(e.stamps_ns[item.first]),
            e.t(e.stamps_ns[item.last]),
            "good",
            f"frames {item.first} to {item.last}: {item.reason_before} … {item.reason_after}",
        )
        for item in judgement.kept
    ]
    rows = [time_row("kept", kept, span_s=span, note=counted(len(kept), "interval"))]
    found = [check for check in judgement.checks if check.status in ("warn", "fail") and check.ranges]
    rows.extend(_finding_row(e, check, span) for check in found)
    rows += ["<h3>Streams</h3>", *_coverage(e, span), time_axis(span)]
    return f'<div class="card">{"".join(rows)}</div>'


def _finding_row(e: Evidence, check: Check, span: float) -> str:
    css = "bad" if check.is_hard or check.status == "fail" else "warn"
    bars = [
        Bar(
            e.t(e.stamps_ns[item.first]),
            e.t(e.stamps_ns[item.last]),
            css,
            f"{check.id}: frames {item.first} to {item.last}",
        )
        for item in check.ranges[:400]
    ]
    return time_row(check.id.replace("_", " "), bars, span_s=span, note=f"{len(check.ranges)} {TIMES}")


def _coverage(e: Evidence, span: float) -> list[str]:
    streams: list[tuple[str, Stamps | None]] = [
        ("pictures", e.rgb_stamps_ns),
        ("depth", e.depth_stamps_ns),
        ("pose", None if e.pose is None else e.pose.stamp_ns),
        ("IMU", None if e.imu is None else e.imu.stamp_ns),
    ]
    rows = [_stream_row(e, name, stamps, span) for name, stamps in streams]
    if e.tracking is not None:
        normal = e.tracking.state == TRACKING_NORMAL
        rows.append(flag_row(e, "tracking normal", e.tracking.stamp_ns, normal, span, "good"))
    for name, hand in (("left hand", e.left), ("right hand", e.right)):
        rows.append(flag_row(e, name, e.stamps_ns, hand.valid, span, "c2"))
    if len(e.faces):
        has_box = np.zeros(len(e), np.bool_)
        has_box[e.faces.frame_index] = True
        rows.append(flag_row(e, "blurred faces", e.stamps_ns, has_box, span, "idle"))
    return rows


def _stream_row(e: Evidence, name: str, stamps: Stamps | None, span: float) -> str:
    if stamps is None or len(stamps) == 0:
        return time_row(name, [], span_s=span, note="absent")
    return flag_row(e, name, stamps, np.ones(len(stamps), np.bool_), span, "c1", count=len(stamps))


def findings(e: Evidence, judgement: Judgement, content: Content, pictures: Sequence[SheetPicture]) -> str:
    """All findings with their places, and all checks with what they answered."""
    del e
    shown = {picture.reason: picture.frame for picture in pictures if picture.reason}
    reasons = content["reasons"]
    rows = "".join(_finding(item, shown) for item in reasons[:_MOST_FINDINGS])
    heads = ("finding", "weight", "frames", "from", "to", "value", "what")
    listed = (
        table(heads, rows, numbers=(2, 3, 4, 5))
        if rows
        else '<p class="soft">No finding has a place in time.</p>'
    )
    hidden = content["reasons_total"] - min(len(reasons), _MOST_FINDINGS)
    more = f'<p class="soft">{hidden} more are in qc.json or left out there.</p>' if hidden > 0 else ""
    order = {"fail": 0, "warn": 1, "not_run": 2, "not_applicable": 3}
    odd = sorted(
        (check for check in judgement.checks if check.status in order), key=lambda c: order[c.status]
    )
    fine = [check for check in judgement.checks if check.status not in order]
    columns = ("check", "answer", "detail")
    open_ = f"<h3>Checks to look at</h3>{table(columns, answers(odd))}" if odd else ""
    passed = f"<summary>{counted(len(fine), 'check')} passed</summary>"
    return f"{listed}{more}{open_}<details>{passed}{table(columns, answers(fine))}</details>"


def _finding(item: Mapping[str, Any], shown: Mapping[str, int]) -> str:
    css = "bad" if item["severity"] == "hard" else "warn"
    id_ = text(item["id"])
    frame = shown.get(item["id"])
    name = f'<a href="#f{frame}">{id_}</a>' if frame is not None else id_
    value = "" if item["value"] is None else f"{item['value']:g}"
    return (
        f'<tr><td class="k">{name}</td><td><span class="badge {css}">{text(item["severity"])}</span></td>'
        f'<td class="n">{item["frame_start"]}{DASH}{item["frame_end"]}</td><td class="n">{clock(item["t_start"])}</td>'
        f'<td class="n">{clock(item["t_end"])}</td><td class="n">{text(value)}</td>'
        f'<td class="wide">{text(item["text"])}</td></tr>'
    )


def contact_sheet(e: Evidence, pictures: Sequence[SheetPicture], images: Sequence[str]) -> str:
    """A few pictures of the blurred video: one per finding, the rest evenly spread."""
    if not pictures:
        return '<p class="soft">No pictures were asked for.</p>'
    shots = "".join(
        f'<div class="shot" id="f{picture.frame}"><img src="{image}" width="{picture.width}" '
        f'height="{picture.height}" alt="frame {picture.frame}" loading="lazy">frame {picture.frame} · '
        f"{clock(e.t(e.stamps_ns[picture.frame]))}"
        f"{f' · <b>{text(picture.reason)}</b>' if picture.reason else ''}</div>"
        for picture, image in zip(pictures, images, strict=True)
    )
    return f'<div class="sheet">{shots}</div>'


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
        f'{tiles(cells)}<div class="card"><p>{text(block["risk"])}</p><p>Not removed: {text(kept)}.</p>'
        f"<details><summary>The audit in full</summary>{facts(block['verdict'])}</details></div>"
    )


def reference(content: Content) -> str:
    """All figures, the configuration and the versions, folded."""
    names = {
        "recording": "Recording",
        "rgb": "Pictures",
        "depth": "Depth",
        "trajectory": "Trajectory",
        "imu": "IMU",
        "tracking_state": "Tracking",
        "tf": "Transforms",
        "sync": "Sync",
        "hands": "Hands",
    }
    folded = "".join(
        f"<details><summary>{text(title)}</summary>{facts(content['metrics'][key])}</details>"
        for key, title in names.items()
        if content["metrics"][key]
    )
    settings = f"<details><summary>Configuration</summary>{facts(content['config'])}</details>"
    return f'<div class="card">{folded}{settings}</div>'


def footer(content: Content) -> str:
    """What made the page, from what."""
    return (
        f"<footer>episode-assets {text(content['code_version'])} · {text(content['schema'])} "
        f"{content['schema_version']} · configuration {text(content['config_hash'][:12])} · recording "
        f"{text((content['source_sha256'] or 'unknown')[:12])} · pictures on this page are face-blurred</footer>"
    )
