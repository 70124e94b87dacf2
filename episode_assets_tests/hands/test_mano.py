"""WiLoR and HaMeR by path, on stand-in files that answer from the pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("torch", reason="torch, which the files of wilor and hamer run on, is not installed")

from episode_assets.errors import BadConfig, ModelMissing
from episode_assets.hands import (
    FRAMES_FILE,
    HANDS_FILE,
    HANDS_SCHEMA,
    MANO_FILE,
    MANO_SCHEMA,
    HaMeROptions,
    HandPoseConfig,
    WiLoROptions,
)
from episode_assets.hands.backends import options_of
from episode_assets.hands.box_backend import HandBoxes
from episode_assets.hands.mano import full_camera, full_translation, mirrored_rotations
from episode_assets.hands.mano_network import ManoReader, squares_around
from episode_assets.hands.yolo_boxes import YoloHandDetector
from episode_assets.pipeline.settings import build_config
from episode_assets.recording import RecordingView, scan_recording
from episode_assets_tests.hands.conftest import Estimated, estimated
from episode_assets_tests.hands.drawn_hands import PALM_M, DrawnHand, picture_with
from episode_assets_tests.hands.mano_files import (
    Boxes,
    Mano,
    Nameless,
    Short,
    as_bgr,
    as_rgb,
    save,
    save_onnx,
)
from episode_assets_tests.recording import rig as ros
from episode_assets_tests.recording.rig import EPOCH_NS, Rig

SIZE = (800, 600)
FOCAL = 700.0
FRAMES = 8
STEP_NS = 50_000_000
LEFT = DrawnHand((190, 430), 150, 0.2, right=False)
RIGHT = DrawnHand((610, 470), 190, -0.3, right=True)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("networks")
    return {
        "weights": save(Mano(as_rgb()), folder / "mano.pt"),
        "detector": save(Boxes(as_rgb()), folder / "boxes.torchscript"),
        "bgr": save(Mano(as_bgr()), folder / "bgr.pt"),
        "nameless": save(Nameless(), folder / "nameless.pt"),
        "short": save(Short(), folder / "short.pt"),
    }


def chosen(name: str, **options: Any) -> HandPoseConfig:
    section = {"wilor": WiLoROptions, "hamer": HaMeROptions}[name](**options)
    return HandPoseConfig(backend=name, **{name: section})


def box_around(hand: DrawnHand) -> np.ndarray:
    marks = hand.marks()
    return np.concatenate([marks.min(axis=0) - 9, marks.max(axis=0) + 9])


def boxed(*hands: DrawnHand) -> HandBoxes:
    return HandBoxes(
        np.stack([box_around(hand) for hand in hands]),
        np.array([hand.right for hand in hands]),
        np.full(len(hands), 0.9),
    )


def test_boxes_and_sides_are_found_through_the_letterbox_each_hand_once(files: dict[str, str]) -> None:
    detector = YoloHandDetector(files["detector"], setting="wilor.detector", score_threshold=0.3)
    for size, shift in (((800, 600), (0.0, 0.0)), ((1280, 720), (400.0, 90.0))):
        right = replace(RIGHT, wrist=(RIGHT.wrist[0] + shift[0], RIGHT.wrist[1] + shift[1]))

        found = detector.detect(picture_with(LEFT, right, size=size))

        order = np.argsort(found.boxes[:, 0])
        assert found.is_right[order].tolist() == [False, True]
        assert found.score == pytest.approx(0.9)
        expected = np.stack([box_around(LEFT), box_around(right)])
        np.testing.assert_allclose(found.boxes[order], expected, atol=2.5)


def test_a_threshold_above_the_scores_finds_nothing(files: dict[str, str]) -> None:
    detector = YoloHandDetector(files["detector"], setting="wilor.detector", score_threshold=0.95)

    assert len(detector.detect(picture_with(LEFT, RIGHT))) == 0


@pytest.mark.parametrize(
    "hand",
    [
        RIGHT,
        LEFT,
        replace(RIGHT, angle=1.3, length_px=90),
        replace(LEFT, angle=-1.9, length_px=230, wrist=(420, 300)),
        replace(RIGHT, wrist=(330.4, 250.7), length_px=410, angle=3.0),
    ],
)
@pytest.mark.parametrize("shift", [(0.0, 0.0), (25.0, -18.0)])
def test_joints_are_read_where_they_are_whatever_the_crop(
    hand: DrawnHand, shift: tuple[float, float], files: dict[str, str]
) -> None:
    """The box may lie beside the hand's middle: what is found must not move with it."""
    reader = ManoReader(files["weights"], setting="wilor.weights")
    hands = boxed(hand)
    hands = replace(hands, boxes=hands.boxes + np.tile(shift, 2))

    reading = reader.read(picture_with(hand, size=(900, 700)), hands)

    off = np.linalg.norm(reading.joints_px[0] - hand.joints(), axis=1)
    assert off.max() < max(1.5, hand.length_px / 150)
    flat = (hand.joints() - hand.wrist) * PALM_M / hand.length_px
    np.testing.assert_allclose(reading.shape_m[0, :, :2], flat, atol=0.003)


