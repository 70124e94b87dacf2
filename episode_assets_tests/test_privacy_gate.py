"""No pixel leaves without a passed audit: not on a second run, downstream, through the library, or after a kill."""

from __future__ import annotations

import base64
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
import cv2
import dagster as dg
import numpy as np
import pytest

from episode_assets.bundle import write_bundle
from episode_assets.definitions import build_defs
from episode_assets.defs.launch import process
from episode_assets.defs.partitions import add_recordings
from episode_assets.defs.resources import PipelineResource
from episode_assets.demo import DemoConfig
from episode_assets.errors import UnauditedArtifact
from episode_assets.pipeline.settings import load_settings
from episode_assets.recording import RecordingView
from episode_assets.storage import ArtifactKey
from episode_assets_tests.anonymization.liars import KNOWN_ONLY
from episode_assets_tests.anonymization.stand_ins import BLIND
from episode_assets_tests.conftest import Demo, Workplace, make_demo
from episode_assets_tests.leaks import pictures_of, traces

MARKER = (255, 0, 255)
TOLERANCE = 60
PIXELS = 12
BLIND_SETTINGS = f"blurred_rgb: {{detector: '{BLIND}', audit_detector: '{BLIND}'}}"
PICTURE_SUFFIXES = {".mp4", ".jpg", ".jpeg", ".png", ".h264", ".npy", ".part", ".bin"}


def blinded_defs(place: Workplace) -> dg.Definitions:
    path = place.folder / "blind.yaml"
    path.write_text(BLIND_SETTINGS)
    pipeline = PipelineResource(store_uri=str(place.store_path), workers=1)
    return build_defs(pipeline=pipeline, settings=load_settings(path))


def pictures_below(folder: Path) -> list[str]:
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and (path.suffix in PICTURE_SUFFIXES or any(True for _ in pictures_of(path)))
    ]


def test_a_model_that_finds_nothing_publishes_nothing_however_it_is_asked(
    workplace: Workplace, instance: dg.DagsterInstance, small_demo: Demo
) -> None:
    defs = blinded_defs(workplace)
    store = workplace.store
    entry = store.recordings.register(str(small_demo.path))

    first = process(defs, instance, entry.recording_id)
    again = process(defs, instance, entry.recording_id)
    add_recordings(instance, [entry.recording_id])
    downstream = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        partition_key=entry.recording_id,
        asset_selection=[dg.AssetKey("episode_bundle")],
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )

    for result in (first, again):
        assert [item.asset for item in result.failures] == ["blurred_rgb"], result.failures
        assert "known" in (result.failures[0].failure or "")
    assert not downstream.success
    for asset in ("blurred_rgb", "scene_mesh", "episode_bundle", "qc_report", "lerobot_episode/default"):
        assert store.keys(asset) == ()
    with pytest.raises(UnauditedArtifact):
        store.latest(ArtifactKey("blurred_rgb", entry.recording_id))
    assert store.quarantined(ArtifactKey("blurred_rgb", entry.recording_id)) is not None
    assert pictures_below(workplace.folder) == []


def test_the_library_refuses_pixels_without_a_passed_audit(
    workplace: Workplace, instance: dg.DagsterInstance, small_demo: Demo, tmp_path: Path
) -> None:
    store = workplace.store
    entry = store.recordings.register(str(small_demo.path))
    process(blinded_defs(workplace), instance, entry.recording_id)
    raw = store.latest(ArtifactKey("raw_mcap", entry.recording_id))
    out = tmp_path / "bundle"
    out.mkdir()

    for privacy in (None, {}, {"audit": "failed"}):
        with pytest.raises(UnauditedArtifact):
            write_bundle(
                RecordingView.open(raw.directory(), str(small_demo.path)),
                tmp_path,
                None,
                out,
                privacy=privacy,
            )
    assert list(out.iterdir()) == []


@pytest.fixture(scope="module")
def marked_demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    config = DemoConfig(seconds=4.0, width=640, height=360, face_marker=MARKER, mesh_colour=MARKER)
    return make_demo(tmp_path_factory.mktemp("marked") / "marked.mcap", config)


RUN = [sys.executable, "-m", "episode_assets.cli", "run"]


def environment_of(place: Workplace) -> dict[str, str]:
    temporary = place.folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return {**os.environ, **place.environment, "TMPDIR": str(temporary)}


