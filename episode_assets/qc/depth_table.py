"""The figures of the depth images as a file beside the report, so that a changed threshold looks at no image again.

It holds what was measured and no judgement. What is measured is told in `depth_figures`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from episode_assets.bundle import EpisodeBundle
from episode_assets.long_tables import Rows, write_rows
from episode_assets.qc.depth_figures import DepthNumbers, SteraDepth

DEPTH_FIGURES = "depth_figures.parquet"
_OF = b"episode_assets.depth_figures"
_FLAGS = ("is_constant", "is_repeated")
_NUMBERS = (
    "valid_ratio",
    "centre_valid_ratio",
    "saturated_ratio",
    "median_m",
    "mean_m",
    "left_hand_m",
    "right_hand_m",
)
_SHIFTS = ("shift_x_px", "shift_y_px")


def write_depth_table(path: Path, depth: DepthNumbers, bundle: EpisodeBundle, messages: int) -> None:
    """Write the figures of the depth images of a bundle out of a recording with so many depth messages."""
    columns = {name: getattr(depth, name) for name in (*_FLAGS, *_NUMBERS)}
    columns |= {name: depth.shift_px[:, axis] for axis, name in enumerate(_SHIFTS)}
    stera = depth.stera
    figures = {
        "of": _identity(bundle, messages),
        "size": list(depth.size),
        "histogram": depth.histogram.tolist(),
        "beyond": depth.beyond,
        "stera": {
            "valid_percent": stera.valid_percent.tolist(),
            "min_m": stera.min_m,
            "max_m": stera.max_m,
            "pixels": stera.pixels,
            "percentiles_m": stera.percentiles_m,
            "counts": stera.counts,
        },
    }
    words = json.dumps(figures, sort_keys=True).encode()
    write_rows(path, Rows.of(columns), metadata={_OF: words})


def read_depth_table(path: Path, bundle: EpisodeBundle, messages: int) -> DepthNumbers | None:
    """Return the figures that were written for this very bundle, once published; None where there are none of it."""
    info, identity = bundle.depth, _identity(bundle, messages)
    if info is None or identity is None:
        return None
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            figures = json.loads((file.schema_arrow.metadata or {})[_OF])
            if figures["of"] != identity:
                return None
            table = file.read(use_threads=False)
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        return None  # they are measured again, which is all that they save
    columns: dict[str, Any] = {
        name: np.array(table[name].to_numpy()) for name in (*_FLAGS, *_NUMBERS, *_SHIFTS)
    }
    shift = np.stack([columns.pop(name) for name in _SHIFTS], axis=1)
    return DepthNumbers(
        has=np.isfinite(columns["valid_ratio"]),
        stamp_ns=info.stamp_ns,
        message_number=info.message_number,
        shift_px=shift,
        size=(int(figures["size"][0]), int(figures["size"][1])),
        histogram=np.array(figures["histogram"], np.int64),
        beyond=int(figures["beyond"]),
        stera=_stera_of(figures["stera"]),
        **columns,
    )


def _stera_of(told: Mapping[str, Any]) -> SteraDepth:
    return SteraDepth(
        valid_percent=np.array(told["valid_percent"], np.float32),
        min_m=told["min_m"],
        max_m=told["max_m"],
        pixels=told["pixels"],
        percentiles_m={int(share): value for share, value in told["percentiles_m"].items()},
        counts=tuple(told["counts"]),
    )


def _identity(bundle: EpisodeBundle, messages: int) -> list[str | int] | None:
    """Return what the figures depend on; None for a bundle that nothing tells from one with other content."""
    return None if bundle.manifest is None else [bundle.manifest.content_digest, messages]
