"""What a group of checks of a quality report answers, with a table of those to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from episode_assets.defs.recording_asset import MAX_LISTED
from episode_assets.qc.check_groups import Group, answers_in, group_of

_ODD = ("fail", "warn", "not_run")
_ABSENT = "_missing"
_MOST_RANGES = 5


def answer_of(group: Group, content: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
    """Return whether a group passes, and its numbers with a table of what to look at.

    It passes where every check was run, none warns or fails, and no stream is absent that costs points.
    """
    found = answers_in(group, content["checks"])
    counts = {word: sum(check["status"] == word for check in found) for word in (*_ODD, "pass")}
    numbers: dict[str, Any] = {f"checks_{word}": count for word, count in counts.items()}
    absent = _absent_streams(group, content)
    if absent:
        numbers["absent"] = ", ".join(absent)
    odd = sorted(
        (check for check in found if check["status"] in _ODD), key=lambda check: _ODD.index(check["status"])
    )
    if odd:
        numbers["to_look_at"] = _table(odd[:MAX_LISTED])
    return not odd and not absent, numbers


def _absent_streams(group: Group, content: Mapping[str, Any]) -> list[str]:
    """Return why points were lost for streams that are not there; no check can speak for those."""
    absent = [item for item in content["findings_by_kind"] if item["kind"].endswith(_ABSENT)]
    texts = {part["reason"]: str(part["text"]) for part in content["score_parts"]}
    return [texts.get(item["kind"], item["kind"]) for item in _of_group(group, absent)]


def _of_group(group: Group, found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [item for item in found if group_of(str(item["kind"]), str(item["stream"])) == group]


def _table(checks: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    names = ("check", "answer", "value", "threshold", "unit", "frames", "detail")
    records = [dg.TableRecord(dict(zip(names, _cells(check), strict=True))) for check in checks]
    columns = [dg.TableColumn(name, "string") for name in names]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))


def _cells(check: Mapping[str, Any]) -> tuple[str, ...]:
    ranges = [f"{first} to {last}" for first, last, *_ in check["ranges"][:_MOST_RANGES]]
    more = check["ranges_total"] - len(ranges)
    frames = ", ".join(ranges) + (f" and {more} more" if more > 0 and ranges else "")
    value, threshold = (_shown(check[name]) for name in ("value", "threshold"))
    return (check["id"], check["status"], value, threshold, check["unit"], frames, check["detail"])


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
