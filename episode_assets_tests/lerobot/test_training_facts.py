"""What a training script may rely on: masks keep fills out of the loss, numbers are the same wherever the world lies,
nothing explodes when it is normalised, and joints lie on the picture they belong to."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.geometry import project, quaternion_to_matrix, rotation_exp
from episode_assets.lerobot import Recipe, pack_dataset
from episode_assets.lerobot.arrow_values import column_values
from episode_assets.lerobot.columns import data_columns
from episode_assets.lerobot.cuts import Span
from episode_assets.lerobot.fragment import FragmentReader
from episode_assets.lerobot.recipe_camera import CameraView
from episode_assets.lerobot.recipe_layout import Layout
from episode_assets.lerobot.rows import build_rows
from episode_assets.lerobot.statistics import element_masks
from episode_assets.lerobot.torch_wrapper import ELEMENTS, MaskedActions
from episode_assets.video import Picture, RGBEncoderConfig, decode_frames
from episode_assets_tests.lerobot.archive import make_scene, write_artifacts
from episode_assets_tests.lerobot.test_targets import chunks_in

HORIZON = 6


@dataclass
class ChunkReader:
    """Gives items of a dataset as LeRobot does: neighbours outside the episode are clamped and marked as padding."""

    root: Path
    fps: int = 15

    def __post_init__(self) -> None:
        self.delta_timestamps = {"action": [step / self.fps for step in range(HORIZON)]}
        (file,) = (self.root / "data").glob("*/*.parquet")
        table = pq.read_table(file)
        self.rows = {name: column_values(table[name]) for name in table.column_names}

    def __len__(self) -> int:
        return len(self.rows["index"])

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        inside = np.flatnonzero(self.rows["episode_index"] == self.rows["episode_index"][index])
        steps = index + np.arange(HORIZON)
        action = self.rows["action"][np.clip(steps, inside[0], inside[-1])]
        item = {name: values[index] for name, values in self.rows.items()}
        return item | {"action": action, "action_is_pad": (steps < inside[0]) | (steps > inside[-1])}


def dataset_of(root, scenes, recipe):
    fragments = []
    for number, scene in enumerate(scenes):
        name = f"scene{number}-00000000"
        artifacts = write_artifacts(root / name, scene, recording_id=name)
        fragments.append(artifacts.fragment(root / f"fragment{number}", recipe=recipe)[0])
    (root / "dataset").mkdir()
    pack_dataset(fragments, root / "dataset", recipe=recipe)
    return root / "dataset"


def flickering_hands():
    """Two recordings in which hands are lost for a moment now and then, one at a time and together."""
    scenes = [make_scene(60), make_scene(60, first_message=1000)]
    for scene in scenes:
        scene.kind[12, 0] = scene.kind[20:22, 1] = scene.kind[31] = 0
        scene.kind[40, 1] = 2
    return scenes


@pytest.fixture(scope="module")
def flickering(tmp_path_factory):
    recipe = Recipe(require_hands="both")
    return dataset_of(tmp_path_factory.mktemp("flickering"), flickering_hands(), recipe), recipe


def poisoned(root, recipe):
    """Open a dataset in which every action number that was not measured is a million."""
    reader = ChunkReader(root)
    column = next(column for column in data_columns(recipe) if column.key == "action")
    masked = ~element_masks(column, reader.rows)
    assert masked.any() and not masked.all()
    reader.rows["action"] = np.where(masked, np.float32(1e6), reader.rows["action"])
    return reader


def padded_loss(dataset):
    """Sum the loss of every row as trainers of chunks do: padded steps times zero."""
    total = np.float32(0)
    for index in range(len(dataset)):
        item = dataset[index]
        error = np.abs(item["action"] - np.float32(0.25)) * ~item["action_is_pad"][:, None]
        total += error.mean(dtype=np.float32)
    return total


def element_loss(dataset):
    return np.float32(
        sum(
            (np.abs(item["action"] - np.float32(0.25)) * item[ELEMENTS]).mean(dtype=np.float32)
            for item in (dataset[index] for index in range(len(dataset)))
        )
    )


def test_a_million_in_every_masked_action_changes_no_bit_of_the_loss(flickering):
    root, recipe = flickering
    clean, poison = ChunkReader(root), poisoned(root, recipe)

    assert padded_loss(clean) != padded_loss(poison)
    before, after = (padded_loss(MaskedActions(reader)) for reader in (clean, poison))

    assert before.tobytes() == after.tobytes() and 0 < before < 1e3


def test_with_any_hand_the_mask_of_elements_keeps_the_held_one_out(flickering):
    root, recipe = flickering
    clean, poison = ChunkReader(root), poisoned(root, recipe)

    steps = [padded_loss(MaskedActions(reader, require_hands="any")) for reader in (clean, poison)]
    elements = [
        element_loss(MaskedActions(reader, require_hands="any", with_elements=True))
        for reader in (clean, poison)
    ]

    assert steps[0] != steps[1]
    assert elements[0].tobytes() == elements[1].tobytes() and elements[0] > 0


def moved(scene, rotation, translation):
    world = np.eye(4)
    world[:3, :3], world[:3, 3] = rotation, translation
    return replace(
        scene,
        world_from_optical=world @ scene.world_from_optical,
        joints_world=scene.joints_world @ rotation.T + translation,
    )


IN_THE_CAMERA = {
    "targets": Recipe(reference_frame="camera", layout=Layout(grip="bend")),
    "steps": Recipe(reference_frame="camera", layout=Layout(action="delta", rotation="quaternion")),
    "own axes": Recipe(reference_frame="camera", layout=Layout(action="velocity", step_frame="body")),
    "joints": Recipe(reference_frame="camera", state="joints"),
    "one hand": Recipe(reference_frame="camera", state="one_hand"),
}


@settings(max_examples=12, deadline=None)
@given(
    turn=st.tuples(*[st.floats(-3, 3)] * 3),
    shift=st.tuples(*[st.floats(-5, 5)] * 3),
    name=st.sampled_from(sorted(IN_THE_CAMERA)),
)
def test_no_rigid_motion_of_the_world_is_seen_from_the_camera(turn, shift, name):
    scene, recipe = make_scene(40), IN_THE_CAMERA[name]
    other = moved(scene, rotation_exp(turn), np.array(shift))

    here, there = (build_rows(each.source(), Span(0, 30), recipe=recipe, fps=15) for each in (scene, other))

    for key in ("observation.state", "action", "hand.joints"):
        np.testing.assert_allclose(here[key], there[key], atol=1e-5, rtol=0, err_msg=key)
    for frame in ("camera", "episode"):
        recipe = replace(recipe, reference_frame=frame)
        chunks = [chunks_in(recipe, each)[0] for each in (scene, other)]
        np.testing.assert_allclose(*chunks, atol=1e-5, rtol=0)


def rarely_seen():
    """A recording whose left hand is measured in one frame of a hundred, so that nearly all of its rows are held."""
    scene = make_scene(1300)
    scene.kind[12:, 0] = 0
    return scene


def partly_seen():
    scene = make_scene(100)
    scene.kind[40:, 0] = 0
    return scene


def largest_normalised(root, recipe):
    """Return the largest valid number of a dataset after both ways in which policies normalise."""
    rows, stored = ChunkReader(root).rows, json.loads((root / "meta/stats.json").read_text())
    columns, largest = {column.key: column for column in data_columns(recipe)}, 0.0
    for key in ("observation.state", "action", "hand.joints", "camera.pose"):
        valid = element_masks(columns[key], rows)
        s = {name: np.array(value) for name, value in stored[key].items()}
        x = rows[key].astype(np.float64)
        by_spread = 2 * (x - s["q01"]) / np.maximum(s["q99"] - s["q01"], 1e-8) - 1
        by_deviation = (x - s["mean"]) / (s["std"] + 1e-8)
        largest = max(largest, np.abs(by_spread[valid]).max(), np.abs(by_deviation[valid]).max())
    return largest


@pytest.mark.parametrize(
    ("scene", "recipe"),
    [
        (rarely_seen, Recipe()),
        (partly_seen, Recipe(state="joints")),
        # These hands never open or close.
        (partly_seen, Recipe(state="one_hand", layout=Layout(hand="left", drop=("gripper",)))),
    ],
    ids=["bimanual", "joints", "one hand"],
)
def test_no_valid_value_is_far_from_the_others_once_it_is_normalised(tmp_path, scene, recipe):
    root = dataset_of(tmp_path, [scene()], recipe)

    assert largest_normalised(root, recipe) <= 20


WIDE, HIGH = 320, 240
FX, FY, CX, CY = 170.0, 168.0, 131.5, 107.25


def painted_joint(number):
    """Return which hand and joint the picture of a frame shows."""
    return number // 21 % 2, number % 21


def pixels_of_scene(scene):
    camera = scene.joints_cam()
    fx = FX + 0.5 * np.arange(len(scene))[:, None, None]
    x = fx * camera[..., 0] / camera[..., 2] + CX
    return np.stack([x, FY * camera[..., 1] / camera[..., 2] + CY], axis=-1)


def scene_with_painted_joints():
    """A recording whose every picture shows one joint as a bright disc; over 42 frames each joint has its turn."""
    scene = make_scene(60)
    pixels = pixels_of_scene(scene)
    assert pixels.min() > 20 and (pixels < [WIDE - 30, HIGH - 30]).all()

    def picture(number):
        luma = np.full((HIGH, WIDE), 40, np.uint8)
        at = pixels[number][painted_joint(number)]
        # Centres of circles are given in sixteenths of a pixel.
        cv2.circle(luma, np.rint(at * 16).astype(int).tolist(), 5 * 16, 235, -1, cv2.LINE_AA, 4)
        return replace(Picture.blank(WIDE, HIGH), y=luma)

    return replace(scene, width=WIDE, height=HIGH, picture=picture)


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    scene = scene_with_painted_joints()
    artifacts = write_artifacts(tmp_path_factory.mktemp("painted"), scene)
    with h5py.File(artifacts.bundle / "annotation.hdf5", "r+") as file:
        K = file["/rgb/K"][:]
        K[:, 0, 0], K[:, 1, 1], K[:, 0, 2], K[:, 1, 2] = FX + 0.5 * np.arange(len(scene)), FY, CX, CY
        file["/rgb/K"][...] = K
    return artifacts


def seen_disc(luma):
    """Return where the bright disc of a picture lies, by the centre of its light."""
    light = np.clip(luma.astype(np.float64) - 90, 0, None)
    rows, columns = np.indices(luma.shape)
    return np.array([(light * columns).sum(), (light * rows).sum()]) / light.sum()


VIEWS = {
    "as recorded": CameraView(),
    "smaller": CameraView(width=160, height=120),
    "larger": CameraView(width=480),
    "stretched": CameraView(width=200, height=200, fit="stretch"),
    "cropped": CameraView(width=240, height=200, fit="crop"),
    "padded": CameraView(width=256, height=256, fit="pad"),
    "turned right": CameraView(upright="cw90"),
    "turned left and smaller": CameraView(upright="ccw90", width=120, height=160),
    "upside down": CameraView(upright="180", width=256, height=192),
}


@pytest.mark.parametrize(
    ("view", "frame"),
    [*((view, "episode") for view in VIEWS), ("turned right", "camera"), ("cropped", "camera")],
)
def test_projected_joints_lie_on_the_painted_ones(tmp_path, painted, view, frame):
    encoder = RGBEncoderConfig(vcodec="h264", g=15, preset="ultrafast")
    recipe = Recipe(reference_frame=frame, camera_view=replace(VIEWS[view], encoder=encoder))
    fragment, _ = painted.fragment(tmp_path / "fragment", recipe=recipe)
    reader = FragmentReader.open(fragment, recipe=recipe)
    table = reader.row_table(0)
    rows = {name: column_values(table[name]) for name in table.column_names}

    span, offsets = reader.video_span(0, recipe.video_key), []
    frames = range(span.first_frame, span.last_frame_exclusive)
    for row, (_, picture) in enumerate(decode_frames(span.path, frames)):
        joints = rows["hand.joints"][row].reshape(2, 21, 3).astype(np.float64)
        if frame == "episode":
            pose = rows["camera.pose"][row].astype(np.float64)
            joints = (joints - pose[:3]) @ quaternion_to_matrix(pose[3:])
        fx, fy, cx, cy = rows["camera.intrinsics"][row]
        pixels = project([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], joints)
        shown = painted_joint(int(rows["source.message_number"][row]))
        offsets.append(np.linalg.norm(pixels[shown] - seen_disc(picture.y)))

    assert len(offsets) == len(table) and len(offsets) > 42
    assert max(offsets) < 2
