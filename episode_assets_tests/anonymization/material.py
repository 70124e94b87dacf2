"""Pictures with a face at a known place, and recordings made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage.data import astronaut  # noqa: TID253  # the face of these tests

from episode_assets.recording import RecordingConfig, RecordingView, scan_recording
from episode_assets_tests.recording.rig import Rig, compressed_image

START_NS = 1_000_000_000
STEP_NS = 66_666_667
TOPIC = "/camera/color/image_raw/compressed"
_CROP = (110, 10, 340, 250)
_FACE = (177, 63, 269, 183)


@dataclass
class Scene:
    """A plain room with one face in some of its frames.

    Attributes:
        size: Width and height in pixels.
        faces: Frame to the upper left corner of the face.
        face_px: Height of the face.
        black_corner: Frames whose upper left corner is black, a mark for stand-in detectors.
    """

    size: tuple[int, int] = (320, 240)
    faces: dict[int, tuple[float, float]] = field(default_factory=dict)
    face_px: float = 64.0
    black_corner: frozenset[int] = frozenset()

    def picture(self, frame: int) -> np.ndarray:
        """RGB of one frame."""
        width, height = self.size
        rows, columns = np.mgrid[:height, :width]
        canvas = np.stack(
            [90 + columns * 80 / width, 110 + rows * 60 / height, np.full((height, width), 140.0)], 2
        )
        canvas += 12 * np.sin((columns + 3 * frame) / 7.0)[:, :, None]
        if frame in self.faces:
            self._paste(canvas, *self.faces[frame])
        if frame in self.black_corner:
            canvas[: height // 4, : width // 4] = 0
        return np.clip(canvas, 0, 255).astype(np.uint8)

    def face_box(self, frame: int) -> tuple[int, int, int, int]:
        """Where the face of a frame lies, hairline to chin and cheek to cheek."""
        x, y = self.faces[frame]
        scale = self.face_px / (_FACE[3] - _FACE[1])
        return round(x), round(y), round(x + (_FACE[2] - _FACE[0]) * scale), round(y + self.face_px)

    def jpeg(self, frame: int) -> bytes:
        return encode(self.picture(frame))

    def _paste(self, canvas: np.ndarray, x: float, y: float) -> None:
        scale = self.face_px / (_FACE[3] - _FACE[1])
        x0, y0, x1, y1 = _CROP
        crop = cv2.resize(astronaut()[y0:y1, x0:x1], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        left, top = round(x - (_FACE[0] - x0) * scale), round(y - (_FACE[1] - y0) * scale)
        ys = slice(max(top, 0), min(top + crop.shape[0], canvas.shape[0]))
        xs = slice(max(left, 0), min(left + crop.shape[1], canvas.shape[1]))
        canvas[ys, xs] = crop[ys.start - top : ys.stop - top, xs.start - left : xs.stop - left]


def encode(picture: np.ndarray) -> bytes:
    """JPEG bytes of an RGB picture."""
    return cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


def record(folder: Path, jpegs: Sequence[bytes], *, stamps_ns: Sequence[int] | None = None) -> RecordingView:
    """Write a recording of pictures, scan it, and open the view on it."""
    stamps = stamps_ns or [START_NS + index * STEP_NS for index in range(len(jpegs))]
    rig = Rig(folder / "recording.mcap")
    for stamp, jpeg in zip(stamps, jpegs, strict=True):
        rig.add(TOPIC, compressed_image(stamp, jpeg))
    file = rig.close()
    raw = folder / "raw"
    raw.mkdir()
    scan_recording(str(file), raw, recording_id="room-1", config=RecordingConfig(), progress=_quiet)
    return RecordingView.open(raw, str(file))


def _quiet(*_: Any) -> None:
    return None
