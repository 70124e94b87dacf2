"""Searches a finished video for faces, the way the computation searches what it is about to publish.

The computation's own audit knows the source and blurs what it finds; this one has the video alone, so it doubts
nothing and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.anonymization.backends import require_detectors
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.groups import Rectangles
from episode_assets.anonymization.means import Means, SearchUse
from episode_assets.anonymization.redaction import drawn_rectangles
from episode_assets.anonymization.upright import Upright
from episode_assets.errors import BadConfig
from episode_assets.progress import Progress, silent
from episode_assets.recording import Attitude
from episode_assets.video import decode_frames, probe

_CORNERS = ("redact_x0", "redact_y0", "redact_x1", "redact_y1")
_NOTHING = np.zeros((0, 4), np.int32)


@dataclass(frozen=True)
class VideoFind:
    """A box that looks like a face.

    Attributes:
        frame: Number of the frame in the video.
        box: x0, y0, x1, y1 in pixels of the video.
        score: 0..1 on the common scale.
        is_strong: Whether it would block publication.
    """

    frame: int
    box: tuple[float, float, float, float]
    score: float
    is_strong: bool


@dataclass(frozen=True)
class VideoAudit:
    """What a search of a whole video found.

    Attributes:
        frames: How many frames were searched.
        finds: What was found, in the order of frames.
        searches: The searches, and what they made of the known-answer test.
    """

    frames: int
    finds: tuple[VideoFind, ...]
    searches: tuple[SearchUse, ...]

    @property
    def knows_faces(self) -> bool:
        """Whether every search found the face of the known-answer test; if not, finding nothing means nothing."""
        return bool(self.searches) and all(search.known_answer.passed for search in self.searches)

    @property
    def passed(self) -> bool:
        """Whether nothing was found that would block publication, by a detector that knows faces."""
        return self.knows_faces and not any(find.is_strong for find in self.finds)


def audit_video(
    video: Path,
    *,
    config: FaceBlurConfig,
    faces: Path | None = None,
    turned_degrees: float | None = None,
    progress: Progress = silent,
) -> VideoAudit:
    """Search every frame of a finished video at the scale of the audit, and key frames at the second one.

    Args:
        video: An 8-bit 4:2:0 video.
        config: The settings of the audit.
        faces: A `faces.parquet` of this very video; what lies inside the areas that it lists is no find.
        turned_degrees: By how much the scene is turned clockwise in the pictures; None where nobody knows, and then
            some of them are searched at all right angles.
        progress: Told about frames.

    Returns:
        The finds. None are looked for where the known-answer test failed.

    Raises:
        BadConfig: The detector does not exist, or the table does not go with the video.
        ModelMissing: A weight file or package is not there.
        UndecodableVideo: The file cannot be read, or a picture does not decode.
    """
    require_detectors(config, config.audit_detector)
    facts = probe(video)
    size = (facts.width, facts.height)
    upright = Upright(_attitude(facts.frames, turned_degrees), key_stride=config.g)
    hidden = _Hidden(faces, size, facts.frames, config)
    means = Means(config, size, upright.all_turns())
    auditor = means.auditor(means.detector(config.audit_detector))
    if not means.knows_faces:
        return VideoAudit(0, (), tuple(means.uses))
    keys = set(facts.key_frames.tolist())
    finds: list[VideoFind] = []
    for frame, picture in decode_frames(video):
        found = auditor.finds(
            picture, hidden.at(frame), None, is_first=frame in keys, turns=upright.turns(frame)
        )
        finds += [
            VideoFind(frame, (x0, y0, x1, y1), score, score >= config.strong_score)
            for x0, y0, x1, y1, score in found.boxes.tolist()
        ]
        progress("frames", frame + 1, facts.frames)
    return VideoAudit(facts.frames, tuple(finds), tuple(means.uses))


def _attitude(frames: int, turned_degrees: float | None) -> Attitude:
    if turned_degrees is None:
        return Attitude.unknown(frames)
    return Attitude(np.full(frames, np.radians(turned_degrees)), "gravity")


class _Hidden:
    """What is hidden in each frame, as its `faces.parquet` lists it."""

    def __init__(
        self, faces: Path | None, size: tuple[int, int], frames: int, config: FaceBlurConfig
    ) -> None:
        self._shape = config.shape
        self._size = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        self._frame = np.zeros(0, np.int64)
        self._rectangle = _NOTHING
        if faces is not None:
            self._frame, self._rectangle = _rectangles_of(faces)
        if len(self._frame) and self._frame[-1] >= frames:
            raise BadConfig(
                f"the table lists frame {self._frame[-1]} of a video of {frames}", where=str(faces)
            )

    def at(self, frame: int) -> Rectangles:
        span = slice(*np.searchsorted(self._frame, [frame, frame + 1]).tolist())
        width, height = self._size
        drawn = drawn_rectangles(self._rectangle[span], shape=self._shape, width=width, height=height)
        return np.concatenate([_NOTHING, *drawn])


def _rectangles_of(faces: Path) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return frame (N,) and rectangle (N, 4) of each row, ordered by frame."""
    try:
        table = pq.read_table(faces, columns=["frame_index", *_CORNERS])
    except (OSError, pa.ArrowException) as error:
        raise BadConfig(f"this is no table of faces: {error}", where=str(faces)) from error
    frame = np.asarray(table["frame_index"].to_numpy(), np.int64)
    columns: Sequence[NDArray[np.int32]] = [table[name].to_numpy() for name in _CORNERS]
    order = np.argsort(frame, kind="stable")
    return frame[order], np.stack(columns, axis=1)[order].astype(np.int32)
