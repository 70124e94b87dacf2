"""Blurring the faces of frames in a loop, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization import FaceBlurConfig, require_detectors
from episode_assets.anonymization.one_by_one import Hidden, OneByOne, finds_the_same
from episode_assets.anonymization.upright import Upright
from episode_assets.recording import Attitude
from episode_assets.scripting.camera import SyncedFrame, checksum_of
from episode_assets.scripting.options import checked_options
from episode_assets.video import picture_to_rgb
from episode_assets.video.rgb import picture_from_rgb

RGB = NDArray[np.uint8]

DETECTORS = MappingProxyType({"mediapipe": "centerface"})
"""Names that scripts use, and who does their work here; all others are taken as they are.

Scripts name MediaPipe because it runs anywhere without a set-up. CenterFace does too, finds smaller faces, and takes a
fraction of the time; MediaPipe's own networks are there as `blazeface`.
"""

_SAME_AS = MappingProxyType({"scale_factor_detections": "box_scale"})
"""Names that scripts use for settings that mean the same here."""


class FaceBlurrer:
    """Finds and blurs faces, frame by frame; a face that is missed stays covered for a moment.

    Frames of a recording remember what was found in them: when the blurred picture is handed in, the export covers the
    same face a moment earlier too, and where it was missed in between. What was found in a picture that a script has
    changed, or with other settings of the search than those of the session, does not count: the export searches the
    recorded picture itself then.

    Args:
        model: `centerface` (the default, also for `mediapipe`), `blazeface`, `retinaface`, `egoblur`, or an import
            path; see `FaceBlurConfig.detector`.
        options: Other settings of `FaceBlurConfig` by name.

    Raises:
        BadConfig: There is no such model or setting.
        ModelMissing: A weight file or package is not there.
    """

    def __init__(self, model: str = "centerface", **options: Any) -> None:
        options = checked_options(
            "FaceBlurrer", options, FaceBlurConfig, same_as=_SAME_AS, without="detector"
        )
        self.model_name = model.lower() if ":" not in model else model
        detector = DETECTORS.get(self.model_name, self.model_name)
        self.config = replace(FaceBlurConfig(), **{**options, "detector": detector})
        require_detectors(self.config, detector)
        self._followed: tuple[object, tuple[int, int], OneByOne] | None = None

    def __repr__(self) -> str:
        return f"FaceBlurrer(model={self.model_name!r})"

    def load(self) -> None:
        """Check that weights and packages are there; they are loaded with the first picture, whose size tells how."""
        require_detectors(self.config, self.config.detector)

    def blur(self, rgb_or_frame: SyncedFrame | RGB) -> RGB:
        """Return a blurred copy, (H, W, 3) uint8.

        Args:
            rgb_or_frame: A frame, in the order in which `frames` yields them; or a picture on its own, which nothing
                is known about and which is searched at all right angles.
        """
        return self._blurred(rgb_or_frame)[0]

    def blur_batch(self, frames_or_rgbs: Sequence[SyncedFrame | RGB]) -> list[RGB]:
        """Return the blurred copies of several, one after the other."""
        return [self.blur(item) for item in frames_or_rgbs]

    def detect_boxes(self, frames_or_rgbs: Sequence[SyncedFrame | RGB]) -> list[NDArray[np.float32]]:
        """Return for each of several what was found in it, (N, 4) float32 x0, y0, x1, y1 pixels."""
        return [self._blurred(item)[1].faces.boxes[:, :4] for item in frames_or_rgbs]

    def _blurred(self, item: SyncedFrame | RGB) -> tuple[RGB, Hidden]:
        rgb = item.rgb if isinstance(item, SyncedFrame) else item
        picture = picture_from_rgb(np.ascontiguousarray(rgb))
        if isinstance(item, SyncedFrame) and item.origin is not None:
            origin = item.origin
            hidden = self._one_by_one(item, origin.session).blur(origin.position, item.stamp_ns, picture)
            is_recorded = checksum_of(rgb) == origin.checksum
            if is_recorded and finds_the_same(self.config, origin.session.blur_config):
                origin.session.note_faces(origin.position, hidden.faces)
        else:
            alone = self._alone(rgb)
            alone.forget()
            hidden = alone.blur(0, 0, picture)
        return picture_to_rgb(picture), hidden

    def _one_by_one(self, frame: SyncedFrame, session: Any) -> OneByOne:
        def upright() -> Upright:
            return Upright(session.view.attitude(session.view.rgb.stamp_ns), key_stride=self.config.g)

        return self._follower(session, frame.rgb, upright)

    def _alone(self, rgb: RGB) -> OneByOne:
        return self._follower(None, rgb, lambda: Upright(Attitude.unknown(1), key_stride=1))

    def _follower(self, key: object, rgb: RGB, upright: Any) -> OneByOne:
        """Return who follows the faces of this session at this size; another one begins anew."""
        size = (rgb.shape[1], rgb.shape[0])
        if self._followed is None or self._followed[0] is not key or self._followed[1] != size:
            self._followed = key, size, OneByOne(self.config, size=size, upright=upright())
        return self._followed[2]
