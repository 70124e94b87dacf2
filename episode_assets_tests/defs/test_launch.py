"""Running the graph in this process: what a caller learns about how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg

from episode_assets.defs.jobs import process_recording
from episode_assets.defs.launch import process
from episode_assets.defs.partitions import RECORDING
from episode_assets_tests.conftest import Workplace

REPOSITORY = Path(__file__).parents[2]
INTERRUPTED = 42
IN_A_PROCESS_OF_ITS_OWN = f"""
import sys
import dagster as dg
from episode_assets.defs.launch import process
from episode_assets_tests.defs.test_launch import definitions, stopped_by_the_user

with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    try:
        process(definitions(stopped_by_the_user), instance, "demo-00000000")
    except KeyboardInterrupt:
        sys.exit({INTERRUPTED})
"""
"""A signal is for a whole process, and the one that runs the tests may be at something else when it comes."""


@dg.asset(partitions_def=RECORDING, group_name="recordings")
def stopped_by_the_user() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@dg.asset(partitions_def=RECORDING, group_name="recordings")
def broken() -> None:
    raise dg.Failure("no such luck | remedy: none", allow_retries=False)


def definitions(asset: dg.AssetsDefinition) -> dg.Definitions:
    return dg.Definitions(assets=[asset], jobs=[process_recording], executor=dg.in_process_executor)


def test_ctrl_c_stops_the_caller_and_is_no_failure_of_the_recording(workplace: Workplace) -> None:
    command = [sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN, str(workplace.home)]

    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert ended.returncode == INTERRUPTED, ended.stderr


def test_a_failed_asset_is_reported_with_its_message(instance: dg.DagsterInstance) -> None:
    result = process(definitions(broken), instance, "demo-00000000")

    assert [(item.asset, item.failure) for item in result.failures] == [
        ("broken", "no such luck | remedy: none")
    ]
