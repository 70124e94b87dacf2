"""Where the documents lie in which people say what must not be seen, and which of them count for a recording.

There are two places: beside a local recording (`kitchen.mcap.redactions.yaml` or `kitchen.redactions.yaml`, at every
address at which its bytes were seen), and in the store beside its registry entry. All that are there count together,
so none can take back what another one hides. What a document says belongs to `anonymization`; here it is bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from episode_assets.errors import BadConfig
from episode_assets.storage.backend import Backend, local_path
from episode_assets.storage.beside import remember
from episode_assets.storage.sources import Address
from episode_assets.storage.trouble import translated

SUFFIX = ".redactions.yaml"
_KNOWN_SUFFIX = ".redactions.known"


@dataclass(frozen=True)
class RedactionText:
    """One document.

    Attributes:
        where: Its address.
        content: Its bytes; never only white space.
    """

    where: str
    content: bytes


def redaction_path(recording_id: str) -> str:
    """Return where the store keeps the document of a recording."""
    return f"recordings/{recording_id}{SUFFIX}"


def redaction_texts(
    backend: Backend, recording_id: str, addresses: Sequence[Address]
) -> tuple[RedactionText, ...]:
    """Return the documents of a recording, the store's first; an empty file says nothing and is left out.

    Raises:
        StorageTrouble: A document is there and cannot be read.
    """
    path = redaction_path(recording_id)
    kept = backend.read(path)
    texts = [] if kept is None else [RedactionText(backend.uri_of(path), kept)]
    distinct: dict[bytes, RedactionText] = {}
    for text in (*texts, *(text for address in addresses for text in _beside(address))):
        if text.content.strip():
            distinct.setdefault(text.content, text)
    return tuple(distinct.values())


def remember_redactions(backend: Backend, recording_id: str, texts: Sequence[RedactionText]) -> None:
    """Note which documents count that lie beside the recording; a disk that is not there must take none of them back.

    Raises:
        BadConfig: A document that has counted before is gone, and no other says the same.
    """
    digests = {text.where: hashlib.sha256(text.content).hexdigest() for text in texts}
    kept = digests.pop(backend.uri_of(redaction_path(recording_id)), None)
    remember(
        backend,
        f"recordings/{recording_id}{_KNOWN_SUFFIX}",
        digests,
        elsewhere=() if kept is None else (kept,),
        is_there=lambda where: Path(where).is_file(),
        what="a document of redactions that has counted for this recording is gone",
        remedy="put it back; if nothing in it is to be hidden any more, leave an empty file there",
    )


def digest_of_redactions(texts: Sequence[RedactionText]) -> str | None:
    """Return a SHA-256 over the documents of a recording, wherever they lie, or None where there are none."""
    if not texts:
        return None
    each = sorted(hashlib.sha256(text.content).hexdigest() for text in texts)
    return hashlib.sha256("\n".join(each).encode()).hexdigest()


def _beside(address: Address) -> Iterator[RedactionText]:
    recording = local_path(address.uri)
    if recording is None:
        return
    for path in dict.fromkeys((recording.with_name(recording.name + SUFFIX), recording.with_suffix(SUFFIX))):
        with translated(str(path)):
            content = _content(path)
        if content is not None:
            yield RedactionText(str(path), content)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise BadConfig(
                "a document of redactions that leads nowhere",
                where=str(path),
                remedy="mend the link, or remove it",
            ) from None
        return None
