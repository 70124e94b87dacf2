"""The page `report.html`: one file that opens offline, on a phone, in light and dark, and prints.

What stands in each section is in `sections` and `stream_sections`, how charts are drawn in `svg`. All text is
escaped, the policy in the head forbids every request, and nothing depends on the time of making.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from episode_assets.qc import sections, stream_sections
from episode_assets.qc.document import Judgement
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.pictures import SheetPicture
from episode_assets.qc.svg import text

_STYLE = Path(__file__).with_name("report.css")
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def render(
    e: Evidence, judgement: Judgement, content: Mapping[str, Any], pictures: Sequence[SheetPicture]
) -> str:
    """Return the page.

    Args:
        e: The evidence, for charts.
        judgement: What was decided.
        content: The content of `qc.json`; figures on the page are taken from it.
        pictures: Blurred pictures of the contact sheet.
    """
    images = [_data_uri(picture.jpeg) for picture in pictures]
    parts = [
        ("summary", "Summary", sections.summary(e, judgement, content, pictures, images)),
        ("timeline", "Timeline", sections.timeline(e, judgement)),
        ("findings", "Findings", sections.findings(e, judgement, content, pictures)),
        ("pictures", "Pictures", sections.contact_sheet(e, pictures, images)),
        ("video", "Video", stream_sections.video(e, content)),
        ("trajectory", "Trajectory", stream_sections.trajectory(e, content)),
        ("imu", "IMU", stream_sections.imu(e, content)),
        ("depth", "Depth", stream_sections.depth(e, content)),
        ("hands", "Hands", stream_sections.hands(e, content)),
        ("sync", "Sync", stream_sections.sync(e, judgement, content)),
        ("map", "3D map", stream_sections.mesh(content)),
        ("privacy", "Privacy", sections.privacy(content)),
        ("reference", "Reference", sections.reference(content)),
    ]
    links = "".join(f'<a href="#{id_}">{text(name)}</a>' for id_, name, _ in parts)
    body = "".join(
        f'<section id="{id_}">{"" if id_ == "summary" else f"<h2>{text(name)}</h2>"}{inner}</section>'
        for id_, name, inner in parts
    )
    title = f"{e.recording_id} · quality"
    style = _STYLE.read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{style}</style></head>"
        f"<body><nav>{links}</nav><main>{body}{sections.footer(content)}</main></body></html>\n"
    )


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
