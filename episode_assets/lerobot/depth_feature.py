"""The depth feature of a recipe: one image per row, as 12-bit codes in a lossless video or as raw millimetres in TIFF.

Each row shows the depth image that the bundle pairs with its picture, at its own size or laid over the picture; rows
without one are holes alone, and `valid.depth` says which. Depth inside face boxes is already a hole in the bundle. The
codes belong to `video`; that code 0 means a hole is written into the provenance, because readers show it as the
smallest depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import EpisodeBundle
from episode_assets.errors import BadVideo
from episode_assets.lerobot.camera_statistics import MILLIMETRES, camera_statistics
from episode_assets.lerobot.depth_overlay import DepthOverlay
from episode_assets.lerobot.picture_change import PictureChange
from episode_assets.lerobot.recipe_depth import DepthFeature
from episode_assets.lerobot.statistics import Statistics
from episode_assets.lerobot.time_grid import Indices
from episode_assets.outcome import Json
from episode_assets.progress import Progress
from episode_assets.video import (
    HOLE_CODE,
    LARGEST_CODE,
    CameraOutput,
    DepthCoder,
    DepthEncoderConfig,
    StreamingEncoder,
)

_CAMERA = "depth"
_UNCOMPRESSED = (cv2.IMWRITE_TIFF_COMPRESSION, 1)


@dataclass(frozen=True)
class DepthAccount:
    """What became of the depth of one episode.

    Attributes:
        rows: Rows of the episode.
        rows_with_depth: Rows whose picture has a depth image.
        pixels: Pixels of all rows.
        holes: Those without a value, rows without depth and what was out of range (unless it is clamped) included.
        outside: Measured pixels out of the range that has codes; raw millimetres have no such range.
    """

    rows: int
    rows_with_depth: int
    pixels: int
    holes: int
    outside: int

    def to_json(self) -> dict[str, Json]:
        """Return plain JSON."""
        return {
            "rows_without_depth": self.rows - self.rows_with_depth,
            "pixels": self.pixels,
            "holes": self.holes,
            "outside": self.outside,
        }


class DepthImages:
    """The depth of a bundle row by row, turned like its pictures, and counted.

    Args:
        bundle: A bundle that has depth.
        feature: What the recipe asks for.
        change: What is done to the pictures; of it depth takes the turn alone.
        overlay: Lays depth over the stored pictures; None keeps its own size.
    """

    def __init__(
        self,
        bundle: EpisodeBundle,
        feature: DepthFeature,
        change: PictureChange,
        overlay: DepthOverlay | None = None,
    ) -> None:
        info = bundle.depth
        if info is None:
            raise ValueError("the bundle has no depth")  # the caller leaves such a recording out
        self._bundle, self._feature, self._change, self._overlay = bundle, feature, change, overlay
        self._coder = DepthCoder(feature.encoder, outside=feature.outside)
        turned = (info.height, info.width)[:: -1 if change.quarter_turns % 2 else 1]
        self._nothing = np.zeros(turned if overlay is None else overlay.size[::-1], np.uint16)
        self._is_coded = feature.store == "video"
        self._levels = LARGEST_CODE + 1 if self._is_coded else MILLIMETRES
        self.accounts: list[DepthAccount] = []
        self._counts: list[NDArray[np.int64]] = []

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what is stored, px."""
        return int(self._nothing.shape[1]), int(self._nothing.shape[0])

    @property
    def counts(self) -> NDArray[np.int64]:
        """(E, L) occurrences of each value per episode, holes among them."""
        return np.stack(self._counts)

    def of_episode(self, frames: Indices) -> Iterator[NDArray[np.uint16]]:
        """Yield what is stored for each row, (H, W) uint16 codes or mm with 0 for holes, and keep account."""
        counts = np.zeros(self._levels, dtype=np.int64)
        outside = with_depth = 0
        for frame in frames.tolist():
            image = self._shown(frame)
            with_depth += image is not None
            measured = self._nothing if image is None else image
            outside += self._coder.count_outside(measured) if self._is_coded else 0
            stored = self._coder.codes(measured) if self._is_coded else measured
            counts += np.bincount(stored.reshape(-1), minlength=len(counts))
            yield stored
        self._counts.append(counts)
        self.accounts.append(
            DepthAccount(len(frames), with_depth, int(counts.sum()), int(counts[HOLE_CODE]), outside)
        )

    def statistics(self, episode: int) -> Statistics:
        """Return the statistics of an episode in mm, each entry shaped [1][1][1], holes left out."""
        frames = self.accounts[episode].rows_with_depth
        return camera_statistics(self._counts[episode], depth_facts(self._feature), frames=frames)

    def _shown(self, frame: int) -> NDArray[np.uint16] | None:
        """Return the depth of one picture as it lies in the row, (H, W) mm; None where there is none."""
        image = self._bundle.depth_frame(frame)
        if image is None or (self._overlay is not None and not self._overlay.is_known[frame]):
            return None
        turned = np.ascontiguousarray(self._change.turn(image), dtype=np.uint16)
        return turned if self._overlay is None else self._overlay.lay(turned, frame)


def encode_depth(
    images: DepthImages,
    episodes: Sequence[Indices],
    out: Path,
    *,
    config: DepthEncoderConfig,
    fps: int,
    progress: Progress,
) -> None:
    """Encode the depth codes of episodes into one lossless mp4.

    Args:
        images: Where they come from; its accounts are complete afterwards.
        episodes: Frame of each row per episode.
        out: The mp4 to write.
        config: How to encode.
        fps: Rate of the rows.
        progress: Told after every episode.

    Raises:
        BadVideo: The result does not read back as planned.
        BadConfig: The encoder does not open.
    """
    with StreamingEncoder({_CAMERA: CameraOutput(out, config)}, fps=fps) as encoder:
        for number, frames in enumerate(episodes):
            for row, codes in enumerate(images.of_episode(frames)):
                encoder.feed({_CAMERA: codes}, is_owned=True, force_key=row == 0)
            progress("lerobot depth", number + 1, len(episodes))
        encoder.finish()


def depth_facts(feature: DepthFeature) -> dict[str, Json]:
    """Return what a reader needs to make depth of the stored values; equal in all recordings of a recipe.

    `depth` has the names that LeRobot's info.json has for it; its unit is that of the statistics. The rest is ours.
    """
    depth: dict[str, Json] = {"depth_unit": "mm"}
    facts: dict[str, Json] = {"is_depth_map": True, "depth": depth, "hole_code": HOLE_CODE}
    if feature.store == "tiff":
        return facts
    encoder = feature.encoder
    depth["video.depth_min"], depth["video.depth_max"] = encoder.depth_min, encoder.depth_max
    depth["video.shift"], depth["video.use_log"] = encoder.shift, encoder.use_log
    return facts | {"outside": feature.outside}


def tiff_bytes(image: NDArray[np.uint16]) -> bytes:
    """Return an image (H, W) uint16 mm as an uncompressed TIFF."""
    done, data = cv2.imencode(".tiff", image, _UNCOMPRESSED)
    if not done:
        raise BadVideo(f"a depth image of shape {image.shape} cannot be written as TIFF")
    return data.tobytes()
