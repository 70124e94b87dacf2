"""Pictures of nobody's recording, such as those of another tool's sample: blurred, encoded and audited as a video.

Nothing tells how such pictures stand or what was done to them, so every one is searched at all right angles. The
blurred video of a recording is made by `blurring`; a single picture belongs to `single_picture`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.groups import (
    Auditor,
    EncodedGroup,
    Rectangles,
    blocking_finds,
    is_clean,
    make_group,
)
from episode_assets.anonymization.means import Means
from episode_assets.anonymization.one_by_one import require_known_answer
from episode_assets.anonymization.redaction import redaction_rectangles
from episode_assets.anonymization.redactions import Redactions, redact
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.anonymization.tracks import Detections
from episode_assets.anonymization.turning import all_right_angles
from episode_assets.anonymization.upright import Upright
from episode_assets.anonymization.verdict import not_removed
from episode_assets.errors import AuditFailed, NothingToExport
from episode_assets.outcome import Json
from episode_assets.recording import Attitude
from episode_assets.video import Picture

_TURNS = all_right_angles()
_NO_EXCEPTION = np.zeros((0, 4), np.float32)


@dataclass(frozen=True)
class BlurredSeries:
    """A series that passed its audit.

    Attributes:
        segments: Saved segments in order, to be joined; each begins with a key frame.
        frames: How many pictures there were.
        privacy: The record of the audit.
    """

    segments: tuple[Path, ...]
    frames: int
    privacy: dict[str, Json]


@dataclass(frozen=True)
class _Made:
    """A group that passed, and how many of its pictures were painted over as a whole."""

    encoded: EncodedGroup
    painted: int


def blur_series(
    pictures: Callable[[], Iterable[Picture]],
    scratch: Path,
    *,
    size: tuple[int, int],
    fps: int,
    key_at: Collection[int] = (),
    config: FaceBlurConfig,
    on_group: Callable[[int, NDArray[np.int32]], None] = lambda _start, _colours: None,
) -> BlurredSeries:
    """Blur the faces of pictures, encode them in memory and write what passed its audit.

    Memory holds the pictures of one group. They are asked for twice: once to find faces, which are followed over
    time, and once to blur them.

    Args:
        pictures: Gives the pictures in order, each time the same.
        scratch: Private directory for encoded groups.
        size: True (width, height) of every picture.
        fps: Picture i is shown at i / fps.
        key_at: Positions that must be key frames.
        config: The settings of search, blur, audit and encoder.
        on_group: Told the position of each group's first picture and its (n, 3, 256) colour counts.

    Raises:
        NothingToExport: There is no picture.
        ModelMissing: A weight file or package is not there.
        AuditFailed: A face stays, or the detector does not find the face of the known-answer test.
    """
    means = Means(config, size, _TURNS)
    search = means.search("detection", means.detector(config.detector), config.min_face_px)
    auditor = means.auditor(means.detector(config.audit_detector))
    require_known_answer(means)
    redactions, frames, with_faces = _searched(pictures(), search, size=size, fps=fps, config=config)
    segments, painted = [], 0
    for start, group in _groups(pictures(), key_at, config.g):
        made = _made(start, group, redactions, auditor, size=size, fps=fps, config=config)
        path = scratch / f"group-{start:08d}"
        made.encoded.segment.save(path)
        on_group(start, made.encoded.colours)
        segments.append(path)
        painted += made.painted
    privacy: dict[str, Json] = {
        "audit": "passed",
        "known_answer": "passed",
        "detector": config.detector,
        "audit_detector": config.audit_detector,
        "sha256": {model.name: model.sha256 for model in means.models},
        "pictures": "handed in",
        "frames": frames,
        "frames_with_faces": with_faces,
        "frames_painted": painted,
        "not_removed": list(not_removed(config, Upright(Attitude.unknown(0), key_stride=1))),
    }
    return BlurredSeries(tuple(segments), frames, privacy)


def _searched(
    pictures: Iterable[Picture],
    search: FaceSearch,
    *,
    size: tuple[int, int],
    fps: int,
    config: FaceBlurConfig,
) -> tuple[Redactions, int, int]:
    """Return what is blurred where, how many pictures there are, and how many show a face."""
    found = [search.labelled(picture, _TURNS) for picture in pictures]
    if not found:
        raise NothingToExport("there is no picture to blur")
    label = np.concatenate([one.label for one in found])
    faces = Detections.of([one.boxes for one in found], label=label)
    position = np.arange(len(found), dtype=np.int64)
    stamps = np.array([_stamp_us(place, fps) * 1000 for place in position.tolist()], dtype=np.int64)
    redactions = redact(position, stamps, faces, config=config, size=size)
    return redactions, len(found), sum(len(one.boxes) > 0 for one in found)


def _stamp_us(position: int, fps: int) -> int:
    return round(position * 1_000_000 / fps)


def _groups(
    pictures: Iterable[Picture], key_at: Collection[int], length: int
) -> Iterator[tuple[int, list[Picture]]]:
    """Yield runs of at most `length` pictures with the position of the first; one begins at every place of `key_at`."""
    waiting = iter(pictures)
    cuts = sorted({place for place in key_at if place > 0})
    start = 0
    while True:
        following = next((cut for cut in cuts if cut > start), start + length)
        group = list(islice(waiting, min(length, following - start)))
        if not group:
            return
        yield start, group
        start += len(group)


def _made(
    start: int,
    group: Sequence[Picture],
    redactions: Redactions,
    auditor: Auditor,
    *,
    size: tuple[int, int],
    fps: int,
    config: FaceBlurConfig,
) -> _Made:
    """Blur, encode and audit a group until it is clean; what cannot be blurred away is painted over."""
    position = np.arange(start, start + len(group), dtype=np.int64)
    encode = partial(
        make_group,
        [picture.copy for picture in group],
        pts_us=[_stamp_us(place, fps) for place in position.tolist()],
        turns=[_TURNS] * len(group),
        config=config,
        auditor=auditor,
    )
    rectangles = redactions.at(position)
    nothing: list[tuple[Rectangles, ...]] = [()] * len(group)
    made = encode(rectangles=rectangles, areas=nothing)
    for _ in range(config.audit_rounds):
        if _is_clean(made, config):
            break
        rectangles = _with_finds(rectangles, made, size, config)
        made = encode(rectangles=rectangles, areas=nothing)
    if _is_clean(made, config):
        return _Made(made, 0)
    # Such pictures lose all of their content, the others nothing.
    whole = np.array([[0, 0, *size]], np.int32)
    blocked = _blocked(made, config)
    made = encode(rectangles=rectangles, areas=[(whole,) if is_blocked else () for is_blocked in blocked])
    if not _is_clean(made, config):
        raise AuditFailed(
            f"a face stays in the pictures {start} to {start + len(group) - 1} that were handed in",
            remedy="leave these pictures out, or blur them before",
        )
    return _Made(made, sum(blocked))


def _with_finds(
    rectangles: Sequence[Rectangles], made: EncodedGroup, size: tuple[int, int], config: FaceBlurConfig
) -> tuple[Rectangles, ...]:
    width, height = size
    around = [
        redaction_rectangles(boxes[:, :4], scale=config.box_scale, width=width, height=height)
        for boxes in made.audit.outside
    ]
    return tuple(np.concatenate(pair) for pair in zip(rectangles, around, strict=True))


def _is_clean(made: EncodedGroup, config: FaceBlurConfig) -> bool:
    return is_clean(made.audit, [_NO_EXCEPTION] * len(made.segment), config)


def _blocked(made: EncodedGroup, config: FaceBlurConfig) -> list[bool]:
    found = blocking_finds(made.audit, [_NO_EXCEPTION] * len(made.segment), config)
    limit = config.audit_max_detail
    kept = [bool((share > limit).any()) for share in made.audit.kept_detail]
    return [bool(blocks.any()) or is_left for blocks, is_left in zip(found, kept, strict=True)]
