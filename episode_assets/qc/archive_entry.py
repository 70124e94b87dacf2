"""What the page over all recordings needs to know of one: taken once from its `qc.json`, then kept.

An entry holds no path and no file name. The same entry is written into the index of the archive report, so that the
next one opens only what has changed.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from episode_assets.errors import ArtifactDamaged
from episode_assets.outcome import Json
from episode_assets.qc.document import SCHEMA, SCHEMA_VERSION
from episode_assets.qc.fingerprint import POINTS, SKETCH, read_curve
from episode_assets.qc.read_values import digest_or_none, flag, real_in, whole_in, words

ENTRY_VERSION = 2
_VERDICTS = ("pass", "review", "fail")
_MOST_KINDS = 12
_MOST_WORDS = 200
_MOST_PICTURE_BYTES = 12_000
_MOST_SIDE_PX = 1000
_MOST_SECONDS = 1e9
_MOST_COUNT = 2**63 - 1
_MOST_POINTS = 1e6
_FARTHEST_NS = 10**40  # clocks may be wrong by any number; the years below tell which are used
_FIRST_NS, _LAST_NS = 1_420_070_400_000_000_000, 4_102_444_800_000_000_000  # the years 2015 to 2099


@dataclass(frozen=True)
class FoundKind:
    """How often a kind of finding occurs in a recording, and how many points it cost."""

    kind: str
    count: int
    points: float


@dataclass(frozen=True)
class ArchiveEntry:
    """One recording of an archive.

    Attributes:
        recording_id: The recording.
        version: Version of its quality report.
        verdict: pass, review or fail.
        score: 0 to 100.
        is_publishable: Whether a dataset may take it.
        reasons: Why the verdict is not pass, in words.
        duration_s: Seconds from the first to the last message.
        kept_s: Seconds worth keeping.
        one_hand_s: Of these, with at least one hand.
        two_hands_s: Of these, with both hands.
        frames: Pictures in the video.
        size_bytes: Size of the recording.
        sha256: Digest of the recording, None where nobody has read it whole.
        start_ns: Wall-clock time of the first picture since 1970, None where the clock tells none.
        end_ns: Likewise of the last picture.
        found: Kinds of findings, those that cost most first.
        sketch: Smallest digests of its pictures.
        pictures: Distinct digests of its pictures.
        brightness: Course of brightness, as `fingerprint.read_curve` reads it.
        contrast: Course of contrast, likewise.
        picture: A tiny face-blurred JPEG in base64, or an empty string.
        picture_px: Width and height of it.
    """

    recording_id: str
    version: str
    verdict: str
    score: float
    is_publishable: bool
    reasons: tuple[str, ...]
    duration_s: float
    kept_s: float
    one_hand_s: float
    two_hands_s: float
    frames: int
    size_bytes: int
    sha256: str | None
    start_ns: int | None
    end_ns: int | None
    found: tuple[FoundKind, ...]
    sketch: tuple[str, ...]
    pictures: int
    brightness: str
    contrast: str
    picture: str
    picture_px: tuple[int, int]

    def to_json(self) -> dict[str, Json]:
        """Return the entry for the index."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ArchiveEntry:
        """Read an entry of an index back.

        Raises:
            KeyError, TypeError: The values are no entry.
        """
        known = {field.name: values[field.name] for field in fields(cls)}
        known["found"] = tuple(FoundKind(**item) for item in known["found"])
        for name in ("reasons", "sketch", "picture_px"):
            known[name] = tuple(known[name])
        return cls(**known)


def entry_of(recording_id: str, version: str, content: Mapping[str, Any]) -> ArchiveEntry:
    """Return the entry of a recording from the content of its `qc.json`.

    Raises:
        ArtifactDamaged: The content is no quality report, or lacks what the page needs.
    """
    try:
        return _entry(recording_id, version, content)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise ArtifactDamaged(
            f"qc.json cannot be used ({type(error).__name__}: {error})",
            where=f"{recording_id}, version {version}",
            remedy="materialise qc_report of this recording again",
        ) from error


