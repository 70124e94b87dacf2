"""One scene in several message encodings gives the same bundle: from the file to the episode directory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import av
import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from episode_assets.anonymization import FaceBlurConfig, blur_recording
from episode_assets.bundle import BundleConfig, write_bundle
from episode_assets.hands import HandPoseConfig, estimate_hands
from episode_assets.ply import read_ply
from episode_assets.recording import RecordingView, scan_recording
from episode_assets.scene import build_scene_mesh
from episode_assets_tests.recording.scene.encodings import ENCODINGS, Encoding
from episode_assets_tests.recording.scene.scene import Scene, film_scene

Contents: TypeAlias = Mapping[str, Any]

GROUPS = {"imu": "imu", "tracking": "tracking", "trajectory": "trajectory"}
"""Stream to the group of annotation.hdf5 that is made of nothing else."""

ABOUT_THE_FILE = frozenset({"source_sha256"})
"""Attributes that say which file the bundle was made from."""

DETECTED = 0
"""Code of `/privacy/source` for boxes that the detector found in their own picture."""

SEEN_IN_PICTURES = {
    "depth/frames",
    "point-cloud/count",
    "point-cloud/points",
    *(
        f"privacy/{column}"
        for column in ("boxes", "frame_index", "label", "score", "source", "source_index", "track")
    ),
    *(
        f"hand-pose/{side}_{column}"
        for side in ("left", "right")
        for column in (
            "confidence",
            "joints",
            "joints_world",
            "kpts_2d_rgb",
            "scale",
            "uncertainty_m",
            "uncertainty_px",
        )
    ),
}
"""Arrays of annotation.hdf5 whose numbers come from what models see; depth and clouds have holes at faces."""

READ_BY_OTHERS_TOO = frozenset({"ros2 idl", "ros1 bag", "ros2 sqlite", "foxglove_msgs"})
"""Encodings of which each half is in another one: how messages are decoded, or what lies around them."""

SAME_PICTURES = [
    pytest.param(
        encoding, marks=pytest.mark.long if encoding.name in READ_BY_OTHERS_TOO else (), id=encoding.name
    )
    for encoding in ENCODINGS[1:]
    if not encoding.is_video
]
(VIDEO,) = [encoding for encoding in ENCODINGS if encoding.is_video]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return film_scene()


@pytest.fixture(scope="module")
def reference(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle_of(ENCODINGS[0], scene, tmp_path_factory.mktemp("reference"))


def bundle_of(encoding: Encoding, scene: Scene, folder: Path) -> Path:
    file = folder / encoding.file_name
    names = ("raw", "blurred", "hands", "mesh", "bundle")
    raw, blurred, hands, mesh, bundle = (folder / name for name in names)
    for directory in (raw, blurred, hands, mesh, bundle):
        directory.mkdir()
    encoding.write(file, scene)
    scan_recording(str(file), raw, recording_id="scene-00000000")
    view = RecordingView.open(raw, str(file))
    outcome = blur_recording(view, blurred, config=FaceBlurConfig())
    estimate_hands(view, hands, config=HandPoseConfig())
    build_scene_mesh(view, blurred, mesh, privacy=outcome.privacy)
    write_bundle(
        view,
        blurred,
        hands,
        bundle,
        mesh=mesh,
        config=BundleConfig(visualization=False),
        privacy=outcome.privacy,
        task="sort the objects",
    )
    return bundle


def annotation(bundle: Path) -> Contents:
    """Return every array and attribute of annotation.hdf5 by its path."""
    found: dict[str, Any] = {}

    def take(name: str, node: h5py.Group | h5py.Dataset) -> None:
        found.update({f"{name}@{key}": value for key, value in node.attrs.items()})
        if isinstance(node, h5py.Dataset):
            found[name] = node[()]

    with h5py.File(bundle / "annotation.hdf5") as file:
        take("", file)
        file.visititems(take)
    return found


def other_files(bundle: Path) -> Contents:
    """Return the bytes of every file beside annotation.hdf5 and meta.json."""
    return {
        str(path.relative_to(bundle)): path.read_bytes()
        for path in sorted(bundle.rglob("*"))
        if path.is_file() and path.name not in {"annotation.hdf5", "meta.json"}
    }


def without(contents: Contents, encoding: Encoding) -> Contents:
    """Return contents without the groups of streams that an encoding has no schema for, and the word of the file."""
    groups = {GROUPS[stream] for stream in encoding.no_schema}
    return {
        name: value
        for name, value in contents.items()
        if name.split("/")[0].split("@")[0] not in groups
        and name.split("@")[-1] not in ABOUT_THE_FILE
        and not (name == "metadata@num_imu_samples" and "imu" in groups)
    }


def differences(found: Contents, true: Contents) -> list[str]:
    """Return the names of what is not the same on both sides, missing things included."""
    return [
        name
        for name in sorted({*found, *true})
        if name not in found or name not in true or not identical(found[name], true[name])
    ]


def identical(one: Any, other: Any) -> bool:
    """Whether two values have the same type, shape and bits; NaN is the same as NaN."""
    first, second = np.asarray(one), np.asarray(other)
    if (first.dtype, first.shape) != (second.dtype, second.shape):
        return False
    return first.tolist() == second.tolist() if first.dtype.hasobject else first.tobytes() == second.tobytes()


def meta(bundle: Path) -> dict[str, Any]:
    """Return meta.json without what it says about the recording's file and the size of what holds its digest."""
    said: dict[str, Any] = json.loads((bundle / "meta.json").read_text(encoding="utf-8"))
    del said["source"], said["files"]["annotation.hdf5"]
    return said


