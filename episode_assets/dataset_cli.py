"""The commands `episode-assets dataset ...`: build, verify, merge, look at, hand on and encode datasets anew.

DATASET is a folder, or the name of a recipe whose latest dataset lies in the store. Commands parse, call one function
of the package and print; exit codes are those of `cli`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from episode_assets.command_line import (
    FAILED,
    json_option,
    one_line_errors,
    open_store,
    resolve_places,
    store_option,
)
from episode_assets.console import Bars
from episode_assets.dataset_text import summary_text, verdict_document, verdict_text
from episode_assets.errors import BadConfig

if TYPE_CHECKING:
    from episode_assets.storage import Store


@click.group()
def dataset() -> None:
    """Make, check, join and hand on LeRobot datasets."""


dataset_argument = click.argument("dataset_name", metavar="DATASET")


@dataset.command()
@dataset_argument
@store_option
@json_option
@click.option(
    "--decode", is_flag=True, help="Also decode every picture; slow, and finds overwritten packets."
)
@click.option("--all", "show_all", is_flag=True, help="Print every problem, not only the first 50.")
@one_line_errors
def verify(dataset_name: str, store_uri: str | None, as_json: bool, decode: bool, show_all: bool) -> None:
    """Read a dataset back (v3.0, v2.1 or v2.0, whoever wrote it) and name everything that readers stumble over.

    Needs no network and no LeRobot. The exit code is 1 where there is a problem; warnings do not count.
    """
    from episode_assets.lerobot.verify import examine_dataset

    path, bars = dataset_path(dataset_name, store_uri), Bars()
    try:
        verdict = examine_dataset(path, decode=decode, progress=bars)
    finally:
        bars.close()
    if as_json:
        click.echo(json.dumps(verdict_document(verdict), indent=2))
    else:
        click.echo(verdict_text(verdict, show_all=show_all))
    sys.exit(0 if verdict.passed else FAILED)


@dataset.command()
@dataset_argument
@store_option
@json_option
@one_line_errors
def info(dataset_name: str, store_uri: str | None, as_json: bool) -> None:
    """Show what a dataset is, what each common policy will see of it, and what to know before training."""
    from episode_assets.lerobot.info import describe_dataset

    summary = describe_dataset(dataset_path(dataset_name, store_uri))
    click.echo(json.dumps(summary.to_json(), indent=2) if as_json else summary_text(summary))


@dataset.command()
@click.argument("names", nargs=-1, required=True, metavar="DATASET...")
@click.argument("out", type=click.Path(path_type=Path))
@store_option
@click.option("--force", is_flag=True, help="Also join datasets that do not pass verification.")
@one_line_errors
def merge(names: tuple[str, ...], out: Path, store_uri: str | None, force: bool) -> None:
    """Join datasets of one kind into a new one in the folder OUT; everything is checked before it is begun."""
    from episode_assets.lerobot.merging import merge_datasets

    bars = Bars()
    try:
        sources = [dataset_path(name, store_uri) for name in names]
        merged = merge_datasets(sources, out, force=force, progress=bars)
    finally:
        bars.close()
    counts = f"{merged.episodes} episodes, {merged.frames} rows, {merged.tasks} tasks"
    click.echo(f"{merged.root}: {counts}")


def dataset_path(name: str, store_uri: str | None) -> Path:
    """Return the folder of a dataset: a path, or the latest version of a recipe's dataset in the store.

    Raises:
        BadConfig: There is neither.
    """
    if Path(name).is_dir():
        return Path(name)
    known = _published(open_store(resolve_places(store_uri)))
    if name in known:
        return known[name]
    raise BadConfig(
        "there is no such folder, and no dataset of this name in the store",
        where=name,
        remedy=f"datasets there: {', '.join(sorted(known)) or 'none; run `episode-assets dataset build`'}",
    )


def _published(store: Store) -> dict[str, Path]:
    from episode_assets.pipeline.settings import load_settings

    names = [asset for asset in load_settings().assets if asset.startswith("lerobot_dataset/")]
    keys = [key for asset in names for key in store.keys(asset)]
    return {key.asset.partition("/")[2]: store.latest(key).directory() for key in keys}
