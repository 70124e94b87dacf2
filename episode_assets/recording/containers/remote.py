"""An object of a remote file system, read by ranges: exactly those asked for, many at once, of one state of the object.

Goes through fsspec, so that s3, gs, az, http and memory addresses are alike; credentials and endpoints come from the
environment of each client, which also retries on its own. Which ranges are worth asking for is not known here.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

from episode_assets.errors import BadRecording, SourceChanged, StorageTrouble, is_storage_trouble

Range: TypeAlias = tuple[int, int]
"""Offset and length in bytes."""

_REQUESTS_AT_ONCE = 32
_STATE_KEYS = (
    "size",
    "ETag",
    "etag",
    "generation",
    "md5Hash",
    "content_md5",
    "LastModified",
    "last_modified",
    "Last-Modified",
    "mtime",
)


class RemoteObject:
    """An open object; `size` is that of the moment when it was opened.

    Raises:
        BadRecording: There is no such object, or the address cannot be read by ranges.
        SourceChanged: The object was replaced or deleted while it was read.
        StorageTrouble: The place did not answer.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._lock = threading.Lock()
        self._filesystem, self._path, self._file = _open(uri)
        if self._file.size is None:
            raise BadRecording("the server does not read by ranges", where=uri, remedy="download it first")
        self.size = int(self._file.size)
        # What opening an object of a store has told spares a request; other file systems tell no more than a size.
        told = getattr(self._file, "details", None)
        self._state = _state_of(told if isinstance(told, dict) else {})
        if self._state.keys() <= {"size"}:
            self._state = _state_of(self._filesystem.info(self._path))

    def read(self, offset: int, length: int) -> bytes:
        """Return a range with one request, fewer bytes only at the end of the object."""
        try:
            with self._lock:
                self._file.seek(offset)
                data = bytes(self._file.read(length))
        except Exception as error:
            self._name(error, f"reading {length} bytes at offset {offset} failed")
        self._require(data, min(length, self.size - offset), offset)
        return data

    def read_many(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return several ranges, which all lie inside the object, with one request each and many requests at once."""
        starts, ends = [at for at, _ in ranges], [at + length for at, length in ranges]
        try:
            found = self._filesystem.cat_ranges(
                [self._path] * len(ranges), starts, ends, on_error="raise", batch_size=_REQUESTS_AT_ONCE
            )
        except Exception as error:
            self._name(error, f"reading {len(ranges)} ranges failed")
        for data, (at, length) in zip(found, ranges, strict=True):
            self._require(data, length, at)
        return list(found)

    def check_unchanged(self) -> None:
        """Return if the object is the one that was opened, as far as its file system tells; raises SourceChanged."""
        try:
            self._filesystem.invalidate_cache(self._path)
            state = _state_of(self._filesystem.info(self._path))
        except FileNotFoundError as error:
            _name_outage(error, self.uri)
            raise self._changed("it was deleted") from error
        except Exception as error:
            _name_trouble(error, "asking for its state failed", self.uri)
            raise
        if state != self._state:
            raise self._changed(f"its state was {_in_words(self._state)} and is {_in_words(state)}")

    def close(self) -> None:
        """Close the object."""
        self._file.close()

    def _require(self, data: bytes, length: int, offset: int) -> None:
        if len(data) < length:
            self.check_unchanged()
            raise StorageTrouble(f"{len(data)} of {length} bytes came from offset {offset}", where=self.uri)

    def _changed(self, how: str) -> SourceChanged:
        return SourceChanged(
            f"the object changed while it was read: {how}",
            where=self.uri,
            remedy="read it again when nobody writes it",
        )

    def _name(self, error: Exception, what: str) -> NoReturn:
        if is_storage_trouble(error):
            # A failed precondition and a missing object have other errors in each client; the state tells.
            self.check_unchanged()
        _name_trouble(error, what, self.uri)
        raise error


def _state_of(info: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(info[key]) for key in _STATE_KEYS if info.get(key) is not None}


def _in_words(state: dict[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in state.items())


def _open(uri: str) -> tuple[Any, str, Any]:
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(uri)
        return filesystem, path, filesystem.open(path, "rb", cache_type="none")
    except FileNotFoundError as error:
        _name_outage(error, uri)
        raise BadRecording("no such object", where=uri, remedy="check the address") from error
    except (ValueError, ImportError, TypeError) as error:
        raise BadRecording(f"the address cannot be opened: {error}", where=uri) from error
    except Exception as error:
        _name_trouble(error, "opening failed", uri)
        raise


def _name_outage(error: FileNotFoundError, uri: str) -> None:
    """Raise StorageTrouble where a server did not answer: the client for HTTP calls that a missing file as well."""
    cause = error.__cause__
    is_of_http = type(cause).__module__.partition(".")[0] == "aiohttp"
    if is_of_http and getattr(cause, "status", None) is None:
        raise StorageTrouble(f"the server does not answer: {cause}", where=uri) from error


def _name_trouble(error: Exception, what: str, uri: str) -> None:
    """Raise StorageTrouble where a file system or the client of an object store raised the error."""
    if is_storage_trouble(error):
        remedy = "check that the place is reachable (for s3:// also the AWS_* variables)"
        raise StorageTrouble(f"{what}: {error}", where=uri, remedy=remedy) from error
