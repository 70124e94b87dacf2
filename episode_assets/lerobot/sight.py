"""A recording as the camera of a recipe sees it: which pictures there are, what is done to them, and what follows.

Everything that is told in the camera's pixels or axes follows here, once, so that cuts and rows need not know of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import EpisodeBundle
from episode_assets.lerobot.camera_tracks import VideoFile, read_video
from episode_assets.lerobot.depth_overlay import DepthOverlay
from episode_assets.lerobot.own_video import codec_of
from episode_assets.lerobot.picture_change import (
    TURNS,
    PictureChange,
    change_source,
    plan_change,
    upright_turns,
)
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.recipe_camera import CameraView
from episode_assets.lerobot.source import EpisodeSource
from episode_assets.lerobot.timing import LeftOut


@dataclass(frozen=True)
class Sight:
    """What a recipe's camera sees of one recording.

    Attributes:
        bundle: The opened bundle; its blurred video is the only source of pictures.
        blurred: Directory of the blurred_rgb artifact, whose histograms describe frames that are copied.
        video: The bundle's video.
        changes: What is done to its pictures, by colour feature; the camera itself first.
        overlay: Lays depth over the stored pictures; None where it keeps its own size or there is none.
        source: The frames after the change.
        view_intrinsics: (F, 4) float64 fx, fy, cx, cy of each further view, by short name, px; NaN where unknown.
        why_encode: Why no frame of the video can be copied, by colour feature; None if they can.
        refused: Why the recording does not fit the recipe; None if it does.
    """

    bundle: EpisodeBundle
    blurred: Path
    video: VideoFile
    changes: Mapping[str, PictureChange]
    overlay: DepthOverlay | None
    source: EpisodeSource
    view_intrinsics: Mapping[str, NDArray[np.float64]]
    why_encode: Mapping[str, str | None]
    refused: LeftOut | None

    def starts_anywhere(self, recipe: Recipe) -> bool:
        """Return whether episodes need not begin on key frames, because those that do not are encoded."""
        is_encoded = all(key in recipe.image_keys or reason for key, reason in self.why_encode.items())
        return is_encoded or recipe.timing == "resample" or recipe.unaligned_start == "reencode"

    @property
    def change(self) -> PictureChange:
        """What is done to the picture of the camera itself, in whose pixels and axes rows are told."""
        return next(iter(self.changes.values()))


def see(bundle: EpisodeBundle, blurred: Path, recorded: EpisodeSource, *, recipe: Recipe) -> Sight:
    """Look at a recording through a recipe.

    Args:
        bundle: The opened bundle.
        blurred: Directory of the blurred_rgb artifact.
        recorded: The frames as they were recorded.
        recipe: What is wanted.

    Raises:
        BadVideo: The bundle's video cannot be read.
        ArtifactDamaged: It has another number of frames.
    """
    video = read_video(bundle.video_path, frames=len(recorded))
    turns, refused = _turns(recorded, recipe)
    size = (video.probe.width, video.probe.height)
    views = recipe.colour_views
    changes = {key: plan_change(view, size, quarter_turns=turns) for key, view in views.items()}
    change = changes[recipe.video_key]
    source, overlay = change_source(recorded, change), None
    if recipe.depth.enabled and recipe.depth.size == "picture":
        overlay = DepthOverlay.of(source, change)
        source = overlay.told(source)
    refused = refused or _no_depth(bundle, overlay, recipe)
    further = {
        name: changes[key].intrinsics(recorded.intrinsics)
        for (name, _), key in zip(recipe.views, list(views)[1:], strict=True)
    }
    reasons = {key: _why_encode(view, video, changes[key]) for key, view in views.items()}
    return Sight(bundle, blurred, video, changes, overlay, source, further, reasons, refused)


def _why_encode(view: CameraView, video: VideoFile, change: PictureChange) -> str | None:
    codec, pix_fmt = video.probe.codec, video.probe.pix_fmt
    if view.encode == "always":
        return "the recipe encodes always"
    if not change.is_identity:
        return "pictures are turned, cropped, resized or padded"
    if codec_of(view.encoder) != codec or view.encoder.pix_fmt != pix_fmt:
        return f"the bundle has {codec} {pix_fmt}, the recipe {view.encoder.vcodec} {view.encoder.pix_fmt}"
    return None


def _turns(source: EpisodeSource, recipe: Recipe) -> tuple[int, LeftOut | None]:
    """Return the quarter turns of all pictures, and why the recording does not fit if they cannot be told."""
    upright = recipe.camera_view.upright
    if upright != "auto":
        return TURNS[upright], None
    turns = upright_turns(source.world_from_optical)
    if turns is None:
        detail = "the recording has no camera pose, by which camera_view.upright 'auto' turns the picture"
        return 0, LeftOut("no_camera_pose", detail)
    return turns, None


def _no_depth(bundle: EpisodeBundle, overlay: DepthOverlay | None, recipe: Recipe) -> LeftOut | None:
    if not recipe.depth.enabled:
        return None
    if bundle.depth is None:
        return LeftOut("no_depth", "the recording has no depth, which the recipe asks for")
    if overlay is not None and not overlay.is_known.any():
        detail = (
            "no picture has the intrinsics of both cameras, by which depth.size 'picture' lays depth over it"
        )
        return LeftOut("no_intrinsics", detail)
    return None