@pytest.mark.filterwarnings("ignore")  # of the exporter
def test_an_onnx_file_reads_what_the_torchscript_file_reads_and_needs_no_torch(
    files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_onnx(Mano(as_rgb()), tmp_path / "mano.onnx")
    picture, hands = picture_with(LEFT, RIGHT), boxed(LEFT, RIGHT)
    expected = ManoReader(files["weights"], setting="wilor.weights").read(picture, hands)
    monkeypatch.setattr("episode_assets.models.packages.find_spec", lambda name: None)
    config = chosen("wilor", weights=path, detector=path)

    options_of(config).require()
    reading = ManoReader(path, setting="wilor.weights").read(picture, hands)

    np.testing.assert_allclose(reading.joints_px, expected.joints_px, atol=1e-2)
    np.testing.assert_allclose(reading.mano, expected.mano, atol=1e-4)


def test_a_side_taken_wrongly_and_swapped_colours_lead_elsewhere(files: dict[str, str]) -> None:
    """What the tests above rest on: the stand-in sees the difference."""
    picture, hands = picture_with(RIGHT), boxed(RIGHT)
    as_left = replace(hands, is_right=~hands.is_right)

    for weights, asked in (("weights", as_left), ("bgr", hands)):
        reading = ManoReader(files[weights], setting="wilor.weights").read(picture, asked)

        assert np.linalg.norm(reading.joints_px[0] - RIGHT.joints(), axis=1).max() > 50


def test_a_square_is_twice_the_box_and_wide_enough_for_the_columns_that_are_cut() -> None:
    boxes = np.array([[100.0, 100, 160, 200], [100, 100, 220, 160]])

    squares = squares_around(boxes)

    assert squares[:, :2].tolist() == [[130, 150], [160, 130]]
    # 60 wide and 100 high is slimmer than 192:256; 120 wide needs 160 high.
    assert squares[:, 2].tolist() == [200, 320]


def test_the_full_camera_sees_the_hand_where_the_crop_did() -> None:
    pred_cam, regions = np.array([[0.8, 0.03, -0.02]]), np.array([[600.0, 200.0, 180.0, 0.0]])
    K = np.array([[[900.0, 0, 410], [0, 905, 290], [0, 0, 1]]])

    for matrix in (K, np.full((1, 3, 3), np.nan)):
        camera = full_camera(matrix, np.array([[800, 600]], np.int32))
        t = full_translation(pred_cam, regions, camera)

        # The origin of the hand lies at half the box times s times (tx, ty) from the middle of the box.
        expected = regions[0, :2] + 90 * 0.8 * pred_cam[0, 1:] * camera.focal_px[0] / camera.focal_px[0, 0]
        np.testing.assert_allclose(
            camera.focal_px[0] * t[0, :2] / t[0, 2] + camera.principal_px[0], expected, atol=1e-6
        )
    assert camera.focal_px[0, 0] == 5000 / 256 * 800


def test_rotations_of_left_hands_are_those_of_the_mirrored_hand() -> None:
    rotation, _ = cv2.Rodrigues(np.array([0.2, -0.5, 0.9]))
    mirrored, _ = cv2.Rodrigues(np.array([0.2, 0.5, -0.9]))

    both = mirrored_rotations(np.stack([[rotation], [rotation]]), np.array([True, False]))

    np.testing.assert_allclose(both[:, 0], [rotation, mirrored], atol=1e-12)


# Whole recordings


def recorded(folder: Path, *, with_depth: bool = True) -> RecordingView:
    """Two hands that drift to the right, before a camera of known focal length and above a plane at their distance."""
    rig = Rig(folder / "rig.mcap")
    for frame in range(FRAMES):
        stamp = EPOCH_NS + STEP_NS * frame
        jpeg = cv2.imencode(".jpg", picture_with(*drawn(frame))[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
        rig.add("/camera/color/image_raw/compressed", ros.compressed_image(stamp, jpeg.tobytes()))
        rig.add("/camera/color/camera_info", ros.camera_info(stamp, size=SIZE, focal=FOCAL))
        if with_depth:
            depth = np.full((150, 200), 1000 * distance_m(LEFT), np.uint16)
            depth[:, 100:] = 1000 * distance_m(RIGHT)
            rig.add("/camera/depth/image_rect_raw", ros.image(stamp, depth, "16UC1"))
    file, raw = rig.close(), folder / "raw"
    raw.mkdir()
    scan_recording(str(file), raw, recording_id="rig-1")
    return RecordingView.open(raw, str(file))


def drawn(frame: int) -> tuple[DrawnHand, DrawnHand]:
    return tuple(replace(hand, wrist=(hand.wrist[0] + 3.0 * frame, hand.wrist[1])) for hand in (LEFT, RIGHT))


def distance_m(hand: DrawnHand) -> float:
    """Where a hand of this size must be to look as large."""
    return FOCAL * PALM_M / hand.length_px


def mano_of(folder: Path) -> dict[str, np.ndarray]:
    table = pq.read_table(folder / MANO_FILE)
    assert table.schema.equals(MANO_SCHEMA)
    return {name: np.array(table[name].to_pylist()) for name in table.column_names}


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> RecordingView:
    return recorded(tmp_path_factory.mktemp("film"))


@pytest.mark.parametrize("name", ["wilor", "hamer"])
def test_a_recording_gets_joints_depth_and_mano_numbers_of_both_hands(
    name: str, filmed: RecordingView, files: dict[str, str], tmp_path: Path
) -> None:
    config = chosen(name, weights=files["weights"], detector=files["detector"])

    run = estimated(filmed, tmp_path, config=config)

    assert run.hands.schema.equals(HANDS_SCHEMA)
    assert run.outcome.core == (HANDS_FILE, FRAMES_FILE, MANO_FILE)
    assert [use.name for use in run.outcome.models] == [name, f"{name}_detector"]
    assert set(run.hands["backend"].to_pylist()) == {name}
    assert sorted(run.hands["side"].to_pylist()) == ["left"] * FRAMES + ["right"] * FRAMES
    assert run.outcome.summary["tracks"] == 2
    assert_joints_lie_where_they_were_drawn(run)
    assert_numbers_are_those_of_the_drawn_hands(mano_of(tmp_path))


def assert_joints_lie_where_they_were_drawn(run: Estimated) -> None:
    rows = zip(
        run.hands["message_number"].to_pylist(),
        run.hands["side"].to_pylist(),
        run.numbers("joints_px").reshape(-1, 21, 2),
        run.numbers("joints_cam").reshape(-1, 21, 3),
        strict=True,
    )
    for frame, side, joints_px, joints_cam in rows:
        hand = drawn(frame)[side == "right"]
        assert np.linalg.norm(joints_px - hand.joints(), axis=1).max() < 3
        distance = distance_m(hand)
        place = np.concatenate(
            [(hand.joints() - [SIZE[0] / 2, SIZE[1] / 2]) * distance / FOCAL, np.full((21, 1), distance)],
            axis=1,
        )
        # The depth under the joints is the skin's, 8 mm nearer.
        assert np.linalg.norm(joints_cam - place, axis=1).max() < 0.03


def assert_numbers_are_those_of_the_drawn_hands(mano: dict[str, np.ndarray]) -> None:
    assert len(mano["side"]) == 2 * FRAMES
    for row, (frame, side) in enumerate(zip(mano["message_number"], mano["side"], strict=True)):
        hand = drawn(frame)[side == "right"]
        cos, sin = np.cos(hand.angle), np.sin(hand.angle)
        np.testing.assert_allclose(
            mano["global_orient"][row].reshape(3, 3), [[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], atol=0.03
        )
        bend = (1 if hand.right else -1) * np.arange(1, 16) / 20
        np.testing.assert_allclose(mano["hand_pose"][row].reshape(15, 3, 3)[:, 1, 0], np.sin(bend), atol=1e-4)
        # The hand's origin is the wrist, and its distance follows from its size in the picture.
        t = mano["cam_t"][row]
        assert mano["focal_px"][row].tolist() == [FOCAL, FOCAL]
        assert t[2] == pytest.approx(distance_m(hand), rel=0.03)
        wrist = FOCAL * t[:2] / t[2] + mano["principal_px"][row]
        np.testing.assert_allclose(wrist, hand.wrist, atol=2.5)


def test_two_workers_and_small_chunks_give_the_same_bytes_as_one(
    filmed: RecordingView, files: dict[str, str], tmp_path: Path
) -> None:
    config = chosen("wilor", weights=files["weights"], detector=files["detector"])
    config = replace(config, chunk_frames=10)

    for workers in (1, 2):
        estimated(filmed, tmp_path / str(workers), config=config, workers=workers)

    for file in (HANDS_FILE, FRAMES_FILE, MANO_FILE):
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()


def test_without_depth_hands_stay_in_the_picture(files: dict[str, str], tmp_path: Path) -> None:
    view = recorded(tmp_path, with_depth=False)
    config = chosen("wilor", weights=files["weights"], detector=files["detector"])

    run = estimated(view, tmp_path / "hands", config=config)

    assert run.hands["joints_cam"].null_count == run.hands.num_rows == 2 * FRAMES
    assert set(run.hands["anchor"].to_pylist()) == {"pixel_only"}


# Files and settings that do not fit


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"weights": "gone.pt"}, r"wilor\.weights.*gone\.pt"),
        ({"detector": "gone.onnx"}, r"wilor\.detector.*gone\.onnx"),
        ({"weights": "broken.pt"}, r"not a TorchScript file.*broken\.pt.*export"),
        ({"weights": "broken.onnx"}, r"not an ONNX file.*broken\.onnx.*export"),
        ({"weights": "nameless"}, r"gives output0, no pred_cam.*nameless\.pt.*pred_keypoints_3d \(63"),
        ({"weights": "short"}, r"48 numbers as pred_keypoints_3d.*short\.pt"),
        ({"weights": "detector"}, r"cannot be run.*boxes\.torchscript.*1x3x256x256"),
        ({"detector": "nameless"}, r"answers with 1x3.*nameless\.pt.*score of left"),
    ],
)
def test_files_that_are_missing_or_other_than_they_should_be_are_named_before_decoding(
    changed: dict[str, str], words: str, files: dict[str, str], filmed: RecordingView, tmp_path: Path
) -> None:
    for name in ("broken.pt", "broken.onnx"):
        (tmp_path / name).write_bytes(b"no network")
    paths = {name: files.get(value, str(tmp_path / value)) for name, value in changed.items()}
    config = chosen("wilor", **{"weights": files["weights"], "detector": files["detector"], **paths})
    # Nothing can be decoded: the error has to come before.
    view = RecordingView.open(filmed.directory, str(tmp_path / "gone.mcap"))

    with pytest.raises(ModelMissing, match=words):
        estimated(view, tmp_path / "hands", config=config)


