"""A recording as the camera of a recipe sees it: which pictures there are, what is done to them, and what follows.

Everything that is told in the camera's pixels or axes follows here, once, so that cuts and rows need not know of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
from episode_assets.lerobot.source import EpisodeSource
from episode_assets.lerobot.timing import LeftOut


@dataclass(frozen=True)
class Sight:
    """What a recipe's camera sees of one recording.

    Attributes:
        bundle: The opened bundle; its blurred video is the only source of pictures.
        blurred: Directory of the blurred_rgb artifact, whose histograms describe frames that are copied.
        video: The bundle's video.
        change: What is done to its pictures.
        overlay: Lays depth over the stored pictures; None where it keeps its own size or there is none.
        source: The frames after the change.
        why_encode: Why no frame of the video can be copied; None if they can.
        refused: Why the recording does not fit the recipe; None if it does.
    """

    bundle: EpisodeBundle
    blurred: Path
    video: VideoFile
    change: PictureChange
    overlay: DepthOverlay | None
    source: EpisodeSource
    why_encode: str | None
    refused: LeftOut | None

    def starts_anywhere(self, recipe: Recipe) -> bool:
        """Return whether episodes need not begin on key frames, because those that do not are encoded."""
        is_encoded = self.why_encode is not None or recipe.video_key in recipe.image_keys
        return is_encoded or recipe.timing == "resample" or recipe.unaligned_start == "reencode"


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
    change, refused = _change(recorded, video, recipe)
    source, overlay = change_source(recorded, change), None
    if recipe.depth.enabled and recipe.depth.size == "picture":
        overlay = DepthOverlay.of(source, change)
        source = overlay.told(source)
    refused = refused or _no_depth(bundle, overlay, recipe)
    reason = _why_encode(recipe, video, change)
    return Sight(bundle, blurred, video, change, overlay, source, reason, refused)


def _why_encode(recipe: Recipe, video: VideoFile, change: PictureChange) -> str | None:
    view, codec, pix_fmt = recipe.camera_view, video.probe.codec, video.probe.pix_fmt
    if view.encode == "always":
        return "the recipe encodes always"
    if not change.is_identity:
        return "pictures are turned, cropped, resized or padded"
    if codec_of(view.encoder) != codec or view.encoder.pix_fmt != pix_fmt:
        return f"the bundle has {codec} {pix_fmt}, the recipe {view.encoder.vcodec} {view.encoder.pix_fmt}"
    return None


def _change(source: EpisodeSource, video: VideoFile, recipe: Recipe) -> tuple[PictureChange, LeftOut | None]:
    """Return what happens to the pictures, and why the recording does not fit if it cannot be told."""
    view, size = recipe.camera_view, (video.probe.width, video.probe.height)
    turns = upright_turns(source.world_from_optical) if view.upright == "auto" else TURNS[view.upright]
    if turns is None:
        detail = "the recording has no camera pose, by which camera_view.upright 'auto' turns the picture"
        return plan_change(view, size, quarter_turns=0), LeftOut("no_camera_pose", detail)
    return plan_change(view, size, quarter_turns=turns), None


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
