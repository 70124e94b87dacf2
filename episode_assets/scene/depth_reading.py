"""Depth images at some moments of a recording, with the faces of their pictures cut out.

Cutting belongs to `footage`, decoding to `recording`; here they are put in a row, and what cannot be used is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from episode_assets.footage import OWN, DepthHoles, Intrinsics, depth_intrinsics
from episode_assets.recording import ImageMessage, ImageStream, UndecodableImage, depth_or_none
from episode_assets.scene.views import Views


class DepthImage(NamedTuple):
    """A depth image and its camera.

    Attributes:
        depth_mm: (H, W) uint16, 0 where nothing was measured or a face was.
        K: (3, 3) float64, pixels of this image.
    """

    depth_mm: NDArray[np.uint16]
    K: NDArray[np.float64]


class _Camera(NamedTuple):
    intrinsics: Intrinsics | None
    holes: DepthHoles


@dataclass
class DepthReader:
    """Reads depth images of one stream.

    Attributes:
        stream: The depth images.
        views: The pictures; a depth image without a picture may show anybody's face and is never read out.
        undecodable: Images that did not decode.
        unseen: Images without a picture near enough.
        uncalibrated: Images whose intrinsics nobody knows.
    """

    stream: ImageStream
    views: Views
    undecodable: int = 0
    unseen: int = 0
    uncalibrated: int = 0
    _cameras: dict[tuple[int, ...], _Camera] = field(default_factory=dict)

    @property
    def hole_pixels(self) -> int:
        """Measured depth pixels that were cut out so far."""
        return sum(camera.holes.pixels for camera in self._cameras.values())

    def read(self, positions: Sequence[int]) -> Iterator[DepthImage | None]:
        """Yield the depth image at each position of the stream, None where it cannot be used."""
        stamps = self.stream.stamp_ns[list(positions)]
        pictures = self.views.partners(stamps, self.views.frames.stamp_ns).tolist()
        for (position, message), picture in zip(self.stream.read_at(positions), pictures, strict=True):
            yield self._image(position, message, picture)

    def _image(
        self, position: int, message: ImageMessage | UndecodableImage, picture: int
    ) -> DepthImage | None:
        if picture < 0:
            self.unseen += 1
            return None
        image = depth_or_none(message)
        if image is None:
            self.undecodable += 1
            return None
        camera = self._camera(image.shape)
        if camera.intrinsics is None or not camera.intrinsics.valid[picture]:
            self.uncalibrated += 1
            return None
        dt_ns = int(self.stream.stamp_ns[position] - self.views.frames.stamp_ns[picture])
        return DepthImage(camera.holes.cut(image, picture, dt_ns), camera.intrinsics.K[picture])

    def _camera(self, shape: tuple[int, ...]) -> _Camera:
        if shape not in self._cameras:
            views, (height, width) = self.views, shape
            intrinsics = depth_intrinsics(
                views.raw, views.rgb, views.frames.stamp_ns, width=width, height=height
            )
            own = intrinsics if intrinsics is not None and intrinsics.source == OWN else None
            holes = DepthHoles(views.frames, views.boxes, height, width, views.rgb, own)
            self._cameras[shape] = _Camera(intrinsics, holes)
        return self._cameras[shape]
