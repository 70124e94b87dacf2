"""The few pictures of the report, all from the bundle's blurred video, decoded in one go.

Three sizes: the contact sheet (one per kind of finding, the rest evenly spread), a small one at each finding that the
page shows, and stamps of a few bytes that `qc.json` carries for pages over many recordings.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import EpisodeBundle
from episode_assets.outcome import Json
from episode_assets.qc.document import Judgement
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.findings import Finding
from episode_assets.qc.marks import shown_findings
from episode_assets.video import decode_frames, encode_jpeg, picture_to_rgb

SHEET_PX, FINDING_PX, STAMP_PX = 384, 176, 128
_SHEET_BYTES, _FINDING_BYTES, _STAMP_BYTES = 40_000, 4_500, 2_200
_ALL_FINDINGS_BYTES = 300_000
_MOST_STAMPS = 4
_QUALITIES = (78, 60, 40, 25, 12)

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class SheetPicture:
    """One picture of the page.

    Attributes:
        frame: Its position in the episode.
        reason: Kind of the finding that it shows, or an empty string.
        jpeg: Its bytes.
        width: Width in pixels.
        height: Height in pixels.
    """

    frame: int
    reason: str
    jpeg: bytes
    width: int
    height: int

    @property
    def data_uri(self) -> str:
        """The picture as an address that holds it."""
        return "data:image/jpeg;base64," + base64.b64encode(self.jpeg).decode("ascii")


@dataclass(frozen=True)
class Pictures:
    """The pictures of a report.

    Attributes:
        sheet: Contact sheet in order of time.
        findings: By position of the frame, the small picture of findings that are seen there.
        stamps: At most four tiny ones, the first of which stands for the recording.
    """

    sheet: tuple[SheetPicture, ...] = ()
    findings: Mapping[int, SheetPicture] | None = None
    stamps: tuple[SheetPicture, ...] = ()

    def of(self, finding: Finding) -> SheetPicture | None:
        """Return the small picture of a finding, None where it has no place or its picture did not fit."""
        frame = middle_of(finding)
        return None if frame is None else (self.findings or {}).get(frame)


def middle_of(finding: Finding) -> int | None:
    """Return the position of the frame that shows a finding, None without a place."""
    if finding.first is None or finding.last is None:
        return None
    return (finding.first + finding.last) // 2


def choose_frames(e: Evidence, judgement: Judgement, *, most: int) -> dict[int, str]:
    """Return positions and kinds of the pictures of the contact sheet, at most `most`, in order of time."""
    chosen: dict[int, str] = {}
    if most < 1 or len(e) == 0:
        return chosen
    longest: dict[str, Finding] = {}
    for finding in judgement.findings:
        if finding.has_place and _length(finding) > _length(longest.get(finding.kind)):
            longest[finding.kind] = finding
    for finding in list(longest.values())[: max(1, most // 2)]:
        chosen.setdefault(middle_of(finding) or 0, finding.kind)
    for frame in np.linspace(0, len(e) - 1, most + 2)[1:-1].round().astype(int):
        if len(chosen) >= min(most, len(e)):
            break
        chosen.setdefault(int(frame), "")
    return dict(sorted(chosen.items()))


def take_pictures(bundle: EpisodeBundle, e: Evidence, judgement: Judgement, *, most: int) -> Pictures:
    """Decode the chosen frames once and return them as small JPEGs; `most` of 0 asks for none at all."""
    sheet = choose_frames(e, judgement, most=most)
    if not sheet:
        return Pictures()
    at_findings = {
        frame for finding in shown_findings(judgement) if (frame := middle_of(finding)) is not None
    }
    stamps = _stamp_frames(sheet)
    made: dict[int, list[SheetPicture]] = {SHEET_PX: [], FINDING_PX: [], STAMP_PX: []}
    wanted = {SHEET_PX: set(sheet), FINDING_PX: at_findings, STAMP_PX: set(stamps)}
    share = min(_FINDING_BYTES, _ALL_FINDINGS_BYTES // max(len(at_findings), 1))
    limits = {SHEET_PX: _SHEET_BYTES, FINDING_PX: share, STAMP_PX: _STAMP_BYTES}
    for frame, picture in decode_frames(bundle.video_path, sorted(set(sheet) | at_findings)):
        for side, frames in wanted.items():
            if frame in frames:
                width, height = _fit(bundle.picture_size, side)
                rgb = picture_to_rgb(picture, size=(width, height))
                jpeg = _encoded(rgb, limits[side])
                made[side].append(SheetPicture(frame, sheet.get(frame, ""), jpeg, width, height))
    by_frame = {picture.frame: picture for picture in made[STAMP_PX]}
    return Pictures(
        sheet=tuple(made[SHEET_PX]),
        findings={picture.frame: picture for picture in made[FINDING_PX]},
        stamps=tuple(by_frame[frame] for frame in stamps if frame in by_frame),
    )


def stamps_as_json(stamps: Sequence[SheetPicture]) -> list[Json]:
    """Return the tiny pictures as `qc.json` carries them."""
    return [
        {
            "frame": stamp.frame,
            "kind": stamp.reason,
            "width": stamp.width,
            "height": stamp.height,
            "jpeg_base64": base64.b64encode(stamp.jpeg).decode("ascii"),
        }
        for stamp in stamps
    ]


def _stamp_frames(sheet: Mapping[int, str]) -> list[int]:
    """Return a frame in which nothing was found, which stands for the recording, and up to three that show findings."""
    plain = [frame for frame, kind in sheet.items() if not kind]
    odd = [frame for frame, kind in sheet.items() if kind]
    return [*plain[len(plain) // 3 : len(plain) // 3 + 1], *odd][:_MOST_STAMPS]


def _length(finding: Finding | None) -> int:
    if finding is None or finding.first is None or finding.last is None:
        return 0
    return finding.last - finding.first + 1


def _encoded(rgb: Picture, most_bytes: int) -> bytes:
    data = b""
    for quality in _QUALITIES:
        data = encode_jpeg(rgb, quality=quality)
        if len(data) <= most_bytes:
            break
    return data


def _fit(size: tuple[int, int], longest: int) -> tuple[int, int]:
    width, height = size
    scale = min(1.0, longest / max(width, height))
    return max(2, round(width * scale)), max(2, round(height * scale))
