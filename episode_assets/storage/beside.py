"""Files that lie beside a recording and count for it: looked for at every address, remembered, and missed when gone.

`kitchen.mcap.hands.parquet` or `kitchen.hands.parquet` beside `kitchen.mcap`, on a disk or in a bucket. What such a
file says belongs to the room that reads it; here it is an address and bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from episode_assets.errors import BadConfig, BadRecording, SourceChanged, StorageTrouble
from episode_assets.storage.backend import Backend, local_path
from episode_assets.storage.remote import scheme_of
from episode_assets.storage.sources import Address, content_of, full_digest, look_at
from episode_assets.storage.trouble import translated

HANDS_SUFFIX = ".hands.parquet"
"""Ending of a file with hands of a recording."""

TASKS_SUFFIX = ".tasks.json"
"""Ending of a file with the tasks of a recording."""

_WITH_QUERY = ("http", "https")


@dataclass(frozen=True)
class FileBeside:
    """One file beside a recording.

    Attributes:
        where: Its address.
        sha256: SHA-256 of its bytes, 64 hex digits.
    """

    where: str
    sha256: str

    def read(self) -> bytes:
        """Return its bytes.

        Raises:
            SourceChanged: They are others than those that were found.
        """
        content, sha256 = content_of(self.where)
        if sha256 != self.sha256:
            raise SourceChanged("the file was written again since", where=self.where, remedy="run it again")
        return content


def find_beside(
    backend: Backend, recording_id: str, addresses: Sequence[Address], suffix: str
) -> FileBeside | None:
    """Return the file with an ending that counts for a recording, or None where there is none.

    An empty file says that none counts any more.

    Raises:
        BadConfig: Several differ, or one that has counted before is gone.
        StorageTrouble: A place does not answer.
    """
    looks = {uri: look for address in addresses for uri, look in files_beside(address, suffix)}
    found = {uri: _digest(address) for uri, (address, size) in looks.items() if size}
    if len(set(found.values())) > 1:
        raise BadConfig(
            f"several files *{suffix} lie beside this recording and differ",
            where=", ".join(found),
            remedy="leave one of them there",
        )
    remember(
        backend,
        f"recordings/{recording_id}{suffix}.known",
        found,
        is_there=looks.__contains__,
        what=f"a file *{suffix} that has counted for this recording is gone",
        remedy="put it back; if it is not to count any more, leave an empty file there",
    )
    return next((FileBeside(where, sha256) for where, sha256 in found.items()), None)


def remember(
    backend: Backend,
    path: str,
    found: Mapping[str, str],
    *,
    elsewhere: Sequence[str] = (),
    is_there: Callable[[str], bool],
    what: str,
    remedy: str,
) -> None:
    """Note which files count; a disk that is not there must take none of them back.

    Args:
        backend: Where the note is kept.
        path: The note's place.
        found: Digest of each file by its address.
        elsewhere: Digests of what says the same at a place that needs no note.
        is_there: Whether an address that has counted before still has a file, an empty one included.
        what: What to say of a file that is gone.
        remedy: What to do then.

    Raises:
        BadConfig: A file that has counted before is gone, and no other has its bytes.
    """
    known: dict[str, str] = json.loads(backend.read(path) or b"{}")
    for where, digest in known.items():
        if digest not in {*found.values(), *elsewhere} and not is_there(where):
            raise BadConfig(what, where=where, remedy=remedy)
    if {**known, **found} != known:
        backend.replace(path, json.dumps({**known, **found}, sort_keys=True).encode())


def files_beside(address: Address, suffix: str) -> Iterator[tuple[str, tuple[Address, int]]]:
    """Yield the address of each file with an ending that is there, how it looks now, and its size in bytes.

    Raises:
        BadConfig: A link leads nowhere.
        StorageTrouble: A place does not answer, or what is there is no readable file.
    """
    place, mark, query = address.uri, "", ""
    if scheme_of(place) in _WITH_QUERY:
        # Servers that look at the path alone would hand out the recording as the file beside it.
        place, mark, query = place.partition("?")
    folder, _, name = place.rpartition("/")
    for stem in dict.fromkeys((name, name.rsplit(".", 1)[0])):
        uri = f"{folder}/{stem}{suffix}{mark}{query}"
        try:
            yield uri, look_at(uri)
        except BadRecording as error:
            if not isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
                # It is not the recording that cannot be read.
                raise StorageTrouble(error.what, where=uri, remedy=error.remedy) from error
            _refuse_dangling(local_path(uri), suffix)


def _refuse_dangling(path: Path | None, suffix: str) -> None:
    if path is not None and path.is_symlink():
        raise BadConfig(
            f"a file *{suffix} that leads nowhere", where=str(path), remedy="mend the link, or remove it"
        )


def _digest(address: Address) -> str:
    # Asked for with every look at what is out of date, so only what may have changed is read again. Programs that copy
    # set the time of a file; they cannot set when it was put there.
    path = local_path(address.uri)
    if path is None:
        mark = address.etag
    else:
        with translated(address.uri):
            status = path.stat()
        mark = f"{status.st_dev} {status.st_ino} {status.st_ctime_ns} {status.st_mtime_ns} {status.st_size}"
    return full_digest(address.uri) if mark is None else _known_digest(address.uri, mark)


@lru_cache(maxsize=256)
def _known_digest(uri: str, _mark: str) -> str:
    return full_digest(uri)
