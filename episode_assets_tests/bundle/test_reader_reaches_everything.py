"""Nobody has to open a file of a bundle: whatever is in one, the reader gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from episode_assets.bundle import EpisodeBundle
from episode_assets.errors import ArtifactDamaged
from episode_assets.storage import ArtifactKey, Manifest, Store
from episode_assets_tests.bundle.conftest import Made, Maker
from episode_assets_tests.bundle.recordings import Box, Hand, Scene

Take = Callable[[Any], Any]

AS_SECONDS = {f"/{group}/timestamps" for group in ("rgb", "cam-pose", "imu", "tracking", "tf", "trajectory")}
"""The stamps once more, for scripts that read float seconds."""

DEPTH: Mapping[str, Take] = {
    "/depth/frames": lambda b: np.stack([b.depth_frame(i) for i in range(b.F)]),
    "/depth/valid": lambda b: b.depth.valid,
    "/depth/timestamps_ns": lambda b: b.depth.stamp_ns,
    "/depth/source_index": lambda b: b.depth.message_number,
    "/depth/K": lambda b: b.depth.K,
}
STREAMS: Mapping[str, Take] = {
    "/rgb/timestamps_ns": lambda b: b.stamps_ns,
    "/rgb/source_index": lambda b: b.message_numbers,
    "/rgb/frame_index": lambda b: np.arange(b.F),
    "/rgb/K": lambda b: b.K,
    "/rgb/world_from_optical": lambda b: b.poses.world_from_optical,
    "/rgb/pose_valid": lambda b: b.poses.valid,
    "/rgb/pose_dt_ns": lambda b: b.poses.dt_ns,
    "/imu/timestamps_ns": lambda b: b.imu.stamp_ns,
    "/imu/linear_acceleration": lambda b: b.imu.linear_acceleration,
    "/imu/angular_velocity": lambda b: b.imu.angular_velocity,
    "/imu/orientation_xyzw": lambda b: b.imu.orientation_xyzw,
    "/tracking/timestamps_ns": lambda b: b.tracking.stamp_ns,
    "/tracking/state": lambda b: b.tracking.state,
    "/tracking/reason": lambda b: b.tracking.reason,
    "/tf/timestamps_ns": lambda b: b.tf.stamp_ns,
    "/tf/parent": lambda b: np.char.encode(np.array(b.tf.parent)),
    "/tf/child": lambda b: np.char.encode(np.array(b.tf.child)),
    "/tf/translations": lambda b: b.tf.translation,
    "/tf/quaternions_xyzw": lambda b: b.tf.quaternion_xyzw,
    "/tf/is_static": lambda b: b.tf.is_static,
    "/cam-pose/timestamps_ns": lambda b: b.camera_poses.stamp_ns,
    "/cam-pose/translations": lambda b: b.camera_poses.translation,
    "/cam-pose/quaternions_xyzw": lambda b: b.camera_poses.quaternion_xyzw,
    "/trajectory/timestamps_ns": lambda b: b.trajectory.stamp_ns,
    "/trajectory/translations": lambda b: b.trajectory.translation,
    "/trajectory/quaternions_xyzw": lambda b: b.trajectory.quaternion_xyzw,
    "/point-cloud/points": lambda b: b.point_cloud.points,
    "/point-cloud/count": lambda b: b.point_cloud.count,
}
PRIVACY: Mapping[str, Take] = {
    "/privacy/boxes": lambda b: b.face_boxes.rectangle_px,
    "/privacy/frame_index": lambda b: b.face_boxes.frame_index,
    "/privacy/source_index": lambda b: b.message_numbers[b.face_boxes.frame_index],
    "/privacy/score": lambda b: b.face_boxes.score,
    "/privacy/track": lambda b: b.face_boxes.track,
    "/privacy/source": lambda b: b.face_boxes.source,
    "/privacy/label": lambda b: b.face_boxes.label,
}
AS_OTHERS = {"/cam-pose/rotations", "/hand-pose/timestamps", "/depth/timestamps"}
"""What the reader gives in another form: as quaternions, and as the stamps of pictures and of depth messages."""

OF_HANDS = {
    "joints": "joints_cam",
    "kpts_2d_rgb": "joints_px",
    **{
        name: name
        for name in (
            "valid",
            "confidence",
            "joints_world",
            "joint_valid",
            "space",
            "kind",
            "track",
            "anchor",
            "scale",
            "smoothed",
            "uncertainty_px",
            "uncertainty_m",
        )
    },
}
"""Dataset behind `/hand-pose/<side>_`, and the field of `HandArrays` that holds it."""


def of_hand(side: str, name: str) -> Take:
    return lambda bundle: getattr(bundle.hand(side), name)


HANDS: Mapping[str, Take] = {
    f"/hand-pose/{side}_{dataset}": of_hand(side, name)
    for side in ("left", "right")
    for dataset, name in OF_HANDS.items()
}
REACHED = {**DEPTH, **STREAMS, **PRIVACY, **HANDS}


@pytest.fixture
def made(make: Maker) -> Made:
    return make(Scene(frames=6), boxes=(Box(1, 8, 8, 24, 24),), hands=(Hand(2), Hand(3, side="left")))


def test_every_dataset_of_a_bundle_is_reached(made: Made) -> None:
    with EpisodeBundle.open(made.path) as bundle, h5py.File(made.path / "annotation.hdf5") as file:
        listed = {str(entry["path"]) for entry in bundle.datasets}
        wrong = [
            path
            for path in sorted(listed & set(REACHED))
            if not np.array_equal(
                REACHED[path](bundle), file[path][()], equal_nan=file[path].dtype.kind == "f"
            )
        ]

    assert listed == set(REACHED) | AS_SECONDS | AS_OTHERS
    assert wrong == []


def test_what_a_bundle_says_of_itself_is_typed(made: Made) -> None:
    with EpisodeBundle.open(made.path) as bundle:
        assert bundle.saved == made.outcome.saved
        assert bundle.skipped == made.outcome.skipped
        assert bundle.warnings == made.outcome.warnings
        assert (bundle.clock, bundle.clock_offset_ns) == ("uptime", None)
        assert bundle.optical_from_imu is None
        assert bundle.attributes("/")["episode_id"] == bundle.recording_id
        assert bundle.manifest is None


def test_all_fields_of_a_bundle_are_lazy(made: Made) -> None:
    """Opening reads two small tables and the stamps; depth and hands wait until somebody asks."""
    with h5py.File(made.path / "annotation.hdf5", "r+") as file:
        del file["/hand-pose/left_scale"], file["/imu/angular_velocity"]

    with EpisodeBundle.open(made.path) as bundle:
        assert bundle.depth is not None
        with pytest.raises(ArtifactDamaged, match="/hand-pose/left_scale"):
            _ = bundle.left
        with pytest.raises(ArtifactDamaged, match="/imu/angular_velocity"):
            _ = bundle.imu


def test_groups_that_users_appended_are_read_by_path(made: Made) -> None:
    with h5py.File(made.path / "annotation.hdf5", "r+") as file:
        file["/my-labels/phase"] = np.arange(6, dtype=np.int16)
        file["/my-labels"].attrs["made_by"] = "hand"

    with EpisodeBundle.open(made.path) as bundle:
        assert "my-labels" in bundle.groups
        assert bundle.array("/my-labels/phase").tolist() == list(range(6))
        assert bundle.array("/my-labels/phase").dtype == np.int16
        assert bundle.attributes("/my-labels") == {"made_by": "hand"}
        with pytest.raises(ArtifactDamaged, match="/my-labels/other"):
            bundle.array("/my-labels/other")


def test_a_published_bundle_gives_its_manifest(made: Made, tmp_path: Path) -> None:
    store = Store.open(str(tmp_path / "store"))
    key = ArtifactKey("episode_bundle", "kitchen-0123abcd")
    with store.draft(
        key, fingerprint="f" * 64, code_version="1", config={}, inputs={"raw_mcap": "a" * 64}
    ) as draft:
        for path in made.path.rglob("*"):
            if path.is_file():
                target = draft.directory / path.relative_to(made.path)
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(path.read_bytes())
        artifact = draft.publish(made.outcome)

    with EpisodeBundle.open(artifact.directory()) as bundle:
        manifest = bundle.manifest

    assert manifest == artifact.manifest
    assert isinstance(manifest, Manifest)
    assert manifest.inputs == {"raw_mcap": "a" * 64}
    video = manifest.entry("rgb.mp4")
    assert video is not None
    assert (video.media_type, video.frames) == ("video/mp4", 6)
    assert manifest.source == made.outcome.source
    assert {item["path"] for item in manifest.datasets} == {item["path"] for item in made.outcome.datasets}
    assert {field.name for field in fields(Manifest)} >= {"source", "datasets", "upstream_models"}
