"""Timelines as data: steps back, offsets and drift of logs, the fit between streams, and the time on the wall."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.recording import Inventory, RecordingView, inspect, scan_recording
from episode_assets.recording.scan import notes_of
from episode_assets.recording.sync import sync_of
from episode_assets.recording.timeline import log_offset
from episode_assets_tests.recording import rig as ros
from episode_assets_tests.recording.rig import EPOCH_NS, Rig, S, write_rig

MS = 1_000_000
UPTIME_NS = 151_283_417_203_125
SESSION = "session_20240229_235958_somebodys-phone"
SESSION_NS = 1_709_251_198 * S
"""The same digits read as UTC, by `date -u`."""


def _uptime(file: Path, *, log_ahead_ns: int = 0, metadata: dict[str, str] | None = None) -> Path:
    rig = Rig(file)
    for number in range(20):
        stamp = UPTIME_NS + number * 50 * MS
        late = number % 3 * MS
        rig.add("/image", ros.compressed_image(stamp, ros.jpeg(0)), log_time_ns=stamp + log_ahead_ns + late)
    if metadata:
        rig.metadata("session_metadata", metadata)
    return rig.close()


def test_the_steps_back_of_the_phone_recording_lie_between_topics_only(table_scene: RecordingView) -> None:
    inventory = table_scene.inventory

    assert (inventory.backward_steps, round(inventory.largest_backward_step_ns / MS, 1)) == (726, 10.4)
    assert {info.log_backward_steps for info in inventory.topics} == {0}
    assert {info.backward_steps for info in inventory.topics if info.role != "trajectory"} == {0}
    rgb = inventory.role("rgb")
    assert rgb is not None
    assert rgb.log_offset is not None
    assert (rgb.log_offset.min_ns, rgb.log_offset.median_ns, rgb.log_offset.max_ns) == (0, 0, 0)
    assert rgb.log_offset.drift_ppm == 0


def test_the_streams_of_the_phone_recording_fit(table_scene: RecordingView) -> None:
    sync = {item.second: item for item in table_scene.inventory.sync}

    assert set(sync) == {"depth", "camera_info", "pose", "imu", "tracking"}
    for role in ("depth", "camera_info", "pose"):
        assert (sync[role].matched, sync[role].unmatched_first, sync[role].unmatched_second) == (111, 0, 0)
        assert (sync[role].median_offset_ns, sync[role].max_distance_ns) == (0, 0)
    assert sync["imu"].unmatched_second == 800 - 111
    assert sync["tracking"].unmatched_second == 480 - 111


def test_steps_back_within_a_topic_are_counted_with_the_largest(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "rig.mcap")
    for at, logged in [(0, 0), (3, 1), (1, 2), (2, 5), (0, 4), (4, 6)]:
        rig.add("/imu", ros.imu(EPOCH_NS + at * S, (0, 0, 9.81)), log_time_ns=EPOCH_NS + logged * S)
    info = _scanned(rig.close(), tmp_path).topic("/imu")

    assert info is not None
    assert (info.backward_steps, info.largest_backward_step_ns, info.repeated_stamps) == (2, 2 * S, 1)
    assert info.log_backward_steps == 1


def _scanned(file: Path, tmp_path: Path) -> Inventory:
    out = tmp_path / f"scan of {file.name}"
    out.mkdir()
    scan_recording(str(file), out, recording_id="rec-1")
    return RecordingView.open(out, str(file)).inventory


@settings(max_examples=30, deadline=None)
@given(
    ppm=st.integers(-500, 500),
    seed=st.integers(0, 2**32 - 1),
    start=st.sampled_from([0, UPTIME_NS, EPOCH_NS]),
    ahead=st.sampled_from([0, 10**15, -(10**9)]),
)
def test_drift_is_found_under_one_sided_delays(ppm: int, seed: int, start: int, ahead: int) -> None:
    rng = np.random.default_rng(seed)
    steps = np.arange(3000, dtype=np.int64) * 10 * MS
    delays = rng.exponential(0.2 * MS, 3000).astype(np.int64) + 20 * MS * (rng.random(3000) < 0.02)
    logged = start + ahead + steps + steps * ppm // 1_000_000 + delays

    found = log_offset(start + steps, logged)

    assert found is not None
    assert found.drift_ppm == pytest.approx(ppm, abs=8)
    assert found.min_ns <= found.median_ns <= found.max_ns
    assert found.max_ns == int((logged - start - steps).max())


def test_short_streams_have_an_offset_and_no_drift() -> None:
    found = log_offset(np.array([1, 2], dtype=np.int64), np.array([11, 13], dtype=np.int64))

    assert found is not None
    assert (found.median_ns, found.min_ns, found.max_ns, found.drift_ppm) == (10, 10, 11, None)
    assert log_offset(np.empty(0, np.int64), np.empty(0, np.int64)) is None


def test_pairs_are_by_nearest_stamp_within_half_a_picture_period() -> None:
    pictures = EPOCH_NS + np.array([0, 100, 200, 300, 400], dtype=np.int64) * MS
    depth = EPOCH_NS + np.array([3, 150, 310, 460], dtype=np.int64) * MS

    found = sync_of("rgb", "depth", pictures, depth)

    # 150 lies halfway between two pictures and serves both; 460 is too far from any.
    assert found.tolerance_ns == 50 * MS
    assert (found.matched, found.unmatched_first, found.unmatched_second, found.shared) == (4, 1, 1, 1)
    assert (found.median_offset_ns, found.p95_distance_ns, found.max_distance_ns) == (
        3 * MS,
        50 * MS,
        50 * MS,
    )


@settings(max_examples=60, deadline=None)
@given(first=st.lists(st.integers(0, 2000), max_size=30), second=st.lists(st.integers(0, 2000), max_size=30))
def test_pairing_agrees_with_a_search_over_all_pairs(first: list[int], second: list[int]) -> None:
    ours, theirs = sorted(set(first)), sorted(set(second))

    found = sync_of("rgb", "imu", np.array(first, dtype=np.int64), np.array(second, dtype=np.int64))

    near = [min(abs(t - o) for t in theirs) for o in ours] if theirs else []
    distances = sorted(d for d in near if d <= found.tolerance_ns)
    assert found.matched == len(distances)
    assert found.matched + found.unmatched_first == len(ours)
    assert found.max_distance_ns == (distances[-1] if distances else None)
    assert found.p95_distance_ns == (distances[-(-len(distances) * 95 // 100) - 1] if distances else None)
    assert found.unmatched_second <= len(theirs)


def test_a_slower_depth_camera_serves_two_pictures_each(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    rig = Rig(tmp_path / "rig.mcap")
    for number in range(20):
        stamp = EPOCH_NS + number * 50 * MS
        rig.add("/color/image", ros.compressed_image(stamp, ros.jpeg(0)))
        if number % 2 == 0:
            deep = ros.image(stamp + 25 * MS, np.full((4, 4), 9, np.uint16), "16UC1", frame="d")
            rig.add("/depth/image", deep)
    (found,) = (
        item for item in view_of(rig.close()).inventory.sync if (item.first, item.second) == ("rgb", "depth")
    )

    assert (found.matched, found.shared, found.unmatched_second) == (20, 10, 0)


def test_stamps_since_1970_need_no_offset(tmp_path: Path) -> None:
    clock = inspect(str(write_rig(tmp_path / "rig.mcap"))).wall_clock

    assert clock is not None
    assert (clock.offset_ns, clock.source, clock.zone) == (0, "stamps are epoch", "utc")


def test_log_times_since_1970_date_stamps_of_uptime(tmp_path: Path) -> None:
    ahead = EPOCH_NS - UPTIME_NS
    clock = _scanned(_uptime(tmp_path / f"{SESSION}.mcap", log_ahead_ns=ahead), tmp_path).wall_clock

    assert clock is not None
    assert (clock.offset_ns, clock.source, clock.zone) == (ahead + MS, "log_time", "utc")
    assert "0.002 s" in clock.uncertainty


@pytest.mark.parametrize(
    "metadata",
    [{"storage.path": f"/var/{SESSION}"}, {"storage.path": "null", "folder": f"{SESSION}/x"}],
    ids=str,
)
def test_metadata_date_the_session_whatever_the_file_is_called(
    metadata: dict[str, str], tmp_path: Path
) -> None:
    files = [
        _uptime(tmp_path / name, metadata=metadata) for name in ("a.mcap", "session_19990101_000000.mcap")
    ]
    key = next(key for key, value in metadata.items() if SESSION in value)

    first, second = (_scanned(file, tmp_path) for file in files)

    assert first == second
    assert first.wall_clock is not None
    assert first.wall_clock.source == f"metadata:{key}"
    assert first.wall_clock.zone == "phone-local, zone unknown"
    assert UPTIME_NS + first.wall_clock.offset_ns == SESSION_NS


@pytest.mark.parametrize("name", [f"{SESSION}/renamed.mcap", "session_data_20240229_235958_phone.mcap"])
def test_a_name_dates_the_session_and_stays_out_of_the_inventory(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)

    inventory = _scanned(_uptime(file), tmp_path / ".")

    assert inventory.wall_clock is not None
    assert inventory.wall_clock.source == "file name"
    assert UPTIME_NS + inventory.wall_clock.offset_ns == SESSION_NS
    assert not any(word in inventory.dumps() for word in ("20240229", "235958", "phone.mcap", "renamed"))


@pytest.mark.parametrize("name", ["session_20241341_000000.mcap", "recording.mcap", "session_2024_1.mcap"])
def test_what_tells_no_date_gives_none(name: str, tmp_path: Path) -> None:
    assert _scanned(_uptime(tmp_path / name), tmp_path).wall_clock is None


def test_log_times_in_milliseconds_are_flagged(data: Path, tmp_path: Path) -> None:
    inventory = _scanned(data / "json" / "camera.mcap", tmp_path)

    assert (inventory.clock, inventory.log_time_unit) == ("epoch", "ms")
    (note,) = [note for note in notes_of(inventory) if note.code == "log_time_unit"]
    assert "milliseconds" in note.detail


def test_an_inventory_survives_its_json(tmp_path: Path, table_scene: RecordingView) -> None:
    for inventory in (
        table_scene.inventory,
        _scanned(_uptime(tmp_path / f"{SESSION}.mcap"), tmp_path),
        inspect(str(write_rig(tmp_path / "rig.mcap"))),
    ):
        assert Inventory.from_json(json.loads(inventory.dumps())) == inventory
