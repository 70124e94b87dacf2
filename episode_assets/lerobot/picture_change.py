"""What a dataset does to the picture of the camera (turn, crop, resize, pad), and to everything told in its pixels.

The planes, the intrinsics and the optical axes change by one record, so that a point projected with a row's numbers
lies on the same picture content before and after. Which change a recipe asks for is decided in `plan_change`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import crop_intrinsics, scale_intrinsics
from episode_assets.lerobot.recipe_camera import CameraView, Turn
from episode_assets.lerobot.source import EpisodeSource
from episode_assets.video import Picture

Floats = NDArray[np.float64]
Plane = NDArray[np.uint8]
Size = tuple[int, int]

TURNS: Mapping[Turn, int] = {"none": 0, "cw90": 1, "180": 2, "ccw90": 3}
"""Quarter turns clockwise."""

_BLACK = (16, 128, 128)
"""Black in limited range: luma, blue and red difference."""

# One quarter turn clockwise: u' = H - 1 - v, v' = u, so the optical axes become x' = -y, y' = x.
_QUARTER = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


@dataclass(frozen=True)
class PictureChange:
    """A change of pictures of one size: turned, then cropped, resized, and padded at the right and at the bottom.

    Attributes:
        source: Width and height before, px, even.
        quarter_turns: Turns by 90 degrees clockwise, 0 to 3.
        corner: x and y of the first kept pixel of the turned picture, even.
        cropped: Width and height that are kept of the turned picture, even.
        resized: Width and height that this becomes, even.
        size: Width and height of the stored picture, even; what exceeds `resized` is black.
    """

    source: Size
    quarter_turns: int
    corner: Size
    cropped: Size
    resized: Size
    size: Size

    @property
    def is_identity(self) -> bool:
        """Whether pictures stay as they are."""
        return self.quarter_turns == 0 and self.cropped == self.resized == self.size == self.source

    def apply(self, picture: Picture) -> Picture:
        """Return the changed picture; the given one is only read.

        Args:
            picture: Of the size `source`.
        """
        y, u, v = (
            self._plane(plane, fill, shrunk=shrunk)
            for plane, fill, shrunk in zip((picture.y, picture.u, picture.v), _BLACK, (1, 2, 2), strict=True)
        )
        return Picture(y, u, v, true_width=self.size[0], true_height=self.size[1])

    def turn(self, image: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return an image (H, W) of any size turned like the picture, and nothing else."""
        return np.rot90(image, -self.quarter_turns)

    def intrinsics(self, values: Floats) -> Floats:
        """Return fx, fy, cx, cy (N, 4) of the stored picture from those of the given one, px; NaN stays NaN.

        Whole coordinates are pixel centres. A quarter turn clockwise gives fx' = fy, fy' = fx, cx' = H - 1 - cy,
        cy' = cx.
        """
        turned = turned_intrinsics(values, self.source, self.quarter_turns)
        K = crop_intrinsics(_matrices(turned), x0_px=self.corner[0], y0_px=self.corner[1])
        return scale_intrinsics(K, self.cropped, self.resized)[:, [0, 1, 0, 1], [0, 1, 2, 2]]

    @property
    def new_from_old(self) -> Floats:
        """Rotation (3, 3) from the optical axes of the given picture to those of the stored one."""
        return np.asarray(np.linalg.matrix_power(_QUARTER, self.quarter_turns))

    def _plane(self, plane: Plane, fill: int, *, shrunk: int) -> Plane:
        """Change one plane; `shrunk` is 2 for chroma, which has half as many columns and rows."""
        (x, y), (width, height) = _halved(self.corner, shrunk), _halved(self.cropped, shrunk)
        kept = np.ascontiguousarray(self.turn(plane)[y : y + height, x : x + width])
        resized = _resized(kept, _halved(self.resized, shrunk))
        right, bottom = np.subtract(_halved(self.size, shrunk), resized.shape[::-1]).tolist()
        if right or bottom:
            resized = cv2.copyMakeBorder(resized, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=fill)
        return np.asarray(resized, dtype=np.uint8)


