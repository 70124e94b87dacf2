"""A few hundred bytes by which recordings of the same scene are recognised, from numbers taken before blurring.

The sketch keeps the smallest digests of the compressed pictures: two recordings that share pictures share digests,
in proportion (bottom-k sketch, Broder 1997). The curves keep how brightness and contrast went, which survives coding
the pictures anew. Comparing them belongs to `duplicates`.
"""

from __future__ import annotations

import numpy as np

from episode_assets.outcome import Json
from episode_assets.qc.evidence import Evidence, Floats

SKETCH = 64
POINTS = 64
_TRUSTED = frozenset({"stamps are epoch", "log_time"})


def fingerprint(e: Evidence) -> dict[str, Json]:
    """Return `sketch` (digests in hex), `pictures` (distinct ones), `brightness` and `contrast` (bytes in hex)."""
    distinct = np.unique(e.signals.payload)
    return {
        "sketch": [str(digest) for digest in distinct[:SKETCH]],
        "pictures": len(distinct),
        "brightness": _curve(e, e.signals.mean),
        "contrast": _curve(e, e.signals.std),
    }


def wall_offset_ns(e: Evidence) -> int | None:
    """Return what makes wall-clock time of a stamp, as far as stamps and log times tell; None where they do not.

    What only a file name or a record of the phone tells stays upstream.
    """
    clock = e.inventory.wall_clock
    return clock.offset_ns if clock is not None and clock.source in _TRUSTED else None


def _curve(e: Evidence, values: Floats) -> str:
    """Return the means of equal stretches of time as bytes in hex; a stretch without pictures takes from both sides."""
    seconds = (e.stamps_ns - e.stamps_ns[0]) / 1e9
    place = np.minimum((seconds / max(float(seconds[-1]), 1e-9) * POINTS).astype(np.int64), POINTS - 1)
    is_known = np.isfinite(values)
    if not is_known.any():
        return ""
    total = np.bincount(place[is_known], values[is_known], POINTS)
    count = np.bincount(place[is_known], minlength=POINTS)
    at = np.flatnonzero(count)
    means = np.interp(np.arange(POINTS), at, total[at] / count[at])
    return bytes(np.clip(np.round(means), 0, 255).astype(np.uint8)).hex()
