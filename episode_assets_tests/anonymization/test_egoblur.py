"""EgoBlur's two generations on stand-in files that answer from the pixels."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("torch", reason="torch, which the optional detector egoblur runs on, is not installed")

from episode_assets.anonymization import FaceBlurConfig, Label, blur_recording
from episode_assets.anonymization.backends import make_detector
from episode_assets.anonymization.egoblur import EgoBlurOptions, Generation
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.errors import ModelMissing
from episode_assets.outcome import Outcome
from episode_assets.video import decode_frames, decode_picture
from episode_assets_tests.anonymization.material import Scene, encode, record
from episode_assets_tests.anonymization.measures import changed_share, lost_share
from episode_assets_tests.anonymization.torch_models import (
    FiveOutputs,
    FourOutputs,
    Match,
    Rectangles,
    Scripted,
    save,
)

RED, BLUE = (230, 10, 10), (10, 10, 230)
RED_BGR, BLUE_BGR = RED[::-1], BLUE[::-1]
PLATE = (220, 170, 292, 190)
DECOY = (20, 180, 92, 200)
KINDS: list[tuple[Generation, type[FourOutputs]]] = [
    ("gen1", FourOutputs),
    ("gen2", FourOutputs),
    ("gen2", FiveOutputs),
    ("gen2", Scripted),
]
FRAMES = 10


def picture_with(**rectangles: tuple[tuple[int, int, int, int], tuple[int, int, int]]) -> np.ndarray:
    canvas = np.full((480, 640, 3), 120, np.uint8)
    for (x0, y0, x1, y1), colour in rectangles.values():
        canvas[y0:y1, x0:x1] = colour
    return canvas


def search(options: EgoBlurOptions, *, size: tuple[int, int], min_face_px: float = 32) -> FaceSearch:
    config = FaceBlurConfig(detector="egoblur", audit_detector="egoblur", egoblur=options)
    detector = make_detector("egoblur", config, score_threshold=0.1)
    return FaceSearch(
        detector,
        width=size[0],
        height=size[1],
        min_face_px=min_face_px,
        tile_px=4096,
        score_threshold=0.2,
    )


def planes(rgb: np.ndarray):
    height, width = rgb.shape[:2]
    return decode_picture("rgb8", rgb.tobytes(), width=width, height=height, step=width * 3)


@pytest.mark.parametrize(("generation", "kind"), KINDS)
@pytest.mark.parametrize("min_face_px", [20.0, 32.0, 64.0])
def test_red_is_found_where_it_is_at_every_scale(
    generation: Generation, kind: type[FourOutputs], min_face_px: float, tmp_path: Path
) -> None:
    """Off centre and beside a blue decoy, so that every swap, mirror, crop or scale would be seen."""
    file = save(kind(Rectangles(RED_BGR)), tmp_path / "faces.jit")
    picture = picture_with(red=((400, 60, 480, 180), RED), blue=((40, 300, 160, 380), BLUE))

    (box,) = search(
        EgoBlurOptions(faces=str(file), generation=generation), size=(640, 480), min_face_px=min_face_px
    )(planes(picture))

    assert box[:4] == pytest.approx([400, 60, 480, 180], abs=3)
    assert box[4] > 0.5


@pytest.mark.parametrize("kind", [FourOutputs, Scripted])
@pytest.mark.parametrize("place", [(0, 0, 80, 120), (560, 360, 640, 480)])
def test_the_model_sees_the_picture_up_to_its_edges(
    place: tuple[int, int, int, int], kind: type[FourOutputs], tmp_path: Path
) -> None:
    file = save(kind(Rectangles(RED_BGR)), tmp_path / "faces.jit")

    (box,) = search(EgoBlurOptions(faces=str(file)), size=(640, 480))(planes(picture_with(red=(place, RED))))

    assert box[:4] == pytest.approx(place, abs=3)


def test_faces_and_plates_come_from_their_own_files_with_their_labels(tmp_path: Path) -> None:
    faces = save(FourOutputs(Rectangles(RED_BGR)), tmp_path / "faces.jit")
    plates = save(Scripted(Rectangles(BLUE_BGR)), tmp_path / "plates.jit")
    picture = picture_with(red=((400, 60, 480, 180), RED), blue=((40, 300, 160, 340), BLUE))
    both = search(EgoBlurOptions(faces=str(faces), plates=str(plates)), size=(640, 480))

    (found,) = both.found([planes(picture)], score_threshold=0.2)

    assert found[Label.FACE][:, :4] == pytest.approx(np.array([[400, 60, 480, 180]]), abs=3)
    assert found[Label.PLATE][:, :4] == pytest.approx(np.array([[40, 300, 160, 340]]), abs=3)
    assert len(both(planes(picture))) == 2


def test_a_batch_gives_what_its_pictures_give_one_by_one(tmp_path: Path) -> None:
    file = save(Scripted(Rectangles(RED_BGR)), tmp_path / "faces.jit")
    pictures = [planes(picture_with(red=((x, 60, x + 80, 180), RED))) for x in (100, 300)]
    one = search(EgoBlurOptions(faces=str(file)), size=(640, 480))

    batch = one.found(pictures, score_threshold=0.2)

    for picture, found in zip(pictures, batch, strict=True):
        assert np.array_equal(found[Label.FACE], one(picture))


@pytest.mark.parametrize(
    ("certain", "expected"), [(0.95, 0.5), (0.475, 0.5 + 0.5 * 0.475 / 0.525), (0.0, None)]
)
def test_scores_lie_on_the_scale_on_which_a_half_is_certain(
    certain: float, expected: float | None, tmp_path: Path
) -> None:
    file = save(FourOutputs(Rectangles(RED_BGR)), tmp_path / "faces.jit")
    options = EgoBlurOptions(faces=str(file), generation="gen1", certain_face_score=certain)

    (box,) = search(options, size=(640, 480))(planes(picture_with(red=((400, 60, 480, 180), RED))))

    # The file says 0.95; the publisher of generation 1 draws the line at 0.9.
    assert box[4] == pytest.approx(0.75 if expected is None else expected, abs=0.01)


def test_a_wide_picture_is_given_as_the_publisher_gives_it(tmp_path: Path) -> None:
    file = save(FourOutputs(Rectangles(RED_BGR)), tmp_path / "faces.jit")

    sizes = {
        generation: search(
            EgoBlurOptions(faces=str(file), generation=generation), size=(1280, 720)
        ).input_size
        for generation in ("gen1", "gen2")
    }

    assert sizes == {"gen1": (1280, 720), "gen2": (1200, 675)}


def test_a_file_of_the_other_generation_is_named(tmp_path: Path) -> None:
    file = save(FiveOutputs(Rectangles(RED_BGR)), tmp_path / "faces.jit")
    wrong = search(EgoBlurOptions(faces=str(file), generation="gen1"), size=(640, 480))

    with pytest.raises(ModelMissing, match=r"5 outputs.*egoblur\.generation"):
        wrong(planes(picture_with()))


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    file = tmp_path / "faces.jit"
    file.write_bytes(b"no model")

    with pytest.raises(ModelMissing, match=r"no TorchScript model.*faces\.jit.*\.jit file of EgoBlur"):
        search(EgoBlurOptions(faces=str(file)), size=(640, 480))


def test_operators_of_torchvision_are_there_for_files_that_call_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the published files do; the stand-in for torchvision registers the one operator that this file calls."""
    if find_spec("torchvision"):
        pytest.skip("torchvision is installed, so a file that calls its operators says nothing here")
    vision = Path(__file__).parent / "packages" / "vision"
    file = tmp_path / "faces.jit"
    code = (
        "import sys; from pathlib import Path; import torchvision;"
        "from episode_assets_tests.anonymization.torch_models import *;"
        f"save(FourOutputs(Suppressing(Rectangles({RED_BGR}))), Path({str(file)!r}))"
    )
    paths = os.pathsep.join([str(vision), str(Path(__file__).parents[2])])
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": paths})
    picture = planes(picture_with(red=((400, 60, 480, 180), RED)))

    with pytest.raises(ModelMissing, match=r"needs the package torchvision.*pip install torch torchvision"):
        search(EgoBlurOptions(faces=str(file)), size=(640, 480))
    monkeypatch.syspath_prepend(str(vision))
    (box,) = search(EgoBlurOptions(faces=str(file)), size=(640, 480))(picture)

    assert box[:4] == pytest.approx([400, 60, 480, 180], abs=3)


