"""CenterFace in 8 bits finds what it finds in float32, in every process and order alike, and either can be chosen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import calibrate_centerface
from benchmarks.detectors import city, faces_of, scores_by_size, table_scene
from episode_assets.anonymization import FaceBlurConfig, known_answer
from episode_assets.anonymization.backends import make_detector
from episode_assets.anonymization.centerface import CenterFace, CenterFaceOptions, make_centerface
from episode_assets.anonymization.centerface_ranges import RANGES
from episode_assets.errors import BadConfig
from episode_assets.pipeline.settings import build_config
from episode_assets.storage.canonical import plain_config
from episode_assets.video import picture_to_rgb

SIZES = ((320, 192), (640, 384), (480, 288))
DIGEST = """
import hashlib, sys
from episode_assets_tests.anonymization.test_centerface_precision import boxes_by_size
boxes = boxes_by_size([int(at) for at in sys.argv[1:]])
print(hashlib.sha256(b"".join(boxes[at].tobytes() for at in sorted(boxes))).hexdigest())
"""


def boxes_by_size(order: list[int]) -> dict[int, np.ndarray]:
    """What is found on the test picture at several sizes, asked in some order; even specks count."""
    picture = picture_to_rgb(known_answer.test_picture(60)[0])
    detector = make_centerface(score_threshold=0.001)
    found = {}
    for at in order:
        width, height = SIZES[at]
        found[at] = detector.detect([np.resize(picture, (height, width, 3)).astype(np.uint8)])[0]
    return found


def test_eight_bits_find_the_faces_that_float32_finds(data: Path, weights: Path) -> None:
    faces = faces_of(city(data), table_scene(data))
    float32, int8 = (scores_by_size(precision, faces, from_px=16) for precision in ("float32", "int8"))

    assert set(int8) == {16, 20, 28}
    for size, scores in int8.items():
        assert (scores >= 0.2).sum() >= (float32[size] >= 0.2).sum() - 1
    differences = np.concatenate([*int8.values()]) - np.concatenate([*float32.values()])
    assert abs(differences.mean()) < 0.02
    assert differences.any()


@pytest.mark.parametrize("precision", ["int8", "float32"])
@pytest.mark.usefixtures("weights")
def test_the_known_face_is_sure_in_either_precision(precision: str) -> None:
    config = build_config(FaceBlurConfig, {"centerface": {"precision": precision}}, where="here")
    detector = make_detector("centerface", config, score_threshold=0.1)

    assert known_answer.ask(detector, min_face_px=20, needed_score=0.5).passed


@pytest.mark.usefixtures("weights")
def test_boxes_do_not_depend_on_the_process_or_on_what_was_searched_before() -> None:
    root = Path(__file__).resolve().parents[2]
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST, *order], cwd=root, capture_output=True, text=True, check=True
        ).stdout
        for order in (["0", "1", "2"], ["2", "1", "0", "1", "2"])
    }

    assert len(digests) == 1
    assert all(len(boxes) for boxes in boxes_by_size([0, 1, 2]).values())


def test_a_picture_gives_the_same_boxes_alone_and_among_others(centerface: CenterFace) -> None:
    first, second = (picture_to_rgb(known_answer.test_picture(size)[0]) for size in (60, 90))

    together = centerface.detect([first, second, first])

    assert [boxes.tobytes() for boxes in together] == [
        centerface.detect([picture])[0].tobytes() for picture in (first, second, first)
    ]
    assert len(together[0]) == 1


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(BadConfig, match=r"centerface\.precision must be int8 or float32, got 'int4'"):
        build_config(FaceBlurConfig, {"centerface": {"precision": "int4"}}, where="here")


def test_the_precision_is_part_of_the_configuration() -> None:
    exact = FaceBlurConfig(centerface=CenterFaceOptions("float32"))

    assert plain_config(exact) != plain_config(FaceBlurConfig())


@pytest.mark.long
@pytest.mark.usefixtures("weights")
def test_the_table_of_ranges_can_be_measured_again() -> None:
    measured = calibrate_centerface.measured()

    assert measured.keys() == RANGES.keys()
    for name, ends in RANGES.items():
        assert measured[name] == pytest.approx(ends, rel=0.01, abs=0.01)
