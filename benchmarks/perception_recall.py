"""How much each profile finds: faces in still pictures at the scales of a profile, and hands of whole recordings.

Faces are asked for picture by picture, without the tracks that cover what single pictures miss: a face counts as found
when the rectangle that would be blurred covers 95 % of its box. Hands are what a run over the recording writes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow.parquet as pq
from detectors import Scene
from numpy.typing import NDArray

from episode_assets.anonymization import FaceBlurConfig
from episode_assets.anonymization.boxes import Boxes, covered_share
from episode_assets.anonymization.means import Means
from episode_assets.anonymization.redaction import redaction_rectangles
from episode_assets.anonymization.turning import UPRIGHT
from episode_assets.demo import DemoTruth
from episode_assets.hands import HANDS_FILE, INTERPOLATED, HandPoseConfig, estimate_hands
from episode_assets.recording import RecordingView
from episode_assets.video import decode_picture, decode_pictures, picture_to_rgb
from episode_assets.video.picture import Picture

Look = Callable[[Picture], Boxes]
"""From a picture to the faces in it."""

PASTED_PX = (20, 24, 28, 32, 40, 48, 64)
_FACE = (177, 63, 269, 183)
"""The face of the astronaut picture: hairline to chin, cheek to cheek."""
_CROP = (110, 10, 340, 250)
_NOTHING_BLURRED = np.zeros((0, 4), np.int32)
_COVERED = 0.95
_JOINT_PX = 25.0
_BOX_GROWTH = 0.15
_JOINTS_INSIDE = 15


class FaceRecall(NamedTuple):
    """Faces found of those there, by who looks: far and near looks at the source, and the audit of the result."""

    far: str
    near: str
    audit: str


class DemoHands(NamedTuple):
    """Shares of the demo's visible joints within 25 px, and of measured hands on the right side."""

    joints: float
    sides: float


class TableHands(NamedTuple):
    """Hands on the 14 distinct pictures of the table scene.

    Attributes:
        wearer_right: Of frames 7 to 13, those with the wearer's right hand.
        others: Boxes of other people's hands that were found.
        taken_for_wearer: Other hands, or none, taken for the wearer's.
        no_hand: Frames with something that is no hand.
    """

    wearer_right: int
    others: int
    taken_for_wearer: int
    no_hand: int


def face_recall(scene: Scene, config: FaceBlurConfig) -> FaceRecall:
    """Search every picture of a scene at every scale of a configuration."""
    picture = scene.pictures[0]
    means = Means(config, (picture.true_width, picture.true_height), UPRIGHT)
    return FaceRecall(*(_found(scene, look, config) for look in _looks(means, config)))


def _looks(means: Means, config: FaceBlurConfig) -> tuple[Look, Look, Look]:
    """Return the far and the near look, and that of the audit at every picture, closer looks included."""
    finder = means.detector(config.detector)
    far = means.search("far", finder, config.min_face_px)
    has_near = config.far_stride > 1 and config.near_face_px > config.min_face_px
    near = means.search("near", finder, config.near_face_px) if has_near else far
    auditor = means.auditor(means.detector(config.audit_detector), far)
    return far, near, lambda picture: auditor.finds(picture, _NOTHING_BLURRED, None, is_first=False).boxes


def _found(scene: Scene, look: Look, config: FaceBlurConfig) -> str:
    found = total = 0
    for picture, faces in zip(scene.pictures, scene.faces, strict=True):
        width, height = picture.true_width, picture.true_height
        rectangles = redaction_rectangles(
            look(picture)[:, :4], scale=config.box_scale, width=width, height=height
        )
        found += int((covered_share(faces, rectangles, width=width, height=height) >= _COVERED).sum())
        total += len(faces)
    return f"{found}/{total}"


def pasted(view: RecordingView) -> dict[int, Scene]:
    """Return for each height pictures of a recording with the astronaut's face in some place, four of each."""
    draw = np.random.default_rng(7)
    pictures = [p for _, p in decode_pictures(view.rgb, 0, len(view.rgb)) if isinstance(p, Picture)]
    scenes = {}
    for height in PASTED_PX:
        made = [
            _paste(picture_to_rgb(pictures[i]), height, draw) for i in draw.integers(len(pictures), size=4)
        ]
        scenes[height] = Scene([picture for picture, _ in made], [box for _, box in made])
    return scenes


