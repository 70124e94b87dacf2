"""The document in which people say what must not be seen: boxes and polygons, over a time or the whole recording.

    schema: episode_assets.redactions
    schema_version: 1
    redactions:
      - reason: screen                # one word; it is published, so it names no person
        box: [100, 80, 300, 240]      # or polygon: [[100, 80], [300, 90], [200, 240]], or picture: whole
        relative: false               # true: shares of the picture's width and height
        seconds: [3.2, 5.0]           # or messages: [96, 150], or stamps_ns: [FIRST, LAST], or recording: whole
    exceptions:
      - reason: poster                # a strong find of the audit that a person has judged to be no face
        video: 5a1f...                # digest of the video in which it was found, 64 digits; see `faces`
        box: [412, 80, 460, 140]
        messages: [96, 98]

Both ends of a span belong to it. `messages` are message numbers of the colour stream, `seconds` count from the first
picture of the video and mean what a player shows at those times. Every name and value is checked, since a slip of the
pen would publish what somebody wanted hidden. What an area means on a recording belongs to `areas`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import yaml

from episode_assets.errors import BadConfig

SCHEMA = "episode_assets.redactions"
SCHEMA_VERSION = 1

Shape = Literal["box", "polygon", "picture"]
Unit = Literal["messages", "seconds", "stamps_ns"]
Corner = tuple[float, float]

_SHAPES = ("box", "polygon", "picture")
_UNITS = ("messages", "seconds", "stamps_ns")
_TIMES = (*_UNITS, "recording")
_REASON = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_BYTES = 1 << 20
_MAX_CORNERS = 256


@dataclass(frozen=True)
class Span:
    """A part of a recording; both ends belong to it.

    Attributes:
        unit: What the ends count: message numbers, seconds from the first picture, or stamps in nanoseconds.
        first, last: The ends.
    """

    unit: Unit
    first: float
    last: float


@dataclass(frozen=True)
class DrawnArea:
    """One entry of a document.

    Attributes:
        reason: Why it is hidden, in one word.
        shape: `box`, `polygon`, or `picture` for the whole of it.
        corners: x right and y down: two opposite ones of a box, all of a polygon, none of the picture.
        is_relative: Whether corners are shares of width and height, else pixels of the recording.
        span: When; None for the whole recording.
    """

    reason: str
    shape: Shape
    corners: tuple[Corner, ...]
    is_relative: bool
    span: Span | None


@dataclass(frozen=True)
class FindException:
    """One find of the audit that does not block, in one video alone.

    Attributes:
        reason: What it is, in one word.
        video: Digest of the video in which it was found, 64 hex digits; the exception lapses with any other.
        box: x0, y0, x1, y1 in pixels; finds inside it are meant.
        first_message, last_message: Message numbers of the colour stream; both ends belong to it.
    """

    reason: str
    video: str
    box: tuple[float, float, float, float]
    first_message: int
    last_message: int


@dataclass(frozen=True)
class RedactionDocument:
    """What a document says."""

    areas: tuple[DrawnArea, ...] = ()
    exceptions: tuple[FindException, ...] = ()


def read_redactions(text: bytes, *, where: str) -> RedactionDocument:
    """Return what a document says; nothing for an empty file.

    Raises:
        BadConfig: It is no such document, or an entry is not understood to its last name.
    """
    if not text.strip():
        return RedactionDocument()
    known = {"schema", "schema_version", "redactions", "exceptions"}
    document = _mapping(_parsed(text, where), known, where)
    if (document.get("schema"), document.get("schema_version")) != (SCHEMA, SCHEMA_VERSION):
        found = f"{document.get('schema')!r} version {document.get('schema_version')!r}"
        raise BadConfig(
            f"the document says schema {found}",
            where=where,
            remedy=f"write schema: {SCHEMA} and schema_version: {SCHEMA_VERSION}",
        )
    areas = _entries(document, "redactions", where)
    exceptions = _entries(document, "exceptions", where) if "exceptions" in document else []
    return RedactionDocument(
        tuple(area_of(entry, where=f"{where}, redaction {number}") for number, entry in enumerate(areas, 1)),
        tuple(
            _exception_of(entry, f"{where}, exception {number}") for number, entry in enumerate(exceptions, 1)
        ),
    )


def area_of(entry: object, *, where: str) -> DrawnArea:
    """Return one entry of a document.

    Raises:
        BadConfig: It is not understood to its last name.
    """
    values = _mapping(entry, {"reason", "relative", *_SHAPES, *_TIMES}, where)
    reason, is_relative = _reason(values, where), values.get("relative", False)
    if not isinstance(is_relative, bool):
        raise BadConfig(f"relative is {_shown(is_relative)}", where=where, remedy="write true or false")
    shape = _the_one(values, _SHAPES, where)
    corners = _CORNERS[shape](values[shape], where)
    if is_relative and any(not 0 <= value <= 1 for corner in corners for value in corner):
        raise BadConfig(
            f"{shape} reaches beyond 0..1 and is said to be relative",
            where=where,
            remedy="give shares of the picture's width and height, or leave out `relative` for pixels",
        )
    if corners and not is_relative and all(0 <= value <= 1 for corner in corners for value in corner):
        raise BadConfig(
            f"{shape} is no larger than a pixel",
            where=where,
            remedy="say that it is relative (`relative: true`, `--relative`), or give pixels",
        )
    return DrawnArea(reason, shape, corners, is_relative, _span(values, where))


def document_of(said: RedactionDocument) -> bytes:
    """Return the text of a document; `read_redactions` gives the same back."""
    if said == RedactionDocument():
        return b""
    entries = [_entry_of(area) for area in said.areas]
    document: dict[str, Any] = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "redactions": entries}
    if said.exceptions:
        document["exceptions"] = [
            {
                "reason": item.reason,
                "video": item.video,
                "box": list(item.box),
                "messages": [item.first_message, item.last_message],
            }
            for item in said.exceptions
        ]
    return yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=110).encode()


def _entry_of(area: DrawnArea) -> dict[str, Any]:
    places: dict[str, Any] = {
        "box": [value for corner in area.corners for value in corner],
        "polygon": [list(corner) for corner in area.corners],
        "picture": "whole",
    }
    span = area.span
    time: dict[str, Any] = {"recording": "whole"} if span is None else {span.unit: [span.first, span.last]}
    relative = {"relative": True} if area.is_relative else {}
    return {"reason": area.reason, area.shape: places[area.shape], **relative, **time}


def _entries(document: Mapping[str, Any], name: str, where: str) -> list[Any]:
    entries = document.get(name)
    if not isinstance(entries, list):
        raise BadConfig(
            f"{name} is {_shown(entries)} instead of a list", where=where, remedy="see `redact --help`"
        )
    return entries


def _exception_of(entry: object, where: str) -> FindException:
    values = _mapping(entry, {"reason", "video", "box", "messages"}, where)
    video = values.get("video")
    if not isinstance(video, str) or not _DIGEST.fullmatch(video):
        raise BadConfig(
            f"video is {_shown(video)}",
            where=where,
            remedy="give the digest that `faces` shows for the refused video, 64 hex digits in quotes",
        )
    (x0, y0), (x1, y1) = _box(values.get("box"), where)
    span = _span(values, where)
    if span is None or not (isinstance(span.first, int) and isinstance(span.last, int)):
        raise BadConfig("an exception needs messages", where=where)
    return FindException(_reason(values, where), video, (x0, y0, x1, y1), span.first, span.last)


def _reason(values: Mapping[str, Any], where: str) -> str:
    reason = values.get("reason")
    if not isinstance(reason, str) or not _REASON.fullmatch(reason):
        raise BadConfig(
            f"reason is {_shown(reason)}",
            where=where,
            remedy="give one lower-case word such as screen, document, mirror or person",
        )
    return reason


_YAML_ERRORS = (
    yaml.YAMLError,
    # Those of the types that a tag names, which the parser lets through.
    *(ValueError, TypeError, AttributeError, ArithmeticError, LookupError, RecursionError),
)


class _StrictLoader(yaml.SafeLoader):
    """Refuses what YAML reads otherwise than people do: a name that stands twice, and 0100, which is 64 to it."""

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        if node.tag == "tag:yaml.org,2002:int" and re.match(r"[-+]?0[0-9_]", str(node.value)):
            raise yaml.constructor.ConstructorError(
                None, None, f"{node.value!r} begins with 0", node.start_mark
            )
        return super().construct_scalar(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [key.value for key, _ in node.value]
        twice = sorted({str(name) for name in names if names.count(name) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"{twice[0]!r} stands twice in one entry", node.start_mark
            )
        return super().construct_mapping(node, deep)


def _parsed(text: bytes, where: str) -> object:
    if len(text) > _MAX_BYTES:
        raise BadConfig(f"the document has {len(text)} bytes", where=where, remedy="keep it below 1 MiB")
    try:
        return yaml.load(text.decode("utf-8"), _StrictLoader)  # noqa: S506  # a safe loader
    except _YAML_ERRORS as error:
        raise BadConfig(
            f"the document is not YAML: {error}", where=where, remedy="correct it, or remove the file"
        ) from error


def _mapping(value: object, known: set[str], where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadConfig(
            f"{_shown(value)} where names with values are expected",
            where=where,
            remedy=f"known names: {', '.join(sorted(known))}",
        )
    for name in value:
        if name == "frames":
            raise BadConfig(
                "frames are numbered anew in every version of a video",
                where=where,
                remedy="name messages (frames.parquet has the message number of each frame; "
                "`redact --frames` looks them up)",
            )
        if name not in known:
            raise BadConfig(
                f"unknown name {_shown(name)}",
                where=where,
                remedy=f"known names: {', '.join(sorted(known))}",
            )
    return value


def _the_one(values: Mapping[str, Any], names: Sequence[str], where: str) -> Any:
    given = [name for name in names if name in values]
    if len(given) != 1:
        raise BadConfig(
            f"{' and '.join(given) or 'none'} of {', '.join(names)} is given",
            where=where,
            remedy="give exactly one of them",
        )
    return given[0]


def _span(values: Mapping[str, Any], where: str) -> Span | None:
    unit = _the_one(values, _TIMES, where)
    if unit == "recording":
        _whole(values[unit], f"{where}: recording")
        return None
    first, last = _numbers(values[unit], 2, f"{where}: {unit}")
    if unit != "seconds" and not (isinstance(first, int) and isinstance(last, int)):
        raise BadConfig(f"{unit} is {_shown(values[unit])}", where=where, remedy="give whole numbers")
    if last < first:
        raise BadConfig(f"{unit} ends at {last} before it begins at {first}", where=where)
    return Span(unit, first, last)


def _box(value: object, where: str) -> tuple[Corner, ...]:
    x0, y0, x1, y1 = _numbers(value, 4, f"{where}: box")
    if x1 <= x0 or y1 <= y0:
        raise BadConfig(
            f"box {_shown(value)} has no area",
            where=where,
            remedy="give x0, y0, x1, y1 with x0 < x1, y0 < y1",
        )
    return (x0, y0), (x1, y1)


def _polygon(value: object, where: str) -> tuple[Corner, ...]:
    if not isinstance(value, list) or not 3 <= len(value) <= _MAX_CORNERS:
        raise BadConfig(
            f"polygon is {_shown(value)}", where=where, remedy=f"give 3 to {_MAX_CORNERS} corners [x, y]"
        )
    corners = tuple((x, y) for x, y in (_numbers(corner, 2, f"{where}: polygon") for corner in value))
    if _crosses_itself(corners):
        raise BadConfig(
            "the sides of the polygon cross or touch, so what lies inside is not plain",
            where=where,
            remedy="give the corners in the order in which they follow each other around the area",
        )
    return corners


def _picture(value: object, where: str) -> tuple[Corner, ...]:
    _whole(value, f"{where}: picture")
    return ()


_CORNERS = {"box": _box, "polygon": _polygon, "picture": _picture}


def _whole(value: object, where: str) -> None:
    if value != "whole":
        raise BadConfig(f"{_shown(value)} where 'whole' is expected", where=where, remedy="write whole")


def _numbers(value: object, count: int, where: str) -> list[float]:
    numbers = value if isinstance(value, list) else []
    are_numbers = all(
        isinstance(item, int | float)
        and not isinstance(item, bool)
        and math.isfinite(item)
        and abs(item) < 2**63
        for item in numbers
    )
    if len(numbers) != count or not are_numbers:
        raise BadConfig(f"{_shown(value)} is not a list of {count} numbers", where=where)
    return numbers


def _crosses_itself(corners: Sequence[Corner]) -> bool:
    """Whether two sides meet anywhere but in the corner that neighbours share, or the area is nothing."""
    count = len(corners)
    sides = [(corners[i], corners[(i + 1) % count]) for i in range(count)]
    for (i, (a, b)), (j, (c, d)) in combinations(enumerate(sides), 2):
        are_neighbours = j - i == 1 or (i == 0 and j == count - 1)
        if are_neighbours:
            shared, first, second = (b, a, d) if j - i == 1 else (a, b, c)
            folds_back = _turn(first, shared, second) == 0 and _dot(first, shared, second) > 0
            if folds_back or shared in (first, second):
                return True
        elif _meet(a, b, c, d):
            return True
    return False


def _meet(a: Corner, b: Corner, c: Corner, d: Corner) -> bool:
    turns = (_turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b))
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    points = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(turn == 0 and _dot(p, r, q) <= 0 for turn, (p, q, r) in zip(turns, points, strict=True))


def _turn(a: Corner, b: Corner, c: Corner) -> float:
    value = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return math.copysign(1, value) if value else 0.0


def _dot(a: Corner, middle: Corner, b: Corner) -> float:
    """Return the dot product of the ways from `middle` to `a` and to `b`: negative where it lies between them."""
    return (a[0] - middle[0]) * (b[0] - middle[0]) + (a[1] - middle[1]) * (b[1] - middle[1])


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
