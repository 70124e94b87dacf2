"""The settings of the face blur. Every field affects the bytes of the artifact, so none is about speed alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from episode_assets.anonymization.backends import HELP, check_backends, models_of
from episode_assets.anonymization.blazeface import BlazeFaceOptions
from episode_assets.anonymization.centerface import CenterFaceOptions
from episode_assets.anonymization.colours import colour_of
from episode_assets.anonymization.egoblur import EgoBlurOptions
from episode_assets.anonymization.motion import MOTION_NS
from episode_assets.anonymization.retinaface import RetinaFaceOptions
from episode_assets.anonymization.tiles import TILE_MULTIPLE
from episode_assets.errors import BadConfig
from episode_assets.outcome import ModelUse
from episode_assets.video import RGBEncoderConfig


@dataclass(frozen=True)
class FaceBlurConfig:
    """How faces are found, tracked, blurred and audited, and how the result is encoded."""

    detector: str = field(
        default="centerface",
        metadata={"help": f"who finds what is blurred: {HELP}"},
    )
    score_threshold: float = field(
        default=0.2,
        metadata={
            "help": "detection score, 0.04..1 on CenterFace's scale whoever looks, from which on a box is blurred, at "
            "most strong_score; lower blurs more, false faces too"
        },
    )
    strong_score: float = field(
        default=0.5,
        metadata={
            "help": "score, 0..1, from which on a face is certain: one left outside the blur blocks publication, and "
            "weaker boxes that are large need a trace at a second scale"
        },
    )
    min_face_px: float = field(
        default=20.0,
        metadata={
            "help": "height of the smallest face that must be found, in pixels of the recording, 8..1000; "
            "half of it costs four times the detector's time"
        },
    )
    far_stride: int = field(
        default=2,
        metadata={
            "help": "of the pictures that the detector looks at, every n-th is searched down to min_face_px, 1..10, "
            "and those between down to near_face_px; tracks cover smaller faces there. 1 searches all of them fully"
        },
    )
    near_face_px: float = field(
        default=40.0,
        metadata={
            "help": "height of the smallest face that is sought in the pictures between, in pixels of the recording, "
            "8..1000; at or below min_face_px they are searched as the others"
        },
    )
    tile_px: int = field(
        default=1280,
        metadata={
            "help": "longest side of what a detector is given at once, 512..4096 and a multiple of 32; a picture that "
            "min_face_px makes larger is cut into overlapping tiles. Bounds memory, not what is found"
        },
    )
    detector_stride: int = field(
        default=1,
        metadata={
            "help": "the detector looks at every n-th picture, 1..5, and tracks fill those between; the audit looks at "
            "every one all the same. 2 halves the largest cost and may miss faces seen for a moment only"
        },
    )
    box_scale: float = field(
        default=1.5,
        metadata={
            "help": "by what factor a face box is widened before blurring, 1..5; detectors fit tightly"
        },
    )
    fill_s: float = field(
        default=1.0,
        metadata={
            "help": "longest hole of a track that is filled, seconds from one find to the next, 0..10; a face that was "
            "missed for less stays covered along its way"
        },
    )
    hold_s: float = field(
        default=0.3,
        metadata={
            "help": "how long a face stays covered before it was first found and after it was last, seconds, 0..10; "
            "both where it was and where its motion leads"
        },
    )
    hold_growth: float = field(
        default=0.03,
        metadata={"help": "by what ratio a kept box grows with each frame, 0..1"},
    )
    smooth_s: float = field(
        default=0.2,
        metadata={
            "help": "how far, in seconds, 0..2, boxes of a track count for its smoothed box, which is covered beside "
            "the one that was found; 0 leaves boxes as they tremble"
        },
    )
    shape: Literal["box", "ellipse"] = field(
        default="box",
        metadata={
            "help": "what is hidden of the rectangle around a face: box all of it, ellipse the largest one in it, "
            "which holds the box of the detector but leaves corners with hair and ears"
        },
    )
    method: Literal["cells", "fill"] = field(
        default="cells",
        metadata={
            "help": "cells averages a face to a few coarse cells, fill paints it in one colour; both are irreversible"
        },
    )
    fill_colour: str = field(
        default="grey",
        metadata={
            "help": "colour of the method fill: black, white, grey, red, green, blue, yellow, cyan, magenta, or #RRGGBB"
        },
    )
    # One cell: with two or more, the slope between cells and its compression keep, in blocks of plain skin, more than
    # a quarter of what little detail the source had there.
    cells: int = field(
        default=1,
        metadata={
            "help": "cells on the long side of a blurred rectangle, 1..8; 1 leaves its mean colour, more leave soft "
            "shades and keep more"
        },
    )
    audit_detector: str = field(
        default="centerface",
        metadata={
            "help": "who searches the encoded result; named as for detector, and must find all that it finds"
        },
    )
    audit_scale: float = field(
        default=0.8333,
        metadata={
            "help": "scale of the audit on every frame relative to the detector's own, 0.25..4, not 1; it finds faces "
            "from min_face_px divided by this on, 24 pixels by default"
        },
    )
    audit_key_scale: float = field(
        default=1.25,
        metadata={
            "help": "second audit scale, on the first frame of each group of pictures, 0.25..4; 0 leaves it out"
        },
    )
    audit_rounds: int = field(
        default=2,
        metadata={"help": "how often finds of the audit are blurred and audited anew before it blocks, 0..2"},
    )
    audit_max_detail: float = field(
        default=0.25,
        metadata={
            "help": "largest share of its local detail that a blurred rectangle may keep, 0..1; more blocks"
        },
    )
    max_dropped_ratio: float = field(
        default=0.05,
        metadata={
            "help": "largest share of pictures that may be undecodable or of another size, 0..1; more fails"
        },
    )
    centerface: CenterFaceOptions = field(
        default=CenterFaceOptions(), metadata={"help": "settings of the detector centerface"}
    )
    blazeface: BlazeFaceOptions = field(
        default=BlazeFaceOptions(), metadata={"help": "settings of the detector blazeface"}
    )
    retinaface: RetinaFaceOptions = field(
        default=RetinaFaceOptions(), metadata={"help": "settings of the detector retinaface"}
    )
    egoblur: EgoBlurOptions = field(
        default=EgoBlurOptions(), metadata={"help": "settings of the detector egoblur"}
    )
    vcodec: str = field(default="h264", metadata={"help": "video codec; h264, hevc, av1 and others"})
    g: int = field(
        default=15,
        metadata={"help": "frames in a group of pictures, 1..300; shorter cuts more finely and is larger"},
    )
    crf: float = field(default=18.0, metadata={"help": "quality of the video; lower is better and larger"})
    preset: str = field(
        default="veryfast",
        metadata={"help": "speed preset of the encoder; slower is smaller at the same quality"},
    )

    def __post_init__(self) -> None:
        """Check every range and that the encoder can be set up this way; raises BadConfig."""
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if isinstance(value, bool) or not math.isfinite(value) or not low <= value <= high:
                raise BadConfig(f"{name} must be {low}..{high}, got {value!r}")
            if name in _WHOLE and value != int(value):
                raise BadConfig(f"{name} must be a whole number, got {value!r}")
        if self.score_threshold > self.strong_score:
            raise BadConfig(
                f"score_threshold ({self.score_threshold}) must not lie above strong_score ({self.strong_score}): "
                "certain faces would go unseen"
            )
        if self.audit_key_scale != 0 and not 0.25 <= self.audit_key_scale <= 4:
            raise BadConfig(f"audit_key_scale must be 0 or 0.25..4, got {self.audit_key_scale!r}")
        for name in ("audit_scale", "audit_key_scale"):
            if abs(getattr(self, name) - 1.0) < _LEAST_SCALE_STEP:
                raise BadConfig(
                    f"{name} must not be 1: the audit has to look at another scale than the detector"
                )
        if self.tile_px % TILE_MULTIPLE:
            raise BadConfig(f"tile_px must be a multiple of {TILE_MULTIPLE}, got {self.tile_px!r}")
        for name, choices in _CHOICES:
            if getattr(self, name) not in choices:
                raise BadConfig(f"{name} must be {' or '.join(choices)}, got {getattr(self, name)!r}")
        colour_of(self.fill_colour)
        for name, section in _SECTIONS:
            if not isinstance(getattr(self, name), section):
                raise BadConfig(f"{name} must be a section of settings, got {getattr(self, name)!r}")
        check_backends(self, detector=self.detector, audit_detector=self.audit_detector)
        self.encoder()

    def encoder(self) -> RGBEncoderConfig:
        """Return the encoder settings of the video room."""
        return RGBEncoderConfig(vcodec=self.vcodec, g=self.g, crf=self.crf, preset=self.preset)

    def models(self) -> tuple[ModelUse, ...]:
        """Return the weight files of both detectors; reads and hashes those that are given by path."""
        return models_of(self, self.detector, self.audit_detector)

    @property
    def margin_ns(self) -> int:
        """How far a box can depend on other frames.

        It is smoothed with others, each derived from a find in reach of a fill or a hold. That find's link, size at an
        edge and motion go back to others in reach of a fill, or of the time that motion is measured over; and whether
        those are linked to the motion beyond them.
        """
        fill_ns, hold_ns, smooth_ns = (round(s * 1e9) for s in (self.fill_s, self.hold_s, self.smooth_s))
        return smooth_ns + max(fill_ns, hold_ns) + max(fill_ns, MOTION_NS) + MOTION_NS


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("score_threshold", 0.04, 1.0),
    ("min_face_px", 8, 1000),
    ("far_stride", 1, 10),
    ("near_face_px", 8, 1000),
    ("tile_px", 512, 4096),
    ("detector_stride", 1, 5),
    ("box_scale", 1.0, 5.0),
    ("fill_s", 0.0, 10.0),
    ("hold_s", 0.0, 10.0),
    ("hold_growth", 0.0, 1.0),
    ("smooth_s", 0.0, 2.0),
    ("cells", 1, 8),
    ("audit_scale", 0.25, 4.0),
    ("audit_rounds", 0, 2),
    ("strong_score", 0.0, 1.0),
    ("audit_max_detail", 0.0, 1.0),
    ("max_dropped_ratio", 0.0, 1.0),
    ("g", 1, 300),
)

_WHOLE = frozenset({"far_stride", "detector_stride", "tile_px", "cells", "audit_rounds", "g"})

_LEAST_SCALE_STEP = 0.05
"""Scales closer together than this look at nearly the same picture."""

_CHOICES = (("shape", ("box", "ellipse")), ("method", ("cells", "fill")))

_SECTIONS = (
    ("centerface", CenterFaceOptions),
    ("blazeface", BlazeFaceOptions),
    ("retinaface", RetinaFaceOptions),
    ("egoblur", EgoBlurOptions),
)