def _entry(recording_id: str, version: str, content: Mapping[str, Any]) -> ArchiveEntry:
    if (content["schema"], content["schema_version"]) != (SCHEMA, SCHEMA_VERSION):
        raise ValueError(f"schema {words(content['schema'])!r}, version {content['schema_version']!r}")
    if content["verdict"] not in _VERDICTS:
        raise ValueError(f"verdict {words(content['verdict'])!r}")
    recording, kept = content["metrics"]["recording"], content["kept"]
    offset, print_ = content["wall_offset_ns"], content["fingerprint"]
    picture, size = _picture(content["thumbnails"])
    return ArchiveEntry(
        recording_id=recording_id,
        version=version,
        verdict=content["verdict"],
        score=real_in(content["score"], 0, 100),
        is_publishable=flag(content["publishable"]),
        reasons=tuple(words(reason)[:_MOST_WORDS] for reason in content["verdict_reasons"][:3]),
        duration_s=real_in(recording["duration_s"], 0, _MOST_SECONDS),
        kept_s=real_in(kept["seconds"], 0, _MOST_SECONDS),
        one_hand_s=real_in(kept["one_hand_seconds"], 0, _MOST_SECONDS),
        two_hands_s=real_in(kept["two_hands_seconds"], 0, _MOST_SECONDS),
        frames=whole_in(content["frames"], 0, _MOST_COUNT),
        size_bytes=whole_in(recording["size_bytes"], 0, _MOST_COUNT),
        sha256=digest_or_none(content["source_sha256"]),
        start_ns=_wall_ns(content["first_stamp_ns"], offset),
        end_ns=_wall_ns(content["last_stamp_ns"], offset),
        found=_found(content["findings_by_kind"]),
        sketch=tuple(words(digest) for digest in print_["sketch"][:SKETCH]),
        pictures=whole_in(print_["pictures"], 0, _MOST_COUNT),
        brightness=_curve(print_["brightness"]),
        contrast=_curve(print_["contrast"]),
        picture=picture,
        picture_px=size,
    )


def _wall_ns(stamp_ns: Any, offset_ns: Any) -> int | None:
    """Return the wall-clock time of a stamp, None where it is unknown or no time at which people record."""
    stamp = whole_in(stamp_ns, -_FARTHEST_NS, _FARTHEST_NS)
    if offset_ns is None:
        return None
    wall = stamp + whole_in(offset_ns, -_FARTHEST_NS, _FARTHEST_NS)
    return wall if _FIRST_NS <= wall < _LAST_NS else None


def _curve(curve: str) -> str:
    if len(read_curve(curve)) not in (0, POINTS):
        raise ValueError("a curve of another length")
    return curve


def _found(totals: list[Mapping[str, Any]]) -> tuple[FoundKind, ...]:
    counts: dict[str, tuple[int, float]] = {}
    for item in totals:
        kind = words(item["kind"])
        count, points = counts.get(kind, (0, 0.0))
        count += whole_in(item["count"], 1, _MOST_COUNT)
        counts[kind] = (count, points + real_in(item["points_lost"], 0, _MOST_POINTS))
    found = [FoundKind(kind, count, round(points, 2)) for kind, (count, points) in counts.items()]
    return tuple(sorted(found, key=lambda item: (-item.points, -item.count, item.kind))[:_MOST_KINDS])


def _picture(thumbnails: list[Mapping[str, Any]]) -> tuple[str, tuple[int, int]]:
    """Return the first of the tiny pictures, checked: it goes into a page as it is."""
    if not thumbnails:
        return "", (0, 0)
    text = str(thumbnails[0]["jpeg_base64"])
    jpeg = base64.b64decode(text, validate=True)
    if not jpeg.startswith(b"\xff\xd8") or len(jpeg) > _MOST_PICTURE_BYTES:
        raise ValueError("the thumbnail is no small JPEG")
    width, height = (whole_in(thumbnails[0][name], 1, _MOST_SIDE_PX) for name in ("width", "height"))
    return text, (width, height)