class Street(Scene):
    """The scene with a blue plate and a red decoy in every frame."""

    def picture(self, frame: int) -> np.ndarray:
        canvas = super().picture(frame)
        for (x0, y0, x1, y1), colour in ((PLATE, BLUE), (DECOY, RED)):
            canvas[y0:y1, x0:x1] = colour
            canvas[y0 + 6 : y1 - 6 : 3, x0 + 4 : x1 - 4 : 2] = np.clip(np.array(colour) + 50, 0, 255)
        return canvas


def street() -> Street:
    return Street(faces={frame: (60 + 6.0 * frame, 50 + 1.0 * frame) for frame in range(FRAMES)})


def blurred(scene: Scene, folder: Path, config: FaceBlurConfig) -> Outcome:
    view = record(folder, [encode(scene.picture(frame)) for frame in range(FRAMES)])
    (folder / "artifact").mkdir()
    return blur_recording(view, folder / "artifact", config=config)


def face_file(generation: Generation, kind: type[FourOutputs], path: Path, *, is_bgr: bool = True) -> str:
    high = 32.0 if generation == "gen1" else 30.0
    heights = (1.5 * high, 2 * high, 3 * high)
    return str(save(kind(Match(heights, is_bgr=is_bgr)), path))


@pytest.mark.parametrize(("generation", "kind"), [KINDS[0], KINDS[3]])
def test_faces_and_plates_are_unreadable_in_the_published_video(
    generation: Generation, kind: type[FourOutputs], tmp_path: Path
) -> None:
    scene = street()
    options = EgoBlurOptions(
        faces=face_file(generation, kind, tmp_path / "faces.jit"),
        plates=str(save(kind(Rectangles(BLUE_BGR)), tmp_path / "plates.jit")),
        generation=generation,
    )

    outcome = blurred(
        scene, tmp_path, FaceBlurConfig(detector="egoblur", audit_detector="egoblur", egoblur=options, g=5)
    )

    assert outcome.audit_passed
    for frame, picture in decode_frames(tmp_path / "artifact" / "rgb.mp4", range(FRAMES)):
        source = decode_picture("jpeg", encode(scene.picture(frame)))
        for box in (scene.face_box(frame), PLATE):
            assert lost_share(source.y, picture.y, box) > 0.95, (frame, box)
        assert lost_share(source.y, picture.y, DECOY) < 0.3, frame
        assert changed_share(source.y, picture.y, [scene.face_box(frame), PLATE]) < 0.05, frame
    rows = pq.read_table(tmp_path / "artifact" / "faces.parquet").to_pylist()
    assert {row["backend"] for row in rows} == {"egoblur"}
    names = {f"egoblur_face_{generation}", f"egoblur_plate_{generation}"}
    assert {use.name for use in outcome.models} == names
    assert outcome.privacy is not None
    assert "licence plates that the detector does not know" in str(outcome.privacy["not_removed"])