def test_the_search_finds_the_marker_in_a_video_a_page_and_a_half_written_file(
    marked_demo: Demo, tmp_path: Path
) -> None:
    jpegs = [
        data[: data.index(b"\xff\xd9") + 2]
        for data in marked_demo.path.read_bytes().split(b"\xff\xd8\xff")[1:]
    ]
    jpegs = [b"\xff\xd8\xff" + data for data in jpegs]
    picture = cv2.imdecode(np.frombuffer(jpegs[20], np.uint8), cv2.IMREAD_COLOR)
    with av.open(str(tmp_path / "leak.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=15, options={"crf": "18"})
        stream.width, stream.height = picture.shape[1], picture.shape[0]
        for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")):
            container.mux(packet)
        container.mux(stream.encode(None))
    page = b"<img src='data:image/jpeg;base64," + base64.b64encode(jpegs[20])
    (tmp_path / "leak.html").write_bytes(page[:-7])
    (tmp_path / "half.tmp").write_bytes(bytes(100) + jpegs[20][:-2000])
    (tmp_path / "innocent.txt").write_text("nothing here")

    found = traces(tmp_path, MARKER, tolerance=TOLERANCE, pixels=PIXELS)

    assert found == ["half.tmp", "leak.html", "leak.mp4"]


def test_the_marker_is_seen_in_the_recording_and_nowhere_else(
    workplace: Workplace, marked_demo: Demo
) -> None:
    seen = traces(marked_demo.path.parent, MARKER, tolerance=TOLERANCE, pixels=PIXELS)

    done = subprocess.run(
        [*RUN, str(marked_demo.path), "--workers", "2"],
        env=environment_of(workplace),
        capture_output=True,
        text=True,
        check=False,
    )

    assert seen == [marked_demo.path.name]
    assert done.returncode == 0, done.stderr
    assert any(path.suffix == ".mp4" for path in workplace.store_path.rglob("*.mp4"))
    assert traces(workplace.folder, MARKER, tolerance=TOLERANCE, pixels=PIXELS) == []


def test_the_evidence_of_a_refused_video_shows_no_trace_of_the_marker(
    workplace: Workplace, instance: dg.DagsterInstance, marked_demo: Demo
) -> None:
    """The detector sees no face in the recording, so that the refused video shows the marker as it was recorded."""
    pipeline = PipelineResource(store_uri=str(workplace.store_path), workers=1)
    path = workplace.folder / "settings.yaml"
    path.write_text(f"blurred_rgb: {{detector: '{KNOWN_ONLY}', audit_rounds: 0}}")
    defs = build_defs(pipeline=pipeline, settings=load_settings(path))
    entry = workplace.store.recordings.register(str(marked_demo.path))

    result = process(defs, instance, entry.recording_id)

    assert "blurred_rgb" in [item.asset for item in result.failures]
    verdict = workplace.store.quarantined(ArtifactKey("blurred_rgb", entry.recording_id))
    assert verdict is not None
    assert 1 <= len(verdict.pictures) <= 8
    kept = pictures_below(workplace.store_path)
    assert sorted(kept) == sorted(f"{verdict.uri}/{name}" for name in verdict.pictures)
    (run,) = instance.get_runs()
    metadata = failure_metadata(instance, run.run_id)
    assert "| blocks |" in metadata["finds"].md_str
    assert metadata["evidence"].md_str.count("data:image/jpeg;base64,") == len(verdict.pictures)
    assert traces(workplace.folder, MARKER, tolerance=TOLERANCE, pixels=PIXELS) == []


def failure_metadata(instance: dg.DagsterInstance, run_id: str) -> Mapping[str, Any]:
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    (failure,) = [record.event_log_entry.get_dagster_event().step_failure_data for record in records]
    return failure.user_failure_data.metadata


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.long)])
def test_a_killed_run_leaves_no_trace_of_the_marker(
    kills: int, workplace: Workplace, marked_demo: Demo
) -> None:
    draw = random.Random(20)
    for _ in range(kills):
        process_ = subprocess.Popen(
            [*RUN, str(marked_demo.path), "--workers", "2"],
            env=environment_of(workplace),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(draw.uniform(6.0, 12.0))
        os.killpg(process_.pid, signal.SIGKILL)
        process_.wait()
        assert traces(workplace.folder, MARKER, tolerance=TOLERANCE, pixels=PIXELS) == []
