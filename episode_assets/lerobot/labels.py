"""What people say about a recording in a file beside it: tags, consent, licence, and who and where it was.

`kitchen.labels.json` or `kitchen.mcap.labels.json` beside `kitchen.mcap`. Labels decide which datasets a recording
enters and on which side of a split; they never become part of a dataset.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from episode_assets.errors import BadConfig

LABELS_SUFFIX = ".labels.json"
"""Ending of the file beside a recording."""


class BadLabels(BadConfig):
    """A file of labels cannot be used, so nobody knows whether its recording may enter."""


@dataclass(frozen=True)
class Labels:
    """What is said of one recording.

    Attributes:
        tags: Words of the archive's own choice.
        consent: What the people in it have agreed to, in one word; None where nothing is said.
        licence: Licence of the recording, such as `cc-by-4.0`.
        person: Who wears the camera; a stable name of the archive's own choice.
        place: Where it was; likewise.
    """

    tags: tuple[str, ...] = ()
    consent: str | None = None
    licence: str | None = None
    person: str | None = None
    place: str | None = None


NOTHING_SAID = Labels()
"""Of most recordings nobody says anything."""


def read_labels(content: bytes, *, where: str) -> Labels:
    """Read a file of labels.

    Raises:
        BadLabels: It is no JSON object, has an unknown key, or a value is no text.
    """
    try:
        values = json.loads(content)
    except ValueError as error:
        raise BadLabels(f"the labels are no JSON: {error}", where=where) from error
    if not isinstance(values, Mapping):
        raise BadLabels("labels are an object of names and texts", where=where)
    known = [item.name for item in fields(Labels)]
    for key, value in values.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            remedy = f"did you mean {near[0]!r}?" if near else f"known labels: {', '.join(known)}"
            raise BadLabels(f"unknown label {key!r}", where=where, remedy=remedy)
        if not _fits(key, value):
            raise BadLabels(
                f"label {key!r} is {value!r}", where=where, remedy="tags are a list of texts, the rest texts"
            )
    plain: dict[str, Any] = {key: tuple(v) if key == "tags" else v for key, v in values.items()}
    return Labels(**plain)


def _fits(key: str, value: Any) -> bool:
    if key == "tags":
        return isinstance(value, list) and all(isinstance(item, str) and item for item in value)
    return value is None or (isinstance(value, str) and bool(value))
