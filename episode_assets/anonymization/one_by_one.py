"""Faces of pictures that come one by one, blurred before the next one is seen.

A face that is missed stays covered for a moment after it was last found. Nothing is known of what comes, so a face is
never covered before it was found; `blurring` and `handed_in`, which look ahead, do that too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.blur import blur_rectangles
from episode_assets.anonymization.colours import colour_of
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.detectors import Found
from episode_assets.anonymization.groups import Rectangles
from episode_assets.anonymization.looking import Seeker
from episode_assets.anonymization.means import Means
from episode_assets.anonymization.redactions import redact, within
from episode_assets.anonymization.tracks import Detections
from episode_assets.anonymization.upright import Upright
from episode_assets.errors import AuditFailed
from episode_assets.video import Picture

_OF_THE_BLUR = (
    "box_scale",
    "fill_s",
    "hold_s",
    "hold_growth",
    "smooth_s",
    "shape",
    "method",
    "fill_colour",
    "cells",
)
"""Settings of what is done with finds; all others are taken for settings of the search."""


class Hidden(NamedTuple):
    """What was blurred in a picture.

    Attributes:
        faces: What was found in it.
        rectangles: (R, 4) int32, what was blurred: around those, and around faces that were found a moment ago.
    """

    faces: Found
    rectangles: Rectangles


def seeker_of_every_picture(means: Means, config: FaceBlurConfig, upright: Upright) -> Seeker:
    """Return who searches every picture fully, since nobody knows yet what its neighbours show.

    Raises:
        ModelMissing: A weight file or package is not there.
    """
    detector = means.detector(config.detector)
    return Seeker(
        far=means.search("detection", detector, config.min_face_px),
        near=None,
        second=means.search("second look", detector, config.min_face_px / config.audit_scale),
        doubt_below=config.strong_score,
        stride=1,
        far_stride=1,
        upright=upright,
        is_lonely=np.zeros(len(upright.attitude.roll_rad), np.bool_),
    )


def require_known_answer(means: Means) -> None:
    """Return if every search found the face of the known-answer test; raises AuditFailed otherwise."""
    if not means.knows_faces:
        roles = ", ".join(use.role for use in means.uses if not use.known_answer.passed)
        raise AuditFailed(
            f"the face of the known-answer test was not found ({roles})",
            remedy="fetch the weights again with `episode-assets models fetch`, or name another detector",
        )


def finds_the_same(one: FaceBlurConfig, other: FaceBlurConfig) -> bool:
    """Say whether two settings search a picture on its own in the same way, however they blur what they find."""
    return replace(one, **{name: getattr(other, name) for name in _OF_THE_BLUR}) == other


class OneByOne:
    """Finds and blurs the faces of pictures of one size, in the order in which they come.

    Args:
        config: The settings of detector, tracks and blur.
        size: True (width, height) of the pictures.
        upright: How the pictures of the stream stand.

    Raises:
        ModelMissing: A weight file or package is not there.
        AuditFailed: The detector does not find the face of the known-answer test.
    """

    def __init__(self, config: FaceBlurConfig, *, size: tuple[int, int], upright: Upright) -> None:
        self._config = config
        self._size = size
        means = Means(config, size, upright.all_turns())
        self._seek = seeker_of_every_picture(means, config, upright)
        require_known_answer(means)
        self._positions: list[int] = []
        self._stamps_ns: list[int] = []
        self._faces = Detections.of([])

    def blur(self, position: int, stamp_ns: int, picture: Picture) -> Hidden:
        """Blur a picture in place.

        Args:
            position: Its position in the stream. One that is not behind the last begins anew.
            stamp_ns: Its stamp.
            picture: The picture; its planes are written to.
        """
        if self._positions and position <= self._positions[-1]:
            self.forget()
        found, _ = self._seek(position, picture)
        rectangles = self._around(position, stamp_ns, found)
        blur_rectangles(
            picture,
            rectangles,
            method=self._config.method,
            cells=self._config.cells,
            shape=self._config.shape,
            colour=colour_of(self._config.fill_colour),
        )
        return Hidden(found, rectangles)

    def forget(self) -> None:
        """Take the next picture for the first one."""
        self._positions, self._stamps_ns, self._faces = [], [], Detections.of([])

    def _around(self, position: int, stamp_ns: int, found: Found) -> Rectangles:
        """Remember what was found, and return what that and what was found before hides in this picture."""
        self._positions.append(position)
        self._stamps_ns.append(stamp_ns)
        here = Detections.of([found.boxes], label=found.label)
        here.frame[:] = position
        self._faces = self._faces.joined_with(here)
        self._drop_old(stamp_ns)
        seen = np.array(self._positions, np.int64)
        stamps = np.array(self._stamps_ns, np.int64)
        redactions = redact(seen, stamps, self._faces, config=self._config, size=self._size)
        last: NDArray[np.int64] = seen[-1:]
        return redactions.at(last)[0]

    def _drop_old(self, now_ns: int) -> None:
        first_ns = now_ns - self._config.margin_ns
        kept = next(index for index, stamp in enumerate(self._stamps_ns) if stamp >= first_ns)
        if kept:
            del self._positions[:kept], self._stamps_ns[:kept]
            self._faces = within(self._faces, self._positions[0], self._positions[-1] + 1)
