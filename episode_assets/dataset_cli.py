"""The commands `episode-assets dataset ...`: build, verify, merge, look at, hand on and encode datasets anew.

DATASET is a folder, or the name of a recipe whose latest dataset lies in the store. Commands parse, call one function
of the package and print; exit codes are those of `cli`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import click

from episode_assets.command_line import (
    FAILED,
    json_option,
    one_line_errors,
    open_store,
    resolve_places,
    store_option,
)
from episode_assets.console import Bars, megabytes
from episode_assets.dataset_text import built_text, summary_text, under_split, verdict_document, verdict_text
from episode_assets.errors import BadConfig
from episode_assets.video import (
    DepthEncoderConfig,
    RGBEncoderConfig,
    config_from_arguments,
    encoder_arguments,
)

if TYPE_CHECKING:
    from episode_assets.lerobot.recipe import Recipe
    from episode_assets.storage import Store


Command = TypeVar("Command", bound=Callable[..., Any])


@click.group()
def dataset() -> None:
    """Make, check, join and hand on LeRobot datasets."""


def encoder_options(command: Command) -> Command:
    """Give a command a flag for every field of both encoder configurations."""
    for config in (DepthEncoderConfig, RGBEncoderConfig):
        for argument in reversed(encoder_arguments(config)):
            text = f"{argument.help}; default: {argument.default}"
            command = click.option(argument.flag, argument.name, metavar="VALUE", help=text)(command)
    return command


dataset_argument = click.argument("dataset_name", metavar="DATASET")


@dataset.command()
@click.argument("recipe_names", nargs=-1, metavar="[RECIPE]...")
@store_option
@click.option(
    "--recipe", "recipe_file", type=click.Path(path_type=Path), help="A recipe file (YAML) to build from."
)
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Settings file (YAML).")
@click.option("--force", is_flag=True, help="Compute even what the store has.")
@click.option(
    "--repack", is_flag=True, help="Sort recordings by their start again; episodes get other numbers."
)
@encoder_options
@one_line_errors
def build(
    recipe_names: tuple[str, ...],
    store_uri: str | None,
    recipe_file: Path | None,
    config_file: Path | None,
    force: bool,
    repack: bool,
    **encoder: str | None,
) -> None:
    """Build the datasets of recipes from the recordings in the store; without a name, those of all recipes.

    Contributions are brought up to date first. An encoder flag takes the place of what the recipe says, and with a
    flag of --rgb_encoder every picture is encoded anew instead of copied.
    """
    from episode_assets.pipeline.building import build_dataset

    recipes = [_with_encoders(recipe, encoder) for recipe in _recipes(recipe_names, recipe_file, config_file)]
    store, bars, failed = open_store(resolve_places(store_uri)), Bars(), False
    for recipe in recipes:
        try:
            built = build_dataset(store, recipe, force=force, repack=repack, progress=bars)
        finally:
            bars.close()
        click.echo(built_text(recipe.name, built))
        failed |= bool(built.failed)
    sys.exit(FAILED if failed else 0)


def _recipes(names: tuple[str, ...], file: Path | None, config_file: Path | None) -> list[Recipe]:
    from episode_assets.lerobot.recipe import Recipe
    from episode_assets.pipeline.settings import load_settings

    known = dict(load_settings(config_file).recipes)
    if file is not None:
        own = Recipe.load(file)
        known[own.name] = own
        names = names or (own.name,)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadConfig(f"there is no recipe {unknown[0]!r}", remedy=f"there are: {', '.join(known)}")
    return [known[name] for name in names or known]


def _with_encoders(recipe: Recipe, given: Mapping[str, str | None]) -> Recipe:
    view, depth = recipe.camera_view, recipe.depth
    if any(given[argument.name] is not None for argument in encoder_arguments(RGBEncoderConfig)):
        config = config_from_arguments(RGBEncoderConfig, given, base=view.encoder)
        view = replace(view, encode="always", encoder=config)
    if any(given[argument.name] is not None for argument in encoder_arguments(DepthEncoderConfig)):
        depth = replace(depth, encoder=config_from_arguments(DepthEncoderConfig, given, base=depth.encoder))
    return replace(recipe, camera_view=view, depth=depth)


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

    bars = Bars()
    try:
        verdicts = {
            split: examine_dataset(root, decode=decode, progress=bars)
            for split, root in _roots(dataset_path(dataset_name, store_uri)).items()
        }
    finally:
        bars.close()
    if as_json:
        documents = {split: verdict_document(verdict) for split, verdict in verdicts.items()}
        click.echo(json.dumps(documents.get("", documents), indent=2))
    for split, verdict in () if as_json else verdicts.items():
        click.echo(under_split(split, verdict_text(verdict, show_all=show_all)))
    sys.exit(0 if all(verdict.passed for verdict in verdicts.values()) else FAILED)


@dataset.command()
@dataset_argument
@store_option
@json_option
@one_line_errors
def info(dataset_name: str, store_uri: str | None, as_json: bool) -> None:
    """Show what a dataset is, what each common policy will see of it, and what to know before training."""
    from episode_assets.lerobot.info import describe_dataset

    roots = _roots(dataset_path(dataset_name, store_uri))
    summaries = {split: describe_dataset(root) for split, root in roots.items()}
    if as_json:
        documents = {split: summary.to_json() for split, summary in summaries.items()}
        click.echo(json.dumps(documents.get("", documents), indent=2))
    for split, summary in () if as_json else summaries.items():
        click.echo(under_split(split, summary_text(summary)))


def _roots(path: Path) -> dict[str, Path]:
    """Return the roots of a dataset by split; the name is empty where there are none, or nothing that is a dataset."""
    from episode_assets.lerobot.splits import dataset_roots

    return {split or "": root for split, root in dataset_roots(path).items()} or {"": path}


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


@dataset.command()
@dataset_argument
@store_option
@click.option(
    "--copy", "copy_to", type=click.Path(path_type=Path), metavar="DIR", help="A writable copy in DIR."
)
@click.option(
    "--public",
    "public_to",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A copy in DIR that leads back to nobody: stamps from 0, no ids, no shapes of hands.",
)
@click.option("--push", "push_to", metavar="OWNER/NAME", help="Upload a public copy to the Hugging Face Hub.")
@click.option("--private", is_flag=True, help="With --push: make a new repository private.")
@click.option(
    "--with-ids", is_flag=True, help="With --push: upload the dataset as it is, recording ids included."
)
@one_line_errors
def export(
    dataset_name: str,
    store_uri: str | None,
    copy_to: Path | None,
    public_to: Path | None,
    push_to: str | None,
    private: bool,
    with_ids: bool,
) -> None:
    """Hand a dataset on: as a writable copy, as a public one, or to the Hugging Face Hub."""
    from episode_assets.lerobot.handing_on import copy_dataset, publish_copy

    if sum(target is not None for target in (copy_to, public_to, push_to)) != 1:
        raise BadConfig("say how the dataset is handed on", remedy="give one of --copy, --public, --push")
    source, bars = dataset_path(dataset_name, store_uri), Bars()
    try:
        if copy_to is not None:
            click.echo(str(copy_dataset(source, copy_to, progress=bars)))
        elif public_to is not None:
            made = publish_copy(source, public_to, progress=bars)
            click.echo(f"{made.root}: {made.files} files; without {', '.join(made.dropped) or 'nothing'}")
        elif push_to is not None:
            for address in _pushed(source, push_to, private=private, with_ids=with_ids, bars=bars):
                click.echo(address)
    finally:
        bars.close()


def _pushed(source: Path, repo_id: str, *, private: bool, with_ids: bool, bars: Bars) -> Iterator[str]:
    """Upload every root of a dataset and yield its address; a split has its name added to that of the repository."""
    from episode_assets.lerobot.handing_on import publish_copy, push_dataset
    from episode_assets.lerobot.splits import dataset_roots

    with TemporaryDirectory(prefix="episode-assets-") as scratch:
        root = source if with_ids else publish_copy(source, Path(scratch) / "public", progress=bars).root
        for split, path in dataset_roots(root).items():
            name = repo_id if split is None else f"{repo_id}-{split}"
            yield push_dataset(path, name, private=private, with_ids=with_ids)


@dataset.command()
@dataset_argument
@click.argument("out", type=click.Path(path_type=Path))
@store_option
@click.option(
    "--camera", "cameras", multiple=True, metavar="KEY", help="Only this video feature; may be repeated."
)
@click.option("--depth", is_flag=True, help="Also encode depth; its flags begin with --depth_encoder.")
@encoder_options
@one_line_errors
def reencode(
    dataset_name: str,
    out: Path,
    store_uri: str | None,
    cameras: tuple[str, ...],
    depth: bool,
    **encoder: str | None,
) -> None:
    """Encode the videos of a dataset anew into a new dataset in the folder OUT; rows stay what they are."""
    from episode_assets.lerobot.reencode import reencode_dataset

    rgb_config = config_from_arguments(RGBEncoderConfig, encoder)
    depth_config = config_from_arguments(DepthEncoderConfig, encoder) if depth else None
    source, bars = dataset_path(dataset_name, store_uri), Bars()
    try:
        made = reencode_dataset(
            source, out, rgb=rgb_config, depth=depth_config, cameras=cameras, progress=bars
        )
    finally:
        bars.close()
    sizes = f"{megabytes(made.bytes_before)} before, {megabytes(made.bytes_after)} now"
    click.echo(f"{made.root}: {sum(made.frames.values())} frames, {sizes}")


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
    """Return the latest datasets in the store by recipe, those of recipes that no settings file names included."""
    from episode_assets.storage import ArtifactKey

    # Datasets are assets of their own below this folder, so that their names are where recordings are elsewhere.
    names = [key.recording_id for key in store.keys("lerobot_dataset") if key.recording_id]
    return {name: store.latest(ArtifactKey(f"lerobot_dataset/{name}")).directory() for name in names}
