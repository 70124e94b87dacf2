"""The registry of recordings: which id a file has, where its bytes were seen, and what is known about it.

It is the only place beside `raw_mcap` that knows the original file name. A file keeps its id when it is renamed or
moved; a grown or repaired file gets a new one.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from episode_assets.errors import (
    ArtifactDamaged,
    ArtifactMissing,
    BadConfig,
    BadRecording,
    SourceChanged,
)
from episode_assets.storage.backend import Backend
from episode_assets.storage.beside import FileBeside, find_beside
from episode_assets.storage.canonical import to_text
from episode_assets.storage.keys import is_safe_name
from episode_assets.storage.redactions import (
    RedactionText,
    redaction_path,
    redaction_texts,
)
from episode_assets.storage.sources import Address, absolute, full_digest, look_at, quick_digest, slug
from episode_assets.storage.trouble import translated
from episode_assets.storage.write_points import reached

SCHEMA = "episode_assets.recording"
SCHEMA_VERSION = 1

_READS_AT_ONCE = 16
_log = logging.getLogger(__name__)

Naming = Literal["name", "digest"]
State = Literal["registered", "readable", "truncated", "unreadable"]


@dataclass(frozen=True)
class RecordingEntry:
    """One recording.

    Attributes:
        recording_id: Partition key and directory name.
        original_name: File name under which it was registered first.
        addresses: Places where its bytes were seen, the newest first.
        size_bytes: Size of the file.
        quick_digest: SHA-256 over the size and the first and last 64 KiB, 64 hex digits.
        sha256: SHA-256 of the whole file, once somebody has read it whole, else `None`.
        state: What reading has shown: `registered` before the first reading.
        reason: Why the state is what it is, in words; empty where there is nothing to say.
        task: What the person in the recording does, in the words of the user, or `None`.
    """

    recording_id: str
    original_name: str
    addresses: tuple[Address, ...]
    size_bytes: int
    quick_digest: str
    sha256: str | None = None
    state: State = "registered"
    reason: str = ""
    task: str | None = None

    def __post_init__(self) -> None:
        if not self.addresses or self.state not in get_args(State):
            raise ValueError(f"a recording needs an address and a known state, not {self.state!r}")

    @property
    def uri(self) -> str:
        """The newest address."""
        return self.addresses[0].uri

    @property
    def uris(self) -> tuple[str, ...]:
        """All addresses, the newest first."""
        return tuple(address.uri for address in self.addresses)

    @property
    def aliases(self) -> tuple[str, ...]:
        """File names other than the original one under which the same bytes were seen, sorted."""
        return tuple(sorted({address.name for address in self.addresses} - {self.original_name}))

    @property
    def mtime_ns(self) -> int | None:
        """Time of change at the newest address, or `None` for a remote file."""
        return self.addresses[0].mtime_ns

    @property
    def etag(self) -> str | None:
        """Mark of the content at the newest address, or `None` for a local file."""
        return self.addresses[0].etag

    def to_json(self) -> bytes:
        """Return the text of the entry's file."""
        return to_text({"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **asdict(self)})

    @classmethod
    def from_json(cls, text: bytes, *, where: str | None = None) -> RecordingEntry:
        """Read an entry back.

        Raises:
            ArtifactDamaged: The text is no such entry.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            known = {field.name: values[field.name] for field in fields(cls)}
            known["addresses"] = tuple(Address(**address) for address in known["addresses"])
            return cls(**known)
        except (ValueError, TypeError, KeyError) as error:
            raise ArtifactDamaged(
                f"the registry entry cannot be read ({type(error).__name__}: {error})",
                where=where,
                remedy="delete this small file and register the recording again",
            ) from error


class Registry:
    """The recordings that a store knows."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def register(
        self, uri: str, *, task: str | None = None, recording_ids: Naming = "name"
    ) -> RecordingEntry:
        """Make a file known and return its entry; the same bytes always give the same recording.

        Args:
            uri: A path, `file://`, or any address that fsspec can open.
            task: What the person does; replaces an earlier text unless it is `None`.
            recording_ids: `name` makes ids from the file name and a digest; `digest` from the digest alone, for
                archives whose file names are personal. It matters for recordings that are new to the store only.

        Raises:
            BadConfig: `recording_ids` is none of the two.
            BadRecording: There is no readable file.
            SourceChanged: The file differs from a registered one in its middle only.
        """
        if recording_ids not in get_args(Naming):
            raise BadConfig(f"recording_ids is {recording_ids!r}", remedy="use 'name' or 'digest'")
        address, size_bytes = look_at(absolute(uri))
        digest = quick_digest(address.uri, size_bytes)
        with translated(self._backend.uri_of("recordings")), self._backend.lock("recordings"):
            known = self._with_digest(digest)
            if known is None:
                entry = RecordingEntry(
                    self._new_id(address.name, digest, recording_ids),
                    address.name,
                    (address,),
                    size_bytes,
                    digest,
                    task=task,
                )
            else:
                entry = _seen_at(known, address, task=task)
            if entry != known:
                self._write(entry)
        return entry

    def get(self, recording_id: str) -> RecordingEntry:
        """Return one entry.

        Raises:
            ArtifactMissing: The store knows no such recording.
        """
        with translated(self._path(recording_id)):
            entry = self._read(recording_id)
        if entry is None:
            raise ArtifactMissing(
                f"the store knows no recording {recording_id!r}",
                where=self._backend.uri,
                remedy="register the file with `episode-assets add FILE`, or see `episode-assets status`",
            )
        return entry

    def list(self) -> tuple[RecordingEntry, ...]:
        """Return all entries, sorted by id; an entry that cannot be read is left out with a warning."""
        with translated(self._backend.uri_of("recordings")), ThreadPoolExecutor(_READS_AT_ONCE) as pool:
            entries = list(pool.map(self._read_or_warn, self.ids()))
        return tuple(entry for entry in entries if entry is not None)

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all recordings, sorted, without opening their entries."""
        with translated(self._backend.uri_of("recordings")):
            names = self._backend.names("recordings")
        ids = (name.removesuffix(".json") for name in names if name.endswith(".json"))
        return tuple(sorted(recording_id for recording_id in ids if is_safe_name(recording_id)))

    def note_state(self, recording_id: str, state: State, reason: str = "") -> RecordingEntry:
        """Record what reading the file has shown.

        Raises:
            BadConfig: The state is unknown.
        """
        if state not in get_args(State):
            raise BadConfig(f"the state is {state!r}", remedy=f"use one of {', '.join(get_args(State))}")
        return self._change(
            recording_id,
            lambda entry: dataclasses.replace(entry, state=state, reason=" ".join(reason.split())),
        )

    def set_sha256(self, recording_id: str, sha256: str) -> RecordingEntry:
        """Record the SHA-256 of the whole file.

        Raises:
            SourceChanged: Another one is known already.
        """

        def change(entry: RecordingEntry) -> RecordingEntry:
            if entry.sha256 not in {None, sha256}:
                raise _differs_inside(entry, entry.uri)
            return dataclasses.replace(entry, sha256=sha256)

        return self._change(recording_id, change)

    def set_task(self, recording_id: str, task: str | None) -> RecordingEntry:
        """Record what the person in the recording does, in the user's words."""
        return self._change(recording_id, lambda entry: dataclasses.replace(entry, task=task))

    def redactions(self, entry: RecordingEntry) -> tuple[RedactionText, ...]:
        """Return every document that says what must not be seen of a recording.

        Raises:
            StorageTrouble: A document is there and cannot be read.
            BadConfig: A document that has counted before is gone.
        """
        with translated(self._path(entry.recording_id)):
            return redaction_texts(self._backend, entry.recording_id, entry.addresses)

    def beside(self, entry: RecordingEntry, suffix: str) -> FileBeside | None:
        """Return the file with an ending that lies beside a recording and counts for it, or None.

        Raises:
            BadConfig: Several differ, or one that has counted before is gone.
            StorageTrouble: A place does not answer.
        """
        with translated(self._path(entry.recording_id)):
            return find_beside(self._backend, entry.recording_id, entry.addresses, suffix)

    def change_redactions(self, recording_id: str, change: Callable[[bytes], bytes]) -> str:
        """Replace the store's own document of a recording in one step, and return its address.

        Args:
            recording_id: Which recording; it must be registered.
            change: Is given the content as it is, empty where there is none, and returns what it shall be.

        Raises:
            ArtifactMissing: The store knows no such recording.
        """
        path = redaction_path(self.get(recording_id).recording_id)
        with translated(self._backend.uri_of(path)), self._backend.lock("recordings"):
            before = self._backend.read(path) or b""
            after = change(before)
            if after != before:
                self._backend.replace(path, after)
        return self._backend.uri_of(path)

    def check_unchanged(self, entry: RecordingEntry) -> str:
        """Return an address that still holds the registered bytes, as far as size and time or ETag tell.

        Raises:
            SourceChanged: The file is gone or differs at every address.
            StorageTrouble: A place did not answer.
        """
        findings = []
        for address in entry.addresses:
            problem = _change_at(address, entry.size_bytes)
            if problem is None:
                return address.uri
            findings.append(problem)
        raise SourceChanged(
            f"{entry.recording_id} is not the file that was registered: {findings[0]}",
            where=entry.uri,
            remedy="register the file again (`episode-assets add`); changed bytes become a new recording",
        )

    def _change(
        self, recording_id: str, change: Callable[[RecordingEntry], RecordingEntry]
    ) -> RecordingEntry:
        with translated(self._path(recording_id)), self._backend.lock("recordings"):
            before = self.get(recording_id)
            after = change(before)
            if after != before:
                self._write(after)
        return after

    def _with_digest(self, digest: str) -> RecordingEntry | None:
        # Every id ends in digits of the digest, so the names alone tell which few entries to open.
        endings = (f"-{digest[:8]}", f"-{digest[:12]}", f"-{digest[:16]}")
        for recording_id in self.ids():
            if recording_id.endswith(endings):
                entry = self._read(recording_id)
                if entry is not None and entry.quick_digest == digest:
                    return entry
        return None

    def _new_id(self, name: str, digest: str, naming: Naming) -> str:
        stem, digits = ("r", (12, 16)) if naming == "digest" else (slug(name), (8, 16))
        short = f"{stem}-{digest[: digits[0]]}"
        # Another recording with the same short digest is next to impossible; it must still not be overwritten.
        return short if self._read(short) is None else f"{stem}-{digest[: digits[1]]}"

    def _path(self, recording_id: str) -> str:
        if not is_safe_name(recording_id):
            raise BadConfig(
                f"{recording_id!r} is not a recording id",
                remedy="use an id that `episode-assets status` lists",
            )
        return f"recordings/{recording_id}.json"

    def _read(self, recording_id: str) -> RecordingEntry | None:
        path = self._path(recording_id)
        text = self._backend.read(path)
        return None if text is None else RecordingEntry.from_json(text, where=self._backend.uri_of(path))

    def _read_or_warn(self, recording_id: str) -> RecordingEntry | None:
        try:
            return self._read(recording_id)
        except ArtifactDamaged as error:
            _log.warning("%s", error)
            return None

    def _write(self, entry: RecordingEntry) -> None:
        self._backend.replace(self._path(entry.recording_id), entry.to_json())
        reached("registry.entry_written")


def _seen_at(entry: RecordingEntry, address: Address, *, task: str | None) -> RecordingEntry:
    before = next((known for known in entry.addresses if known.uri == address.uri), None)
    # Size and both ends are equal. Where the time of a file changed whose full digest is known, its middle is
    # checked too, because everything derived from it would silently be reused.
    is_suspect = before is not None and before != address and entry.sha256 is not None
    if is_suspect and full_digest(address.uri) != entry.sha256:
        raise _differs_inside(entry, address.uri)
    others = tuple(known for known in entry.addresses if known.uri != address.uri)
    return dataclasses.replace(entry, addresses=(address, *others), task=entry.task if task is None else task)


def _differs_inside(entry: RecordingEntry, uri: str) -> SourceChanged:
    return SourceChanged(
        f"the file has the size and both ends of {entry.recording_id} but other bytes between them",
        where=uri,
        remedy="one of the two files is damaged or was edited; restore it, or remove the registry entry of the other",
    )


def _change_at(address: Address, size_bytes: int) -> str | None:
    try:
        now, size_now = look_at(address.uri)
    except BadRecording as error:
        return error.what
    if size_now != size_bytes:
        return f"it had {size_bytes} bytes and has {size_now} now"
    if (now.mtime_ns, now.etag) != (address.mtime_ns, address.etag):
        return "it was written again since (its time or ETag differs)"
    return None
