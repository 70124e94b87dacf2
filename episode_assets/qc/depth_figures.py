"""Figures of the depth images of a bundle, taken while each image is read once.

No verdict is made here. Arrays with F rows follow the frames of the bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import EpisodeBundle
from episode_assets.qc.hand_depth import HandDepth
from episode_assets.qc.ranges import Flags, Stamps
from episode_assets.video.picture_motion import MotionMeter

Floats = NDArray[np.float64]
Image = NDArray[np.uint16]

DEPTH_BINS_M = (0.0, 1.0, 2.0, 5.0, np.inf)
FINE_DEPTH_BIN_M = 0.1
FINE_DEPTH_BINS = 60
SATURATED_MM = int(np.iinfo(np.uint16).max)
STERA_FRAMES = 200
"""Stera looks at every (n // 200)-th depth image."""
STERA_PIXELS = 5000
"""Stera keeps this many pixels of each of them."""

_STERA_SHARES = (5, 50, 95)
_STEP = 2  # every second row and column: a quarter of the pixels tells the same medians
_GREY_MM = 16
_GREY_WIDTH_PX = 160


@dataclass(frozen=True)
class SteraDepth:
    """What Stera computes from its sampled depth images.

    Attributes:
        valid_percent: (S,) float32 percent of valid pixels of each sampled image.
        min_m: Smallest valid depth, None without any.
        max_m: Largest.
        pixels: How many valid pixels the rest is from: at most 5,000 random ones of each sampled image (seed 0).
        percentiles_m: 5th, 50th and 95th percentile of them; empty without any.
        counts: How many of them lie in each bin of `DEPTH_BINS_M`; empty without any.
    """

    valid_percent: NDArray[np.float32]
    min_m: float | None
    max_m: float | None
    pixels: int
    percentiles_m: Mapping[int, float]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class DepthNumbers:
    """Figures of the depth images.

    Attributes:
        has: (F,) bool, the frame has a depth image.
        stamp_ns: (F,) stamp of that image, -1 without.
        message_number: (F,) number of its message, -1 without.
        valid_ratio: (F,) share of pixels with a measurement, NaN without image.
        centre_valid_ratio: (F,) the same in the middle half of rows and columns.
        saturated_ratio: (F,) share of pixels at 65,535 mm.
        is_constant: (F,) bool, all measured pixels have one value.
        is_repeated: (F,) bool, the message's image is not empty and equals that of the message before.
        shift_px: (F, 2) motion against the image before at 160 px width, NaN where unknown.
        median_m: (F,) median of the valid pixels in metres, NaN without any.
        mean_m: (F,) mean of the valid pixels.
        left_hand_m: (F,) metres by which joints of the left palm lie behind the measured surface, NaN where not known.
        right_hand_m: The same of the right hand.
        size: Width and height of the images.
        histogram: (60,) pixels per 0.1 m bin from 0 m; what lies beyond is in `beyond`.
        beyond: Pixels at 6 m and more.
        stera: What Stera computes.
    """

    has: Flags
    stamp_ns: Stamps
    message_number: NDArray[np.int64]
    valid_ratio: Floats
    centre_valid_ratio: Floats
    saturated_ratio: Floats
    is_constant: Flags
    is_repeated: Flags
    shift_px: Floats
    median_m: Floats
    mean_m: Floats
    left_hand_m: Floats
    right_hand_m: Floats
    size: tuple[int, int]
    histogram: NDArray[np.int64]
    beyond: int
    stera: SteraDepth


class DepthMeter:
    """Sees the depth images of a bundle one after the other."""

    def __init__(self, bundle: EpisodeBundle, messages: int) -> None:
        """Prepare for a bundle with depth, out of a recording with so many depth messages."""
        info = bundle.depth
        assert info is not None
        count = len(bundle)
        self._info = info
        self._valid, self._centre, self._saturated, self._median, self._mean = (
            np.full(count, np.nan) for _ in range(5)
        )
        self._constant, self._repeated = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        self._shift = np.full((count, 2), np.nan)
        self._histogram, self._beyond = np.zeros(FINE_DEPTH_BINS, np.int64), 0
        self._motion = MotionMeter()
        self._hands = HandDepth(bundle, "left"), HandDepth(bundle, "right")
        self._previous: Image | None = None
        self._number = -1
        self._stera = _SteraSampler(every=max(1, messages // STERA_FRAMES))

    def see(self, frame: int, image: Image) -> None:
        """Take the figures of the depth image (H, W) mm of a frame; frames come in order."""
        for hand in self._hands:
            hand.see(frame, image)
        number = int(self._info.message_number[frame])
        if number == self._number and self._previous is not None:
            self._copy(frame - 1, frame)
            return
        self._shares(frame, image)
        self._levels(frame, image[::_STEP, ::_STEP])
        shift = self._motion.measure(_grey(image))
        if shift is not None:
            self._shift[frame] = shift.x_px, shift.y_px
        is_same = self._previous is not None and np.array_equal(image, self._previous)
        self._repeated[frame] = is_same and self._valid[frame] > 0
        self._stera.see(number, image)
        self._previous, self._number = image, number

    def skip(self) -> None:
        """Take note of a frame without depth."""
        self._previous, self._number = None, -1
        self._motion.forget()

    def _copy(self, source: int, frame: int) -> None:
        for column in (
            self._valid,
            self._centre,
            self._saturated,
            self._median,
            self._mean,
            self._constant,
            self._repeated,
        ):
            column[frame] = column[source]

    def _shares(self, frame: int, image: Image) -> None:
        height, width = image.shape
        middle = image[height // 4 : height - height // 4, width // 4 : width - width // 4]
        self._valid[frame] = np.count_nonzero(image) / image.size
        self._centre[frame] = np.count_nonzero(middle) / max(middle.size, 1)
        self._saturated[frame] = np.count_nonzero(image == SATURATED_MM) / image.size

    def _levels(self, frame: int, image: Image) -> None:
        pixels = np.bincount(image.ravel())  # by millimetre
        pixels[0] = 0
        values = np.flatnonzero(pixels)
        if len(values) == 0:
            return
        below = np.cumsum(pixels[values])
        count = int(below[-1])
        middle = values[np.searchsorted(below, ((count - 1) // 2, count // 2), side="right")]
        self._median[frame] = middle.sum() / 2 / 1000
        self._mean[frame] = int(values @ pixels[values]) / count / 1000
        self._constant[frame] = len(values) == 1
        tenths = np.bincount(values // round(FINE_DEPTH_BIN_M * 1000), pixels[values], FINE_DEPTH_BINS)
        self._histogram += tenths[:FINE_DEPTH_BINS].astype(np.int64)
        self._beyond += int(tenths[FINE_DEPTH_BINS:].sum())

    def numbers(self) -> DepthNumbers:
        """Return all figures."""
        return DepthNumbers(
            has=np.isfinite(self._valid),
            stamp_ns=self._info.stamp_ns,
            message_number=self._info.message_number,
            valid_ratio=self._valid,
            centre_valid_ratio=self._centre,
            saturated_ratio=self._saturated,
            is_constant=self._constant,
            is_repeated=self._repeated,
            shift_px=self._shift,
            median_m=self._median,
            mean_m=self._mean,
            left_hand_m=self._hands[0].offset_m,
            right_hand_m=self._hands[1].offset_m,
            size=(self._info.width, self._info.height),
            histogram=self._histogram,
            beyond=self._beyond,
            stera=self._stera.result(),
        )


class _SteraSampler:
    """Samples images and pixels as Stera does: every k-th message, at most 5,000 of its valid pixels."""

    def __init__(self, *, every: int) -> None:
        self._every = every
        self._random = np.random.default_rng(0)
        self._percent: list[float] = []
        self._pixels: list[NDArray[np.float32]] = []
        self._low, self._high = np.inf, 0.0

    def see(self, number: int, image: Image) -> None:
        if number % self._every:
            return
        metres = image[image > 0].astype(np.float32) / np.float32(1000)
        self._percent.append(100 * len(metres) / image.size)
        if len(metres) == 0:
            return
        self._low, self._high = (
            min(self._low, float(metres.min())),
            max(self._high, float(metres.max())),
        )
        if len(metres) > STERA_PIXELS:
            metres = metres[self._random.choice(len(metres), STERA_PIXELS, replace=False)]
        self._pixels.append(metres)

    def result(self) -> SteraDepth:
        pixels_m = np.concatenate(self._pixels) if self._pixels else np.zeros(0, np.float32)
        is_any = len(pixels_m) > 0
        return SteraDepth(
            valid_percent=np.array(self._percent, np.float32),
            min_m=self._low if np.isfinite(self._low) else None,
            max_m=self._high or None,
            pixels=len(pixels_m),
            percentiles_m={p: float(np.percentile(pixels_m, p)) for p in _STERA_SHARES if is_any},
            counts=tuple(np.histogram(pixels_m, bins=DEPTH_BINS_M)[0].tolist()) if is_any else (),
        )


def _grey(image: Image) -> NDArray[np.uint8]:
    """Return a small grey picture of the near 4 m; holes are black."""
    width = min(_GREY_WIDTH_PX, image.shape[1])
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(np.minimum(small // _GREY_MM, 255), dtype=np.uint8)
