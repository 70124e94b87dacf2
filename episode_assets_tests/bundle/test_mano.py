"""The numbers of MANO networks, from pictures of drawn hands through stand-in networks into the bundle and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("torch", reason="torch, which the files of wilor and hamer run on, is not installed")

from episode_assets.bundle import EpisodeBundle, ManoArrays, write_bundle
from episode_assets.hands import HandPoseConfig, WiLoROptions, estimate_hands
from episode_assets.outcome import Outcome
from episode_assets.recording import RecordingView, scan_recording
from episode_assets_tests.bundle.recordings import PASSED, RECORDING_ID, Pictures, write_pictures
from episode_assets_tests.hands.drawn_hands import DrawnHand, picture_with
from episode_assets_tests.hands.mano_files import Boxes, Mano, as_rgb, save
from episode_assets_tests.recording import rig as ros
from episode_assets_tests.recording.rig import EPOCH_NS, Rig

FRAMES, STEP_NS, SIZE, FOCAL = 7, 50_000_000, (800, 600), 700.0
UNPUBLISHED = 2
"""Message whose picture is not in the blurred video."""

LEFT, RIGHT = DrawnHand((190, 430), 150, 0.2, right=False), DrawnHand((610, 470), 190, -0.3, right=True)


@dataclass(frozen=True)
class Made:
    path: Path
    outcome: Outcome
    hands: Path


def drawn(frame: int) -> tuple[DrawnHand, ...]:
    """Both hands drift; the left one is not there in the first picture."""
    moved = [replace(hand, wrist=(hand.wrist[0] + 3.0 * frame, hand.wrist[1])) for hand in (LEFT, RIGHT)]
    return tuple(moved if frame else moved[1:])


def filmed(folder: Path) -> RecordingView:
    rig = Rig(folder / "rig.mcap")
    for frame in range(FRAMES):
        stamp = EPOCH_NS + STEP_NS * frame
        jpeg = cv2.imencode(".jpg", picture_with(*drawn(frame))[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
        rig.add("/camera/color/image_raw/compressed", ros.compressed_image(stamp, jpeg.tobytes()))
        rig.add("/camera/color/camera_info", ros.camera_info(stamp, size=SIZE, focal=FOCAL))
    file, raw = rig.close(), folder / "raw"
    raw.mkdir()
    scan_recording(str(file), raw, recording_id=RECORDING_ID)
    return RecordingView.open(raw, str(file))


def bundled(view: RecordingView, hands: Path, folder: Path) -> Made:
    numbers = np.array([i for i in range(FRAMES) if i != UNPUBLISHED], np.int64)
    write_pictures(folder / "blurred", Pictures(numbers, EPOCH_NS + STEP_NS * numbers, *SIZE))
    (folder / "bundle").mkdir()
    outcome = write_bundle(view, folder / "blurred", hands, folder / "bundle", privacy=PASSED)
    return Made(folder / "bundle", outcome, hands)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("mano")
    networks = WiLoROptions(
        weights=save(Mano(as_rgb()), folder / "mano.pt"), detector=save(Boxes(as_rgb()), folder / "boxes.pt")
    )
    view, hands = filmed(folder), folder / "hands"
    hands.mkdir()
    estimate_hands(view, hands, config=HandPoseConfig(backend="wilor", wilor=networks))
    return bundled(view, hands, folder)


def numbers_of(made: Made, side: str) -> ManoArrays:
    with EpisodeBundle.open(made.path) as bundle:
        found = bundle.mano(side)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_the_file_goes_on_with_the_pictures_of_the_bundle(made: Made) -> None:
    before, after = pq.read_table(made.hands / "mano.parquet"), pq.read_table(made.path / "mano.parquet")

    assert "mano.parquet" in made.outcome.core
    assert "mano.parquet" in made.outcome.saved
    assert after.schema.equals(before.schema, check_metadata=True)
    expected = before.filter(pa.array([n != UNPUBLISHED for n in before["message_number"].to_pylist()]))
    assert after.drop(["frame_index"]).equals(expected.drop(["frame_index"]))
    published = [n for n in range(FRAMES) if n != UNPUBLISHED]
    assert [published[i] for i in after["frame_index"].to_pylist()] == after["message_number"].to_pylist()


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_numbers_are_those_of_the_drawn_hand_in_its_own_space(side: str, made: Made) -> None:
    mano = numbers_of(made, side)
    hand = RIGHT if side == "right" else LEFT

    assert mano.valid.tolist() == [side == "right", *[True] * (FRAMES - 2)]
    angles = np.arctan2(mano.global_orient[mano.valid, 0, 1, 0], mano.global_orient[mano.valid, 0, 0, 0])
    np.testing.assert_allclose(angles, hand.angle, atol=0.03)
    bend = (1 if hand.right else -1) * np.arange(1, 16) / 20
    np.testing.assert_allclose(mano.hand_pose[-1, :, 1, 0], np.sin(bend), atol=1e-4)
    wrist = mano.focal_px[-1] * mano.cam_t[-1, :2] / mano.cam_t[-1, 2] + mano.principal_px[-1]
    np.testing.assert_allclose(wrist, drawn(FRAMES - 1)[side == "right"].wrist, atol=2.5)


def test_unknown_numbers_are_masked(made: Made) -> None:
    mano = numbers_of(made, "left")

    for name in ("global_orient", "hand_pose", "betas", "pred_cam", "cam_t", "focal_px", "principal_px"):
        values = getattr(mano, name)
        assert np.isnan(values[0]).all(), name
        assert np.isfinite(values[1:]).all(), name


def test_datasets_have_the_names_and_shapes_of_the_layout(made: Made) -> None:
    shapes = {
        "mano_global_orient": (1, 3, 3),
        "mano_hand_pose": (15, 3, 3),
        "mano_betas": (10,),
        "pred_cam": (3,),
        "pred_cam_t": (3,),
        "cam_t": (3,),
        "focal_length": (2,),
    }
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        group = file["/hand-pose"]
        for name, shape in shapes.items():
            for side in ("left", "right"):
                assert group[f"{side}_{name}"].shape == (FRAMES - 1, *shape)
                assert group[f"{side}_{name}"].dtype == np.float32
        assert "mirrored back" in group.attrs["mano_space"]
        assert group.attrs["backend"] == "wilor"
    assert ("annotation.hdf5:/hand-pose/mano_vertices", "not_kept") in {
        (item.name, item.code) for item in made.outcome.skipped
    }


@pytest.mark.parametrize("change", [lambda track: track + 1, lambda track: 1 - track])
def test_numbers_of_another_track_are_not_taken_for_those_of_the_hand_shown(
    change: Callable[[int], int], made: Made, tmp_path: Path
) -> None:
    hands = tmp_path / "hands"
    hands.mkdir()
    (hands / "hands.parquet").write_bytes((made.hands / "hands.parquet").read_bytes())
    table = pq.read_table(made.hands / "mano.parquet")
    tracks = pa.array([change(track) for track in table["track"].to_pylist()], pa.int64())
    at = table.column_names.index("track")
    pq.write_table(table.set_column(at, table.schema.field("track"), tracks), hands / "mano.parquet")

    other = bundled(filmed(tmp_path), hands, tmp_path)

    assert not numbers_of(other, "left").valid.any()
    assert not numbers_of(other, "right").valid.any()


def test_a_bundle_of_other_backends_has_none(made: Made, tmp_path: Path) -> None:
    hands = tmp_path / "hands"
    hands.mkdir()
    (hands / "hands.parquet").write_bytes((made.hands / "hands.parquet").read_bytes())

    plain = bundled(filmed(tmp_path), hands, tmp_path)

    assert "mano.parquet" not in plain.outcome.core
    with EpisodeBundle.open(plain.path) as bundle:
        assert bundle.mano("left") is None
        assert bundle.left.valid.sum() == FRAMES - 2
