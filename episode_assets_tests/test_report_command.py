"""The command `report`: the page over all recordings, made through Dagster and named on the standard output."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from episode_assets.cli import main
from episode_assets_tests.conftest import Workplace
from episode_assets_tests.qc.archives import publish, register


def test_the_report_is_made_and_its_path_printed(workplace: Workplace) -> None:
    recording_id = register(workplace.store, workplace.folder, "kitchen")
    publish(workplace.store, recording_id)

    done = CliRunner().invoke(main, ["report", "--print"])

    assert done.exit_code == 0, done.output
    path = Path(done.stdout.strip())
    assert path.name == "archive.html"
    assert recording_id in path.read_text(encoding="utf-8")
    with dg.DagsterInstance.from_config(str(workplace.home)) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("archive_report"))
    assert event is not None
    metadata = event.asset_materialization.metadata
    assert (metadata["recordings"].value, metadata["without_report"].value) == (1, 0)


def test_the_report_opens_in_a_browser(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)

    done = CliRunner().invoke(main, ["report"])

    assert done.exit_code == 0, done.output
    assert opened == [Path(done.stdout.strip()).as_uri()]


def test_verify_hashes_the_report_too(workplace: Workplace) -> None:
    page = Path(CliRunner().invoke(main, ["report", "--print"]).stdout.strip())
    page.chmod(0o644)
    page.write_text(page.read_text(encoding="utf-8").replace("archive", "archivE", 1), encoding="utf-8")

    done = CliRunner().invoke(main, ["verify"])

    assert done.exit_code == 1
    assert "archive.html" in done.output
