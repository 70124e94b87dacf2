"""Takes the pictures: puts camera, room, person and hands together for one moment and notes what is true about it.

One call gives one frame; frames do not depend on each other. How the parts look stands in `scene`, `person` and
the hand modules, how the frame is written in `recorder`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.demo.barcode import paint_barcode
from episode_assets.demo.config import DemoConfig
from episode_assets.demo.furnishing import BARE, FIXED, draw_furnishing
from episode_assets.demo.hand_motion import Hands
from episode_assets.demo.motion import CameraMotion, HeadTurns
from episode_assets.demo.person import Person, build_person
from episode_assets.demo.phone_depth import phone_depth
from episode_assets.demo.renderer import Canvas, View, paint_soft, paint_surface
from episode_assets.demo.scene import Scene, build_scene
from episode_assets.demo.sensor import Sensor
from episode_assets.demo.truth import LINK_FROM_OPTICAL, rotation

Array = NDArray[np.float64]

_FOCAL_PER_LONG_SIDE = 0.755
"""About 67 degrees along the long side, as the wide camera of a phone."""

_FEATURES = 700
_FEATURE_TOLERANCE_M = 0.02
_HOLE_MIN_M = 0.10
_SIDES = {"both": (0, 1), "left": (0,), "right": (1,)}


@dataclass(frozen=True)
class Frame:
    """One moment.

    Attributes:
        rgb: (H,W,3) u8.
        depth_mm: (h,w) u16, 0 where nothing is near enough to measure.
        features: (n,3) world points of the room that are seen, metres.
        K: (3,3) intrinsics of `rgb`.
        face_box_px: (4,) NaN where no face is in the picture.
        head_box_px: (4,) the same with hair.
        face_visible_ratio: Share of the face box inside the picture.
        hand_joints_cam: (2,21,3) metres, NaN where a hand is away.
    """

    rgb: NDArray[np.uint8]
    depth_mm: NDArray[np.uint16]
    features: Array
    K: Array
    face_box_px: Array
    head_box_px: Array
    face_visible_ratio: float
    hand_joints_cam: Array


class Film:
    """The scene of one configuration, ready to be photographed at any time."""

    def __init__(self, config: DemoConfig) -> None:
        self._config = config
        long_side = max(config.width, config.height)
        roll_rad = float(np.deg2rad(config.roll_deg))
        self._motion = _camera_motion(config, roll_rad)
        self._scene: Scene = _scene(config, long_side)
        self._sensor = Sensor(config)
        self._person: Person | None = build_person(marker=config.face_marker) if config.with_face else None
        focal_px = _FOCAL_PER_LONG_SIDE * long_side
        self._hands: Hands | None = None
        if config.with_hands:
            across = _share_across(config.width, config.height, roll_rad)
            self._hands = Hands(
                focal_px=focal_px,
                seed=config.seed,
                roll_rad=roll_rad,
                across=across,
                shown=_SIDES[config.hands_shown],
            )
        self._features = self._scene.features(_FEATURES, np.random.default_rng([config.seed, 4]))

    @property
    def motion(self) -> CameraMotion:
        """The camera's path."""
        return self._motion

    @property
    def scene(self) -> Scene:
        """The room."""
        return self._scene

    def intrinsics(self, t_s: float) -> Array:
        """(3,3) K of the pictures at a time; the lens breathes as it focuses."""
        width, height = self._config.width, self._config.height
        focal = _FOCAL_PER_LONG_SIDE * max(width, height) * (1 + 0.004 * np.sin(2 * np.pi * 0.21 * t_s))
        drift = 0.0006 * width * np.sin(2 * np.pi * 0.05 * t_s)
        cx, cy = (width - 1) / 2 + 0.003 * width + drift, (height - 1) / 2 - 0.002 * width
        return np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]])

    def view(self, t_s: float) -> View:
        """The camera at a time."""
        translation, quaternion = self._motion.pose(np.array([t_s]))
        world_from_optical = rotation(quaternion[0]) @ LINK_FROM_OPTICAL
        return View(K=self.intrinsics(t_s), optical_from_world=world_from_optical.T, position=translation[0])

    def frame(self, t_s: float, *, number: int) -> Frame:
        """Photograph the scene.

        Args:
            t_s: Seconds since the start.
            number: Message number, painted in when the configuration asks for a barcode.
        """
        config, view = self._config, self.view(t_s)
        canvas = Canvas.blank(size=(config.width, config.height), depth_size=config.depth_size, K=view.K)
        paint_soft(canvas, view, self._scene.room)
        face_box, head_box = self._paint_person(canvas, view, t_s)
        for surface in self._scene.table:
            paint_surface(canvas, view, surface)
        for item in sorted(
            self._scene.objects, key=lambda item: view.points(item[0].centre)[2], reverse=True
        ):
            for surface in item:
                paint_surface(canvas, view, surface)
        features = self._seen_features(canvas, view)
        joints = np.full((2, 21, 3), np.nan)
        if self._hands is not None:
            joints = self._hands.paint(canvas, view.K, t_s)
        if config.barcode:
            paint_barcode(canvas.colour, number)
        depth_m = canvas.depth_m
        if config.depth == "phone":
            depth_m = phone_depth(canvas, seed=config.seed, t_s=t_s, number=number)
        depth_m = self._sensor.depth(depth_m, t_s=t_s)
        ratio = _ratio_inside(face_box, config.width, config.height)
        if ratio == 0:
            face_box, head_box = np.full(4, np.nan), np.full(4, np.nan)
        return Frame(
            rgb=self._sensor.colour(cv2.cvtColor(canvas.colour, cv2.COLOR_RGBA2RGB), t_s=t_s, number=number),
            depth_mm=_to_millimetres(depth_m),
            features=features,
            K=view.K,
            face_box_px=face_box,
            head_box_px=head_box,
            face_visible_ratio=ratio,
            hand_joints_cam=joints,
        )

    def _paint_person(self, canvas: Canvas, view: View, t_s: float) -> tuple[Array, Array]:
        if self._person is None:
            return np.full(4, np.nan), np.full(4, np.nan)
        surface = self._person.surface(t_s, view)
        paint_surface(canvas, view, surface, is_cut_out=True)
        return self._person.face_box(surface, view), self._person.head_box(surface, view)

    def _seen_features(self, canvas: Canvas, view: View) -> Array:
        points = view.points(self._features)
        h, w = canvas.depth_m.shape
        x = np.searchsorted(canvas.ray_x, points[:, 0] / points[:, 2])
        y = np.searchsorted(canvas.ray_y, points[:, 1] / points[:, 2])
        inside = (points[:, 2] > 0) & (x > 0) & (x < w) & (y > 0) & (y < h)
        depth = canvas.depth_m[np.where(inside, y, 0), np.where(inside, x, 0)]
        near = np.abs(depth - points[:, 2]) < _FEATURE_TOLERANCE_M * np.maximum(points[:, 2], 1)
        seen: Array = self._features[inside & near]
        return seen


