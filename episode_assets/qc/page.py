"""The page `report.html`: one file that opens offline, on a phone, in light and dark, and prints.

What stands in each section is in `sections`, `finding_sections` and `stream_sections`, how charts are drawn in `svg`,
the frame around all of it in `shell`. Nothing depends on the time of making.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from episode_assets.qc import finding_sections, sections, stream_sections
from episode_assets.qc.document import Judgement
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.markup import text
from episode_assets.qc.pictures import Pictures
from episode_assets.qc.shell import page_around

_ZOOM_BAR = (
    '<div class="zoombar" role="toolbar" aria-label="time shown on the charts" hidden><span class="shown" '
    'aria-live="polite"></span><button type="button" data-do="earlier" aria-label="earlier">\u25c0</button>'
    '<button type="button" data-do="later" aria-label="later">\u25b6</button>'
    '<button type="button" data-do="in" aria-label="zoom in">+</button>'
    '<button type="button" data-do="out" aria-label="zoom out">\u2212</button>'
    '<button type="button" data-do="all">all</button></div>'
)


def render(e: Evidence, judgement: Judgement, content: Mapping[str, Any], pictures: Pictures) -> str:
    """Return the page.

    Args:
        e: The evidence, for charts.
        judgement: What was decided.
        content: The content of `qc.json`; figures on the page are taken from it.
        pictures: Blurred pictures of the contact sheet and at findings.
    """
    parts = [
        ("summary", "Summary", sections.summary(e, judgement, content, pictures.sheet)),
        ("timeline", "Timeline", sections.timeline(e, judgement)),
        ("findings", "Findings", finding_sections.findings(judgement, pictures)),
        ("pictures", "Pictures", finding_sections.contact_sheet(e, pictures)),
        ("video", "Video", stream_sections.video(e, judgement, content)),
        ("trajectory", "Trajectory", stream_sections.trajectory(e, judgement, content)),
        ("imu", "IMU", stream_sections.imu(e, judgement, content)),
        ("depth", "Depth", stream_sections.depth(e, judgement, content)),
        ("hands", "Hands", stream_sections.hands(e, judgement, content)),
        ("sync", "Sync", stream_sections.sync(e, judgement, content)),
        ("map", "3D map", stream_sections.mesh(content)),
        ("checks", "Checks", finding_sections.checks(judgement)),
        ("privacy", "Privacy", sections.privacy(content)),
        ("reference", "Reference", sections.reference(content)),
    ]
    body = "".join(
        f'<section id="{id_}" aria-label="{text(name)}">{"" if id_ == "summary" else f"<h2>{text(name)}</h2>"}{inner}'
        "</section>"
        for id_, name, inner in parts
    )
    return page_around(
        title=f"{e.recording_id} · quality",
        links=[(id_, name) for id_, name, _ in parts],
        body=body + sections.footer(content) + _ZOOM_BAR,
        styles=("report.css",),
        scripts=("shell.js", "report.js"),
    )
