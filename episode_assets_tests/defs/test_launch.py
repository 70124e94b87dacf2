"""Running the graph in this process: what a caller learns about how it ended."""

from __future__ import annotations

import os
import signal

import dagster as dg
import pytest

from episode_assets.defs.jobs import process_recording
from episode_assets.defs.launch import process
from episode_assets.defs.partitions import RECORDING


@dg.asset(partitions_def=RECORDING, group_name="recordings")
def stopped_by_the_user() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@dg.asset(partitions_def=RECORDING, group_name="recordings")
def broken() -> None:
    raise dg.Failure("no such luck | remedy: none", allow_retries=False)


def definitions(asset: dg.AssetsDefinition) -> dg.Definitions:
    return dg.Definitions(assets=[asset], jobs=[process_recording], executor=dg.in_process_executor)


def test_ctrl_c_stops_the_caller_and_is_no_failure_of_the_recording(instance: dg.DagsterInstance) -> None:
    with pytest.raises(KeyboardInterrupt):
        process(definitions(stopped_by_the_user), instance, "demo-00000000")


def test_a_failed_asset_is_reported_with_its_message(instance: dg.DagsterInstance) -> None:
    result = process(definitions(broken), instance, "demo-00000000")

    assert [(item.asset, item.failure) for item in result.failures] == [
        ("broken", "no such luck | remedy: none")
    ]