def plan_change(view: CameraView, source: Size, *, quarter_turns: int) -> PictureChange:
    """Return what a recipe's view does to pictures of one size.

    A side that the view leaves open follows from the other one; odd results are rounded down to even numbers.

    Args:
        view: What the recipe asks for.
        source: Width and height of the coded pictures, px, even.
        quarter_turns: Turns clockwise; `view.upright` has been resolved by the caller.
    """
    turned = source if quarter_turns % 2 == 0 else source[::-1]
    width = view.width or _even_side(turned[0] * view.height / turned[1] if view.height else turned[0])
    height = view.height or _even_side(turned[1] * view.width / turned[0] if view.width else turned[1])
    whole = PictureChange(source, quarter_turns, (0, 0), turned, (width, height), (width, height))
    if view.fit == "crop":
        return _cropping(whole)
    return _padding(whole) if view.fit == "pad" else whole


def turned_intrinsics(values: Floats, size: Size, quarter_turns: int) -> Floats:
    """Return fx, fy, cx, cy (N, 4) after turns clockwise of a picture of (width, height)."""
    for _ in range(quarter_turns):
        fx, fy, cx, cy = values.T
        values = np.stack([fy, fx, size[1] - 1 - cy, cx], axis=1)
        size = size[::-1]
    return values


def change_source(source: EpisodeSource, change: PictureChange) -> EpisodeSource:
    """Return the frames as the changed camera sees them: intrinsics, and everything told in its optical axes."""
    rotation, depth = change.new_from_old, source.depth_intrinsics
    width, height = source.depth_size
    if depth is not None:
        depth = turned_intrinsics(depth, (width, height), change.quarter_turns)
    pose = source.world_from_optical.copy()
    pose[:, :3, :3] = pose[:, :3, :3] @ rotation.T
    return replace(
        source,
        world_from_optical=pose,
        intrinsics=change.intrinsics(source.intrinsics),
        depth_intrinsics=depth,
        depth_size=(height, width) if change.quarter_turns % 2 else (width, height),
        joints_cam=source.joints_cam @ rotation.T,
        mano=None if source.mano is None else source.mano.turned(rotation),
    )


def upright_turns(world_from_optical: Floats) -> int | None:
    """Return the quarter turns clockwise that bring gravity's up closest to the picture's top; None without a pose.

    Args:
        world_from_optical: (F, 4, 4) poses in a world whose y axis points up; NaN where unknown. Frames in which the
            camera looks along the vertical say little, and count as little.
    """
    known = np.isfinite(world_from_optical).all(axis=(1, 2))
    if not known.any():
        return None
    # Row 1 of the rotation is the world's up in optical axes: x right, y down.
    right, down = world_from_optical[known, 1, :2].sum(axis=0)
    directions = {0: -down, 1: -right, 2: down, 3: right}
    return max(directions, key=lambda turns: directions[turns])


def _cropping(whole: PictureChange) -> PictureChange:
    (width, height), target = whole.cropped, whole.size
    kept = (
        min(width, _even_side(height * target[0] / target[1])),
        min(height, _even_side(width * target[1] / target[0])),
    )
    corner = (_even((width - kept[0]) / 2), _even((height - kept[1]) / 2))
    return replace(whole, corner=corner, cropped=kept)


def _padding(whole: PictureChange) -> PictureChange:
    scale = min(whole.size[0] / whole.cropped[0], whole.size[1] / whole.cropped[1])
    return replace(
        whole, resized=(_even_side(whole.cropped[0] * scale), _even_side(whole.cropped[1] * scale))
    )


def _even(length: float) -> int:
    """Return the largest even whole number up to a length; what float64 lost of a whole one is given back."""
    return int(length / 2 + 1e-9) * 2


def _even_side(length: float) -> int:
    return max(2, _even(length))


def _halved(size: Size, by: int) -> Size:
    return size[0] // by, size[1] // by


def _resized(plane: Plane, size: Size) -> Plane:
    if size == (plane.shape[1], plane.shape[0]):
        return plane
    shrinks = size[0] <= plane.shape[1] and size[1] <= plane.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, size, interpolation=method), dtype=np.uint8)


def _matrices(values: Floats) -> Floats:
    K = np.zeros((len(values), 3, 3))
    K[:, [0, 1, 0, 1], [0, 1, 2, 2]] = values
    K[:, 2, 2] = 1.0
    return K
