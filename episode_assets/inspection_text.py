"""What `inspect` shows: an inventory and the prospects of each asset, as text of at most 100 columns and as JSON.

Words and columns only; what a recording holds is found by `recording`, what can be made of it by `pipeline.prospects`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from episode_assets.console import megabytes, printable, table
from episode_assets.pipeline.prospects import Prospect
from episode_assets.recording import Inventory, TopicInfo

COLUMNS = 100
_TOPIC_COLUMNS, _TYPE_COLUMNS = 26, 19
_GAPS_SHOWN = 3
_ROLES_WITH_GAPS = frozenset({"rgb", "depth", "pose"})
_HEADER = ("topic", "role", "type/encoding", "msgs", "Hz", "span s", "gaps", "bad")
_BASIS = {
    "index": "from the file's index; times are log times",
    "scan": "from a walk over all messages",
}


def document(inventory: Inventory, prospects: Sequence[Prospect], uri: str) -> dict[str, Any]:
    """Return what `inspect --json` prints.

    The keys are those of `inventory.json` (see `Inventory`, `TopicInfo`, `RoleChoice`, `Damage`), and `uri`, the
    address as given, and `prospects`, one {asset, can: yes|partly|no, missing, consequences} for each asset.
    """
    return {**inventory.to_json(), "uri": uri, "prospects": [asdict(item) for item in prospects]}


def describe(inventory: Inventory, prospects: Sequence[Prospect]) -> str:
    """Return an inventory as a head, a table of topics, what is open or damaged, and what can be made of it."""
    blocks = (
        _head(inventory),
        [table([_topic_row(info) for info in inventory.topics], _HEADER)],
        _trouble(inventory),
        _open_roles(inventory),
        _made(prospects),
    )
    return "\n\n".join("\n".join(lines) for block in blocks if (lines := list(block)))


def _head(inventory: Inventory) -> Iterator[str]:
    state = "truncated" if inventory.truncated else "complete"
    writer = printable(inventory.library) or "unknown"
    packing = ", ".join(inventory.compressions) or "none"
    yield from _wrapped(
        f"{megabytes(inventory.size_bytes)}, {inventory.messages} messages, {inventory.chunks} chunks "
        f"(compression: {packing}), {state}; written by {writer}",
        indent=2,
    )
    yield f"read:  {_BASIS.get(inventory.basis, inventory.basis)}"
    yield from _wrapped(f"clock: {_clock(inventory)}", indent=7)
    if inventory.gravity != "unknown":
        yield f"gravity in the acceleration: {inventory.gravity}"


def _clock(inventory: Inventory) -> str:
    if inventory.first_ns is None or inventory.last_ns is None:
        return f"{inventory.clock}, no messages"
    span = f"{(inventory.last_ns - inventory.first_ns) / 1e9:.3f} s"
    kind = "epoch" if inventory.clock == "epoch" else "relative (device uptime or the like)"
    wall = inventory.wall_clock
    if wall is None:
        return f"{kind}, {span}; wall clock unknown"
    start = datetime.fromtimestamp((_first_stamp(inventory) + wall.offset_ns) // 1_000_000_000, UTC)
    return f"{kind}, {span}; began {start:%Y-%m-%d %H:%M:%S} ({wall.zone}; {printable(wall.source)})"


def _first_stamp(inventory: Inventory) -> int:
    stamps = [
        info.first_ns for info in inventory.topics if info.first_ns is not None and info.time_basis == "stamp"
    ]
    return min(stamps, default=inventory.first_ns or 0)


def _topic_row(info: TopicInfo) -> tuple[str, ...]:
    span = None if info.first_ns is None or info.last_ns is None else (info.last_ns - info.first_ns) / 1e9
    kind = info.schema.replace("::", "/").rpartition("/")[2].rpartition(".")[2] or "-"
    bad = "all" if info.cannot_decode and info.count else str(info.undecodable or "-")
    return (
        _shortened(info.topic, _TOPIC_COLUMNS),
        info.role or "-",
        _shortened(f"{kind}/{info.message_encoding}", _TYPE_COLUMNS),
        str(info.count),
        f"{info.rate_hz:.2f}" if info.rate_hz else "-",
        "-" if span is None else f"{span:.2f}",
        str(len(info.gaps) or "-"),
        bad,
    )


def _trouble(inventory: Inventory) -> Iterator[str]:
    for info in inventory.topics:
        if info.count and info.cannot_decode:
            yield from _wrapped(f"{info.topic}: cannot decode: {info.cannot_decode}", indent=2)
        elif info.undecodable:
            text = f"{info.topic}: {info.undecodable} undecodable, first: {info.first_error}"
            yield from _wrapped(text, indent=2)
        if info.role in _ROLES_WITH_GAPS:
            yield from _gaps(info, inventory.first_ns or 0)
    for item in inventory.damage:
        yield from _wrapped(f"damage ({item.kind}) {item.in_words()}", indent=2)
    if inventory.damage_total > len(inventory.damage):
        yield f"and {inventory.damage_total - len(inventory.damage)} more damaged stretches"


def _gaps(info: TopicInfo, start_ns: int) -> Iterator[str]:
    for gap in info.gaps[:_GAPS_SHOWN]:
        seconds, began = (gap.end_ns - gap.start_ns) / 1e9, (gap.start_ns - start_ns) / 1e9
        yield from _wrapped(f"{info.topic}: gap of {seconds:.3f} s at {began:.3f} s", indent=2)
    if len(info.gaps) > _GAPS_SHOWN:
        yield from _wrapped(f"{info.topic}: and {len(info.gaps) - _GAPS_SHOWN} more gaps", indent=2)


def _open_roles(inventory: Inventory) -> Iterator[str]:
    by_reason: dict[str, list[str]] = {}
    for role, choice in inventory.roles.items():
        if not choice.is_filled:
            by_reason.setdefault(choice.reason, []).append(role)
    for reason, roles in by_reason.items():
        yield from _wrapped(f"open: {', '.join(roles)}: {reason}", indent=6)


def _made(prospects: Sequence[Prospect]) -> Iterator[str]:
    yield "what can be made:"
    width = max(len(item.asset) for item in prospects)
    for item in prospects:
        words = "; ".join(item.consequences)
        yield from _wrapped(f"  {item.asset.ljust(width)}  {item.can.ljust(6)}  {words}", indent=width + 12)


def _shortened(text: str, columns: int) -> str:
    """Return text with its middle left out where it is longer than `columns`."""
    text = printable(text)
    if len(text) <= columns:
        return text
    front = (columns - 1) // 2
    return f"{text[:front]}~{text[len(text) - (columns - 1 - front) :]}"


def _wrapped(text: str, *, indent: int) -> Iterator[str]:
    """Yield lines of at most `COLUMNS` characters; all but the first are indented."""
    line = printable(text).rstrip()
    while len(line) > COLUMNS:
        at = line.rfind(" ", indent + 1, COLUMNS + 1)
        at = COLUMNS if at <= indent else at
        yield line[:at].rstrip()
        line = " " * indent + line[at:].strip()
    yield line
