"""What the sensor asks for after looking at a real folder."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest

from episode_assets.defs.inbox_sensor import ends_with_magic, inbox_sensor, list_recordings
from episode_assets.defs.resources import PipelineResource
from episode_assets.recording.containers.identify import MCAP_MAGIC
from episode_assets_tests.conftest import Workplace


def drop(workplace: Workplace, name: str, filling: bytes) -> Path:
    path = workplace.inbox / name
    path.write_bytes(MCAP_MAGIC + filling * 300_000 + MCAP_MAGIC)
    return path


def tick(
    workplace: Workplace, instance: dg.DagsterInstance, cursor: str | None = None
) -> dg.SensorResult | dg.SkipReason:
    pipeline = PipelineResource(store_uri=str(workplace.store_path))
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"pipeline": pipeline})
    with context:
        return inbox_sensor(str(workplace.inbox))(context)


def requested(result: dg.SensorResult | dg.SkipReason) -> list[str]:
    assert isinstance(result, dg.SensorResult), result
    return sorted((request.partition_key or "").rpartition("-")[0] for request in result.run_requests or ())


def test_a_dropped_file_is_asked_for_once(workplace: Workplace, instance: dg.DagsterInstance) -> None:
    drop(workplace, "a.mcap", b"a")

    first = tick(workplace, instance)
    assert requested(first) == ["a"]
    assert isinstance(tick(workplace, instance, first.cursor), dg.SkipReason)


def test_a_link_that_leads_nowhere_holds_up_no_other_file(
    workplace: Workplace, instance: dg.DagsterInstance
) -> None:
    (workplace.inbox / "lost.mcap").symlink_to(workplace.folder / "nowhere.mcap")
    drop(workplace, "a.mcap", b"a")

    assert requested(tick(workplace, instance)) == ["a"]


def test_a_file_that_cannot_be_registered_holds_up_no_other_file(
    workplace: Workplace, instance: dg.DagsterInstance
) -> None:
    edited = drop(workplace, "edited.mcap", b"a")
    entry = workplace.store.recordings.register(str(edited))
    workplace.store.recordings.set_sha256(entry.recording_id, "0" * 64)
    os.utime(edited, ns=(1, 1))
    drop(workplace, "good.mcap", b"b")

    assert requested(tick(workplace, instance)) == ["good"]


def test_an_inbox_that_is_gone_is_a_reason_and_no_empty_listing(
    workplace: Workplace, instance: dg.DagsterInstance
) -> None:
    workplace.inbox.rmdir()

    result = tick(workplace, instance)
    assert isinstance(result, dg.SkipReason)
    assert "could not be listed" in (result.skip_message or "")


@pytest.mark.parametrize("name", ["nowhere.mcap", "."])
def test_what_cannot_be_opened_is_not_finished(workplace: Workplace, name: str) -> None:
    assert not ends_with_magic(workplace.inbox / name)


def test_bags_are_recordings_too_unless_a_write_ahead_file_still_grows_beside_them(
    workplace: Workplace,
) -> None:
    for name in ("a.bag", "b.bag.active", "c.db3", "d.db3", "d.db3-wal", "e.txt"):
        (workplace.inbox / name).write_bytes(b"bytes")

    assert sorted(seen.name for seen in list_recordings(workplace.inbox)) == ["a.bag", "c.db3"]
