"""Faces pasted into single frames of finished videos: where a face surely is, and nothing before it or after it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from skimage.data import astronaut  # noqa: TID253  # one of the faces of these tests

from episode_assets.anonymization import FaceBlurConfig
from episode_assets.video import Picture, SegmentEncoder, decode_picture, join_segments, picture_to_rgb

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Face:
    """A picture with one face (RGB), its box hairline to chin and cheek to cheek, and what surrounds it."""

    name: str
    rgb: np.ndarray
    box: Box
    crop: Box


def astronaut_face() -> Face:
    return Face("astronaut", astronaut(), (177, 63, 269, 183), (110, 10, 340, 250))


def ivan_face(faces: Path) -> Face:
    rgb = np.ascontiguousarray(cv2.imread(str(faces / "ivan.jpg"))[:, :, ::-1])
    return Face("ivan", rgb, (277, 90, 325, 153), (247, 60, 355, 183))


@dataclass(frozen=True)
class Paste:
    """One face in one frame.

    Attributes:
        frame: The frame.
        face: Which face.
        height_px: Its height, hairline to chin.
        left, top: Upper left corner of its box in the frame.
        is_cut: Cut out as an ellipse with a soft edge; else pasted with its surroundings.
    """

    frame: int
    face: Face
    height_px: int
    left: int
    top: int
    is_cut: bool

    @property
    def box(self) -> Box:
        x0, y0, x1, y1 = self.face.box
        width = round((x1 - x0) * self.height_px / (y1 - y0))
        return self.left, self.top, self.left + width, self.top + self.height_px

    def __str__(self) -> str:
        kind = "cut out" if self.is_cut else "with surroundings"
        return f"{self.face.name} {self.height_px} px at {self.box[:2]} of frame {self.frame}, {kind}"


def draw_pastes(
    draw: random.Random,
    faces: Sequence[Face],
    frames: Sequence[int],
    *,
    size: tuple[int, int],
    hidden: Mapping[int, np.ndarray] | None = None,
) -> list[Paste]:
    """One paste for each frame: any size from 24 to 200 px, any place wholly inside and clear of what is hidden."""
    pastes = []
    for frame in frames:
        while True:
            face, height = draw.choice(faces), draw.randint(24, 200)
            paste = Paste(frame, face, height, 0, 0, draw.random() < 0.5)
            _, _, width, _ = paste.box
            left, top = draw.randint(0, size[0] - width), draw.randint(0, size[1] - height)
            paste = Paste(frame, face, height, left, top, paste.is_cut)
            if not _meets(paste.box, (hidden or {}).get(frame, np.zeros((0, 4)))):
                break
        pastes.append(paste)
    return pastes


def _meets(box: Box, rectangles: np.ndarray) -> bool:
    x0, y0, x1, y1 = box
    return any(x0 < r[2] and r[0] < x1 and y0 < r[3] and r[1] < y1 for r in rectangles)


def paste_into(rgb: np.ndarray, paste: Paste) -> np.ndarray:
    """Return the frame with the face in it; what sticks out of the frame of its surroundings is cut off."""
    x0, y0, _, y1 = paste.face.box
    cx0, cy0, cx1, cy1 = paste.face.crop
    scale = paste.height_px / (y1 - y0)
    crop = paste.face.rgb[cy0:cy1, cx0:cx1]
    size = (round(crop.shape[1] * scale), round(crop.shape[0] * scale))
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left, top = paste.left - round((x0 - cx0) * scale), paste.top - round((y0 - cy0) * scale)
    weight = np.ones(small.shape[:2], np.float32)
    if paste.is_cut:
        bx0, by0, bx1, by1 = paste.box
        weight = _ellipse(small.shape[:2], (bx0 - left, by0 - top, bx1 - left, by1 - top))
    height, width = rgb.shape[:2]
    ys, xs = slice(max(top, 0), min(top + size[1], height)), slice(max(left, 0), min(left + size[0], width))
    inner = slice(ys.start - top, ys.stop - top), slice(xs.start - left, xs.stop - left)
    result, share = rgb.copy(), weight[inner][:, :, None]
    result[ys, xs] = np.rint(share * small[inner] + (1 - share) * rgb[ys, xs])
    return result


def _ellipse(shape: tuple[int, int], box: Box) -> np.ndarray:
    """An ellipse a little larger than the face, hair and chin with it, whose edge fades over a tenth of its height."""
    x0, y0, x1, y1 = box
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    radius = np.hypot(
        (columns - (x0 + x1) / 2) / ((x1 - x0) * 0.62), (rows - (y0 + y1) / 2) / ((y1 - y0) * 0.62)
    )
    return np.clip((1.1 - radius) / 0.2, 0, 1).astype(np.float32)


def write_video(
    pictures: Iterable[Picture], path: Path, *, pastes: Sequence[Paste] = (), fps: int = 15
) -> None:
    """Encode pictures as the computation does, with faces in some of them."""
    config = FaceBlurConfig()
    by_frame = {paste.frame: paste for paste in pastes}
    segments: list[Path] = []
    encoder: SegmentEncoder | None = None
    for frame, picture in enumerate(pictures):
        if encoder is not None and frame % config.g == 0:
            _save(encoder, path, segments)
            encoder = None
        encoder = encoder or SegmentEncoder(
            config.encoder(), true_width=picture.true_width, true_height=picture.true_height
        )
        shown = picture
        if frame in by_frame:
            rgb = paste_into(picture_to_rgb(picture), by_frame[frame])
            height, width = rgb.shape[:2]
            shown = decode_picture("rgb8", rgb.tobytes(), width=width, height=height, step=width * 3)
        encoder.encode(shown, pts_us=frame * 1_000_000 // fps)
    assert encoder is not None
    _save(encoder, path, segments)
    join_segments(segments, path)
    for segment in segments:
        segment.unlink()


def _save(encoder: SegmentEncoder, path: Path, segments: list[Path]) -> None:
    segments.append(path.with_suffix(f".{len(segments)}.segment"))
    encoder.finish().save(segments[-1])
