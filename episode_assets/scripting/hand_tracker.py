"""Reading the wearer's hands in a loop, one frame at a time."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadConfig
from episode_assets.geometry import rescale_pixels
from episode_assets.hands import BACKENDS, HandPoseConfig
from episode_assets.hands.backends import options_of
from episode_assets.hands.depth_view import Shot, depth_pixels
from episode_assets.hands.one_by_one import HandsOneByOne, Scene, SeenHand
from episode_assets.hands.turning import usual_turns
from episode_assets.scripting.camera import Floats, SyncedFrame
from episode_assets.scripting.hand_pose import HandPose, hand_of
from episode_assets.scripting.options import checked_options

_UNKNOWN = np.full((3, 3), np.nan)
_NOT_LOOKING = "precomputed"

_SAME_AS = MappingProxyType(
    {
        "max_num_hands": "max_hands",
        "min_detection_confidence": "palm_threshold",
        "min_presence_confidence": "continue_presence",
    }
)
"""Names that scripts use for settings that mean the same here."""


class HandTracker:
    """Finds the wearer's hands, at most one left and one right in a frame.

    Args:
        model: `mediapipe` (the default), `wilor` or `hamer`.
        model_path: Not used: `wilor` and `hamer` take the paths of their files in the section of that name.
        options: Other settings of `HandPoseConfig` by name.

    Raises:
        BadConfig: There is no such model or setting.
        ModelMissing: A weight file or package is not there.
    """

    def __init__(self, model: str = "mediapipe", model_path: None = None, **options: Any) -> None:
        if model_path is not None:
            raise BadConfig(
                "model_path is not used", remedy=f"give the files in the section {model}=... of the settings"
            )
        options = checked_options("HandTracker", options, HandPoseConfig, same_as=_SAME_AS, without="backend")
        self.model_name = model.lower() if ":" not in model else model
        if self.model_name == _NOT_LOOKING:
            looking = ", ".join(name for name in BACKENDS if name != _NOT_LOOKING)
            raise BadConfig(f"{model} does not look at pictures", remedy=f"use one of {looking}")
        self.config = replace(HandPoseConfig(), **{**options, "backend": self.model_name})
        self.load()
        self._followed: tuple[object, HandsOneByOne] | None = None
        self._calls = 0

    def __repr__(self) -> str:
        return f"HandTracker(model={self.model_name!r})"

    def load(self) -> None:
        """Check that weights and packages are there; they are loaded with the first picture."""
        options_of(self.config).require()

    def detect_hands(
        self,
        rgb_or_frame: SyncedFrame | NDArray[np.uint8],
        depth: NDArray[np.uint16] | None = None,
        intrinsics: Floats | None = None,
    ) -> list[HandPose]:
        """Return the wearer's hands, left before right.

        Joints are metres in the camera's optical frame where depth tells how far the hand is, else pixels with z = 0.

        Args:
            rgb_or_frame: A frame, in the order in which `frames` yields them; or a picture (H, W, 3) uint8, which is
                taken for one thirtieth of a second after the one before.
            depth: (h, w) uint16 millimetres of the picture; that of the frame by default.
            intrinsics: (3, 3) of the depth, or of the picture where there is no depth; those of the frame by default.

        Raises:
            BadConfig: The intrinsics have another shape.
        """
        if isinstance(rgb_or_frame, SyncedFrame):
            return self._of_frame(rgb_or_frame, depth, intrinsics)
        self._calls += 1
        return self._of_picture(rgb_or_frame, depth, intrinsics)

    def _of_frame(
        self, frame: SyncedFrame, depth: NDArray[np.uint16] | None, intrinsics: Floats | None
    ) -> list[HandPose]:
        origin = frame.origin
        depth = frame.depth if depth is None else depth
        if origin is None:
            known = frame.depth_K if depth is not None else frame.rgb_K
            return self._of_picture(frame.rgb, depth, known if intrinsics is None else intrinsics)
        size = (frame.rgb.shape[1], frame.rgb.shape[0])
        view = origin.session.view

        def to_depth(pixels: Floats) -> Floats | None:
            assert depth is not None
            stamp_ns = frame.stamp_ns if origin.depth_stamp_ns is None else origin.depth_stamp_ns
            seen = Shot(stamp_ns, (depth.shape[1], depth.shape[0]))
            return depth_pixels(view, pixels, Shot(frame.stamp_ns, size), seen)

        if intrinsics is not None:
            K = _for_picture(intrinsics, depth, size)
        else:
            K = _UNKNOWN if frame.rgb_K is None else frame.rgb_K
        scene = Scene(origin.position, frame.stamp_ns, frame.rgb, K, depth, to_depth)
        return self._read(origin.session, scene, frame.index)

    def _of_picture(
        self, rgb: NDArray[np.uint8], depth: NDArray[np.uint16] | None, intrinsics: Floats | None
    ) -> list[HandPose]:
        size = (rgb.shape[1], rgb.shape[0])
        depth_size = size if depth is None else (depth.shape[1], depth.shape[0])
        K = _UNKNOWN if intrinsics is None else _for_picture(intrinsics, depth, size)

        def to_depth(pixels: Floats) -> Floats:
            return rescale_pixels(pixels, size, depth_size)

        scene = Scene(self._calls, self._calls * 1_000_000_000 // 30, rgb, K, depth, to_depth)
        return self._read(None, scene, None)

    def _read(self, session: Any, scene: Scene, frame_index: int | None) -> list[HandPose]:
        if self._followed is None or self._followed[0] is not session:
            turns = 0
            if self.config.scene_turned != "auto":
                turns = int(self.config.scene_turned) // 90
            elif session is not None:
                turns = usual_turns(session.view.attitude(session.view.rgb.stamp_ns))
            self._followed = session, HandsOneByOne(self.config, turns=turns)
        return [self._as_pose(hand, frame_index) for hand in self._followed[1].look(scene)]

    def _as_pose(self, hand: SeenHand, frame_index: int | None) -> HandPose:
        is_placed = bool(np.isfinite(hand.joints_m).all())
        flat = np.concatenate([hand.joints_px, np.zeros((21, 1))], axis=1)
        return hand_of(
            hand.joints_m if is_placed else flat,
            side="right" if hand.is_right else "left",
            confidence=hand.confidence,
            frame_index=frame_index,
            joints_px=hand.joints_px,
            backend=self.model_name,
        )


def _for_picture(intrinsics: Floats, depth: NDArray[np.uint16] | None, size: tuple[int, int]) -> Floats:
    """Return (3, 3) intrinsics of a picture of `size` from those of its depth, or its own where there is no depth."""
    K = np.asarray(intrinsics, np.float64)
    if K.shape != (3, 3):
        raise BadConfig(f"intrinsics have shape {K.shape}, (3, 3) is one camera", where="intrinsics")
    height, width = (size[1], size[0]) if depth is None else depth.shape
    return np.asarray(K * [[size[0] / width], [size[1] / height], [1]])
