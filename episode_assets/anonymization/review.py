"""Faces for people to look at: one line for each track, and a sheet of blurred pictures with the boxes drawn.

The only pictures that come in here are those of the published video; the boxes are those of its own table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.errors import BadConfig, NothingToExport
from episode_assets.video import decode_frames, picture_to_rgb

Rgb: TypeAlias = NDArray[np.uint8]

SHEET_SUFFIXES = (".png", ".jpg", ".jpeg")
TILES = 60
"""Most pictures on one sheet."""

_COLUMNS = 4
_TILE_WIDTH_PX = 400
_LINE_PX = 20
_CAPTION_PX = 2 * _LINE_PX + 4
_LEGEND_PX = 28
_GAP_PX = 8
_CORNERS = ("redact_x0", "redact_y0", "redact_x1", "redact_y1")
_COLOURS: Mapping[str, tuple[int, int, int]] = {
    "detected": (230, 60, 40),
    "audit": (250, 160, 0),
    "redaction": (40, 110, 240),
}
_OTHER_COLOUR = (240, 220, 60)
_LEGEND = (
    ("detected", _COLOURS["detected"]),
    ("found by the audit", _COLOURS["audit"]),
    ("drawn by a person", _COLOURS["redaction"]),
    ("derived", _OTHER_COLOUR),
)
_FOUND = ("detected", "audit", "redaction")
"""Sources whose boxes somebody saw; the others follow from them."""


@dataclass(frozen=True)
class TrackSummary:
    """One face over time, or one drawn area.

    Attributes:
        track: Its number in `faces.parquet`.
        first_frame, last_frame: Frames of the video.
        frames: In how many of them it is hidden.
        longest_px: Longest side of its box, in pixels.
        lowest_score, highest_score: Of the detector, None where nothing was detected.
        kinds: Number of boxes by kind: detected, interpolated, held, audit, redaction.
        backends: Who found it.
        largest_frame: The frame with the largest box that was found, derived ones left aside where others are.
        labels: What it is, such as face or plate, where the table says so.
    """

    track: int
    first_frame: int
    last_frame: int
    frames: int
    longest_px: float
    lowest_score: float | None
    highest_score: float | None
    kinds: Mapping[str, int]
    backends: tuple[str, ...]
    largest_frame: int
    labels: tuple[str, ...] = ()


def summarise_tracks(faces: pa.Table) -> tuple[TrackSummary, ...]:
    """Return the tracks of a `faces.parquet`, in the order of their numbers."""
    tracks = np.asarray(faces["track"].to_numpy())
    return tuple(_summary(int(track), faces.filter(pa.array(tracks == track))) for track in np.unique(tracks))


def _summary(track: int, rows: pa.Table) -> TrackSummary:
    frame = np.asarray(rows["frame_index"].to_numpy())
    x0, y0, x1, y1 = (np.asarray(rows[name].to_numpy()) for name in ("x0", "y0", "x1", "y1"))
    sides = np.maximum(x1 - x0, y1 - y0)
    is_found = np.isin(rows["source"].to_pylist(), _FOUND)
    shown = np.where(is_found | ~is_found.any(), sides, -1.0)
    labels = rows["label"].to_pylist() if "label" in rows.column_names else []
    scores = [score for score in rows["score"].to_pylist() if score is not None]
    return TrackSummary(
        track=track,
        first_frame=int(frame.min()),
        last_frame=int(frame.max()),
        frames=len(np.unique(frame)),
        longest_px=float(sides.max()),
        lowest_score=min(scores, default=None),
        highest_score=max(scores, default=None),
        kinds=dict(sorted(Counter(rows["source"].to_pylist()).items())),
        backends=tuple(sorted(set(rows["backend"].to_pylist()))),
        largest_frame=int(frame[shown.argmax()]),
        labels=tuple(sorted({str(label) for label in labels if label})),
    )


def write_sheet(video: Path, faces: Path, out: Path, *, shape: str = "box") -> int:
    """Write a sheet with one picture for each track, where its box is largest, and return how many it shows.

    Outlines are those of what was blurred: red detected, orange found by the audit, blue drawn by a person, yellow
    derived; the track of the caption is drawn thick. At most `TILES` tracks are shown, those with the largest boxes.

    Args:
        video: The published, blurred video.
        faces: Its `faces.parquet`.
        out: A .png or .jpg file; replaced if it exists.
        shape: `ellipse` where faces were hidden in ellipses; areas of persons are shown by their boxes always.

    Raises:
        BadConfig: The file has another suffix, or cannot be written.
        NothingToExport: No face was found and no area drawn.
    """
    if out.suffix.lower() not in SHEET_SUFFIXES:
        raise BadConfig(
            f"the sheet cannot be a {out.suffix or 'file without a suffix'}", remedy="name a .png"
        )
    table = pq.read_table(faces)
    tracks = sorted(summarise_tracks(table), key=lambda track: -track.longest_px)[:TILES]
    if not tracks:
        raise NothingToExport("nothing is hidden in this video, so there is nothing to show")
    tracks.sort(key=lambda track: (track.largest_frame, track.track))
    tiles = []
    for frame, picture in decode_frames(video, [track.largest_frame for track in tracks]):
        here = [track for track in tracks if track.largest_frame == frame]
        tiles += [_tile(picture_to_rgb(picture), table, track, shape) for track in here]
    _save(_arranged(tiles), out)
    return len(tiles)


def _tile(rgb: Rgb, table: pa.Table, track: TrackSummary, shape: str) -> Rgb:
    scale = _TILE_WIDTH_PX / rgb.shape[1]
    size = (_TILE_WIDTH_PX, max(1, round(rgb.shape[0] * scale)))
    tile = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    at_frame = pa.array(np.asarray(table["frame_index"].to_numpy()) == track.largest_frame)
    for row in table.filter(at_frame).to_pylist():
        is_ellipse = shape == "ellipse" and row["source"] != "redaction"
        _outline(tile, row, scale, 2 if row["track"] == track.track else 1, is_ellipse=is_ellipse)
    caption = np.full((_CAPTION_PX, _TILE_WIDTH_PX, 3), 255, np.uint8)
    for line, words in enumerate(_captions(track), 1):
        _write(caption, words, (6, line * _LINE_PX - 3))
    return np.pad(np.concatenate([caption, tile]), ((0, _GAP_PX), (0, _GAP_PX), (0, 0)), constant_values=255)


def _outline(tile: Rgb, row: Mapping[str, Any], scale: float, width_px: int, *, is_ellipse: bool) -> None:
    x0, y0, x1, y1 = (round(row[name] * scale) for name in _CORNERS)
    colour = _COLOURS.get(row["source"], _OTHER_COLOUR)
    if is_ellipse:
        centre, axes = ((x0 + x1) // 2, (y0 + y1) // 2), ((x1 - x0) // 2, (y1 - y0) // 2)
        cv2.ellipse(tile, centre, axes, 0, 0, 360, colour, width_px, cv2.LINE_AA)
    else:
        cv2.rectangle(tile, (x0, y0), (x1 - 1, y1 - 1), colour, width_px)


def _captions(track: TrackSummary) -> tuple[str, str]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in track.kinds.items())
    score = "" if track.highest_score is None else f"   score {track.highest_score:.2f}"
    return (
        "  ".join((f"track {track.track}", *track.labels, kinds)),
        f"frame {track.largest_frame} of {track.first_frame}-{track.last_frame}{score}",
    )


def _write(picture: Rgb, words: str, at: tuple[int, int]) -> None:
    cv2.putText(picture, words, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)


def _legend(width_px: int) -> Rgb:
    """Return a line that says which colour means what; it begins anew below where the sheet is narrow."""
    step = _TILE_WIDTH_PX // 2
    in_line = max(1, width_px // step)
    legend = np.full((_LEGEND_PX * -(-len(_LEGEND) // in_line), width_px, 3), 255, np.uint8)
    for number, (words, colour) in enumerate(_LEGEND):
        x, y = 6 + number % in_line * step, number // in_line * _LEGEND_PX
        cv2.rectangle(legend, (x, y + 9), (x + 12, y + 21), colour, -1)
        _write(legend, words, (x + 20, y + 19))
    return legend


def _arranged(tiles: Sequence[Rgb]) -> Rgb:
    columns = min(_COLUMNS, len(tiles))
    blank = np.full_like(tiles[0], 255)
    filled = [*tiles, *[blank] * (-len(tiles) % columns)]
    rows = [np.concatenate(filled[i : i + columns], axis=1) for i in range(0, len(filled), columns)]
    return np.concatenate([*rows, _legend(rows[0].shape[1])])


def _save(sheet: Rgb, out: Path) -> None:
    _, data = cv2.imencode(out.suffix.lower(), sheet[:, :, ::-1])
    try:
        out.write_bytes(data.tobytes())
    except OSError as error:
        raise BadConfig(f"the sheet cannot be written: {error.strerror}", where=str(out)) from error
