"""RetinaFace through the call signature of batch-face; a stand-in package runs files that answer from the pixels."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch, which the optional detector retinaface runs on, is not installed")

from episode_assets.anonymization import FaceBlurConfig, blur_recording
from episode_assets.anonymization.backends import make_detector
from episode_assets.anonymization.retinaface import RetinaFaceOptions
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.errors import ModelMissing
from episode_assets.video import decode_frames, decode_picture
from episode_assets_tests.anonymization.material import Scene, record
from episode_assets_tests.anonymization.measures import changed_share, lost_share
from episode_assets_tests.anonymization.torch_models import Match, Rectangles, save

RED, BLUE = (230, 10, 10), (10, 10, 230)
FRAMES = 10
SMALLEST_PX = 16.0


@pytest.fixture(autouse=True)
def batch_face(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch-face that is first on the path, for this process and those that it starts."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "packages"))
    monkeypatch.delitem(sys.modules, "batch_face", raising=False)


def search(options: RetinaFaceOptions, *, min_face_px: float = 32) -> FaceSearch:
    config = FaceBlurConfig(detector="retinaface", retinaface=options)
    detector = make_detector("retinaface", config, score_threshold=0.1)
    return FaceSearch(
        detector, width=640, height=480, min_face_px=min_face_px, tile_px=4096, score_threshold=0.2
    )


def planes(place: tuple[int, int, int, int] = (400, 60, 480, 180)):
    canvas = np.full((480, 640, 3), 120, np.uint8)
    x0, y0, x1, y1 = place
    canvas[y0:y1, x0:x1] = RED
    canvas[300:380, 40:160] = BLUE
    return decode_picture("rgb8", canvas.tobytes(), width=640, height=480, step=640 * 3)


@pytest.mark.parametrize("min_face_px", [16.0, 32.0, 40.0])
def test_red_is_found_where_it_is_at_every_scale(min_face_px: float, tmp_path: Path) -> None:
    weights_file = str(save(Rectangles(RED), tmp_path / "weights.pth"))

    boxes = search(RetinaFaceOptions(weights=weights_file), min_face_px=min_face_px)(planes())

    # The package suppresses doubles by itself; the stand-in does not, and leaves both.
    assert boxes[1, :4] == pytest.approx([400, 60, 480, 180], abs=3)
    # The file says 0.95, and 0.8 counts as certain unless set otherwise.
    assert boxes[1, 4] == pytest.approx(0.875, abs=0.01)


@pytest.mark.parametrize("place", [(0, 0, 80, 120), (560, 360, 640, 480)])
def test_the_model_sees_the_picture_up_to_its_edges(place: tuple[int, int, int, int], tmp_path: Path) -> None:
    look = search(RetinaFaceOptions(weights=str(save(Rectangles(RED), tmp_path / "weights.pth"))))

    assert look(planes(place))[1, :4] == pytest.approx(place, abs=3)


def test_a_batch_gives_what_its_pictures_give_one_by_one(tmp_path: Path) -> None:
    look = search(RetinaFaceOptions(weights=str(save(Rectangles(RED), tmp_path / "weights.pth"))))

    (first, second) = look.found([planes(), planes()], score_threshold=0.2)

    assert all(np.array_equal(first[label], second[label]) for label in first)
    assert len(look(planes())) == sum(map(len, first.values())) == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_faces_are_unreadable_in_the_published_video(workers: int, tmp_path: Path) -> None:
    """The audit is another detector's or its own; here its own, in this process and in two others."""
    scene = Scene(faces={frame: (60 + 6.0 * frame, 50 + 1.0 * frame) for frame in range(FRAMES)})
    heights = (1.5 * SMALLEST_PX, 2 * SMALLEST_PX, 3 * SMALLEST_PX)
    weights_file = str(save(Match(heights, is_bgr=False), tmp_path / "weights.pth"))
    config = FaceBlurConfig(
        detector="retinaface",
        audit_detector="retinaface",
        retinaface=RetinaFaceOptions(weights=weights_file),
        g=5,
    )
    view = record(tmp_path, [scene.jpeg(frame) for frame in range(FRAMES)])
    (tmp_path / "artifact").mkdir()

    outcome = blur_recording(view, tmp_path / "artifact", config=config, workers=workers)

    assert outcome.audit_passed
    assert [use.name for use in outcome.models] == ["retinaface_mobilenet"]
    for frame, picture in decode_frames(tmp_path / "artifact" / "rgb.mp4", range(FRAMES)):
        source = decode_picture("jpeg", scene.jpeg(frame))
        assert lost_share(source.y, picture.y, scene.face_box(frame)) > 0.95, frame
        # The stand-in fits roughly, and its boxes jump about the face.
        assert changed_share(source.y, picture.y, [scene.face_box(frame)]) < 0.15, frame


@pytest.mark.usefixtures("weights")
def test_weights_of_the_other_channel_order_leave_no_pixels(tmp_path: Path) -> None:
    scene = Scene(faces=dict.fromkeys(range(FRAMES), (60.0, 50.0)))
    heights = (1.5 * SMALLEST_PX, 2 * SMALLEST_PX, 3 * SMALLEST_PX)
    weights_file = str(save(Match(heights, is_bgr=True), tmp_path / "weights.pth"))
    config = FaceBlurConfig(detector="retinaface", retinaface=RetinaFaceOptions(weights=weights_file))
    view = record(tmp_path, [scene.jpeg(frame) for frame in range(FRAMES)])
    (tmp_path / "artifact").mkdir()

    outcome = blur_recording(view, tmp_path / "artifact", config=config)

    assert not outcome.audit_passed
    assert not (tmp_path / "artifact" / "rgb.mp4").exists()


def test_weights_of_another_network_are_named(tmp_path: Path) -> None:
    weights_file = str(save(Rectangles(RED), tmp_path / "weights.pth"))

    with pytest.raises(ModelMissing, match=r"kind resnet50.*weights\.pth.*retinaface\.network"):
        search(RetinaFaceOptions(weights=weights_file, network="resnet50"))
