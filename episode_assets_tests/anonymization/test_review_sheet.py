"""The sheet for reviewers: which frame stands for a track, what is outlined how, and what its caption counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from episode_assets.anonymization.review import summarise_tracks, write_sheet
from episode_assets_tests.bundle.recordings import Pictures, write_pictures

CAPTION, SCALE = 44, 400 / 320


def row(frame: int, box: tuple[int, int, int, int], source: str, **more: Any) -> dict[str, Any]:
    x0, y0, x1, y1 = box
    corners = {"x0": x0, "y0": y0, "x1": x1, "y1": y1}
    return {
        "message_number": frame,
        "frame_index": frame,
        **{name: float(value) for name, value in corners.items()},
        **{f"redact_{name}": value for name, value in corners.items()},
        "score": 0.9 if source == "detected" else None,
        "track": 0,
        "source": source,
        "backend": "centerface",
        **more,
    }


@pytest.fixture
def video(tmp_path: Path) -> Path:
    numbers = np.arange(6)
    return write_pictures(tmp_path / "blurred", Pictures(numbers, numbers * 50_000_000, 320, 240)) / "rgb.mp4"


def sheet_of(video: Path, rows: list[dict[str, Any]], folder: Path, **options: Any) -> np.ndarray:
    pq.write_table(pa.Table.from_pylist(rows), folder / "faces.parquet")
    write_sheet(video, folder / "faces.parquet", folder / "sheet.png", **options)
    return cv2.imread(str(folder / "sheet.png"))[:, :, ::-1].astype(int)


def is_red(sheet: np.ndarray, x: float, y: float) -> bool:
    """Whether a pixel of the picture lies under a red outline."""
    column, line = round(x * SCALE), CAPTION + round(y * SCALE)
    around = sheet[line - 2 : line + 3, column - 2 : column + 3].reshape(-1, 3)
    return bool(((around[:, 0] > 180) & (around[:, 1:].max(axis=1) < 110)).any())


def test_a_track_is_shown_where_it_was_found_largest() -> None:
    rows = [
        row(1, (10, 10, 50, 50), "detected"),
        row(2, (10, 10, 60, 60), "detected"),
        row(3, (0, 0, 90, 90), "held"),
    ]

    found = summarise_tracks(pa.Table.from_pylist(rows))
    derived = summarise_tracks(pa.Table.from_pylist(rows[2:]))

    assert [track.largest_frame for track in (*found, *derived)] == [2, 3]
    assert found[0].labels == ()


def test_labels_are_told_where_the_table_has_them() -> None:
    rows = [
        row(1, (10, 10, 50, 50), "detected", label="plate"),
        row(2, (10, 10, 50, 50), "held", label="plate"),
    ]

    assert summarise_tracks(pa.Table.from_pylist(rows))[0].labels == ("plate",)


@pytest.mark.parametrize("shape", ["box", "ellipse"])
def test_outlines_have_the_shape_of_what_was_hidden(shape: str, video: Path, tmp_path: Path) -> None:
    sheet = sheet_of(video, [row(2, (80, 60, 200, 160), "detected")], tmp_path, shape=shape)

    assert is_red(sheet, 80, 110)
    assert is_red(sheet, 140, 60)
    assert is_red(sheet, 80, 60) == (shape == "box")
    assert not is_red(sheet, 140, 110)


def test_areas_of_persons_are_boxes_whatever_the_shape_of_faces(video: Path, tmp_path: Path) -> None:
    sheet = sheet_of(video, [row(2, (80, 60, 200, 160), "redaction")], tmp_path, shape="ellipse")

    corner = sheet[CAPTION + 75 : CAPTION + 78, 100:103].reshape(-1, 3).mean(axis=0)
    assert corner[2] > corner[0] + 100


def test_a_sheet_of_many_tracks_has_one_legend_below_its_rows(video: Path, tmp_path: Path) -> None:
    rows = [row(frame, (10, 10, 50, 50), "detected", track=frame) for frame in range(5)]

    sheet = sheet_of(video, rows, tmp_path)

    assert sheet.shape == (2 * (CAPTION + 300 + 8) + 28, 4 * 408, 3)
    legend = sheet[-28:]
    assert [bool((np.abs(legend - colour).max(axis=2) < 3).any()) for colour in
            [(230, 60, 40), (250, 160, 0), (40, 110, 240), (240, 220, 60)]] == [True] * 4  # fmt: skip
