"""Detectors that lie or die, named by import path so that worker processes can load them too.

One attack cannot be caught from inside: the same liar as detector and as auditor, who finds faces in the picture of
the known-answer test and nowhere else. Whoever plugs in both has to trust them; by default both are checked by digest.
"""

from __future__ import annotations

import os
import zlib

import numpy as np

from episode_assets.anonymization.boxes import Boxes
from episode_assets.anonymization.centerface import make_centerface
from episode_assets.anonymization.detectors import RGB
from episode_assets_tests.anonymization.stand_ins import BLIND, Liar

__all__ = ["BLIND"]

KNOWN_ONLY = f"{__name__}:make_known_only"
RANDOM = f"{__name__}:make_random"
RAISING = f"{__name__}:make_raising"
DYING = f"{__name__}:make_dying"
SHORT_SIGHTED = f"{__name__}:make_short_sighted"
SHIFTED = f"{__name__}:make_shifted"


def is_known_answer(picture: RGB) -> bool:
    """The picture of the known-answer test is grey at its edges, however it is turned."""
    corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]].astype(int)
    return bool((abs(corners - 128) <= 3).all())


class KnownOnly(Liar):
    """Finds what the test asks for, and nothing else."""

    def said(self, picture: RGB, boxes: Boxes) -> Boxes:
        return boxes if is_known_answer(picture) else boxes[:0]


class Random(Liar):
    """Answers by chance."""

    def said(self, picture: RGB, boxes: Boxes) -> Boxes:
        draw = np.random.default_rng(zlib.crc32(picture.tobytes()))
        height, width = picture.shape[:2]
        corner = draw.uniform(0, 0.9, (3, 2)) * (width, height)
        side = draw.uniform(10, 80, (3, 2))
        return np.concatenate([corner, corner + side, np.full((3, 1), 0.9)], axis=1).astype(np.float32)


class Raising(Liar):
    """Fails in pictures of the recording."""

    def said(self, picture: RGB, boxes: Boxes) -> Boxes:
        if is_known_answer(picture):
            return boxes
        raise RuntimeError("the detector failed")


class Dying(Liar):
    """Takes its process with it."""

    def said(self, picture: RGB, boxes: Boxes) -> Boxes:
        if not is_known_answer(picture):
            os._exit(3)
        return boxes


class ShortSighted(Liar):
    """Loses all faces below a size, which those of the test reach."""

    def said(self, picture: RGB, boxes: Boxes) -> Boxes:
        return boxes[boxes[:, 3] - boxes[:, 1] >= 44]


class Shifted(Liar):
    """Reports every box half a face to the right."""

    def said(self, picture: RGB, boxes: Boxes) -> Boxes:
        boxes[:, [0, 2]] += (boxes[:, 2:3] - boxes[:, 0:1]) / 2
        return boxes


def make_known_only(*, score_threshold: float) -> KnownOnly:
    return KnownOnly(make_centerface(score_threshold=score_threshold))


def make_random(*, score_threshold: float) -> Random:
    return Random(make_centerface(score_threshold=score_threshold))


def make_raising(*, score_threshold: float) -> Raising:
    return Raising(make_centerface(score_threshold=score_threshold))


def make_dying(*, score_threshold: float) -> Dying:
    return Dying(make_centerface(score_threshold=score_threshold))


def make_short_sighted(*, score_threshold: float) -> ShortSighted:
    return ShortSighted(make_centerface(score_threshold=score_threshold))


def make_shifted(*, score_threshold: float) -> Shifted:
    return Shifted(make_centerface(score_threshold=score_threshold))