def _paste(
    rgb: NDArray[np.uint8], height_px: int, draw: np.random.Generator
) -> tuple[Picture, NDArray[np.float32]]:
    """Paste the face with its surroundings; return the picture and the box of the face, (1, 5)."""
    from skimage.data import astronaut

    (left, top, right, bottom), (x0, y0, x1, y1) = _CROP, _FACE
    scale = height_px / (y1 - y0)
    crop = cv2.resize(
        astronaut()[top:bottom, left:right], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    rows, columns = crop.shape[:2]
    y = int(draw.integers(rgb.shape[0] - rows))
    x = int(draw.integers(rgb.shape[1] - columns))
    rgb[y : y + rows, x : x + columns] = crop
    corners = (np.array([x0, y0, x1, y1]) - [left, top, left, top]) * scale + [x, y, x, y]
    height, width = rgb.shape[:2]
    picture = decode_picture("rgb8", rgb.tobytes(), width=width, height=height, step=width * 3)
    return picture, np.array([[*corners, 1.0]], np.float32)


def demo_hands(view: RecordingView, truth: DemoTruth, config: HandPoseConfig) -> DemoHands:
    """Find the hands of a demo recording and compare them with what is true."""
    frame_of = {int(number): frame for frame, number in enumerate(truth.message_number)}
    is_visible = _visible(truth)
    is_near = np.zeros_like(is_visible)
    right_side = []
    for row in _rows(view, config):
        frame, joints = frame_of[row["message_number"]], np.array(row["joints_px"]).reshape(21, 2)
        off = np.linalg.norm(truth.hand_joints_px[frame] - joints, axis=2)
        side = ("left", "right").index(row["side"])
        right_side.append(bool(np.nanmedian(off[side]) <= np.nanmedian(off[1 - side])))
        is_near[frame, side] |= off[side] <= _JOINT_PX
    return DemoHands(float(is_near[is_visible].mean()), float(np.mean(right_side)))


def _visible(truth: DemoTruth) -> NDArray[np.bool_]:
    inside = (truth.hand_joints_px >= -0.5) & (truth.hand_joints_px < truth.size_px - 0.5)
    return np.asarray(inside.all(axis=3))


def table_hands(view: RecordingView, annotations: Path, config: HandPoseConfig) -> TableHands:
    """Find the hands of the table scene; a hand is in a box when 15 of its joints are, the box grown by 15 %."""
    notes = json.loads(annotations.read_text())
    source_frame = {item["index"]: item["source_frame"] for item in notes["rgb_messages"]}
    rows = []
    for row in _rows(view, config):
        frame = source_frame[row["message_number"]]
        joints = np.array(row["joints_px"]).reshape(21, 2)
        name = _box_of(joints, notes["source_frames"][frame]["hand_boxes"])
        rows.append((frame, name, row["side"], row["wearer"]))
    right = {frame for frame, *rest in rows if rest == ["wearer_right", "right", True]}
    return TableHands(
        wearer_right=len(right & set(range(7, 14))),
        others=len({(frame, name) for frame, name, _, _ in rows if name and not name.startswith("wearer")}),
        taken_for_wearer=len([row for row in rows if row[3] and not (row[1] or "").startswith("wearer")]),
        no_hand=len({frame for frame, name, _, _ in rows if name is None}),
    )


def _rows(view: RecordingView, config: HandPoseConfig) -> Iterator[dict[str, object]]:
    """Yield the rows that were read in a picture."""
    with tempfile.TemporaryDirectory() as folder:
        estimate_hands(view, Path(folder), config=config)
        for row in pq.read_table(Path(folder) / HANDS_FILE).to_pylist():
            if row["kind"] != INTERPOLATED:
                yield row


def _box_of(joints: NDArray[np.float64], boxes: dict[str, Sequence[float] | None]) -> str | None:
    inside = {}
    for name, box in boxes.items():
        if box is not None:
            low, high = np.array(box[:2]), np.array(box[2:])
            grown = _BOX_GROWTH * (high - low)
            inside[name] = int(((joints >= low - grown) & (joints <= high + grown)).all(axis=1).sum())
    best = max(inside, key=inside.__getitem__)
    return best if inside[best] >= _JOINTS_INSIDE else None
