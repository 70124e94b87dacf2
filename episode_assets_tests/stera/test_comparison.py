"""The comparison itself: an episode differs in nothing from its copy, and every change to the copy is seen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from episode_assets_tests.bundle.conftest import Maker, make
from episode_assets_tests.bundle.recordings import Hand, Scene
from episode_assets_tests.stera.comparison import differences

__all__ = ["make"]


def without(path: str) -> Callable[[Path], None]:
    def change(episode: Path) -> None:
        with h5py.File(episode / "annotation.hdf5", "r+") as file:
            del file[path]

    return change


def replaced(path: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def apply(episode: Path) -> None:
        with h5py.File(episode / "annotation.hdf5", "r+") as file:
            values = change(file[path][()])
            del file[path]
            file[path] = values

    return apply


def attribute(path: str, name: str, value: object) -> Callable[[Path], None]:
    def change(episode: Path) -> None:
        with h5py.File(episode / "annotation.hdf5", "r+") as file:
            file[path].attrs[name] = value

    return change


def first_changed(values: np.ndarray) -> np.ndarray:
    values[(0,) * values.ndim] += 1
    return values


def other_calibration(episode: Path) -> None:
    np.save(episode / "calibrations" / "rgb_K.npy", np.eye(3))


def other_meta(episode: Path) -> None:
    path = episode / "calibrations" / "meta.json"
    meta = json.loads(path.read_text())
    meta["rgb"]["width"] += 2
    path.write_text(json.dumps(meta))


def other_thumbnail(episode: Path) -> None:
    cv2.imwrite(str(episode / "thumbnail.jpg"), np.full((48, 64, 3), 250, np.uint8))


def moved_mesh(episode: Path) -> None:
    data = bytearray((episode / "mesh.ply").read_bytes())
    start = data.index(b"end_header\n") + len(b"end_header\n")
    data[start + 3] ^= 0x10
    (episode / "mesh.ply").write_bytes(data)


def shorter_video(episode: Path) -> None:
    width, height = 64, 48
    writer = cv2.VideoWriter(str(episode / "rgb.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 15, (width, height))
    for _ in range(3):
        writer.write(np.zeros((height, width, 3), np.uint8))
    writer.release()


CHANGES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "group": (without("/imu"), "/imu", "missing"),
    "dataset": (without("/cam-pose/rotations"), "/cam-pose/rotations", "missing"),
    "value": (replaced("/cam-pose/translations", first_changed), "/cam-pose/translations", "values"),
    "depth": (replaced("/depth/frames", first_changed), "/depth/frames", "values"),
    "type": (replaced("/imu/timestamps", lambda v: v.astype(np.float32)), "/imu/timestamps", "dtype"),
    "rows": (replaced("/depth/valid", lambda v: v[:-1]), "/depth/valid", "shape"),
    "unknown": (
        replaced("/hand-pose/right_joints", np.nan_to_num),
        "/hand-pose/right_joints",
        "values",
    ),
    "unit": (attribute("/depth", "units", "m"), "/depth", "attribute units"),
    "kind of attribute": (attribute("/depth", "height", "24"), "/depth", "attribute height"),
    "calibration": (other_calibration, "calibrations/rgb_K.npy", "values"),
    "index": (other_meta, "calibrations/meta.json:rgb:width", "values"),
    "file": (lambda episode: (episode / "mesh.ply").unlink(), "mesh.ply", "missing"),
    "mesh": (moved_mesh, "mesh.ply", "triangles"),
    "thumbnail": (other_thumbnail, "thumbnail.jpg", "picture"),
    "video": (shorter_video, "rgb.mp4", "frames"),
}


@pytest.fixture
def pair(make: Maker, tmp_path: Path) -> tuple[Path, Path]:
    episode = make(Scene(frames=6), hands=(Hand(2),)).path
    for name in ("meta.json", "frames.parquet"):
        (episode / name).unlink()  # of our own kind, which nobody compares
    copy = tmp_path / "copy"
    shutil.copytree(episode, copy)
    return episode, copy


def test_an_episode_differs_in_nothing_from_its_copy(pair: tuple[Path, Path]) -> None:
    assert differences(*pair) == []


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_seen_and_named(pair: tuple[Path, Path], name: str) -> None:
    change, where, what = CHANGES[name]

    change(pair[1])

    assert (where, what) in {(item.where, item.what) for item in differences(*pair)}


def test_what_one_side_has_beyond_the_other_is_no_difference(pair: tuple[Path, Path]) -> None:
    episode, richer = pair
    attribute("/imu", "more", 1)(richer)
    with h5py.File(richer / "annotation.hdf5", "r+") as file:
        file["/more/data"] = np.arange(3)
    (richer / "more.txt").write_text("more")

    assert differences(episode, richer) == []
