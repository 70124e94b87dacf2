"""Reads `<name>.tasks.json` beside a recording: who does what from when to when, written by people or their tools.

    [
      {"start_s": 0.0, "end_s": 4.2, "task": "pour tea", "subtask": "reach for the pot"},
      {"start_s": 4.2, "end_s": 9.0, "task": "pour tea", "subtask": "pour"}
    ]

Seconds count from the first picture of the published video; a border lies before the picture nearest to it. Every
name and value is checked, since a slip of the pen would train a policy on the wrong words.
"""

from __future__ import annotations

import difflib
import itertools
import json
import math
from collections.abc import Mapping
from typing import Any

from episode_assets.errors import BadConfig
from episode_assets.lerobot.segments import Said

TEXT_MAX = 2000
"""Characters of one text; longer ones are not words about a task."""

_KEYS = ("start_s", "end_s", "task", "subtask")
_BYTES_MAX = 8 << 20
_SECONDS_MAX = 1e7
_SECOND_NS = 1_000_000_000


def read_task_sidecar(content: bytes, *, first_stamp_ns: int, where: str) -> tuple[Said, ...]:
    """Return the statements of a file, in order of time.

    Args:
        content: Its bytes.
        first_stamp_ns: Stamp of the first picture, at which its seconds begin.
        where: Its name, for errors.

    Raises:
        BadConfig: It is no such file, an entry is wrong or reversed, or two entries overlap; the entry is named.
    """
    entries = _entries(content, where)
    said = [_said(entry, number, first_stamp_ns, where) for number, entry in enumerate(entries, start=1)]
    order = sorted(range(len(said)), key=lambda place: (said[place].start_ns, said[place].end_ns))
    for before, after in itertools.pairwise(order):
        if said[after].start_ns < said[before].end_ns:
            raise _wrong(
                f"entry {after + 1} begins at {entries[after]['start_s']} s, before entry {before + 1} ends at "
                f"{entries[before]['end_s']} s",
                where,
            )
    return tuple(said[place] for place in order)


def _entries(content: bytes, where: str) -> list[Any]:
    if len(content) > _BYTES_MAX:
        raise _wrong(f"the file has {len(content)} bytes, at most {_BYTES_MAX} are read", where)
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise _wrong(f"the file is no JSON: {error}", where) from error
    if not isinstance(found, list):
        raise _wrong(f"the file holds {type(found).__name__}, a list of entries is expected", where)
    return found


def _said(entry: object, number: int, first_stamp_ns: int, where: str) -> Said:
    if not isinstance(entry, Mapping):
        raise _wrong(f"entry {number} is {entry!r}, a mapping with {', '.join(_KEYS)} is expected", where)
    for key in entry:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            raise _wrong(f"entry {number} has an unknown key {key!r}{hint}", where)
    start, end = (_seconds(entry, key, number, where) for key in ("start_s", "end_s"))
    if end <= start:
        raise _wrong(f"entry {number} ends at {end} s and begins at {start} s", where)
    task, subtask = (_text(entry, key, number, where) for key in ("task", "subtask"))
    begins, ends = (first_stamp_ns + round(value * _SECOND_NS) for value in (start, end))
    return Said(begins, ends, task, subtask)


def _seconds(entry: Mapping[str, Any], key: str, number: int, where: str) -> float:
    value = entry.get(key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not 0 <= float(value or 0) <= _SECONDS_MAX:
        raise _wrong(f"entry {number} has {key} {value!r}, seconds from 0 are expected", where)
    return float(value or 0)


def _text(entry: Mapping[str, Any], key: str, number: int, where: str) -> str:
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        raise _wrong(f"entry {number} has {key} {value!r}, a text is expected", where)
    if value is not None and len(value) > TEXT_MAX:
        raise _wrong(f"entry {number} has a {key} of {len(value)} characters, at most {TEXT_MAX} fit", where)
    return value or ""


def _wrong(what: str, where: str) -> BadConfig:
    return BadConfig(
        what, where=where, remedy="mend the entry; an empty file says that there are no segments"
    )
