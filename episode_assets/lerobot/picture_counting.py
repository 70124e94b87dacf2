"""Counts the values of pictures of a finished dataset, by decoding them where nobody has counted before."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.colour_counts import colour_counts, sampling_step
from episode_assets.errors import BadVideo
from episode_assets.lerobot.camera_statistics import MILLIMETRES, camera_statistics
from episode_assets.lerobot.existing import EpisodeRows, ExistingDataset, Feature, episode_rows
from episode_assets.lerobot.existing.files import camera_files
from episode_assets.lerobot.picture_counts import PictureCounts, read_picture_counts
from episode_assets.lerobot.statistics import NAMES, Statistics
from episode_assets.progress import Progress
from episode_assets.video import LARGEST_CODE, decode_depth_codes, decode_frames

_IN_METRES = "m"


def counts_of(dataset: ExistingDataset, feature: Feature, progress: Progress) -> PictureCounts:
    """Return the counts of one camera over all episodes; without stored ones every picture is decoded, one at a time.

    Raises:
        BadVideo: A picture cannot be decoded.
    """
    stored = read_picture_counts(dataset.root).get(feature.key)
    if stored is not None:
        return stored
    if feature.is_video:
        return _of_videos(dataset, feature, progress)
    return _of_rows(dataset, feature, progress)


def _of_videos(dataset: ExistingDataset, feature: Feature, progress: Progress) -> PictureCounts:
    total = np.zeros(LARGEST_CODE + 1 if feature.is_depth else 3 * 256, dtype=np.int64)
    files, pictures = camera_files(dataset, feature), 0
    for done, path in enumerate(files, start=1):
        if feature.is_depth:
            for _, codes in decode_depth_codes(dataset.root / path):
                total += np.bincount(codes.reshape(-1), minlength=len(total))
                pictures += bool(codes.any())
        else:
            for _, picture in decode_frames(dataset.root / path):
                total += colour_counts(picture).reshape(-1)
                pictures += 1
        progress(f"colours of {feature.key}", done, len(files))
    return PictureCounts(pictures, total)


def _of_rows(dataset: ExistingDataset, feature: Feature, progress: Progress) -> PictureCounts:
    total = np.zeros(MILLIMETRES if feature.is_depth else 3 * 256, dtype=np.int64)
    pictures = 0
    for rows in episode_rows(dataset, columns=[feature.key]):
        if not isinstance(rows, EpisodeRows):
            continue  # verification has told of it
        for item in rows.table[feature.key]:
            picture = decoded(item.as_py()["bytes"], where=feature.key)
            total += np.bincount(_values(picture), minlength=len(total))
            pictures += bool(picture.any()) or not feature.is_depth
        progress(f"colours of {feature.key}", rows.episode.number + 1, len(dataset.episodes))
    return PictureCounts(pictures, total)


def decoded(content: bytes, *, where: str) -> NDArray[Any]:
    """Return a stored picture: (H, W, 3) uint8 RGB, or (H, W) as its file has it.

    Raises:
        BadVideo: It cannot be decoded.
    """
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise BadVideo("a stored picture cannot be decoded", where=where)
    return np.asarray(picture[..., 2::-1] if picture.ndim == 3 else picture)


def _values(picture: NDArray[Any]) -> NDArray[np.int64]:
    """Return the sampled values of a picture; those of green and blue follow in blocks of 256."""
    if picture.ndim == 2:
        return picture.reshape(-1).astype(np.int64)
    step = sampling_step(picture.shape[1], picture.shape[0])
    return (picture[::step, ::step].astype(np.int64) + 256 * np.arange(3)).reshape(-1)


def statistics_of(feature: Feature, found: PictureCounts) -> Statistics:
    """Return the statistics of a camera from its counts, in the unit that its description names."""
    facts = {"is_depth_map": feature.is_depth, "depth": feature.info}
    statistics = camera_statistics(found.counts, facts, frames=found.pictures)
    if feature.is_depth and feature.info.get("depth_unit") == _IN_METRES:
        metres = {name: (np.asarray(statistics[name]) / 1000).tolist() for name in NAMES}
        return statistics | metres
    return statistics
