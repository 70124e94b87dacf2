"""Where the documents lie in which people say what must not be seen, and which of them count for a recording.

There are two places: beside the recording (`kitchen.mcap.redactions.yaml` or `kitchen.redactions.yaml`, at every
address at which its bytes were seen, on a disk or in a bucket), and in the store beside its registry entry. All that
are there count together, so none can take back what another one hides. What a document says belongs to
`anonymization`; here it is bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from episode_assets.storage.backend import Backend
from episode_assets.storage.beside import files_beside, remember
from episode_assets.storage.sources import Address, content_of

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

    Which of them lie beside the recording is noted: a place that is not there must take none of them back.

    Raises:
        StorageTrouble: A document is there and cannot be read, or a place does not answer.
        BadConfig: A document that has counted before is gone, and no other says the same; or a link leads nowhere.
    """
    path = redaction_path(recording_id)
    kept = backend.read(path)
    texts = [] if kept is None else [RedactionText(backend.uri_of(path), kept)]
    places = {uri: None for address in addresses for uri, _ in files_beside(address, SUFFIX)}
    distinct: dict[bytes, RedactionText] = {}
    for text in (*texts, *(RedactionText(uri, content_of(uri)[0]) for uri in places)):
        if text.content.strip():
            distinct.setdefault(text.content, text)
    found = tuple(distinct.values())
    _remember(backend, recording_id, found, places)
    return found


def digest_of_redactions(texts: Sequence[RedactionText]) -> str | None:
    """Return a SHA-256 over the documents of a recording, wherever they lie, or None where there are none."""
    if not texts:
        return None
    each = sorted(hashlib.sha256(text.content).hexdigest() for text in texts)
    return hashlib.sha256("\n".join(each).encode()).hexdigest()


def _remember(
    backend: Backend, recording_id: str, texts: Sequence[RedactionText], places: Collection[str]
) -> None:
    digests = {text.where: hashlib.sha256(text.content).hexdigest() for text in texts}
    kept = digests.pop(backend.uri_of(redaction_path(recording_id)), None)
    remember(
        backend,
        f"recordings/{recording_id}{_KNOWN_SUFFIX}",
        digests,
        elsewhere=() if kept is None else (kept,),
        is_there=places.__contains__,
        what="a document of redactions that has counted for this recording is gone",
        remedy="put it back; if nothing in it is to be hidden any more, leave an empty file there",
    )
