"""Where the shared Dagster instance and the store lie, for the command line, the UI and the daemon alike.

All three read the same two environment variables, from the environment or from a `.env` file in the working
directory or above it. Nothing here imports Dagster: writing the `.env` has to work before anything is loaded.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from episode_assets.errors import BadConfig

HOME_VARIABLE = "DAGSTER_HOME"
STORE_VARIABLE = "EPISODE_ASSETS_STORE"
INBOX_VARIABLE = "EPISODE_ASSETS_INBOX"
WORKERS_VARIABLE = "EPISODE_ASSETS_WORKERS"

DEFAULT_SETTINGS = """\
telemetry:
  enabled: false
"""


@dataclass(frozen=True)
class Places:
    """The three addresses of an installation.

    Attributes:
        dagster_home: Absolute directory of the Dagster instance.
        store: URI of the store.
        inbox: Directory that the sensor watches for new recordings.
    """

    dagster_home: Path
    store: str
    inbox: str


def find_env_file(start: Path) -> Path | None:
    """Return the nearest `.env` in `start` or above it that names the Dagster instance."""
    for folder in (start, *start.parents):
        candidate = folder / ".env"
        if candidate.is_file() and HOME_VARIABLE in read_env_file(candidate):
            return candidate
    return None


def read_env_file(path: Path) -> dict[str, str]:
    """Return the `NAME=value` lines of a file; comments and blank lines are skipped."""
    values: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, separator, value = line.strip().partition("=")
        if separator and not name.startswith("#"):
            values[name.strip()] = value.strip().strip("\"'")
    return values


def find_places(start: Path | None = None, environment: Mapping[str, str] | None = None) -> Places:
    """Work out the addresses: the environment first, then the nearest `.env`, then folders under `start`.

    Raises:
        BadConfig: `DAGSTER_HOME` is set to a relative path.
    """
    folder = (start or Path.cwd()).resolve()
    env_file = find_env_file(folder)
    root = env_file.parent if env_file else folder
    values = read_env_file(env_file) if env_file else {}
    values |= {k: v for k, v in (os.environ if environment is None else environment).items() if v}
    home = Path(values.get(HOME_VARIABLE, str(root / ".dagster")))
    if not home.is_absolute():
        raise BadConfig(
            f"{HOME_VARIABLE} is {str(home)!r}, which is not an absolute path",
            remedy="set it to an absolute path, or unset it to use .dagster in the working directory",
        )
    return Places(
        home, values.get(STORE_VARIABLE, str(root / "data")), values.get(INBOX_VARIABLE, str(root / "inbox"))
    )


def prepare_instance(places: Places, settings: Path | None = None) -> None:
    """Create the instance directory with its settings, linked to `settings` where that file exists.

    Raises:
        BadConfig: The directory cannot be made or written.
    """
    target = places.dagster_home / "dagster.yaml"
    try:
        places.dagster_home.mkdir(parents=True, exist_ok=True)
        if target.exists():
            return
        target.unlink(missing_ok=True)  # a link whose file was moved away
        if settings is not None and settings.is_file():
            target.symlink_to(os.path.relpath(settings.resolve(), places.dagster_home))
        else:
            target.write_text(DEFAULT_SETTINGS, encoding="utf-8")
    except OSError as error:
        if target.exists():
            return  # another command made it in this very moment
        raise BadConfig(
            f"the instance directory cannot be written: {error.strerror}",
            where=str(places.dagster_home),
            remedy=f"set {HOME_VARIABLE} to a directory that you may write to",
        ) from error


def write_env_file(path: Path) -> Places:
    """Write the `.env` that the command line, the UI and the daemon share, and create what it names."""
    root = path.resolve().parent
    places = Places(root / ".dagster", str(root / "data"), str(root / "inbox"))
    prepare_instance(places, root / "dagster.yaml")
    Path(places.inbox).mkdir(exist_ok=True)
    # Quoted, because `make dev` reads the file with a shell and a path may hold blanks.
    path.write_text(
        f"{HOME_VARIABLE}='{places.dagster_home}'\n"
        f"{STORE_VARIABLE}='{places.store}'\n"
        f"{INBOX_VARIABLE}='{places.inbox}'\n"
        "DAGSTER_DISABLE_TELEMETRY=yes\n",
        encoding="utf-8",
    )
    return places


def main() -> None:
    """Write a `.env` file; the set-up target of the Makefile calls this."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--env-file", type=Path, default=Path(".env"))
    write_env_file(parser.parse_args().env_file)


if __name__ == "__main__":
    main()
