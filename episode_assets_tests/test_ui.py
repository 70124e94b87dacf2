"""The Dagster UI as a person uses it: `dagster dev` from the project, looked at and clicked in headless Chromium."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from playwright.sync_api import Page, sync_playwright

from episode_assets.demo import DemoConfig, write_demo
from episode_assets_tests.conftest import Workplace, make_workplace

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

PROJECT = Path(__file__).parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SMALL = {"seconds": 4.0, "width": 640, "height": 360}
LINEAGE = "/locations/episode_assets/asset-groups/recordings/lineage"


@dataclass(frozen=True)
class Ui:
    place: Workplace
    address: str
    instance: dg.DagsterInstance

    def statuses(self, asset: str) -> dict[str, str]:
        status = self.instance.get_status_by_partition(
            dg.AssetKey(asset), self.instance.get_dynamic_partitions("recording"), _partitions_def()
        )
        return {key: value.value for key, value in (status or {}).items() if value is not None}


def _partitions_def() -> dg.PartitionsDefinition:
    return dg.DynamicPartitionsDefinition(name="recording")


def cli(place: Workplace, *arguments: str) -> str:
    environment = {**os.environ, **place.environment}
    command = [sys.executable, "-m", "episode_assets.cli", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(holds: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(1.0)


def shows_the_graph(address: str) -> bool:
    """Whether the web server answers and has loaded the definitions, which come from another process."""
    query = json.dumps({"query": "{ assetNodes { id } }"}).encode()
    request = urllib.request.Request(
        f"{address}/graphql", data=query, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            return bool(json.load(reply)["data"]["assetNodes"])
    except (OSError, KeyError, TypeError):
        return False


def recording(place: Workplace, name: str, seed: int) -> Path:
    path = place.folder / f"{name}.mcap"
    write_demo(path, config=DemoConfig(seed=seed, **SMALL))
    return path


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    place = make_workplace(tmp_path_factory.mktemp("ui"))
    shutil.copy(PROJECT / "dagster.yaml", place.home / "dagster.yaml")
    cli(place, "run", str(recording(place, "alpha", 1)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        **place.environment,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "dagster", "dev", "-p", str(port), "-w", str(PROJECT / "workspace.yaml")],
        # Not the project: the .env that may lie there names the developer's own instance and wins.
        cwd=place.folder,
        env=environment,
        stdout=(place.folder / "dev.log").open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: shows_the_graph(address), seconds=120)
        with dg.DagsterInstance.from_config(str(place.home)) as instance:
            yield Ui(place, address, instance)
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.wait(timeout=60)


@pytest.fixture
def page(ui: Ui, request: pytest.FixtureRequest) -> Iterator[Page]:
    assert CHROMIUM, "no Chromium found; on Debian: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(base_url=ui.address, viewport={"width": 1500, "height": 900})
        page.set_default_timeout(60_000)
        yield page
        page.screenshot(path=ui.place.folder / f"{request.node.name}.png")
        browser.close()


def open_launcher(page: Page) -> None:
    page.goto(LINEAGE)
    page.get_by_role("button", name="Materialize all").click()


def test_what_the_command_line_did_is_seen_in_the_ui(page: Page) -> None:
    page.goto(LINEAGE)
    for asset in ("raw_mcap", "blurred_rgb", "hand_poses", "scene_mesh", "episode_bundle", "qc_report"):
        page.get_by_text(asset, exact=True).first.wait_for()

    page.goto("/assets/qc_report?view=partitions")
    page.get_by_text("alpha-").first.click()
    page.get_by_text("verdict", exact=True).first.wait_for()
    page.goto("/assets/blurred_rgb?view=checks")
    page.get_by_text("privacy_audit").first.wait_for()


def test_the_preview_shows_a_picture(page: Page, ui: Ui) -> None:
    page.goto("/assets/episode_bundle?view=partitions")
    page.get_by_text("alpha-").first.click()
    page.get_by_text("[Show Markdown]").last.click()
    picture = page.locator("img[alt='face-blurred frame']")
    picture.wait_for()
    assert picture.evaluate("element => element.naturalWidth") == 320


def test_one_recording_is_materialised_from_the_ui(page: Page, ui: Ui) -> None:
    (recording_id,) = cli(ui.place, "add", str(recording(ui.place, "beta", 2))).split()

    open_launcher(page)
    page.get_by_text("Select a partition or create one").click()
    page.get_by_text(recording_id).first.click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Launch 1 run").click()

    until(lambda: ui.statuses("qc_report").get(recording_id) == "MATERIALIZED", seconds=180)


def test_a_file_dropped_into_the_inbox_is_processed_once_the_sensor_is_on(page: Page, ui: Ui) -> None:
    page.goto("/locations/episode_assets/sensors/inbox")
    page.locator("input[type=checkbox]").first.dispatch_event("click")
    dropped = recording(ui.place, "gamma", 3)

    shutil.copy(dropped, ui.place.inbox / dropped.name)

    def is_done() -> bool:
        found = {key: value for key, value in ui.statuses("qc_report").items() if key.startswith("gamma-")}
        return list(found.values()) == ["MATERIALIZED"]

    until(is_done, seconds=240)


def test_a_backfill_with_one_damaged_recording_fails_for_that_one_alone(page: Page, ui: Ui) -> None:
    damaged = ui.place.folder / "damaged.mcap"
    damaged.write_bytes(b"this was a recording once" * 1000)
    files = [recording(ui.place, "delta", 4), recording(ui.place, "epsilon", 5), damaged]
    good_1, good_2, bad = cli(ui.place, "add", *map(str, files)).split()

    open_launcher(page)
    page.get_by_role("button", name="Missing", exact=True).click()
    page.get_by_role("button", name="Launch", exact=False).last.click()

    def is_over() -> bool:
        reports = ui.statuses("qc_report")
        done = [reports.get(good_1), reports.get(good_2)]
        return done == ["MATERIALIZED"] * 2 and ui.statuses("raw_mcap").get(bad) == "FAILED"

    until(is_over, seconds=300)
    runs = ui.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    assert {run.tags["dagster/partition"] for run in runs} == {bad}
    assert len(runs) == 1, "a damaged recording is not tried again"
    failures = ui.instance.get_records_for_run(
        runs[0].run_id, of_type=dg.DagsterEventType.STEP_FAILURE
    ).records
    error = failures[0].event_log_entry.dagster_event.step_failure_data.user_failure_data
    assert "remedy" in error.description
    page.goto(f"/runs/{runs[0].run_id}")
    page.get_by_text("remedy").first.wait_for()
