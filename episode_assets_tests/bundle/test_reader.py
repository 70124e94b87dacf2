"""The reader gives back what was recorded, and refuses directories whose files do not belong together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.bundle import EpisodeBundle
from episode_assets.errors import ArtifactDamaged, ArtifactMissing
from episode_assets_tests.bundle.conftest import Made, Maker
from episode_assets_tests.bundle.recordings import RECORDING_ID, Box, Hand, Scene, joints_of


@pytest.fixture
def made(make: Maker) -> Made:
    return make(
        Scene(frames=10, gap_after=5),
        boxes=(Box(1, 8, 8, 24, 24),),
        hands=(Hand(2), Hand(4, metres=False), Hand(2, confidence=0.5), Hand(3, wearer=False)),
        task="wash a cup",
    )


def test_it_tells_what_the_bundle_is_about(made: Made) -> None:
    with EpisodeBundle.open(made.path) as bundle:
        assert len(bundle) == bundle.F == 10
        assert bundle.recording_id == RECORDING_ID
        assert bundle.task == "wash a cup"
        assert bundle.video_path.is_file()
        assert bundle.thumbnail_path.is_file()
        assert np.array_equal(bundle.stamps_ns, made.scene.stamps_ns)
        assert bundle.message_numbers.tolist() == list(range(10))
        assert bundle.frames.gap_before.nonzero()[0].tolist() == [6]
        assert bundle.privacy["audit"] == "passed"
        assert bundle.source["clock"] == "uptime"
        assert bundle.picture_size == (64, 48)


def test_pictures_are_paired_with_depth_pose_and_intrinsics(made: Made) -> None:
    with EpisodeBundle.open(made.path) as bundle:
        assert bundle.pairing.depth_message_number.tolist() == list(range(10))
        assert bundle.pairing.depth_dt_ns.tolist() == [3_900_000] * 10
        assert bundle.pairing.pose_valid.all()
        assert bundle.pairing.intrinsics_valid.all()
        assert bundle.poses.dt_ns.tolist() == [0] * 10
        assert np.allclose(bundle.poses.world_from_optical[4, :3, 3], made.scene.translation(4))
        assert bundle.K is not None
        assert np.allclose(bundle.K[7], made.scene.intrinsics(7))


def test_depth_is_read_one_frame_at_a_time(made: Made) -> None:
    with EpisodeBundle.open(made.path) as bundle:
        assert bundle.depth is not None
        assert (bundle.depth.height, bundle.depth.width) == (24, 32)
        assert np.array_equal(bundle.depth.stamp_ns - bundle.stamps_ns, np.full(10, 3_900_000))
        image = bundle.depth_frame(7)
        assert image is not None
        assert image.dtype == np.uint16
        assert np.array_equal(image, made.scene.depth_mm(7))
        with pytest.raises(IndexError):
            bundle.depth_frame(10)


def test_streams_come_back_sorted_and_complete(made: Made) -> None:
    with EpisodeBundle.open(made.path) as bundle:
        assert bundle.imu is not None
        assert bundle.imu.gravity == "removed"
        assert np.all(np.diff(bundle.imu.stamp_ns) > 0)
        assert bundle.tracking is not None
        assert bundle.tracking.state.tolist() == [2] * 10
        assert bundle.tf is not None
        assert set(bundle.tf.child) == {"camera_optical_frame"}
        assert bundle.camera_poses is not None
        assert bundle.camera_poses.frame_id == "world"
        assert np.allclose(bundle.camera_poses.quaternion_xyzw[3], made.scene.quaternion(3))
        assert bundle.trajectory is not None
        assert len(bundle.trajectory.stamp_ns) == 10
        assert bundle.calibrations.R_source == "tf"


def test_hands_come_back_with_metres_and_pixels_apart(made: Made) -> None:
    pixels, metres = joints_of(Hand(2))
    with EpisodeBundle.open(made.path) as bundle:
        right, left = bundle.right, bundle.left

    assert right.valid.nonzero()[0].tolist() == [2, 4]
    assert np.array_equal(right.joints_cam[2], metres)
    assert np.array_equal(right.joints_px[2], pixels)
    assert np.isnan(right.joints_cam[4]).all()
    assert np.isfinite(right.joints_px[4]).all()
    assert right.kind.tolist() == [0, 0, 1, 0, 1, 0, 0, 0, 0, 0]
    assert right.track[2] == 7
    assert right.confidence[2] == pytest.approx(0.9)
    assert not left.valid.any()
    assert made.notes()["extra_hands"] == 1
    assert made.notes()["not_wearer"] == 1


def test_arrays_outlive_the_open_file(made: Made) -> None:
    with EpisodeBundle.open(made.path) as bundle:
        K = bundle.K

    assert K is not None
    assert K[0, 2, 2] == 1.0


def test_groups_that_users_appended_do_not_disturb(made: Made) -> None:
    with h5py.File(made.path / "annotation.hdf5", "r+") as file:
        file["/my-labels/phase"] = np.arange(10)

    with EpisodeBundle.open(made.path) as bundle:
        assert bundle.F == 10


def cut(name: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        data = (path / name).read_bytes()
        (path / name).write_bytes(data[: len(data) * 2 // 3])

    return damage


def removed(name: str) -> Callable[[Path], None]:
    return lambda path: (path / name).unlink()


def other_schema(path: Path) -> None:
    meta = json.loads((path / "meta.json").read_text())
    (path / "meta.json").write_text(json.dumps({**meta, "schema_version": 99}))


def one_row_less(path: Path) -> None:
    table = pq.read_table(path / "frames.parquet")
    pq.write_table(table.slice(0, 9), path / "frames.parquet")
    meta = json.loads((path / "meta.json").read_text())
    meta["files"]["frames.parquet"] = (path / "frames.parquet").stat().st_size
    (path / "meta.json").write_text(json.dumps(meta))


def no_column(path: Path) -> None:
    table = pq.read_table(path / "frames.parquet").drop_columns(["stamp_ns"])
    pq.write_table(table, path / "frames.parquet")


def no_stamps(path: Path) -> None:
    with h5py.File(path / "annotation.hdf5", "r+") as file:
        del file["/rgb/timestamps_ns"]


def other_stamps(path: Path) -> None:
    with h5py.File(path / "annotation.hdf5", "r+") as file:
        file["/rgb/timestamps_ns"][3] += 1


@pytest.mark.parametrize(
    ("damage", "where"),
    [
        (cut("rgb.mp4"), "rgb.mp4"),
        (cut("annotation.hdf5"), "annotation.hdf5"),
        (cut("frames.parquet"), "frames.parquet"),
        (cut("meta.json"), "meta.json"),
        (cut("mesh.ply"), "mesh.ply"),
        (cut("thumbnail.jpg"), "thumbnail.jpg"),
        (cut("calibrations/rgb_K.npy"), "calibrations/rgb_K.npy"),
        (removed("rgb.mp4"), "rgb.mp4"),
        (removed("frames.parquet"), "frames.parquet"),
        (removed("annotation.hdf5"), "annotation.hdf5"),
        (other_schema, "schema version"),
        (one_row_less, "9 pictures"),
        (no_column, "stamp_ns"),
        (no_stamps, "/rgb/timestamps_ns"),
        (other_stamps, "/rgb/timestamps_ns"),
    ],
)
def test_a_damaged_bundle_is_refused_by_name(made: Made, damage: Callable[[Path], None], where: str) -> None:
    damage(made.path)

    with pytest.raises(ArtifactDamaged, match=where.replace(".", r"\.")) as caught:
        EpisodeBundle.open(made.path)

    assert "\n" not in str(caught.value)
    assert "remedy" in str(caught.value)


def test_a_depth_chunk_with_other_bytes_is_refused_when_it_is_read(made: Made) -> None:
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        place = file["/depth/frames"].id.get_chunk_info(4).byte_offset
    data = bytearray((made.path / "annotation.hdf5").read_bytes())
    data[place : place + 40] = b"\xff" * 40
    (made.path / "annotation.hdf5").write_bytes(data)

    with EpisodeBundle.open(made.path) as bundle:
        assert bundle.depth_frame(3) is not None
        with pytest.raises(ArtifactDamaged, match="/depth/frames"):
            bundle.depth_frame(4)


def test_a_directory_that_is_no_bundle_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ArtifactMissing, match="no episode bundle"):
        EpisodeBundle.open(tmp_path)
