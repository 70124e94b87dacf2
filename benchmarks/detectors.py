"""What each face detector costs and finds: CPU milliseconds per 1280x720 picture, and recall on annotated pictures.

Run: python benchmarks/detectors.py [--data FOLDER] [--repeat N] [--only costs|sizes]. FOLDER holds the sample data
(`recordings/` and `faces/`). A face counts as found when the rectangle that would be blurred covers 95 % of its box, at
the default score threshold. There are 28 faces in the 14 distinct pictures of `table_scene` (two people with dark
glasses, one room) and 15 in `city.jpg`: a smoke test, no benchmark of recall. Boxes beside the annotated faces are
counted per picture; some of them are faces that are partly hidden, and a false one costs pixels, not privacy.
CPU time is that of one thread in this process, the scaling of the picture included and its decoding not.

Then CenterFace in float32 and in 8 bits side by side, by the size and turn of faces: each of the 43 is scaled to some
height in the net's input, or to 28 px and turned about its centre, on a canvas of its surroundings. It is found when a
box overlaps its own by 0.3 or more (intersection over union). No face is scaled up, but for those that are turned.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization import FaceBlurConfig
from episode_assets.anonymization.backends import make_detector
from episode_assets.anonymization.blazeface import BlazeFaceOptions
from episode_assets.anonymization.boxes import SAME_OVERLAP, Boxes, covered_share, overlap_ratios
from episode_assets.anonymization.centerface import CenterFace, CenterFaceOptions, Precision, make_centerface
from episode_assets.anonymization.detectors import RGB
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


SIZES_PX = (6, 8, 10, 12, 16, 20, 28)
TURNS_DEG = (0, 15, 30, 45, 60, 90, 120, 180)
TURNED_PX = 28
SCORES = (0.2, 0.5)
CANVAS_PX = 320
LOWEST_SCORE = 0.05


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
    for precision in ("int8", "float32"):
        config = FaceBlurConfig(centerface=CenterFaceOptions(precision))
        for min_face_px in (64.0, 42.7, 32.0, 20.0, 16.0):
            yield Candidate(f"centerface {precision}", config, min_face_px)
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


class Face(NamedTuple):
    """A face in its picture, its box as (x0, y0, x1, y1)."""

    picture: RGB
    box: NDArray[np.float64]
    height_px: float

    def posed(self, height_px: float, turn_deg: float = 0.0) -> tuple[RGB, NDArray[np.float32]]:
        """The face at a height and turn in the middle of a canvas, and the box of it there, were it not turned."""
        centre, scale = (self.box[:2] + self.box[2:]) / 2, height_px / self.height_px
        scaled = cv2.resize(self.picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        matrix = cv2.getRotationMatrix2D((centre * scale).tolist(), turn_deg, 1.0)
        matrix[:, 2] += CANVAS_PX / 2 - centre * scale
        canvas = cv2.warpAffine(scaled, matrix, (CANVAS_PX, CANVAS_PX), flags=cv2.INTER_LINEAR)
        half = (self.box[2:] - self.box[:2]) * scale / 2
        box = np.concatenate([CANVAS_PX / 2 - half, CANVAS_PX / 2 + half])
        return np.asarray(canvas, np.uint8), box.astype(np.float32)


def faces_of(*scenes: Scene) -> list[Face]:
    return [
        Face(picture_to_rgb(picture), box[:4].astype(np.float64), float(box[3] - box[1]))
        for scene in scenes
        for picture, boxes in zip(scene.pictures, scene.faces, strict=True)
        for box in boxes
    ]


def best_score(detector: CenterFace, face: Face, height_px: float, turn_deg: float = 0.0) -> float:
    """Score of the surest box on the face; 0 without one."""
    canvas, place = face.posed(height_px, turn_deg)
    (boxes,) = detector.detect([canvas])
    on_face = overlap_ratios(boxes, place[None])[:, 0] >= SAME_OVERLAP
    return float(boxes[on_face, 4].max(initial=0.0))


def scores_by_size(
    precision: Precision, faces: Sequence[Face], *, from_px: int = 0
) -> dict[int, NDArray[np.float64]]:
    """For each height, the scores of the faces that are at least so high."""
    detector = make_centerface(score_threshold=LOWEST_SCORE, precision=precision)
    return {
        size: np.array([best_score(detector, face, size) for face in faces if face.height_px >= size])
        for size in SIZES_PX
        if size >= from_px
    }


def scores_by_turn(precision: Precision, faces: Sequence[Face]) -> dict[int, NDArray[np.float64]]:
    detector = make_centerface(score_threshold=LOWEST_SCORE, precision=precision)
    return {
        turn: np.array([best_score(detector, face, TURNED_PX, turn) for face in faces]) for turn in TURNS_DEG
    }


def print_precisions(
    title: str,
    float32: Mapping[int, NDArray[np.float64]],
    int8: Mapping[int, NDArray[np.float64]],
) -> None:
    print(f"\n{title:24s}" + "".join(f"{column:>8d}" for column in int8))
    for score in SCORES:
        for name, found in (("float32", float32), ("int8", int8)):
            cells = (f"{(scores >= score).sum()}/{len(scores)}" for scores in found.values())
            print(f"{name:8s} from {score:3.1f} ".ljust(24) + "".join(f"{cell:>8s}" for cell in cells))
    before, after = np.concatenate([*float32.values()]), np.concatenate([*int8.values()])
    least, most = np.percentile(after - before, (5, 95))
    lost, won = (before >= SCORES[0]) & (after < SCORES[0]), (before < SCORES[0]) & (after >= SCORES[0])
    print(
        f"int8 minus float32: mean {np.mean(after - before):+.3f}, 9 of 10 within {least:+.3f}..{most:+.3f}; "
        f"from {SCORES[0]}, {lost.sum()} found by float32 alone and {won.sum()} by int8 alone"
    )


def print_sizes(*scenes: Scene) -> None:
    faces = faces_of(*scenes)
    print_precisions(
        "height in the input, px", scores_by_size("float32", faces), scores_by_size("int8", faces)
    )
    print_precisions(
        f"turned, {TURNED_PX} px, degrees", scores_by_turn("float32", faces), scores_by_turn("int8", faces)
    )


def print_costs(table: Scene, street: Scene, repeat: int) -> None:
    timed = [shrunk(picture) for picture in table.pictures[:4]]
    print(
        "detector              min face  input 720p  CPU ms/picture (spread)  table_scene  beside  city   beside"
    )
    for candidate in candidates():
        figures = milliseconds(candidate, timed, repeat)
        size = "x".join(map(str, search(candidate, timed[0]).input_size))
        on_table, tables, beside_table = recall(candidate, table)
        on_street, streets, beside_street = recall(candidate, street)
        print(
            f"{candidate.name:21s} {candidate.min_face_px:5.1f} px  {size:10s}  {statistics.median(figures):7.1f} "
            f"({min(figures):.1f}..{max(figures):.1f})".ljust(72)
            + f"{on_table:3d}/{tables}       {beside_table:5.1f}  {on_street:3d}/{streets}  {beside_street:5.1f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=SAMPLES, help="folder of the sample data")
    parser.add_argument("--repeat", type=int, default=3, help="how often each figure is measured")
    parser.add_argument("--only", choices=("costs", "sizes"), help="print one of the two tables")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    table, street = table_scene(arguments.data), city(arguments.data)
    if arguments.only != "sizes":
        print_costs(table, street, arguments.repeat)
    if arguments.only != "costs":
        print_sizes(table, street)


if __name__ == "__main__":
    main()
