"""Opening addresses through fsspec, for the store on an object store and for recordings in a remote inbox."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from episode_assets.errors import BadConfig

CACHE_VARIABLE = "EPISODE_ASSETS_CACHE"
SCRATCH_VARIABLE = "EPISODE_ASSETS_SCRATCH"

S3_SCHEMES = ("s3", "s3a")


def open_file_system(uri: str) -> tuple[Any, str]:
    """Return the fsspec file system of an address and the path in it.

    Listings are never cached: other processes publish at any time. Credentials and the endpoint of s3 come from the
    AWS_* variables and the usual AWS files.

    Raises:
        BadConfig: The scheme is unknown, or its package is not installed.
    """
    import fsspec

    options: dict[str, Any] = {}
    if scheme_of(uri) in S3_SCHEMES:
        options = {"use_listings_cache": False, "endpoint_url": s3_endpoint()}
    try:
        file_system, path = fsspec.core.url_to_fs(uri, **options)
    except (ValueError, ImportError) as error:
        raise BadConfig(
            f"the address cannot be opened: {error}",
            where=uri,
            remedy="use a directory, s3://bucket/prefix, or install the package that the message names",
        ) from error
    return file_system, path


def scheme_of(uri: str) -> str:
    """Return the scheme of an address, without `://`."""
    return uri.split("://", 1)[0]


def s3_endpoint() -> str | None:
    """Return the endpoint that the environment names for s3, or `None` for the one of AWS.

    boto would find it by itself; fsspec keeps one client for each set of arguments and has to be told of changes.
    """
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def cache_root() -> Path:
    """Return where files fetched from object stores are kept: `$EPISODE_ASSETS_CACHE`, or the user's cache."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "episode-assets"


def scratch_root() -> Path:
    """Return where work for object stores is done: `$EPISODE_ASSETS_SCRATCH`, or `scratch` in the cache."""
    named = os.environ.get(SCRATCH_VARIABLE)
    return Path(named).expanduser().absolute() if named else cache_root() / "scratch"
