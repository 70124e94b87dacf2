"""Recording files as the registry sees them: where they are, whether they are the same bytes as before.

Opening and decoding a recording belongs to `recording`; here a file is a name, a size, a time or an ETag, and bytes.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from episode_assets.errors import BadRecording
from episode_assets.storage import remote
from episode_assets.storage.backend import local_path
from episode_assets.storage.trouble import translated

ENDS_BYTES = 64 * 1024
"""How much of either end of a file its quick digest reads."""

_PIECE_BYTES = 1024 * 1024
_SLUG_LENGTH = 80
_CONTAINER_SUFFIXES = frozenset({".mcap", ".bag", ".db3", ".zst", ".zstd", ".gz"})


@dataclass(frozen=True)
class Address:
    """One place where a recording's bytes were seen, and what tells that they are unchanged there.

    Attributes:
        uri: Absolute path, or URI.
        name: File name at that place.
        mtime_ns: Time of change of a local file, nanoseconds since 1970, or `None` for a remote one.
        etag: The object store's own mark of the content, or `None` for a local file.
    """

    uri: str
    name: str
    mtime_ns: int | None
    etag: str | None


def look_at(uri: str) -> tuple[Address, int]:
    """Return an address as it is now, and the size of its file in bytes.

    Raises:
        BadRecording: There is no readable file.
        StorageTrouble: The place did not answer.
    """
    path = local_path(uri)
    with translated(uri):
        try:
            return _look_locally(uri) if path is not None else _look_remotely(uri)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise BadRecording("there is no such file", where=uri, remedy="check the path") from error
        except PermissionError as error:
            raise BadRecording(
                "the file may not be read", where=uri, remedy="check its permissions"
            ) from error


def quick_digest(uri: str, size_bytes: int) -> str:
    """Return the SHA-256 over the size (8 bytes, little endian) and the first and last 64 KiB; 64 hex digits."""
    digest = hashlib.sha256(size_bytes.to_bytes(8, "little"))
    with translated(uri), _open(uri) as file:
        digest.update(file.read(ENDS_BYTES))
        file.seek(max(0, size_bytes - ENDS_BYTES))
        digest.update(file.read(ENDS_BYTES))
    return digest.hexdigest()


def full_digest(uri: str) -> str:
    """Return the SHA-256 of all bytes, 64 hex digits."""
    digest = hashlib.sha256()
    with translated(uri), _open(uri) as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def content_of(uri: str) -> tuple[bytes, str]:
    """Return all bytes of a small file, and their SHA-256 in 64 hex digits."""
    with translated(uri), _open(uri) as file:
        content = file.read()
    return content, hashlib.sha256(content).hexdigest()


def slug(name: str) -> str:
    """Return the part of a recording id that people recognise: lower case, ASCII, made of `a-z0-9._-` only."""
    stem = name
    while PurePosixPath(stem).suffix.lower() in _CONTAINER_SUFFIXES:
        stem = PurePosixPath(stem).stem
    folded = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode("ascii").lower()
    plain = re.sub(r"\.{2,}", ".", re.sub(r"[^a-z0-9._]+", "-", folded))
    return plain.strip("._-")[:_SLUG_LENGTH].rstrip("._-") or "recording"


def absolute(uri: str) -> str:
    """Return the address in the one form that the registry keeps: an absolute path, or the URI as it is."""
    path = local_path(uri)
    return uri if path is None else str(path)


def _look_locally(uri: str) -> tuple[Address, int]:
    path = local_path(uri)
    assert path is not None
    status = path.stat()
    if not path.is_file():
        raise BadRecording("not a file", where=uri, remedy="name the recording's file itself")
    with path.open("rb"):
        pass  # a file that may not be read is found here, not in the middle of a run
    return Address(str(path), path.name, status.st_mtime_ns, None), status.st_size


def _look_remotely(uri: str) -> tuple[Address, int]:
    file_system, path = remote.open_file_system(uri)
    info = file_system.info(path)
    if info["type"] != "file":
        raise BadRecording("not a file", where=uri, remedy="name the recording's object itself")
    mark = (
        info.get("ETag")
        or info.get("etag")
        or info.get("md5")
        or info.get("LastModified")
        or info.get("created")
    )
    return Address(uri, path.rsplit("/", 1)[-1], None, None if mark is None else str(mark)), int(info["size"])


def _open(uri: str) -> BinaryIO:
    path = local_path(uri)
    if path is not None:
        return path.open("rb")
    file_system, remote_path = remote.open_file_system(uri)
    return cast(
        BinaryIO, file_system.open(remote_path, "rb", block_size=_PIECE_BYTES, cache_type="readahead")
    )
