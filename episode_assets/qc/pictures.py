"""The few pictures of the report, all from the bundle's blurred video: one per finding, the rest evenly spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from episode_assets.bundle import EpisodeBundle
from episode_assets.qc.document import Judgement
from episode_assets.qc.evidence import Evidence
from episode_assets.video import decode_frames, encode_jpeg, picture_to_rgb

WIDTH_PX = 384
_QUALITIES = (78, 60, 40)
_MOST_BYTES = 40_000


@dataclass(frozen=True)
class SheetPicture:
    """One picture of the contact sheet.

    Attributes:
        frame: Its position in the episode.
        reason: Id of the check that it shows, or an empty string.
        jpeg: Its bytes, at most about 40 kB.
        width: Width in pixels.
        height: Height in pixels.
    """

    frame: int
    reason: str
    jpeg: bytes
    width: int
    height: int


def choose_frames(e: Evidence, judgement: Judgement, *, most: int) -> dict[int, str]:
    """Return positions and reasons of the pictures to show, at most `most`, in order of time."""
    chosen: dict[int, str] = {}
    if most < 1 or len(e) == 0:
        return chosen
    concerned = [check for check in judgement.checks if check.status in ("warn", "fail") and check.ranges]
    concerned.sort(key=lambda check: not check.is_hard)
    for check in concerned[: max(1, most // 2)]:
        worst = max(check.ranges, key=len)
        chosen.setdefault((worst.first + worst.last) // 2, check.id)
    for frame in np.linspace(0, len(e) - 1, most + 2)[1:-1].round().astype(int):
        if len(chosen) >= min(most, len(e)):
            break
        chosen.setdefault(int(frame), "")
    return dict(sorted(chosen.items()))


def take_pictures(
    bundle: EpisodeBundle, e: Evidence, judgement: Judgement, *, most: int
) -> list[SheetPicture]:
    """Decode the chosen frames and return them as small JPEGs."""
    chosen = choose_frames(e, judgement, most=most)
    width, height = _fit(bundle.picture_size)
    pictures = []
    for frame, picture in decode_frames(bundle.video_path, list(chosen)) if chosen else ():
        rgb = picture_to_rgb(picture, size=(width, height))
        data = next(
            (data for quality in _QUALITIES if len(data := encode_jpeg(rgb, quality=quality)) <= _MOST_BYTES),
            encode_jpeg(rgb, quality=_QUALITIES[-1] // 2),
        )
        pictures.append(SheetPicture(frame, chosen[frame], data, width, height))
    return pictures


def _fit(size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    scale = min(1.0, WIDTH_PX / max(width, height))
    return max(2, round(width * scale)), max(2, round(height * scale))
