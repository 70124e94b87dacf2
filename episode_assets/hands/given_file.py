"""Hands from a Parquet file: one row per joint, matched to pictures by stamp or by message number."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.errors import BadRecording
from episode_assets.hands.given_frames import Place, place_of
from episode_assets.hands.precomputed import PrecomputedOptions
from episode_assets.hands.samples import Key, Samples, without_repeated_wrist
from episode_assets.hands.tables import JOINT_NAMES
from episode_assets.outcome import Note
from episode_assets.recording import RecordingView

_METRES, _PIXELS = ("x", "y", "z"), ("u", "v")
_KEYS: tuple[Key, ...] = ("stamp_ns", "message_number")
_NUMBERS = (*_METRES, *_PIXELS, "confidence")
_SIDES = ("left", "right")
_REMEDY = (
    "give one row per joint: stamp_ns or message_number (integers), side (left, right), joint (0 to 20 or its name), "
    "x, y, z in metres or u, v in pixels or both, and confidence from 0 to 1 if known"
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HandsFile:
    """A Parquet file of hands.

    Attributes:
        where: Its address, for messages.
        content: Where it lies on this machine, or its bytes.
    """

    where: str
    content: Path | bytes


def read_file(
    file: HandsFile, view: RecordingView, options: PrecomputedOptions
) -> tuple[list[Samples], list[Note]]:
    """Return the samples of both hands, and what is wrong with some of them.

    Raises:
        BadRecording: The file is no Parquet, lacks columns, has others, names unknown sides or joints, has a joint
            twice, or its frame is not known.
    """
    table, where = _table(file), file.where
    names = set(table.column_names)
    by = _key(names, where)
    has_metres = set(_METRES) <= names
    place = _place(table, view, options, where) if has_metres else None
    key, side, joint = _integers(table, by, where), _sides(table, where), _joints(table, where)
    numbers = {name: _numbers(table, name, where) for name in _NUMBERS if name in names}
    samples, repeated = [], 0
    for number, word in enumerate(_SIDES):
        rows = np.flatnonzero(side == number)
        keys, sample = np.unique(key[rows], return_inverse=True)
        at = (sample, joint[rows])
        _refuse_doubles(*at, key[rows], word, where)
        joints_m = _scattered(len(keys), at, rows, numbers, _METRES)
        joints_m, count = without_repeated_wrist(joints_m)
        repeated += count
        samples.append(
            Samples(
                number == 1,
                by,
                keys,
                joints_m,
                _scattered(len(keys), at, rows, numbers, _PIXELS),
                _least(_scattered(len(keys), at, rows, numbers, ("confidence",))[..., 0]),
                place,
            )
        )
    text = f"{repeated} hands of the file repeat one point for all joints; only the wrist is kept"
    return samples, [Note("wrist_only", text, "hands", repeated)] if repeated else []


def _table(file: HandsFile) -> pa.Table:
    try:
        content = file.content
        return pq.read_table(content if isinstance(content, Path) else pa.BufferReader(content))
    except (OSError, pa.ArrowException) as error:
        raise _bad(file.where, f"it cannot be read as Parquet ({str(error).splitlines()[0]})") from error


def _key(names: set[str], where: str) -> Key:
    """Check the columns and return the one that tells the picture."""
    unknown = sorted(names - {*_KEYS, "side", "joint", *_NUMBERS})
    if unknown:
        raise _bad(where, f"there is no column {unknown[0]!r} in hands")
    keys = [name for name in _KEYS if name in names]
    if len(keys) != 1:
        raise _bad(
            where, "it needs either stamp_ns or message_number, not both" if keys else "it has no stamps"
        )
    missing = sorted({"side", "joint"} - names)
    for group in (_METRES, _PIXELS):
        missing += sorted(set(group) - names) if set(group) & names else []
    if not names & {*_METRES, *_PIXELS}:
        missing += [*_METRES]
    if missing:
        raise _bad(where, f"the columns {', '.join(missing)} are missing")
    return keys[0]


def _place(table: pa.Table, view: RecordingView, options: PrecomputedOptions, where: str) -> Place:
    stated = (table.schema.metadata or {}).get(b"frame", b"").decode("utf-8", "replace")
    setting = options.frame
    if setting == "stated" and stated == "camera":
        setting = "camera"
    elif setting == "stated" and stated == "world":
        setting = "world"
    return place_of(view, stated, setting, where=where)


def _integers(table: pa.Table, name: str, where: str) -> NDArray[np.int64]:
    column = table[name]
    if not pa.types.is_integer(column.type) or column.null_count:
        raise _bad(where, f"{name} must be integers without nulls, found {column.type}")
    return np.asarray(column.cast(pa.int64()).to_numpy(), np.int64)


def _sides(table: pa.Table, where: str) -> NDArray[np.int64]:
    return _positions(table["side"], _SIDES, "side", where)


def _joints(table: pa.Table, where: str) -> NDArray[np.int64]:
    if not pa.types.is_integer(table["joint"].type):
        return _positions(table["joint"], JOINT_NAMES, "joint", where)
    joint = _integers(table, "joint", where)
    odd = joint[(joint < 0) | (joint >= len(JOINT_NAMES))]
    if len(odd):
        raise _bad(where, f"there is no joint {odd[0]}")
    return joint


def _positions(column: pa.ChunkedArray, words: tuple[str, ...], name: str, where: str) -> NDArray[np.int64]:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise _bad(where, f"{name} must be words, found {column.type}")
    found = pc.fill_null(pc.index_in(column.cast(pa.string()), value_set=pa.array(words)), -1)
    positions = np.asarray(found.to_numpy(), np.int64)
    odd = np.flatnonzero(positions < 0)
    if len(odd):
        raise _bad(where, f"there is no {name} {column[int(odd[0])].as_py()!r}, in row {odd[0]}")
    return positions


def _numbers(table: pa.Table, name: str, where: str) -> Floats:
    column = table[name]
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        raise _bad(where, f"{name} must be numbers, found {column.type}")
    values = np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    if name == "confidence" and ((values < 0) | (values > 1)).any():
        raise _bad(where, "confidence must lie within 0 and 1")
    return values


def _refuse_doubles(
    sample: NDArray[np.intp], joint: NDArray[np.int64], key: NDArray[np.int64], side: str, where: str
) -> None:
    place = sample * len(JOINT_NAMES) + joint
    _, first = np.unique(place, return_index=True)
    if len(first) < len(place):
        again = int(np.setdiff1d(np.arange(len(place)), first)[0])
        name = JOINT_NAMES[int(joint[again])]
        raise _bad(where, f"the {side} {name} is there twice at {key[again]}")


def _scattered(
    count: int,
    at: tuple[NDArray[np.intp], NDArray[np.int64]],
    rows: NDArray[np.intp],
    numbers: dict[str, Floats],
    names: tuple[str, ...],
) -> Floats:
    """Return (count, 21, names) values, NaN where any of them is not given."""
    values = np.full((count, len(JOINT_NAMES), len(names)), np.nan)
    if set(names) <= set(numbers):
        values[at] = np.stack([numbers[name][rows] for name in names], axis=1)
    values[~np.isfinite(values).all(axis=2)] = np.nan
    return values


def _least(confidence: Floats) -> Floats:
    """Return (M,) the lowest confidence of the joints of each hand, NaN where none is given."""
    lowest = np.min(np.where(np.isnan(confidence), np.inf, confidence), axis=1, initial=np.inf)
    return np.where(np.isfinite(lowest), lowest, np.nan)


def _bad(where: str, what: str) -> BadRecording:
    return BadRecording(f"the file of hands does not fit: {what}", where=where, remedy=_REMEDY)
