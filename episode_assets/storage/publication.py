"""The small record that leads from a computation to the version it published.

It is what `fingerprints/<fingerprint>.json` and `latest.json` hold. Whoever asks why an artifact is out of date
compares its fields (code, configuration, models, inputs) with what would be computed now.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from episode_assets.outcome import Json
from episode_assets.storage.canonical import to_text
from episode_assets.storage.keys import is_digest, is_version


@dataclass(frozen=True)
class Publication:
    """One computation that has led to a published version.

    Attributes:
        fingerprint: Name of the computation.
        version: The version it led to; several computations may lead to one.
        content_digest: Digest over the core files of that version.
        code_version: The asset's code version.
        config: The resolved configuration.
        models: SHA-256 of each weight file that took part, by registry name.
        inputs: Content digest of each input by the name of its asset.
        published_at: ISO 8601 in UTC.
    """

    fingerprint: str
    version: str
    content_digest: str
    code_version: str
    config: Mapping[str, Json]
    models: Mapping[str, str]
    inputs: Mapping[str, str]
    published_at: str

    def to_json(self) -> bytes:
        """Return the text of the record's file."""
        return to_text(asdict(self))

    @classmethod
    def from_json(cls, text: bytes) -> Publication:
        """Read a record back.

        Raises:
            ValueError: The text is no such record.
        """
        values = json.loads(text)
        try:
            record = cls(**{field.name: values[field.name] for field in fields(cls)})
            is_sound = is_version(record.version) and is_digest(record.fingerprint)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a publication record: {error}") from error
        if not is_sound:
            raise ValueError("not a publication record: version or fingerprint is malformed")
        return record