def test_a_model_of_the_other_channel_order_leaves_no_pixels(tmp_path: Path) -> None:
    """What a swap on our side would lead to: the known face is not found, and nothing is published."""
    file = face_file("gen2", Scripted, tmp_path / "faces.jit", is_bgr=False)
    options = EgoBlurOptions(faces=file)

    outcome = blurred(
        street(), tmp_path, FaceBlurConfig(detector="egoblur", audit_detector="egoblur", egoblur=options)
    )

    assert not outcome.audit_passed
    assert outcome.privacy is not None
    assert outcome.privacy["known_answer"] == "failed"
    assert not (tmp_path / "artifact" / "rgb.mp4").exists()


@pytest.mark.usefixtures("weights")
def test_plates_can_join_another_face_detector(tmp_path: Path) -> None:
    scene = street()
    options = EgoBlurOptions(plates=str(save(Scripted(Rectangles(BLUE_BGR)), tmp_path / "plates.jit")))
    both = "centerface+egoblur"

    outcome = blurred(
        scene, tmp_path, FaceBlurConfig(detector=both, audit_detector=both, egoblur=options, g=5)
    )

    assert outcome.audit_passed
    for frame, picture in decode_frames(tmp_path / "artifact" / "rgb.mp4", range(FRAMES)):
        source = decode_picture("jpeg", encode(scene.picture(frame)))
        for box in (scene.face_box(frame), PLATE):
            assert lost_share(source.y, picture.y, box) > 0.95, (frame, box)
    assert {use.name for use in outcome.models} == {"centerface", "egoblur_plate_gen2"}
