"""From a recording of painted hands to datasets: what a row says of a joint lies on that joint in its picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from numpy.typing import NDArray

from episode_assets.demo import HAND_SIDES, DemoConfig, DemoTruth
from episode_assets.geometry import project, quaternion_to_matrix
from episode_assets.lerobot import Recipe
from episode_assets.lerobot.arrow_values import column_values
from episode_assets.storage import ArtifactKey
from episode_assets.video import Picture, decode_frames
from episode_assets_tests.conftest import make_demo, make_workplace
from episode_assets_tests.demo.independent_reader import read_everything
from episode_assets_tests.lerobot.test_training_facts import largest_normalised
from episode_assets_tests.test_whole_path import run_graph, settings_from

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 320, 180
RECIPES = {
    "default": "",
    "smaller": "name: smaller\ncamera_view: {width: 240, height: 120}\n",
    "turned": "name: turned\nreference_frame: camera\ncamera_view: {upright: cw90, width: 120}\n",
}
SETTINGS = "hand_poses: {backend: precomputed}\nrecipes: [smaller.yaml, turned.yaml]\n"
PAINTED_STEP = 14
"""Luma by which a painted hand differs from what lies behind it; coding moves pixels by less."""


def write_hands(path: Path, truth: DemoTruth) -> None:
    """Write every joint of both hands beside the recording, in the optical frame."""
    frames, sides, joints = np.nonzero(np.isfinite(truth.hand_joints_cam).all(axis=-1))
    x, y, z = truth.hand_joints_cam[frames, sides, joints].T
    columns = {
        "message_number": truth.message_number[frames],
        "side": np.array(HAND_SIDES)[sides],
        "joint": joints,
        "x": x,
        "y": y,
        "z": z,
    }
    pq.write_table(pa.table(columns).replace_schema_metadata({"frame": "camera"}), path)


@dataclass(frozen=True)
class Made:
    """The datasets of all recipes, what is true, and the luma of every picture as it would be without hands."""

    directories: dict[str, Path]
    truth: DemoTruth
    without_hands: list[NDArray[np.uint8]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    place = make_workplace(tmp_path_factory.mktemp("painted"))
    config = DemoConfig(seconds=4.0, width=WIDTH, height=HEIGHT, with_face=False)
    demo = make_demo(place.folder / "demo.mcap", config)
    write_hands(place.folder / "demo.hands.parquet", demo.truth)
    for name in ("smaller", "turned"):
        (place.folder / f"{name}.yaml").write_text(RECIPES[name])
    result, packed = run_graph(place, demo, workers=1, settings=settings_from(place.folder, SETTINGS))
    assert [item.failure for item in (*result.failures, *packed.failures)] == []
    found = {
        name: place.store.latest(ArtifactKey(f"lerobot_dataset/{name}", None)).directory() for name in RECIPES
    }
    empty = make_demo(place.folder / "empty.mcap", replace(config, with_hands=False))
    behind = read_everything(empty.path)
    pictures = [cv2.cvtColor(behind.picture(i), cv2.COLOR_RGB2GRAY) for i in range(len(demo.truth.stamp_ns))]
    return Made(found, demo.truth, pictures)


def stored_picture(name: str, luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a recorded picture as a recipe stores it, in the full range of luma."""
    if name == "turned":
        return np.asarray(cv2.resize(np.rot90(luma, -1), (120, 212), interpolation=cv2.INTER_AREA))
    if name == "smaller":
        return np.asarray(cv2.resize(luma[10:170], (240, 120), interpolation=cv2.INTER_AREA))
    return luma


def painted_hands(name: str, picture: Picture, behind: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (H, W) where a stored picture shows something else than the scene without hands."""
    limited = 16 + stored_picture(name, behind).astype(np.float64) * (219 / 255)
    return np.asarray(np.abs(limited - picture.y) > PAINTED_STEP)


def stored_pixels(name: str, pixels: Floats) -> Floats:
    """Return pixels (..., 2) of the recorded picture in the picture that a recipe stores, whole numbers at centres."""
    if name == "default":
        return pixels
    if name == "turned":
        # A quarter turn clockwise, then everything two thirds as large.
        turned = np.stack([HEIGHT - 1 - pixels[..., 1], pixels[..., 0]], axis=-1)
        return np.asarray((turned + 0.5) * (120 / HEIGHT) - 0.5)
    # The middle 320 x 160 as 240 x 120.
    return np.asarray((pixels - [0, 10] + 0.5) * 0.75 - 0.5)


@pytest.mark.parametrize("name", RECIPES)
def test_joints_of_a_dataset_fall_on_the_painted_joints(made: Made, name: str) -> None:
    directory, truth = made.directories[name], made.truth
    (data,), (video,) = (sorted(directory.glob(p)) for p in ("data/*/*.parquet", "videos/*/*/*.mp4"))
    table = pq.read_table(data)
    rows = {key: column_values(table[key]) for key in table.column_names}
    frame_of = {int(number): i for i, number in enumerate(truth.message_number)}
    joints = rows["hand.joints"].reshape(-1, 2, 21, 3).astype(np.float64)

    offsets, on_hands, share_of_hands = [], [], []
    for row, (_, picture) in enumerate(decode_frames(video)):
        frame = frame_of[int(rows["source.message_number"][row])]
        told = joints[row]
        if name != "turned":
            pose = rows["camera.pose"][row].astype(np.float64)
            told = (told - pose[:3]) @ quaternion_to_matrix(pose[3:])
        fx, fy, cx, cy = rows["camera.intrinsics"][row]
        pixels = project([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], told)
        painted = stored_pixels(name, truth.hand_joints_px[frame])
        size = [picture.true_width, picture.true_height]
        inside = ((painted > 2) & (painted < np.subtract(size, 3))).all(axis=-1)
        inside &= rows["valid.joints"][row].reshape(2, 21)
        offsets += np.linalg.norm(pixels - painted, axis=-1)[inside].tolist()
        hands = painted_hands(name, picture, made.without_hands[frame])
        away = cv2.distanceTransform((~hands).astype(np.uint8), cv2.DIST_L2, 5)
        x, y = np.rint(pixels[inside]).astype(int).T
        on_hands += (away[y, x] <= 2).tolist()
        share_of_hands.append((away <= 2).mean())

    assert len(offsets) > 500
    assert max(offsets) < 2
    assert np.mean(share_of_hands) < 0.3
    assert np.mean(on_hands) > 0.97


@pytest.mark.parametrize("name", RECIPES)
def test_no_valid_value_of_a_recording_is_far_from_the_others_once_it_is_normalised(
    made: Made, name: str
) -> None:
    recipe = Recipe.from_mapping(yaml.safe_load(RECIPES[name]) or {})

    assert largest_normalised(made.directories[name], recipe) <= 20
