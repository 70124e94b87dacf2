"""The wearer's hands in pictures that come one by one, read before the next one is seen.

The same networks and the same geometry as for whole recordings, with what was seen until now only: whose hand it is and
how large it is are judged by its last frames, no hole is filled, and no new hand is followed back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadConfig
from episode_assets.hands.anchoring import sample_depth
from episode_assets.hands.backends import load_backend, options_of
from episode_assets.hands.camera import or_assumed
from episode_assets.hands.chunkwork import in_picture_pixels, work_size
from episode_assets.hands.config import HandPoseConfig
from episode_assets.hands.depth_view import Size
from episode_assets.hands.following import Follower, follower_of
from episode_assets.hands.placing import place_tracks
from episode_assets.hands.sides import Owners, decide_owners
from episode_assets.hands.sightings import Sightings
from episode_assets.hands.turning import stood_upright, turn_intrinsics, turn_sightings, turned_sizes
from episode_assets.video.rgb import resized

_REMEMBERED_FRAMES = 15
"""Frames by which a hand is judged, about a second of a phone's recording."""

Floats = NDArray[np.float64]
ToDepth = Callable[[Floats], Floats | None]
"""From pixels (..., 2) of a picture to those of its depth frame; None where that cannot be said."""


@dataclass(frozen=True)
class Scene:
    """One picture and what was taken with it.

    Attributes:
        position: Its number in the stream.
        stamp_ns: Its stamp.
        rgb: (H, W, 3) uint8.
        K: (3, 3) float64 intrinsics of the picture, NaN where unknown.
        depth_mm: (h, w) uint16 millimetres, 0 where missing; None without depth.
        to_depth: Where pixels of the picture lie in the depth frame.
    """

    position: int
    stamp_ns: int
    rgb: NDArray[np.uint8]
    K: Floats
    depth_mm: NDArray[np.uint16] | None
    to_depth: ToDepth


@dataclass(frozen=True)
class SeenHand:
    """One hand of the wearer in one picture.

    Attributes:
        is_right: Which hand.
        joints_px: (21, 2) float64 pixels of the picture.
        joints_m: (21, 3) float64 metres in the camera's optical frame; NaN where the hand has no place in space.
        confidence: 0..1, that a hand is there.
    """

    is_right: bool
    joints_px: Floats
    joints_m: Floats
    confidence: float


class HandsOneByOne:
    """Reads the wearer's hands, picture by picture.

    Args:
        config: Settings; those about later frames (following back, filling, smoothing) have no effect.
        turns: By how many quarter turns, clockwise, the scene is turned in the pictures.

    Raises:
        BadConfig: The backend does not look at pictures.
        ModelMissing: A weight file or the runtime is not there.
    """

    def __init__(self, config: HandPoseConfig, *, turns: int = 0) -> None:
        self._config = replace(config, backward_s=0.0)
        options_of(config).require()
        self._backend = load_backend(config)
        if self._backend is None:
            raise BadConfig(f"the backend {config.backend} does not look at pictures", where="backend")
        self._turns = turns
        self.forget()

    def forget(self) -> None:
        """Take the next picture for the first one."""
        self._follower: Follower = follower_of(self._backend, self._config)
        self._sizes: dict[int, Size] = {}
        self._seen: dict[int, tuple[int, Floats]] = {}
        self._depth_m: dict[tuple[int, bytes], NDArray[np.float32]] = {}

    def look(self, scene: Scene) -> tuple[SeenHand, ...]:
        """Return the wearer's hands in the next picture, left before right; one that is not behind begins anew."""
        if self._seen and scene.position <= max(self._seen):
            self.forget()
        size = (scene.rgb.shape[1], scene.rgb.shape[0])
        self._sizes[scene.position] = size
        self._seen[scene.position] = scene.stamp_ns, scene.K
        looked_at = resized(scene.rgb, work_size(size, self._config.work_side_px))
        self._follower.feed(scene.position, scene.stamp_ns, stood_upright(looked_at, self._turns))
        self._forget_old()
        rows = self._follower.sightings()
        if not len(rows):
            return ()
        rows = in_picture_pixels(rows, self._sizes, self._config.work_side_px, self._turns)
        return self._understood(self._with_depth(rows, scene), scene.position)

    def _forget_old(self) -> None:
        kept = sorted(self._seen)[-_REMEMBERED_FRAMES:]
        self._follower.forget_before(kept[0])
        self._sizes = {at: self._sizes[at] for at in kept}
        self._seen = {at: self._seen[at] for at in kept}
        self._depth_m = {key: depth for key, depth in self._depth_m.items() if key[0] >= kept[0]}

    def _with_depth(self, rows: Sightings, scene: Scene) -> Sightings:
        """Return the rows with depths: those of this picture sampled now, those of others as they were."""
        now = np.flatnonzero(rows.position == scene.position)
        sampled = self._sampled(rows.joints_px[now].astype(np.float64), scene)
        for row, depth_m in zip(now.tolist(), sampled, strict=True):
            self._depth_m[(scene.position, rows.joints_px[row].tobytes())] = depth_m
        unknown = np.full(21, np.nan, np.float32)
        keys = [(int(at), px.tobytes()) for at, px in zip(rows.position, rows.joints_px, strict=True)]
        return replace(rows, depth_m=np.stack([self._depth_m.get(key, unknown) for key in keys]))

    def _sampled(self, joints_px: Floats, scene: Scene) -> NDArray[np.float32]:
        nothing = np.full((len(joints_px), 21), np.nan, np.float32)
        if scene.depth_mm is None or not len(joints_px):
            return nothing
        pixels = scene.to_depth(joints_px)
        if pixels is None:
            return nothing
        return sample_depth(
            scene.depth_mm,
            pixels,
            near_m=self._config.depth_near_m,
            far_m=self._config.depth_far_m,
            quantile=self._config.depth_quantile,
        )

    def _understood(self, rows: Sightings, position: int) -> tuple[SeenHand, ...]:
        K = np.stack([self._seen[int(at)][1] for at in rows.position])
        stamps_ns = np.array([self._seen[int(at)][0] for at in rows.position], np.int64)
        sizes = np.array([self._sizes[int(at)] for at in rows.position], np.int32)
        owners = self._owners(rows, or_assumed(K, sizes), sizes)
        placed = place_tracks(rows, K, stamps_ns, config=self._config)
        mine = np.flatnonzero((rows.position == position) & owners.is_wearer)
        return tuple(
            SeenHand(
                is_right=bool(owners.is_right[row]),
                joints_px=rows.joints_px[row].astype(np.float64),
                joints_m=placed.joints_m[row],
                confidence=float(rows.presence[row]),
            )
            for row in mine[np.argsort(owners.is_right[mine], kind="stable")].tolist()
        )

    def _owners(self, rows: Sightings, K: Floats, sizes: NDArray[np.int32]) -> Owners:
        turned = turned_sizes(sizes.astype(np.float64), self._turns)
        upright = turn_sightings(rows, -self._turns, turned)
        return decide_owners(
            upright, turn_intrinsics(K, -self._turns, turned), reach_m=self._config.wearer_reach_m
        )