def meta_without(said: dict[str, Any], encoding: Encoding) -> dict[str, Any]:
    """Return meta.json as it has to be where streams of an encoding have no schema; the reasons are left out."""
    groups = {GROUPS[stream] for stream in encoding.no_schema}
    names = sorted(f"annotation.hdf5:/{group}" for group in groups)
    return {
        **said,
        "datasets": [item for item in said["datasets"] if item["path"].split("/")[1] not in groups],
        "saved": [name for name in said["saved"] if name not in names],
        "skipped": [*names, *(["metadata"] if encoding.has_own_metadata else []), "text"],
        "metadata": said["metadata"] if encoding.has_metadata else {},
    }


def test_the_scene_has_what_the_chain_looks_for(reference: Path, scene: Scene) -> None:
    said, found = meta(reference), annotation(reference)

    assert np.array_equal(found["rgb/timestamps_ns"], scene.frame_ns)
    assert said["privacy"]["frames_with_faces"] == len(scene.frame_ns)
    assert said["privacy"]["depth_hole_pixels"] > 0
    assert found["hand-pose/left_valid"].all()
    assert found["hand-pose/right_valid"].all()
    assert [(item["name"], item["code"]) for item in said["skipped"]] == [("text", "personal")]


@pytest.mark.parametrize("encoding", SAME_PICTURES)
def test_the_same_pictures_in_another_encoding_give_the_same_bundle(
    encoding: Encoding, reference: Path, scene: Scene, tmp_path: Path
) -> None:
    bundle = bundle_of(encoding, scene, tmp_path)

    assert differences(other_files(bundle), other_files(reference)) == []
    true = without(annotation(reference), encoding)
    assert differences(without(annotation(bundle), encoding), true) == []
    said = meta(bundle)
    said["skipped"] = sorted(item["name"] for item in said["skipped"])
    assert said == meta_without(meta(reference), encoding)


def test_video_gives_the_same_bundle_but_for_what_coding_costs(
    reference: Path, scene: Scene, tmp_path: Path
) -> None:
    bundle = bundle_of(VIDEO, scene, tmp_path)

    found, true = without(annotation(bundle), VIDEO), without(annotation(reference), VIDEO)
    files, true_files = other_files(bundle), other_files(reference)
    assert set(found) == set(true)
    assert set(files) == set(true_files)
    assert set(differences(files, true_files)) == {"rgb.mp4", "thumbnail.jpg", "mesh.ply"}
    # What held boxes hide is left out of the mesh; the rest of it does not hang on the pictures.
    corners = [
        {point.tobytes() for point in read_ply(folder / "mesh.ply", remedy="").vertices}
        for folder in (bundle, reference)
    ]
    assert len(corners[0] & corners[1]) > 0.8 * max(map(len, corners))
    changed = [name for name in differences(found, true) if not name.startswith("privacy@")]
    assert set(changed) <= SEEN_IN_PICTURES
    # How long a find of the audit is held hangs on scores; the faces themselves are found in the same pictures.
    faces, true_faces = (
        {name: item[f"privacy/{name}"] for name in ("boxes", "source")} for item in (found, true)
    )
    is_found, is_true = faces["source"] == DETECTED, true_faces["source"] == DETECTED
    assert is_found.sum() == is_true.sum() > 0
    assert np.abs(faces["boxes"][is_found] - true_faces["boxes"][is_true]).mean() < 1
    assert all(
        mean_difference(found, true, f"hand-pose/{side}_kpts_2d_rgb") < 2 for side in ("left", "right")
    )
    holes = found["depth/frames"] != true["depth/frames"]
    others = [item["privacy/frame_index"][item["privacy/source"] != DETECTED] for item in (found, true)]
    alike = ~np.isin(np.arange(len(holes)), np.concatenate(others))
    assert alike.sum() > len(holes) / 2
    assert holes[alike].mean() < 1e-3
    assert (np.minimum(found["depth/frames"], true["depth/frames"])[holes] == 0).all()
    errors = [np.mean((one - other) ** 2) for one, other in zip(video(bundle), video(reference), strict=True)]
    assert np.array(errors)[alike].max() < 30
    assert np.median(errors) < 12


def mean_difference(found: Contents, true: Contents, name: str) -> float:
    return float(np.abs(found[name].astype(np.float64) - true[name]).mean())


def video(bundle: Path) -> Iterator[NDArray[np.float64]]:
    with av.open(str(bundle / "rgb.mp4")) as file:
        for frame in file.decode(video=0):
            yield frame.to_ndarray(format="rgb24").astype(np.float64)
