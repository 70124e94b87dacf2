"""Hands that are known without looking: samples over time, matched to pictures and brought into every frame.

A picture takes the sample nearest in time within half a frame period, or none: nothing is interpolated, smoothed or
filled. Where samples come from is in `given_topics` and `given_file`, which frame they are in is in `given_frames`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets import models
from episode_assets.geometry import inverse, project, transform_points
from episode_assets.hands.camera import camera_path, intrinsics_of
from episode_assets.hands.findings import Seen
from episode_assets.hands.given_file import HandsFile, read_file
from episode_assets.hands.given_frames import Place
from episode_assets.hands.given_topics import read_topics
from episode_assets.hands.precomputed import PrecomputedOptions
from episode_assets.hands.samples import Samples, known_joints
from episode_assets.outcome import Note
from episode_assets.recording import RecordingView, median_step_ns, nearest

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GivenHands:
    """Hands of pictures, N rows ordered by picture, left before right.

    Attributes:
        position: (N,) int64 position of the picture in the stream.
        is_right: (N,) bool.
        joints_px: (N, 21, 2) float64 pixels, NaN where neither given nor to be had by projection.
        joints_cam: (N, 21, 3) float64 metres in the camera's optical frame, NaN where unknown.
        joints_world: (N, 21, 3) float64 metres in the frame of the camera poses, NaN where unknown.
        confidence: (N,) float64, NaN where not given.
        calibration_reasons: Why intrinsics are missing, where they are.
    """

    position: NDArray[np.int64]
    is_right: NDArray[np.bool_]
    joints_px: Floats
    joints_cam: Floats
    joints_world: Floats
    confidence: Floats
    calibration_reasons: tuple[str, ...]


def read_samples(
    view: RecordingView, options: PrecomputedOptions, beside: HandsFile | None = None
) -> tuple[list[Samples], list[Note]]:
    """Return the samples of each hand and what is wrong with some of them.

    What the settings name counts first, a file or topics; then a file beside the recording; then topics of the role.

    Raises:
        MissingStream: The recording has no topic of hands.
        BadRecording: The file or the topics are not what they should be, or their frame is not known.
        ModelMissing: The file is not there.
    """
    if options.file:
        path = models.find_given(options.file, setting="precomputed.file")
        return read_file(HandsFile(str(path), path), view, options)
    if beside is not None and options.takes_file_beside:
        samples, notes = read_file(beside, view, options)
        return samples, [*notes, *_unused_topics(view)]
    return read_topics(view, options)


def _unused_topics(view: RecordingView) -> list[Note]:
    topics = view.inventory.roles["hands"].topics
    if not topics:
        return []
    text = f"hands are those of the file beside the recording, not of its topics {', '.join(topics)}"
    return [Note("hands_beside", text, "hands", len(topics))]


def lay_out(view: RecordingView, seen: Seen, samples: Sequence[Samples]) -> GivenHands:
    """Give each decodable picture the samples that belong to it."""
    matched = [_matched(view, seen, item) for item in samples]
    pairs = list(zip(samples, matched, strict=True))
    position = np.concatenate([np.zeros(0, np.int64), *(found[0] for _, found in pairs)])
    is_right = np.concatenate([np.zeros(0, bool), *(np.full(len(f[0]), s.is_right) for s, f in pairs)])
    stamps_ns = view.rgb.stamp_ns[position]
    K, reasons = intrinsics_of(view.camera_info, stamps_ns, seen.sizes[position])
    path = camera_path(view.pose, view.link_from_optical[0], stamps_ns, offset_m=view.optical_offset_m)
    is_world = np.concatenate(
        [np.zeros(0, bool), *(np.full(len(f[0]), _is_in_world(s.place)) for s, f in pairs)]
    )
    moved = _rows([_moved(s.place, s.joints_m[f[1]]) for s, f in pairs], 3)
    camera = (path.R, path.t)
    joints_cam = np.where(is_world[:, None, None], transform_points(inverse(camera), moved), moved)
    joints_world = np.where(is_world[:, None, None], moved, transform_points(camera, moved))
    given_px = _rows([s.joints_px[f[1]] for s, f in pairs], 2)
    joints_px = np.where(np.isfinite(given_px), given_px, project(K[:, None], joints_cam))
    confidence = np.concatenate([np.zeros(0), *(s.confidence[f[1]] for s, f in pairs)])
    order = np.lexsort((is_right, position))
    return GivenHands(
        position[order],
        is_right[order],
        joints_px[order],
        joints_cam[order],
        joints_world[order],
        confidence[order],
        reasons,
    )


def _matched(
    view: RecordingView, seen: Seen, samples: Samples
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return positions of decodable pictures that have a sample with any joint, and the row of that sample."""
    if samples.by == "stamp_ns":
        tolerance_ns = median_step_ns(view.rgb.stamp_ns) // 2
        row = nearest(samples.key, view.rgb.stamp_ns, tolerance_ns=tolerance_ns)
    else:
        row = nearest(samples.key, view.rgb.message_number, tolerance_ns=0)
    is_known = known_joints(samples.joints_m) | known_joints(samples.joints_px)
    kept = (row >= 0) & seen.is_decodable
    kept[kept] &= is_known[row[kept]].any(axis=1)
    return np.flatnonzero(kept).astype(np.int64), row[kept]


def _is_in_world(place: Place | None) -> bool:
    return place is not None and place.is_world


def _moved(place: Place | None, joints_m: Floats) -> Floats:
    return joints_m if place is None else transform_points(place.transform, joints_m)


def _rows(parts: Sequence[Floats], columns: int) -> Floats:
    return np.concatenate([np.zeros((0, 21, columns)), *parts])


def unused_notes(samples: Sequence[Samples], given: GivenHands) -> list[Note]:
    """Say what of the samples fits no picture, and what they do not state."""
    notes = []
    total, used = sum(len(item.key) for item in samples), len(given.position)
    if total > used:
        text = f"{total} hands are given and {used} lie within half a frame period of a picture that decodes"
        notes.append(Note("unused_hands", text, "hands", total - used))
    unstated = int(np.isnan(given.confidence).sum())
    if unstated:
        text = f"{unstated} hands come without a confidence; 1 stands for it"
        notes.append(Note("unstated_confidence", text, "hands", unstated))
    return notes
