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
_STEPS = 128  # coding pictures anew moves their mean by hundredths of a level
_TRUSTED = frozenset({"stamps are epoch", "log_time"})


def fingerprint(e: Evidence) -> dict[str, Json]:
    """Return `sketch` (digests in hex), `pictures` (distinct ones), `brightness` and `contrast` (see `read_curve`)."""
    distinct = np.unique(e.signals.payload)
    return {
        "sketch": [digest.decode("ascii") for digest in distinct[:SKETCH].tolist()],
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
    """Return the means of equal stretches of time in hex; a stretch without pictures takes from both sides."""
    seconds = (e.stamps_ns - e.stamps_ns[0]) / 1e9
    place = np.minimum((seconds / max(float(seconds[-1]), 1e-9) * POINTS).astype(np.int64), POINTS - 1)
    is_known = np.isfinite(values)
    if not is_known.any():
        return ""
    total = np.bincount(place[is_known], values[is_known], POINTS)
    count = np.bincount(place[is_known], minlength=POINTS)
    at = np.flatnonzero(count)
    means = np.interp(np.arange(POINTS), at, total[at] / count[at])
    return write_curve(means)


def write_curve(luma: Floats) -> str:
    """Return luma values (0 to 255) in hex: two bytes each, the higher one first, in 1/128 of a level."""
    return np.clip(np.round(luma * _STEPS), 0, 255 * _STEPS).astype(">u2").tobytes().hex()


def read_curve(curve: str) -> Floats:
    """Return the luma values of a curve.

    Raises:
        ValueError: The text is no curve.
    """
    return np.frombuffer(bytes.fromhex(curve), ">u2") / _STEPS