def _camera_motion(config: DemoConfig, roll_rad: float) -> CameraMotion:
    turns = None
    if config.turns_per_min > 0:
        turns = HeadTurns(seed=config.seed, per_min=config.turns_per_min, mean_deg=config.turn_deg)
    is_at_wall = config.place == "wall"
    level = {"pitch_rad": 0.0} if is_at_wall else {}
    return CameraMotion(seed=config.seed, amount=config.motion, roll_rad=roll_rad, turns=turns, **level)


def _scene(config: DemoConfig, picture_width: int) -> Scene:
    if config.place == "wall":
        return build_scene(seed=config.seed, picture_width=picture_width, furnishing=BARE, has_table=False)
    furnished = FIXED if config.furnishing == "fixed" else draw_furnishing(config.seed)
    return build_scene(seed=config.seed, picture_width=picture_width, furnishing=furnished)


def encode_jpeg(rgb: NDArray[np.uint8], *, quality: int) -> bytes:
    """JPEG with 4:2:0 chroma, as the phone writes it."""
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


def _to_millimetres(depth_m: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Truncate to whole millimetres as the phone does; what is too near has no value."""
    millimetres = np.clip(depth_m * 1000, 0, 65535).astype(np.uint16)
    millimetres[depth_m < _HOLE_MIN_M] = 0
    return millimetres


def _share_across(width: int, height: int, roll_rad: float) -> float:
    """How far, as an angle, the picture reaches along the scene's horizon, relative to an upright landscape one."""
    long_side = max(width, height)
    reach = min(width / max(abs(np.cos(roll_rad)), 1e-9), height / max(abs(np.sin(roll_rad)), 1e-9))
    angles = np.arctan(np.array([reach, long_side]) / (2 * _FOCAL_PER_LONG_SIDE * long_side))
    return float(angles[0] / angles[1])


def _ratio_inside(box: Array, width: int, height: int) -> float:
    if np.isnan(box).any():
        return 0.0
    # Pixel centres are at whole numbers: the picture spans -0.5 to width - 0.5.
    low, high = np.maximum(box[:2], -0.5), np.minimum(box[2:], (width - 0.5, height - 0.5))
    return float(np.prod(np.maximum(high - low, 0)) / np.prod(box[2:] - box[:2]))
