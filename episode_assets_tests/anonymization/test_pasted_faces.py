"""A face pasted into one single frame of a finished video is found by the audit: any size, any place."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.anonymization import FaceBlurConfig, blur_recording
from episode_assets.anonymization.auditing import VideoAudit, audit_video
from episode_assets.anonymization.boxes import overlap_ratios
from episode_assets.demo import DemoConfig, write_demo
from episode_assets.recording import RecordingConfig, RecordingView, scan_recording
from episode_assets.video import Picture, decode_frames, decode_picture, probe
from episode_assets_tests.anonymization.pasting import (
    Face,
    Paste,
    astronaut_face,
    draw_pastes,
    ivan_face,
    write_video,
)
from episode_assets_tests.conftest import SHARED_DATA

PASTES = 40
CONFIG = FaceBlurConfig()

pytestmark = pytest.mark.usefixtures("weights")


def faces() -> list[Face]:
    sample = SHARED_DATA / "faces"
    return [astronaut_face(), *([ivan_face(sample)] if sample.is_dir() else [])]


def view_of(file: Path, folder: Path) -> RecordingView:
    folder.mkdir()
    scan_recording(
        str(file), folder, recording_id="pasted", config=RecordingConfig(), progress=lambda *_: None
    )
    return RecordingView.open(folder, str(file))


def demo_view(folder: Path, **options: object) -> RecordingView:
    write_demo(folder / "demo.mcap", config=DemoConfig(width=1280, height=720, **options))
    return view_of(folder / "demo.mcap", folder / "raw")


def missed(audit: VideoAudit, pastes: Sequence[Paste]) -> list[str]:
    """Name the pastes that no find of their frame lies on."""
    return [str(paste) for paste in pastes if not _is_found(audit, paste)]


def _is_found(audit: VideoAudit, paste: Paste) -> bool:
    here = [find.box for find in audit.finds if find.frame == paste.frame]
    box = np.array([paste.box], np.float32)
    return bool((overlap_ratios(box, np.array(here, np.float32).reshape(-1, 4)) >= 0.3).any())


def drawn_seed() -> int:
    seed = secrets.randbelow(2**32)
    print(f"seed of the pastes: {seed}")  # noqa: T201  # with it a failure can be repeated
    return seed


def test_faces_in_single_frames_of_a_short_clip_are_found(tmp_path: Path) -> None:
    view = demo_view(tmp_path, seconds=0.75, with_face=False)
    pictures = [decode_picture(message.format, message.data) for message in view.rgb.read(0, len(view.rgb))]
    pastes = draw_pastes(random.Random(drawn_seed()), faces(), range(1, 11), size=(1280, 720))
    write_video(pictures, tmp_path / "pasted.mp4", pastes=pastes)

    audit = audit_video(tmp_path / "pasted.mp4", config=CONFIG, turned_degrees=0)

    assert missed(audit, pastes) == []
    assert {find.frame for find in audit.finds} == {paste.frame for paste in pastes}
    assert not audit.passed


def published_of(view: RecordingView, folder: Path) -> tuple[Path, Path]:
    folder.mkdir()
    outcome = blur_recording(view, folder, config=CONFIG, workers=2)
    assert outcome.audit_passed
    return folder / "rgb.mp4", folder / "faces.parquet"


def check_published(
    video: Path, table: Path, draw: random.Random, count: int, folder: Path
) -> tuple[list[str], int]:
    """Paste faces clear of what is hidden; return those missed, and how many finds are weak only."""
    facts = probe(video)
    rows = pq.read_table(table)
    corners = np.stack([rows[f"redact_{name}"].to_numpy() for name in ("x0", "y0", "x1", "y1")], 1)
    frame_of = rows["frame_index"].to_numpy()
    hidden = {frame: corners[frame_of == frame] for frame in range(facts.frames)}
    frames = sorted(draw.sample(range(facts.frames), count))
    pastes = draw_pastes(draw, faces(), frames, size=(facts.width, facts.height), hidden=hidden)
    pictures: list[Picture] = [picture for _, picture in decode_frames(video)]
    write_video(pictures, folder / "pasted.mp4", pastes=pastes)

    audit = audit_video(folder / "pasted.mp4", config=CONFIG, faces=table, turned_degrees=0)

    strong = {find.frame for find in audit.finds if find.is_strong}
    return missed(audit, pastes), sum(paste.frame not in strong for paste in pastes)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_forty_faces_in_published_videos_are_found(tmp_path: Path) -> None:
    videos = []
    for number, options in enumerate(({}, {"seed": 11, "furnishing": "seeded", "motion": 2.0})):
        folder = tmp_path / f"demo_{number}"
        folder.mkdir()
        videos.append(published_of(demo_view(folder, seconds=1.5, **options), folder / "artifact"))
    scene = SHARED_DATA / "recordings" / "table_scene.mcap"
    if scene.is_file():
        videos.append(published_of(view_of(scene, tmp_path / "raw"), tmp_path / "scene"))
    draw = random.Random(drawn_seed())
    shares = np.diff(np.linspace(0, PASTES, len(videos) + 1).astype(int)).tolist()

    left: list[str] = []
    for (video, table), count in zip(videos, shares, strict=True):
        gone, weak = check_published(video, table, draw, count, tmp_path)
        print(f"{count} pastes: {len(gone)} missed, {weak} not strong")  # noqa: T201  # the measured counts
        left += gone

    assert left == []
