"""`depth.mp4`: the depth of the annotation file once more, as 12-bit codes in a lossless video.

It is there for readers that take depth as a video, as LeRobot's do; it is a third as large and exact to half a step of
its codes only. Codes and encoding belong to `video`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import layout
from episode_assets.bundle.config import BundleConfig
from episode_assets.errors import ArtifactDamaged, BadConfig
from episode_assets.footage import FrameTable
from episode_assets.video import (
    HOLE_CODE,
    DepthCoder,
    DepthEncoderConfig,
    DepthVideoWriter,
    decode_depth_codes,
)

_PREFIX = "video_"


def depth_coder(config: BundleConfig) -> DepthCoder:
    """Return what turns depth into the codes of the video."""
    encoder = DepthEncoderConfig(depth_max=config.depth_video_max_m)
    return DepthCoder(encoder, outside=config.depth_video_outside)


class DepthVideo:
    """One frame for every picture, with the stamp of that picture; one without depth is holes alone.

    Args:
        out: Where to write.
        frames: The pictures.
        height: Rows of every depth image.
        width: Columns.
        coder: What codes mean, and how they are encoded.

    Raises:
        BadConfig: The encoder is not built into this FFmpeg, or does not open.
    """

    def __init__(self, out: Path, frames: FrameTable, height: int, width: int, coder: DepthCoder) -> None:
        self._out, self._frames, self._coder = out, frames, coder
        self._holes = np.full((height, width), HOLE_CODE, np.uint16)
        self._writer = DepthVideoWriter(out, config=coder.config, width=width, height=height)
        self._next = 0
        self._outside = 0
        self._sample: dict[int, NDArray[np.uint16]] = {}

    def __enter__(self) -> DepthVideo:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)

    def add(self, frame: int, image_mm: NDArray[np.uint16]) -> None:
        """Encode the depth image of a picture, (height, width) uint16 mm; pictures come in order."""
        self._fill(frame)
        self._outside += self._coder.count_outside(image_mm)
        codes = self._coder.codes(image_mm)
        if frame in (0, len(self._frames) // 2, len(self._frames) - 1):
            self._sample[frame] = codes
        self._put(codes)

    def finish(self) -> None:
        """Close the video and compare a few images with what was to be written.

        Raises:
            ArtifactDamaged: One does not read back.
            BadVideo: The video does not read back.
        """
        self._fill(len(self._frames))
        self._writer.finish()
        height, width = self._holes.shape
        for frame, codes in decode_depth_codes(self._out, sorted(self._sample)):
            if not np.array_equal(codes[:height, :width], self._sample[frame]):
                raise ArtifactDamaged(
                    f"depth frame {frame} does not read back as it was written",
                    where=self._out.name,
                    remedy="check the disk and the installation of PyAV, then run again",
                )

    def attributes(self) -> dict[str, str | int | float]:
        """Return what a reader has to know, as attributes of `/depth`; ranges in metres.

        `video_outside_pixels` counts measured pixels out of range over all images.
        """
        config = self._coder.config
        told: dict[str, str | int | float] = {
            "depth_min": config.depth_min,
            "depth_max": config.depth_max,
            "shift": config.shift,
            "use_log": int(config.use_log),
            "hole_code": HOLE_CODE,
            "outside": self._coder.outside,
            "outside_pixels": self._outside,
        }
        return {f"{_PREFIX}{name}": value for name, value in told.items()}

    def _fill(self, stop: int) -> None:
        while self._next < stop:
            self._put(self._holes)

    def _put(self, codes: NDArray[np.uint16]) -> None:
        self._writer.add(int(self._frames.pts_us[self._next]), codes)
        self._next += 1


def read_coder(attributes: Mapping[str, Any]) -> DepthCoder:
    """Return what turns the codes of a video back into depth, from the attributes of `/depth`.

    Raises:
        ArtifactDamaged: One is missing or no number.
    """
    names = [f"{_PREFIX}{name}" for name in ("depth_min", "depth_max", "shift", "use_log")]
    try:
        low, high, shift, use_log = (float(attributes[name]) for name in names)
        return DepthCoder(
            DepthEncoderConfig(depth_min=low, depth_max=high, shift=shift, use_log=use_log != 0)
        )
    except (KeyError, ValueError, TypeError, BadConfig) as error:
        raise ArtifactDamaged(
            f"the codes of the depth video have no meaning: {error!r}",
            where=layout.DEPTH_VIDEO,
            remedy=layout.REMEDY,
        ) from error