def test_without_torch_the_remedy_is_named_before_decoding(
    files: dict[str, str], filmed: RecordingView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("episode_assets.models.packages.find_spec", lambda name: None)
    view = RecordingView.open(filmed.directory, str(tmp_path / "gone.mcap"))
    config = chosen("hamer", weights=files["weights"], detector=files["detector"])

    with pytest.raises(ModelMissing, match=r"torch is not installed.*pip install torch"):
        estimated(view, tmp_path / "hands", config=config)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"backend": "wilor"}, r"wilor has no weights"),
        ({"backend": "hamer", "hamer": {"weights": "x"}}, r"hamer has no detector"),
        ({"backend": "wilor", "wilor": {"weigths": "x"}}, "weigths"),
        ({"backend": "wilor", "wilor": {"weights": "x", "detector": "y", "detector_score": 1.5}}, "score"),
        (
            {"backend": "wilor", "hamer": {"weights": "x"}, "wilor": {"weights": "x", "detector": "y"}},
            "hamer",
        ),
    ],
)
def test_settings_that_are_missing_unknown_or_without_effect_are_errors(values: Any, words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        build_config(HandPoseConfig, values, where="hand_poses")


def test_the_digests_of_both_files_count_and_their_places_do_not(
    files: dict[str, str], tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere.pt"
    copy.write_bytes(Path(files["weights"]).read_bytes())

    def digests(weights: str) -> list[str]:
        return [use.sha256 for use in chosen("wilor", weights=weights, detector=files["detector"]).models()]

    assert digests(files["weights"]) == digests(str(copy))
    assert digests(files["weights"])[0] != digests(files["bgr"])[0]
    assert digests(str(tmp_path / "gone.pt"))[0] == "absent"
