"""What each face detector costs and finds: CPU milliseconds per 1280x720 picture, and recall on annotated pictures.

Run: python benchmarks/detectors.py [--data FOLDER] [--repeat N]. FOLDER holds the sample data (`recordings/` and
`faces/`). A face counts as found when the rectangle that would be blurred covers 95 % of its box, at the default score
threshold. There are 28 faces in the 14 distinct pictures of `table_scene` (two people with dark glasses, one room) and
15 in `city.jpg`: a smoke test, no benchmark of recall. Boxes beside the annotated faces are counted per picture; some
of them are faces that are partly hidden, and a false one costs pixels, not privacy.
CPU time is that of one thread in this process, the scaling of the picture included and its decoding not.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization import FaceBlurConfig
from episode_assets.anonymization.backends import make_detector
from episode_assets.anonymization.blazeface import BlazeFaceOptions
from episode_assets.anonymization.boxes import Boxes, covered_share
from episode_assets.anonymization.redaction import redaction_rectangles
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.recording import RecordingConfig, RecordingView, scan_recording
from episode_assets.video import Picture, decode_picture, picture_to_rgb

SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "data"
CITY: Sequence[tuple[int, int, int, int]] = (
    (222, 108, 255, 148),
    (55, 131, 88, 173),
    (762, 114, 795, 157),
    (182, 114, 210, 151),
    (428, 140, 443, 158),
    (604, 154, 638, 199),
    (325, 128, 348, 160),
    (584, 109, 608, 137),
    (534, 133, 553, 157),
    (477, 159, 501, 189),
    (653, 134, 670, 155),
    (674, 146, 687, 162),
    (100, 131, 117, 158),
    (630, 156, 657, 191),
    (566, 169, 596, 203),
)
"""The clearly visible faces of `city.jpg`."""


class Scene(NamedTuple):
    """Pictures of one size with the boxes of their faces, (N, 5) with score 1."""

    pictures: Sequence[Picture]
    faces: Sequence[Boxes]


class Candidate(NamedTuple):
    """A detector under a name, and the smallest face that it is asked for in pixels of the picture."""

    name: str
    config: FaceBlurConfig
    min_face_px: float


def candidates() -> Iterator[Candidate]:
    for min_face_px in (64.0, 42.7, 32.0, 21.3, 16.0):
        yield Candidate("centerface", FaceBlurConfig(), min_face_px)
    for which in ("full", "short"):
        options = BlazeFaceOptions(range=which)  # type: ignore[arg-type]
        config = FaceBlurConfig(detector="blazeface", blazeface=options)
        for min_face_px in (64.0, 32.0, 20.0):
            yield Candidate(f"blazeface {which}", config, min_face_px)
    for min_face_px in (64.0, 32.0, 20.0):
        yield Candidate("centerface+blazeface", FaceBlurConfig(detector="centerface+blazeface"), min_face_px)


def boxes_of(rectangles: Sequence[Sequence[int]]) -> Boxes:
    return np.array([[*rectangle, 1.0] for rectangle in rectangles], np.float32)


def table_scene(data: Path) -> Scene:
    """The first picture of each of the 14 distinct ones."""
    notes = json.loads((data / "recordings" / "table_scene.annotations.json").read_text())
    sources = [row["source_frame"] for row in notes["rgb_messages"]]
    file = str(data / "recordings" / "table_scene.mcap")
    with tempfile.TemporaryDirectory() as folder:
        scan_recording(file, Path(folder), recording_id="table-scene", config=RecordingConfig())
        stream = RecordingView.open(Path(folder), file).rgb
        pictures = []
        for frame in range(len(notes["source_frames"])):
            first = sources.index(frame)
            (message,) = stream.read(first, first + 1)
            pictures.append(decode_picture(message.format, message.data))
    return Scene(pictures, [boxes_of([row["face_a"], row["face_b"]]) for row in notes["source_frames"]])


def city(data: Path) -> Scene:
    return Scene([decode_picture("jpeg", (data / "faces" / "city.jpg").read_bytes())], [boxes_of(CITY)])


def shrunk(picture: Picture) -> Picture:
    """A picture of 1280x720 pixels, cut out of the middle."""
    rgb = picture_to_rgb(picture)
    top = (rgb.shape[0] - 720) // 2
    part: NDArray[np.uint8] = np.ascontiguousarray(rgb[top : top + 720])
    return decode_picture("rgb8", part.tobytes(), width=1280, height=720, step=1280 * 3)


def search(candidate: Candidate, picture: Picture) -> FaceSearch:
    config = candidate.config
    return FaceSearch(
        make_detector(config.detector, config, score_threshold=config.score_threshold),
        width=picture.true_width,
        height=picture.true_height,
        min_face_px=candidate.min_face_px,
        tile_px=4096,
        score_threshold=config.score_threshold,
    )


def recall(candidate: Candidate, scene: Scene) -> tuple[int, int, float]:
    """Faces found, faces there, and boxes on no annotated face per picture."""
    look = search(candidate, scene.pictures[0])
    found = total = beside = 0
    for picture, faces in zip(scene.pictures, scene.faces, strict=True):
        width, height = picture.true_width, picture.true_height
        boxes = look(picture)
        rectangles = redaction_rectangles(
            boxes[:, :4], scale=candidate.config.box_scale, width=width, height=height
        )
        found += int((covered_share(faces, rectangles, width=width, height=height) >= 0.95).sum())
        total += len(faces)
        on_face = covered_share(boxes, faces[:, :4].astype(np.int32), width=width, height=height) > 0.2
        beside += int((~on_face).sum())
    return found, total, beside / len(scene.pictures)


def milliseconds(candidate: Candidate, pictures: Sequence[Picture], repeat: int) -> list[float]:
    """CPU milliseconds per picture, one figure for each repetition."""
    look = search(candidate, pictures[0])
    look(pictures[0])
    figures = []
    for _ in range(repeat):
        start = time.process_time()
        for picture in pictures:
            look(picture)
        figures.append((time.process_time() - start) / len(pictures) * 1000)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=SAMPLES, help="folder of the sample data")
    parser.add_argument("--repeat", type=int, default=3, help="how often each figure is measured")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    table, street = table_scene(arguments.data), city(arguments.data)
    timed = [shrunk(picture) for picture in table.pictures[:4]]
    print(
        "detector              min face  input 720p  CPU ms/picture (spread)  table_scene  beside  city   beside"
    )
    for candidate in candidates():
        figures = milliseconds(candidate, timed, arguments.repeat)
        size = "x".join(map(str, search(candidate, timed[0]).input_size))
        on_table, tables, beside_table = recall(candidate, table)
        on_street, streets, beside_street = recall(candidate, street)
        print(
            f"{candidate.name:21s} {candidate.min_face_px:5.1f} px  {size:10s}  {statistics.median(figures):7.1f} "
            f"({min(figures):.1f}..{max(figures):.1f})".ljust(72)
            + f"{on_table:3d}/{tables}       {beside_table:5.1f}  {on_street:3d}/{streets}  {beside_street:5.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
