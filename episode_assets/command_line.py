"""What all commands share: exit codes, one line per failure, and where the store is.

Commands themselves live in `cli` and `dataset_cli`; tables and bars in `console`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from episode_assets.console import printable
from episode_assets.errors import BadConfig, EpisodeAssetsError
from episode_assets.instance import HOME_VARIABLE, STORE_VARIABLE, Places, find_places, prepare_instance

if TYPE_CHECKING:
    from episode_assets.storage import Store

Params = ParamSpec("Params")
Returned = TypeVar("Returned")

FAILED = 1
WRONG_CALL = 2
INTERRUPTED = 130
"""What a shell reports for a program that Ctrl-C ended."""

store_option = click.option(
    "--store", "store_uri", metavar="URI", help="Where artifacts live; default: data/."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def one_line_errors(command: Callable[Params, Returned]) -> Callable[Params, Returned]:
    """Print an error of the package, or Ctrl-C, as one line and end with its exit code."""

    @wraps(command)
    def guarded(*args: Params.args, **kwargs: Params.kwargs) -> Returned:
        try:
            return command(*args, **kwargs)
        except EpisodeAssetsError as error:
            say(error)
            sys.exit(exit_code(error))
        except KeyboardInterrupt:
            click.echo("stopped; what was published stays, run again to go on", err=True)
            sys.exit(INTERRUPTED)

    return guarded


def say(error: EpisodeAssetsError) -> None:
    """Print an error on the error stream."""
    # It may quote names out of a recording, which must not be able to drive the terminal.
    click.echo(f"error: {printable(str(error))}", err=True)


def exit_code(error: EpisodeAssetsError) -> int:
    """Return the exit code of a failure: a wrong call or a failed one."""
    return WRONG_CALL if isinstance(error, BadConfig) else FAILED


def resolve_places(store_uri: str | None) -> Places:
    """Return where the instance and the store are, and tell Dagster; a given URI counts over all settings."""
    found = find_places()
    store = store_uri or found.store
    if "://" not in store:
        store = str(Path(store).resolve())
    places = Places(found.dagster_home, store, found.inbox)
    os.environ[HOME_VARIABLE] = str(places.dagster_home)
    os.environ[STORE_VARIABLE] = places.store
    prepare_instance(places, Path("dagster.yaml"))
    return places


def open_store(places: Places) -> Store:
    """Open the store."""
    from episode_assets.storage import Store

    return Store.open(places.store)
