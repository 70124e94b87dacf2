"""Depth laid over the picture: every stored pixel of both is on one ray, whatever was done to the picture."""

import h5py
import numpy as np
import pytest

from episode_assets.lerobot import Recipe, pack_dataset, verify_dataset
from episode_assets.lerobot.recipe_camera import CameraView
from episode_assets.lerobot.recipe_depth import DepthFeature
from episode_assets.video import DepthCoder, DepthEncoderConfig, decode_depth_codes
from episode_assets_tests.lerobot.archive import make_scene
from episode_assets_tests.lerobot.test_own_pictures import BACK, DEPTH, fragment_of

FX, FY, CX, CY = 40.0, 41.0, 23.5, 28.0
SHAPE = (58, 50)
LAID = DepthFeature(enabled=True, size="picture")


def mm_on_ray(x, y):
    """Return the depth that is measured along the ray (x, y, 1)."""
    return 2000 + 900 * x + 500 * y


def slanted_wall(count, *, unknown=()):
    """Return what adds depth images of a wall to a bundle; frames in `unknown` come without intrinsics."""
    v, u = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = np.rint(mm_on_ray((u - CX) / FX, (v - CY) / FY)).astype(np.uint16)
    K = np.tile(np.array([[FX, 0, CX], [0, FY, CY], [0, 0, 1]]), (count, 1, 1))
    K[list(unknown)] = np.nan

    def prepare(artifacts):
        with h5py.File(artifacts.bundle / "annotation.hdf5", "a") as file:
            file["/depth/frames"] = np.tile(image, (count, 1, 1))
            file["/depth/valid"] = np.ones(count, bool)
            file["/depth/timestamps_ns"] = np.arange(count)
            file["/depth/source_index"] = np.arange(count)
            file["/depth/K"] = K

    return prepare


def depth_of(reader, row):
    span = reader.video_span(0, DEPTH)
    ((_, codes),) = decode_depth_codes(span.path, [span.first_frame + row])
    return DepthCoder(DepthEncoderConfig()).depth(codes)


VIEWS = [
    CameraView(),
    CameraView(width=128, height=128),
    CameraView(width=64, height=64, fit="pad"),
    CameraView(width=80, height=40, fit="stretch", upright="cw90"),
    CameraView(height=96, upright="180"),
]


@pytest.mark.parametrize("view", VIEWS)
def test_every_pixel_holds_the_depth_on_its_own_ray(tmp_path, view):
    recipe = Recipe(camera_view=view, depth=LAID)
    reader, _ = fragment_of(tmp_path, make_scene(24), recipe, prepare=slanted_wall(24))

    row, table = 7, reader.row_table(0).to_pydict()
    laid = depth_of(reader, row)
    fx, fy, cx, cy = table["camera.intrinsics"][row]
    assert table["camera.depth_intrinsics"] == table["camera.intrinsics"]
    assert laid.shape == (reader.video_facts(DEPTH)["height"], reader.video_facts(DEPTH)["width"])
    assert laid.shape[::-1] == tuple(reader.document["picture"]["size"])
    v, u = np.mgrid[: laid.shape[0], : laid.shape[1]]
    rays = np.stack([(u - cx) / fx, (v - cy) / fy, np.ones_like(u)], axis=-1)
    turns = reader.document["picture"]["quarter_turns"]
    x, y, _ = np.moveaxis(rays @ np.linalg.matrix_power(BACK, turns).T, -1, 0)
    is_seen = (np.abs(x * FX + CX - (SHAPE[1] - 1) / 2) < SHAPE[1] / 2 - 1) & (
        np.abs(y * FY + CY - (SHAPE[0] - 1) / 2) < SHAPE[0] / 2 - 1
    )
    width, height = reader.document["picture"]["resized"]
    is_padding = (u >= width) | (v >= height)
    # Half a pixel of the depth image, half a millimetre, and the step of a code.
    allowed = 0.5 * (900 / FX + 500 / FY) + 2.0
    assert is_seen.mean() > 0.5
    assert (np.abs(laid - mm_on_ray(x, y))[is_seen & ~is_padding] < allowed).all()
    assert not laid[is_padding].any()


def test_rows_without_intrinsics_have_no_depth_laid_over_them(tmp_path):
    reader, _ = fragment_of(
        tmp_path, make_scene(24), Recipe(depth=LAID), prepare=slanted_wall(24, unknown=[5, 6])
    )

    valid = reader.row_table(0)["valid.depth"].to_pylist()
    assert [row for row, known in enumerate(valid) if not known] == [5, 6]
    assert not depth_of(reader, 5).any() and depth_of(reader, 7).any()
    assert reader.episodes[0]["depth"][DEPTH]["rows_without_depth"] == 2


def test_a_recording_without_intrinsics_is_left_out(tmp_path):
    _, outcome = fragment_of(
        tmp_path, make_scene(24), Recipe(depth=LAID), prepare=slanted_wall(24, unknown=range(24))
    )

    assert outcome.skipped[0].code == "no_intrinsics"


def test_a_dataset_with_depth_of_the_pictures_size_holds_every_rule(tmp_path):
    recipe = Recipe(camera_view=CameraView(width=64, height=64), depth=LAID)
    reader, _ = fragment_of(tmp_path, make_scene(24), recipe, prepare=slanted_wall(24))
    (tmp_path / "dataset").mkdir()

    pack_dataset([reader.fragment], tmp_path / "dataset", recipe=recipe)

    assert verify_dataset(tmp_path / "dataset") == []
