"""Finds elements of state and action whose numbers explode when a policy normalises them.

Policies divide by the spread of the valid values, most by q99 - q01. A hand that was measured in three rows of an
hour, or that never moves, has next to none. An element that is never valid does no harm: its constant fill becomes
zero, and the provenance names it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from episode_assets.errors import BadConfig
from episode_assets.lerobot.columns import Column
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.statistics import Statistics
from episode_assets.outcome import Json

FEWEST_ROWS = 10
FEWEST_RATIO = 0.001
"""Fewer valid rows than this, or a smaller share of all rows, are hardly any: q01 and q99 are then single values."""

NO_SPREAD = 1e-6
"""Metres, radians or none: q99 - q01 up to here is the rounding of float32, not a movement."""

_NAMED = 5


@dataclass(frozen=True)
class Scarce:
    """An element that cannot be normalised.

    Attributes:
        key: Feature.
        name: Element.
        rows: Rows in which it is valid.
        spread: q99 - q01 over these rows.
        code: `hardly_any_valid` or `no_spread`.
    """

    key: str
    name: str
    rows: int
    spread: float
    code: str

    @property
    def detail(self) -> str:
        """What is wrong, with its value."""
        if self.code == "no_spread":
            return f"{self.key} {self.name} spreads over {self.spread:.2g}"
        return f"{self.key} {self.name} is valid in {self.rows} rows"

    def to_json(self) -> dict[str, Json]:
        """Return plain JSON."""
        return {"feature": self.key, "element": self.name, "code": self.code, "detail": self.detail}


def scarce_elements(
    columns: Sequence[Column],
    statistics: Mapping[str, Statistics],
    valid_counts: Mapping[str, Sequence[int]],
    *,
    rows: int,
) -> tuple[Scarce, ...]:
    """Return the elements of state and action with hardly any valid rows, or with no spread over them.

    Args:
        columns: Columns of the data files; only those with groups are state and action.
        statistics: Statistics over the valid rows, by feature.
        valid_counts: Valid rows of each element, by masked feature.
        rows: Rows of the dataset.
    """
    found = []
    for column in columns:
        if not column.groups:
            continue
        counts = valid_counts.get(column.key, [rows] * column.width)
        for place, (name, count) in enumerate(zip(column.names or (), counts, strict=True)):
            spread = float(statistics[column.key]["q99"][place] - statistics[column.key]["q01"][place])
            code = _code(count, spread, rows)
            if code and name not in column.constant:
                found.append(Scarce(column.key, name, count, spread, code))
    return tuple(found)


def refuse_scarce(scarce: Sequence[Scarce], recipe: Recipe) -> None:
    """Return if there is no such element, or the recipe keeps them.

    Raises:
        BadConfig: There are some, and the recipe neither drops nor keeps them.
    """
    if not scarce or recipe.layout.scarce == "keep":
        return
    listed = "; ".join(item.detail for item in scarce[:_NAMED])
    more = f"; and {len(scarce) - _NAMED} more" if len(scarce) > _NAMED else ""
    raise BadConfig(
        f"{len(scarce)} elements cannot be normalised: {listed}{more}",
        where=f"recipe {recipe.name!r}",
        remedy="drop them (layout.drop), require the hand that is rarely seen (require_hands), or accept them with"
        " layout.scarce: keep",
    )


def _code(count: int, spread: float, rows: int) -> str:
    if count == 0:
        return ""
    if count < max(FEWEST_ROWS, FEWEST_RATIO * rows):
        return "hardly_any_valid"
    return "no_spread" if spread <= NO_SPREAD else ""
